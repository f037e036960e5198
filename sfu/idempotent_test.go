// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeatOutlivesItsCall has a caller give up and call again while the first call is still under way: the repeat is no
// victim of the first one's end.
func TestRepeatOutlivesItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{requests: newRequests(8, 1<<20, time.Minute)}
		first, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := n.Idempotent(first, "M", "id", [32]byte{}, func() (any, error) {
				<-first.Done()

				return nil, ErrDeadline
			})
			failed <- err
		}()
		synctest.Wait()
		answered := make(chan any, 1)
		go func() {
			got, err := n.Idempotent(context.Background(), "M", "id", [32]byte{}, func() (any, error) { return "done", nil })
			if err != nil {
				t.Error(err)
			}
			answered <- got
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !gaveUp(err) {
			t.Errorf("the first call: %v", err)
		}
		if got := <-answered; got != "done" {
			t.Errorf("the repeat got %v", got)
		}
	})
}

// weight is a reply that says what it holds.
type weight int

func (w weight) Size() int { return int(w) }

func TestIdempotencyIsBoundedByBytes(t *testing.T) {
	const most = 80 << 10
	q := newRequests(1000, most, time.Minute)
	run := func(id string, size int) (mine bool) {
		t.Helper()
		r, mine, err := q.enter(requestKey{"M", id}, [32]byte{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if mine {
			if _, err := q.run(r, func() (any, error) { return weight(size), nil }); err != nil {
				t.Fatal(err)
			}
		}

		return mine
	}
	for i := range 100 {
		run(fmt.Sprint(i), 10<<10)
		if q.bytes > most {
			t.Fatalf("%d bytes are kept", q.bytes)
		}
	}
	if n := q.order.Len(); n != 7 || len(q.byKey) != n {
		t.Errorf("%d replies and %d keys are kept, want 7", n, len(q.byKey))
	}
	if run("99", 0) || run("93", 0) {
		t.Error("one of the latest is forgotten")
	}
	run("giant", most/largestShare+1)
	if !run("giant", 1) || run("99", 0) {
		t.Error("a giant was kept, or drove the others out")
	}
	q.mu.Lock()
	q.expire(time.Now().Add(time.Hour))
	q.mu.Unlock()
	if q.bytes != 0 || q.order.Len() != 0 {
		t.Errorf("%d bytes in %d entries are left in the end", q.bytes, q.order.Len())
	}
}
