// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "math"

const (
	decreaseTo     = 0.85 // of what came through
	growth         = 1.08 // a second, far from the known capacity
	provenFactor   = 1.5  // the target grows to this multiple of what came through
	provenExtra    = 10_000
	standingQueue  = 70 * millisecond // that is to be drained
	standingFor    = 400 * millisecond
	standingCuts   = 4 // that did not help: the queue is somebody else's
	drained        = 30 * millisecond
	longestHold    = 2 * second
	capacityWeight = 0.1
)

// aimd moves the target: multiplicatively down when the queue grows, and up
// slowly while it does not, the more slowly the nearer the last known capacity.
type aimd struct {
	target       int64
	holding      bool
	holdSince    int64
	decreasedAt  int64
	updatedAt    int64
	before       int64   // target before the last run of decreases
	capacity     float64 // bit/s that came through when the queue grew, 0 unknown
	deviation    float64 // relative variance of that
	standing     int64   // since when the queue is too long, 0 it is not
	standingRuns int
}

// verdict is what a round asks of the estimator beyond the new target.
type verdict struct {
	decreased bool
	notOurs   bool // the queue does not answer to our rate: take it as given
}

type moment struct {
	usage        usage
	acknowledged int64 // bit/s, 0 unknown
	queue        int64 // ns
	rtt          int64
	packet       int64 // bytes, a usual one
	at           int64
}

func (a *aimd) update(m moment) (v verdict) {
	over := m.usage == usageOver
	if m.queue > standingQueue {
		if a.standing == 0 {
			a.standing = m.at
		}
		if m.usage != usageUnder && m.at-a.standing > standingFor+m.rtt {
			over = true
		}
	} else {
		a.standing = 0
		if m.queue < drained {
			a.standingRuns = 0
		}
	}
	switch {
	case over:
		v = a.decrease(m)
	case m.usage == usageUnder:
		a.hold(m.at)
	case a.holding:
		// Growth starts again only when the queue that was built is gone.
		if m.queue < drained && m.at-a.decreasedAt > m.rtt || m.at-a.holdSince > longestHold {
			a.holding = false
		}
	default:
		a.increase(m)
	}
	a.updatedAt = m.at

	return v
}

func (a *aimd) hold(at int64) {
	if !a.holding {
		a.holding, a.holdSince = true, at
	}
}

// decrease goes below what came through, the more so the longer the queue is,
// so that a full second of it is gone after about two.
func (a *aimd) decrease(m moment) (v verdict) {
	a.hold(m.at)
	a.holdSince = m.at
	if m.acknowledged == 0 || m.at-a.decreasedAt < max(m.rtt, 200*millisecond) {
		return v
	}
	if a.standing != 0 && m.usage != usageOver {
		a.standingRuns++
		a.standing = m.at
		if a.standingRuns > standingCuts {
			a.standingRuns, a.standing = 0, 0

			return verdict{notOurs: true}
		}
	}
	factor := decreaseTo - min(max(float64(m.queue-50*millisecond), 0)/float64(second), 0.35)
	next := int64(factor * float64(m.acknowledged))
	if next >= a.target {
		return v // already there: what is on the way still shows the old rate
	}
	if m.at-a.decreasedAt > 5*second {
		a.before = a.target
	}
	a.target, a.decreasedAt = next, m.at
	a.learn(float64(m.acknowledged))

	return verdict{decreased: true}
}

// learn keeps the capacity at which the queue began to grow.
func (a *aimd) learn(rate float64) {
	if a.capacity == 0 || a.outside(rate) {
		a.capacity, a.deviation = rate, 0.01

		return
	}
	off := (rate - a.capacity) / a.capacity
	a.capacity += capacityWeight * (rate - a.capacity)
	a.deviation = min(max(a.deviation+capacityWeight*(off*off-a.deviation), 0.0025), 0.02)
}

func (a *aimd) outside(rate float64) bool {
	return math.Abs(rate-a.capacity) > 3*math.Sqrt(a.deviation)*a.capacity
}

func (a *aimd) increase(m moment) {
	elapsed := min(m.at-a.updatedAt, second)
	if m.acknowledged == 0 || elapsed <= 0 || a.updatedAt == 0 {
		return
	}
	limit := int64(provenFactor*float64(m.acknowledged)) + provenExtra
	if a.target >= limit {
		return
	}
	if a.capacity != 0 && float64(m.acknowledged) > a.capacity && a.outside(float64(m.acknowledged)) {
		a.capacity = 0 // more comes through than ever did: it was another link
	}
	near := a.capacity != 0 && !a.outside(float64(a.target))
	step := int64(float64(a.target) * (math.Pow(growth, float64(elapsed)/float64(second)) - 1))
	if near {
		// One packet for each time that the answer takes.
		response := m.rtt + 100*millisecond
		step = max(m.packet*8*elapsed/response, 4000*elapsed/second)
	}
	a.target = min(a.target+step, limit)
}
