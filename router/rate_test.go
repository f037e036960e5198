// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	var b bucket
	now := time.Unix(0, 0)
	for i := range 10 {
		if w := b.wait(now, 10); w != 0 {
			t.Fatalf("token %d: wait %v", i, w)
		}
		b.take(now, 10)
	}
	if w := b.wait(now, 10); w != 100*time.Millisecond {
		t.Errorf("empty: wait %v", w)
	}
	if w := b.wait(now.Add(60*time.Millisecond), 10); w < 39*time.Millisecond || w > 41*time.Millisecond {
		t.Errorf("60 ms later: wait %v", w)
	}
	// Waiting as told is enough, again and again, in spite of rounding.
	for i := range 1000 {
		now = now.Add(b.wait(now, 10))
		if w := b.wait(now, 10); w != 0 {
			t.Fatalf("after waiting %d times: wait %v", i, w)
		}
		b.take(now, 10)
	}
	// A long pause fills it to one second's worth and no more.
	now = now.Add(time.Hour)
	for range 10 {
		b.take(now, 10)
	}
	if b.wait(now, 10) == 0 {
		t.Error("more than a second's worth after a pause")
	}
	// A raised limit counts at once; time that goes backwards gives nothing.
	if w := b.wait(now.Add(20*time.Millisecond), 100); w != 0 {
		t.Errorf("at ten times the rate: wait %v", w)
	}
	if b.wait(now.Add(-time.Hour), 10) == 0 {
		t.Error("tokens from the past")
	}
}

// Over any stretch of time a caller that never waits gets at most the rate, and a second's worth on top.
func TestBucketRate(t *testing.T) {
	var b bucket
	now, got := time.Unix(0, 0), 0
	for range 100000 {
		now = now.Add(137 * time.Microsecond)
		if b.wait(now, 20) == 0 {
			b.take(now, 20)
			got++
		}
	}
	if seconds := 13.7; got > int(seconds*20)+20 || got < int(seconds*20) {
		t.Errorf("%d tokens in %.1f s at 20/s", got, seconds)
	}
}

// Each kind of message has its own rate in a room, and the refusal says when to try again.
func TestMessageRates(t *testing.T) {
	for name, c := range map[string]struct {
		msg  SendMessage
		rate int
	}{
		"broadcast of one user": {SendMessage{From: "a", Kind: MessageBroadcast}, 2},
		"broadcast":             {SendMessage{From: "x", FromServer: true, Kind: MessageBroadcast}, 10},
		"barrage":               {SendMessage{From: "a", Kind: MessageBarrage}, 20},
		"command to one":        {SendMessage{From: "a", Kind: MessageCommand, To: []string{"b"}}, 200},
		"command to many":       {SendMessage{From: "a", Kind: MessageCommand, To: []string{"b", "c"}}, 10},
		"command to all":        {SendMessage{From: "a", Kind: MessageCommand}, 10},
	} {
		r := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}})
		for _, u := range []string{"a", "b", "c"} {
			cmd := Connect{
				Create: CreateSession{App: "app", ID: SessionID(u), User: User{u, u}, Mode: ModeMulti}, Joins: []JoinRoom{{Room: "r"}, {Room: "other"}},
			}
			if _, _, err := r.Apply(scriptStart, cmd); err != nil {
				t.Fatal(err)
			}
		}
		c.msg.App, c.msg.Room, c.msg.Payload = "app", "r", []byte("x")
		now, sent := scriptStart, 0
		var err error
		for sent <= c.rate {
			if _, _, err = r.Apply(now, c.msg); err != nil {
				break
			}
			sent++
		}
		var e *Error
		if sent != c.rate || !errors.As(err, &e) || e.Reason != "MESSAGE_RATE" || e.RetryAfter != time.Second/time.Duration(c.rate) {
			t.Errorf("%s: %d sent at once, then %v", name, sent, err)

			continue
		}
		if _, _, err := r.Apply(now.Add(e.RetryAfter), c.msg); err != nil {
			t.Errorf("%s: after waiting as told: %v", name, err)
		}
		c.msg.Room = "other"
		if _, _, err := r.Apply(now, c.msg); err != nil {
			t.Errorf("%s: in another room: %v", name, err)
		}
	}
}
