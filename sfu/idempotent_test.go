// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeatOutlivesItsCall has a caller give up and call again while the first call is still under way: the repeat is no
// victim of the first one's end.
func TestRepeatOutlivesItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{requests: newRequests(8, time.Minute)}
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
