// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "testing"

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
