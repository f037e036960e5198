// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package path

import (
	"math/rand/v2"
	"testing"
)

func chance() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// TestRateIsExact: what leaves a full bottleneck is spaced by size and rate, to a Step, over any time.
func TestRateIsExact(t *testing.T) {
	const rate, size = 3_000_000, 1200
	l := New(Shape{Capacity: Constant(rate), Queue: 1 << 20, Delay: 40 * Millisecond}, chance(), 0)
	var came []Datagram
	take := func(d Datagram) { came = append(came, d) }
	for i := range 500 {
		l.Enter(Datagram{Number: uint16(i), Size: size}, 0)
	}
	l.Advance(10*Second, take)
	if len(came) != 500 {
		t.Fatalf("%d of 500 came", len(came))
	}
	for i, d := range came {
		due := int64(i+1) * size * 8 * Second / rate
		if off := d.Left - due; off < 0 || off > Step {
			t.Fatalf("datagram %d left %d µs after it was due", i, off/Microsecond)
		}
		if d.Number != uint16(i) || d.Arrives != d.Left+40*Millisecond {
			t.Fatalf("datagram %d is %+v", i, d)
		}
	}
}

// TestStepsOrLeaps: how far Advance goes at a time changes nothing, whether there is traffic or not.
func TestStepsOrLeaps(t *testing.T) {
	run := func(leap int64) (out []int64) {
		l := New(Shape{
			Capacity: func(at int64) int64 { return 300_000 + at%(2*Second)/1000 }, Queue: 20_000,
			Delay: 25 * Millisecond, Jitter: 20 * Millisecond, Loss: 0.1,
		}, chance(), 0)
		next, traffic := int64(0), rand.New(rand.NewPCG(3, 4))
		for at := int64(0); at < 20*Second; at += leap {
			for next <= at {
				l.Advance(next, func(d Datagram) { out = append(out, d.Arrives) })
				l.Enter(Datagram{Size: 200 + traffic.IntN(1000)}, next)
				next += Step * (1 + traffic.Int64N(200))
			}
			l.Advance(at, func(d Datagram) { out = append(out, d.Arrives) })
		}

		return out
	}
	a, b := run(Step), run(40*Step)
	n := min(len(a), len(b)) - 5 // those at the end may not have been handed over yet
	if n < 500 {
		t.Fatalf("%d and %d arrivals", len(a), len(b))
	}
	for i := range n {
		if a[i] != b[i] {
			t.Fatalf("arrival %d is at %d in steps and at %d in leaps", i, a[i], b[i])
		}
	}
}

func TestQueueAndCounters(t *testing.T) {
	l := New(Shape{Capacity: Constant(1_000_000), Queue: 3000}, chance(), 0)
	dropped := 0
	l.Dropped = func(d Datagram) {
		if d.Entered != 7*Step {
			t.Errorf("dropped at %d", d.Entered)
		}
		dropped++
	}
	l.Advance(7*Step, nil)
	for i := range 5 {
		if in := l.Enter(Datagram{Size: 1000}, 7*Step); in != (i < 3) {
			t.Errorf("datagram %d taken: %v", i, in)
		}
	}
	came := 0
	l.Advance(Second, func(Datagram) { came++ })
	if want := (Stats{Entered: 5, Overflowed: 2, Arrived: 3}); l.Stats() != want || came != 3 || dropped != 2 {
		t.Errorf("%+v, %d came, %d dropped, want %+v", l.Stats(), came, dropped, want)
	}
	if l.Next() < Second {
		t.Errorf("has something to do at %d", l.Next())
	}
}

func TestNoBottleneck(t *testing.T) {
	l := New(Shape{Delay: 100 * Millisecond, Jitter: 10 * Millisecond, Ordered: true}, chance(), 0)
	last, came := int64(0), 0
	for i := range 200 {
		l.Advance(int64(i)*Millisecond, func(d Datagram) {
			if way := d.Arrives - d.Entered; d.Arrives < last || way < 90*Millisecond || way > 120*Millisecond {
				t.Errorf("%+v after %d", d, last)
			}
			last, came = d.Arrives, came+1
		})
		l.Enter(Datagram{Size: 100}, int64(i)*Millisecond)
	}
	l.Advance(Second, func(Datagram) { came++ })
	if came != 200 {
		t.Errorf("%d of 200 came", came)
	}
}

// TestRivalFills: a rival alone takes nearly all of a link, and gives way to what else comes.
func TestRivalFills(t *testing.T) {
	l := New(Shape{Capacity: Constant(2_000_000), Queue: 50_000, Delay: 25 * Millisecond, Rival: true}, chance(), 0)
	l.Advance(30*Second, func(Datagram) {})
	alone := float64(l.Stats().RivalBytes) * 8 / 30
	if alone < 1_600_000 || alone > 2_000_000 {
		t.Errorf("the rival gets %.0f bit/s alone", alone)
	}
	before := l.Stats().RivalBytes
	for at := 30 * Second; at < 60*Second; at += 10 * Millisecond {
		l.Advance(at, func(Datagram) {})
		l.Enter(Datagram{Size: 1250}, at) // 1 Mbit/s
	}
	if beside := float64(l.Stats().RivalBytes-before) * 8 / 30; beside > 1_300_000 {
		t.Errorf("the rival gets %.0f bit/s beside 1 Mbit/s", beside)
	}
}
