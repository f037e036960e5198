// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "testing"

// TestProve: more than the target was sent at the start, and came through.
func TestProve(t *testing.T) {
	play := func(capacity int64) (before, after, queue int64) {
		o := newOurs(t, Config{})
		run(scenario{
			length: second, capacity: constant(capacity), queue: 200_000, delay: 25 * millisecond,
			demand: constant(2_000_000), pick: func(int64, int64) int64 { return 2_000_000 },
		}, bold{o})
		before = o.e.Estimate().Target
		o.e.Prove(second)

		return before, o.e.Estimate().Target, o.e.Estimate().Queue
	}
	if before, after, _ := play(5_000_000); before > 1_000_000 || after < 1_800_000 || after > 2_300_000 {
		t.Errorf("2 Mbit/s came through: %d, then %d", before, after)
	}
	if before, after, queue := play(1_000_000); after != before {
		t.Errorf("half of it waits %d ms: %d, then %d", queue/millisecond, before, after)
	}
}

// bold sends without a probe and without regard for the pacer.
type bold struct{ *ours }

func (bold) probe(int64) (Cluster, bool) { return Cluster{}, false }
func (bold) target(int64, int64) int64   { return 2_000_000 }

// TestHope: what a client says itself is believed by and by.
func TestHope(t *testing.T) {
	e := New(Config{}, 0)
	at := int64(0)
	say := func(rate int64, times int) int64 {
		for range times {
			at += second
			e.Sent(uint16(at/second), 1000, at, 0)
			e.REMB(rate, at)
			e.Hope(at)
		}

		return e.Estimate().Target
	}
	if got := say(1_000_000, 2); got < 320_000 || got > 360_000 {
		t.Errorf("%d after a second", got)
	}
	if got := say(1_000_000, 30); got != 1_000_000 {
		t.Errorf("%d in the end", got)
	}
	if got := say(400_000, 1); got != 400_000 {
		t.Errorf("%d when it says less", got)
	}
}
