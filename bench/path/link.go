// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package path

import (
	"math"
	"math/rand/v2"
)

// Units of time, in ns.
const (
	Microsecond = int64(1000)
	Millisecond = 1000 * Microsecond
	Second      = 1000 * Millisecond
	// Step is how exact a Link is, and the unit of transport-wide feedback.
	Step = 250 * Microsecond
)

const never = int64(math.MaxInt64)

// Shape says what a link does to datagrams. The zero Shape passes everything at once.
type Shape struct {
	Capacity func(at int64) int64 // bit/s; nil: no bottleneck
	Queue    int64                // bytes that the bottleneck holds
	Delay    int64                // one way, behind the bottleneck
	Jitter   int64                // ±, each datagram on its own
	Ordered  bool                 // jitter does not reorder
	Loss     float64              // 0 to 1, behind the bottleneck
	Rival    bool                 // a TCP-like flow shares the bottleneck
}

// Constant is a capacity that does not change.
func Constant(v int64) func(int64) int64 { return func(int64) int64 { return v } }

// Datagram is one packet on its way.
type Datagram struct {
	Number  uint16 // the caller's
	Size    int    // bytes that it takes of the link
	Data    []byte // the caller's; may be nil
	Entered int64  // when it came to the bottleneck
	Left    int64  // when the bottleneck had sent it
	Arrives int64

	rival  bool
	number int // of the rival's
}

// Stats counts what a link did, without the rival's.
type Stats struct {
	Entered, Overflowed, Lost, Arrived uint64 // datagrams
	RivalBytes                         uint64 // that arrived
}

// Link is one direction. For one goroutine at a time.
type Link struct {
	// Dropped, if there is one, is told of each datagram of the caller's that gets lost, on the link or at its queue.
	Dropped func(Datagram)

	shape Shape
	rnd   *rand.Rand
	at    int64

	queue     []Datagram
	queued    int64
	credit    int64 // bits × second
	onTheWay  []Datagram
	arrivedAt int64
	// nextArrival is not after the first of onTheWay.
	nextArrival int64
	rival       reno
	stats       Stats
}

// New makes a link that begins at time at. All its chance comes from rnd, which others may use too.
func New(s Shape, rnd *rand.Rand, at int64) *Link {
	return &Link{shape: s, rnd: rnd, at: at, nextArrival: never, rival: reno{window: 10, threshold: 1000, silent: at}}
}

// Capacity is that of the bottleneck at a time; 0: there is none.
func (l *Link) Capacity(at int64) int64 {
	if l.shape.Capacity == nil {
		return 0
	}

	return l.shape.Capacity(at)
}

// At is how far the link has been moved.
func (l *Link) At() int64 { return l.at }

// Stats are the counters now.
func (l *Link) Stats() Stats { return l.stats }

// Enter puts a datagram into the bottleneck's queue at a time; false: it did not fit.
func (l *Link) Enter(d Datagram, at int64) bool {
	if !d.rival {
		l.stats.Entered++
	}
	if l.shape.Capacity == nil {
		d.Entered, d.Left = at, at
		l.leave(d)

		return true
	}
	d.Entered = at
	if l.queued+int64(d.Size) > l.shape.Queue {
		if !d.rival {
			l.stats.Overflowed++
			l.drop(d)
		}

		return false
	}
	l.queue = append(l.queue, d)
	l.queued += int64(d.Size)

	return true
}

// Serve lets the bottleneck send for one Step that ends at a time. left, if there is one, is told of each datagram.
func (l *Link) Serve(at int64, left func(Datagram)) {
	l.at = at
	capacity := l.Capacity(at)
	l.credit += capacity * Step
	for len(l.queue) > 0 && int64(l.queue[0].Size)*8*Second <= l.credit {
		d := l.queue[0]
		l.queue = l.queue[1:]
		l.queued -= int64(d.Size)
		l.credit -= int64(d.Size) * 8 * Second
		d.Left = at
		if left != nil && !d.rival {
			left(d)
		}
		l.leave(d)
	}
	if len(l.queue) == 0 {
		l.credit = min(l.credit, capacity*Step)
	}
}

// leave is what happens behind the bottleneck. The rival's packets are neither lost there nor does jitter touch them.
func (l *Link) leave(d Datagram) {
	if !d.rival && l.rnd.Float64() < l.shape.Loss {
		l.stats.Lost++
		l.drop(d)

		return
	}
	d.Arrives = d.Left + l.shape.Delay
	if l.shape.Jitter > 0 && !d.rival {
		d.Arrives += int64((l.rnd.Float64()*2 - 1) * float64(l.shape.Jitter))
		if l.shape.Ordered {
			d.Arrives = max(d.Arrives, l.arrivedAt)
			l.arrivedAt = d.Arrives
		}
	}
	l.onTheWay = append(l.onTheWay, d)
	l.nextArrival = min(l.nextArrival, d.Arrives)
}

func (l *Link) drop(d Datagram) {
	if l.Dropped != nil {
		l.Dropped(d)
	}
}

// Deliver hands over what has arrived by a time.
func (l *Link) Deliver(at int64, arrived func(Datagram)) {
	if at < l.nextArrival {
		return
	}
	l.nextArrival = never
	kept := l.onTheWay[:0]
	for _, d := range l.onTheWay {
		switch {
		case d.Arrives > at:
			kept = append(kept, d)
			l.nextArrival = min(l.nextArrival, d.Arrives)
		case d.rival:
			l.stats.RivalBytes += uint64(d.Size)
			l.rival.arrived(d.number, at+l.shape.Delay)
		default:
			l.stats.Arrived++
			arrived(d)
		}
	}
	clear(l.onTheWay[len(kept):])
	l.onTheWay = kept
}

// Compete lets the rival send, if there is one.
func (l *Link) Compete(at int64) {
	if l.shape.Rival {
		l.rival.send(l, at)
	}
}

// Advance moves the link to a time, Step by Step, and hands over what has arrived. It is Serve, Deliver and Compete for callers
// whose time does not go in steps: time that has passed already is left out.
func (l *Link) Advance(to int64, arrived func(Datagram)) {
	for l.at+Step <= to {
		if len(l.queue) == 0 && !l.shape.Rival { // nothing happens before the next arrival
			skip := (min(to, l.nextArrival) - l.at) / Step * Step
			if skip > Step {
				l.at += skip - Step
				l.credit = l.Capacity(l.at) * Step
			}
		}
		at := l.at + Step
		l.Serve(at, nil)
		l.Deliver(at, arrived)
		l.Compete(at)
	}
}

// Next is when the link has something to do, at the earliest; far in the future: nothing.
func (l *Link) Next() int64 {
	if len(l.queue) > 0 || l.shape.Rival {
		return l.at + Step
	}

	return l.nextArrival
}
