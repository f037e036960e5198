// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPacerBound holds the pacer to what its comment promises, for any pattern
// of asking: in any time t at most burst + pace × t.
func TestPacerBound(t *testing.T) {
	type sent struct {
		at   int64
		size int64
	}
	rapid.Check(t, func(t *rapid.T) {
		target := rapid.Int64Range(8000, 50_000_000).Draw(t, "target")
		p := NewPacer(PacerConfig{}, target, 0)
		var all []sent
		at := int64(0)
		for range rapid.IntRange(1, 300).Draw(t, "asks") {
			at += rapid.Int64Range(0, 20*millisecond).Draw(t, "wait")
			size := rapid.IntRange(1, 1500).Draw(t, "size")
			if rapid.IntRange(0, 9).Draw(t, "audio") == 0 {
				p.Charge(100, at) // not held back, but counted
			}
			if p.Take(size, at) {
				all = append(all, sent{at, int64(size)})
			} else if when := p.When(size, at); when <= at {
				t.Fatalf("refused at %d, but may leave at %d", at, when)
			} else if later := p; !later.Take(size, when) {
				t.Fatalf("refused at %d, when it was to be let through", when)
			}
		}
		for i := range all {
			sum := int64(0)
			for _, s := range all[i:] {
				sum += s.size
				if most := int64(p.Burst()) + p.pace*(s.at-all[i].at)/second + 1; sum > most {
					t.Fatalf("%d bytes in %d µs, at most %d", sum, (s.at-all[i].at)/microsecond, most)
				}
			}
		}
	})
}

func TestPacerKeyframe(t *testing.T) {
	// A keyframe of 60 kB at 1.5 Mbit/s: no burst above the bound, and gone
	// within the time that 1.5 times the target takes.
	p := NewPacer(PacerConfig{}, 1_500_000, 0)
	if p.Burst() != 4800 {
		t.Fatalf("burst is %d bytes", p.Burst())
	}
	left, at, atOnce, most := 60_000, int64(0), 0, 0
	for left > 0 {
		if p.Take(min(left, 1200), at) {
			left -= 1200
			atOnce += 1200
			most = max(most, atOnce)

			continue
		}
		at, atOnce = p.When(min(left, 1200), at), 0
	}
	if most > 4800 {
		t.Errorf("%d bytes left at once", most)
	}
	if at < 170*millisecond || at > 210*millisecond {
		t.Errorf("took %d ms", at/millisecond)
	}
}

func TestPacerBacklog(t *testing.T) {
	p := NewPacer(PacerConfig{}, 100_000, 0)
	p.SetTarget(100_000, 100_000, 0)
	left, at := 100_000, int64(0)
	for left > 0 {
		if p.Take(1000, at) {
			left -= 1000
		} else {
			at = p.When(1000, at)
		}
	}
	if at > 260*millisecond {
		t.Errorf("a backlog took %d ms, want 250", at/millisecond)
	}
}

func TestPacerDebtIsBounded(t *testing.T) {
	p := NewPacer(PacerConfig{}, 1_000_000, 0)
	for range 1000 {
		p.Charge(1200, 0)
	}
	if when := p.When(1200, 0); when > 60*millisecond {
		t.Errorf("a flood of audio stops video for %d ms", when/millisecond)
	}
	big := NewPacer(PacerConfig{}, 1_000_000, 0)
	if !big.Take(20_000, 0) || big.Take(1, 0) {
		t.Error("one packet above the burst leaves alone, and is counted in full")
	}
	if !big.Take(1000, 1<<60) {
		t.Error("a year of silence overflows")
	}
}
