// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import "slices"

// Point is PointEvery of a run, up to At. Rates are bit/s.
type Point struct {
	At                                      int64
	Capacity, Target, Sent, Received, Rival int64
	Queue                                   int64 // longest that a packet of ours waited, ns
}

// Outcome is what a run shows.
type Outcome struct {
	Points []Point
	waits  []wait
}

type wait struct{ at, queued int64 }

// Mean is the average of a field over a time.
func (o Outcome) Mean(from, to int64, field func(Point) int64) int64 {
	sum, n := int64(0), int64(0)
	for _, p := range o.Points {
		if p.At > from && p.At <= to {
			sum += field(p)
			n++
		}
	}

	return sum / max(n, 1)
}

// Fields of a Point.
func (p Point) target() int64   { return p.Target }
func (p Point) sent() int64     { return p.Sent }
func (p Point) received() int64 { return p.Received }
func (p Point) rival() int64    { return p.Rival }

// Target, Sent, Received and Rival are fields for Mean and Reached.
var (
	Target   = Point.target
	Sent     = Point.sent
	Received = Point.received
	Rival    = Point.rival
)

// Queued is the given percentile of what packets waited in the bottleneck, ns.
func (o Outcome) Queued(from, to int64, percent int) int64 {
	var all []int64
	for _, w := range o.waits {
		if w.at > from && w.at <= to {
			all = append(all, w.queued)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)

	return all[(len(all)-1)*percent/100]
}

// Reached is how long after from a field, smoothed over half a second, is on the right side of a bound; -1: never.
func (o Outcome) Reached(from int64, good func(int64) bool, field func(Point) int64) int64 {
	const smooth = 5
	for i, p := range o.Points {
		if p.At <= from || i < smooth-1 {
			continue
		}
		sum := int64(0)
		for _, q := range o.Points[i-smooth+1 : i+1] {
			sum += field(q)
		}
		if good(sum / smooth) {
			return p.At - from
		}
	}

	return -1
}
