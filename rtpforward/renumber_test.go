// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRenumberingTable(t *testing.T) {
	type step struct {
		n    uint64
		skip bool
		out  int64 // relative to the first; -1: none
	}
	for name, steps := range map[string][]step{
		"in order":               {{n: 10, out: 0}, {n: 11, out: 1}, {n: 12, out: 2}},
		"loss stays a gap":       {{n: 10, out: 0}, {n: 13, out: 3}, {n: 12, out: 2}, {n: 11, out: 1}},
		"duplicates":             {{n: 10, out: 0}, {n: 11, out: 1}, {n: 10, out: -1}, {n: 11, out: -1}},
		"before the run":         {{n: 10, out: 0}, {n: 9, out: -1}},
		"left out":               {{n: 10, out: 0}, {n: 11, skip: true}, {n: 12, out: 1}, {n: 13, skip: true}, {n: 14, skip: true}, {n: 15, out: 2}},
		"left out comes again":   {{n: 10, out: 0}, {n: 11, skip: true}, {n: 12, out: 1}, {n: 11, out: -1}},
		"late across left out":   {{n: 10, out: 0}, {n: 13, skip: true}, {n: 14, out: 3}, {n: 12, out: 2}, {n: 11, out: 1}, {n: 13, out: -1}},
		"late and left out":      {{n: 10, out: 0}, {n: 12, out: 2}, {n: 11, skip: true}, {n: 13, out: 3}},
		"left out at the start":  {{n: 9, skip: true}, {n: 10, skip: true}, {n: 11, out: 0}, {n: 10, out: -1}},
		"a large step":           {{n: 10, out: 0}, {n: 10 + 1<<15, out: 1}, {n: 11, out: -1}, {n: 11 + 1<<15, out: 2}},
		"a large step, left out": {{n: 10, out: 0}, {n: 5000, skip: true}, {n: 5001, out: 1}},
		"the widest gap":         {{n: 10, out: 0}, {n: 10 + seqWindow, out: seqWindow}, {n: 11, out: 1}, {n: 10, out: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			q := renumbering{next: 1<<16 - 2} // across the 16 bits of the wire
			first := q.next
			q.start(steps[0].n)
			for i, s := range steps {
				if s.skip {
					q.skip(s.n)
					continue
				}
				out, ok := q.take(s.n)
				if ok != (s.out >= 0) || ok && out != first+uint64(s.out) {
					t.Fatalf("step %d: %d became %d (%v), want %d", i, s.n, int64(out-first), ok, s.out)
				}
			}
		})
	}
}

// TestRenumberingModel runs random sequences: loss, reordering, duplicates,
// packets left out, jumps and new runs. Every number is given once; numbers
// grow with the source's; a number is free only for a source number that is
// missing or that came too late to be left out in order.
func TestRenumberingModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := renumbering{next: rapid.Uint64Range(0, 1<<17).Draw(t, "first output")}
		start := q.next
		given := make(map[uint64]uint64) // output number: id of the packet
		var runs [][2]uint64             // output numbers of finished runs: from, behind
		source := rapid.Uint64Range(1<<16, 1<<18).Draw(t, "first source")
		for run := range rapid.IntRange(1, 4).Draw(t, "runs") {
			from := q.next
			q.start(source)
			outs := make(map[uint64]uint64) // source: output
			out := make(map[uint64]bool)    // left out
			inOrder := 0
			highest := source - 1
			first := source
			for range rapid.IntRange(0, 150).Draw(t, "packets") {
				n := highest + 1
				switch rapid.IntRange(0, 9).Draw(t, "kind") {
				case 0, 1: // loss
					n += rapid.Uint64Range(1, 20).Draw(t, "lost")
				case 2, 3: // late or duplicate
					n = highest - min(rapid.Uint64Range(0, 30).Draw(t, "late"), highest)
				}
				if rapid.IntRange(0, 5).Draw(t, "leave out") == 0 && outs[n] == 0 {
					if n > highest {
						highest = n
						out[n] = true
						inOrder++
					}
					q.skip(n)
					continue
				}
				got, ok := q.take(n)
				highest = max(highest, n)
				_, had := outs[n]
				switch {
				case ok && (had || out[n] || n < first):
					t.Fatalf("source %d has no number to be given, got %d", n, got)
				case !ok:
					continue
				}
				if other, dup := given[got]; dup {
					t.Fatalf("number %d given to %d and to %d", got, other, n)
				}
				given[got] = n
				outs[n] = got
				if got < from {
					t.Fatalf("run %d: number %d is of the run before, which ended at %d", run, got, from)
				}
				for m, o := range outs {
					if (m < n) != (o < got) && m != n {
						t.Fatalf("order: %d→%d but %d→%d", m, o, n, got)
					}
				}
			}
			end := from
			for _, o := range outs {
				end = max(end, o+1)
			}
			if q.next != end {
				t.Fatalf("run %d: the next number is %d, the last given %d", run, q.next, end-1)
			}
			span, kept := highest-first+1, uint64(0)
			for n := first; n <= highest; n++ {
				if o, ok := outs[n]; ok {
					kept = max(kept, o-from+1)
				}
			}
			if kept > span-uint64(inOrder) {
				t.Fatalf("run %d: %d numbers used for a span of %d with %d left out", run, kept, span, inOrder)
			}
			runs = append(runs, [2]uint64{from, q.next})
			source = rapid.Uint64Range(1<<16, 1<<18).Draw(t, "next source")
		}
		at := start
		for _, r := range runs {
			if r[0] != at {
				t.Fatalf("a run starts at %d, the one before ended at %d", r[0], at)
			}
			at = r[1]
		}
	})
}
