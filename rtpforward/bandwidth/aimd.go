// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "math"

// How the target goes down.
const (
	decreaseTo    = 0.85 // of what comes through
	standingQueue = 70 * millisecond
	standingFor   = 400 * millisecond // that a longer queue is left alone
	drained       = 30 * millisecond  // no queue to speak of: growth may start again
	steadyWay     = 5 * millisecond   // of jitter: rates of a few packets can be believed
	longestHold   = 2 * second        // without growth, whatever the queue
	overuseQueue  = 12 * millisecond  // below it, or 1.5 times the jitter, no growth of delay is believed,
	overuseMost   = 50 * millisecond  // above this it always is
)

// How it goes up.
const (
	growth         = 1.08 // a second, far from the known capacity
	provenFactor   = 1.5  // of what comes through, at most
	provenExtra    = 10_000
	capacityWeight = 0.1
	ceilingGood    = 30 * second    // for which a probe that filled the link bounds growth
	probation      = 3 * second / 2 // of a target that a probe has raised
	probationLeast = 0.95           // of it has to come through if there is a queue
)

// A queue that is not ours: see contested.
const (
	futileAfter    = 700 * millisecond // and a round trip: for a decrease to show in what comes through
	futileMost     = 3                 // decreases that changed nothing
	futileLess     = 0.92              // of what came through at the decrease before: a link does not become thinner for our sending less
	futileKeeps    = 0.98              // from here on it is the link
	futileFor      = 15 * second       // that such a decrease counts
	futileBack     = 0.9               // of the target before them comes back
	contestedFor   = 20 * second
	contestedMost  = 60 * second
	contestedTest  = 5 * second // after one, in which the target does not go below
	contestedKeep  = 0.8        // of what it was
	yieldTo        = 0.8        // of what comes through, for something lost beside another flow
	yieldAbove     = 700_000    // bit/s, below which nothing is given
	yieldEvery     = second
	contestedQueue = 500 * millisecond // that ends it
	jammedFor      = 3 * second / 2    // after which a probe may show whose queue it is
	uncontested    = 3 * second        // without a queue, that end it too
)

// A queue of one keyframe.
const (
	burstAlone = 2 * second // since the last decrease
	burstAbove = 1.1        // of the target is being sent
	burstQueue = 200 * millisecond
	burstTo    = 0.97 // of what comes through
)

// aimd moves the target: multiplicatively down when the queue grows, and up
// slowly while it does not, the more slowly the nearer the last known capacity.
type aimd struct {
	target      int64
	holding     bool
	holdSince   int64
	decreasedAt int64
	afterwards  int64 // target once the queue has drained, 0: the same
	raisedAt    int64 // by a probe
	updatedAt   int64
	capacity    float64 // bit/s that came through when the queue grew, 0 unknown
	deviation   float64 // relative variance of that

	// What the last probes that filled the link measured, at ceilingAt. Beyond
	// it the target grows only as far as packets that came through prove.
	ceiling, ceilingBefore int64
	ceilingAt              int64

	jammedAt int64 // since when there is a queue, 0 there is none
	standing int64 // since when the queue is too long, 0 it is not

	// Decreases after which both the queue stayed and our share of what comes
	// through went down further: somebody else fills it.
	futile         int
	sinking        int     // decreases in a row with less coming through each time
	sunk           float64 // bit/s that came through at the last one
	sunkFrom       int64   // target before the first one
	sunkAt         int64
	futileAt       int64
	contestedUntil int64
	contestedSpan  int64
	contestedRate  int64 // target at its end
	yieldedAt      int64
	emptySince     int64
}

// moment is what is known at the end of a round.
type moment struct {
	usage        usage
	acknowledged int64 // bit/s, 0 unknown
	busy         int64 // bit/s that comes through while packets wait; at least acknowledged
	sending      int64 // bit/s
	queue        int64 // ns
	foreign      int64 // ns of it that our own bursts do not explain
	rtt          int64
	jitter       int64
	packet       int64 // bytes, a usual one
	lost         bool  // something has got lost
	at           int64
}

// update moves the target after a round; it says if it went down.
func (a *aimd) update(m moment) (decreased bool) {
	over := m.usage == usageOver && m.foreign > min(max(overuseQueue, 3*m.jitter/2), overuseMost)
	if m.foreign <= standingQueue {
		a.standing = 0
	} else if a.standing == 0 {
		a.standing = m.at
	}
	if a.standing != 0 && m.usage != usageUnder && m.at-a.standing > standingFor+m.rtt {
		over = true
	}
	if m.at-a.raisedAt < probation && m.foreign > overuseMost && float64(m.acknowledged) < probationLeast*float64(a.target) {
		over = true // the probe said more than there is
	}
	if m.queue < drained {
		a.futile, a.jammedAt = 0, 0
	} else if a.jammedAt == 0 {
		a.jammedAt = m.at
	}
	switch {
	case a.contested(m):
		a.holding = false
		a.increase(m)
		a.yield(m)
	case over:
		decreased = a.decrease(m)
	case m.usage == usageUnder:
		a.hold(m.at)
	case a.holding:
		// Growth starts again only when the queue that was built is gone.
		if m.queue < drained && m.at-a.decreasedAt > m.rtt || m.at-a.holdSince > longestHold {
			a.holding = false
			a.target = max(a.target, a.afterwards)
			a.afterwards = 0
		}
	default:
		a.increase(m)
	}
	a.updatedAt = m.at

	return decreased
}

// contested says that a flow that heeds nothing but loss shares the bottleneck.
// Against it delay is no guide: whoever heeds it gives way until nothing is
// left. For a bounded time loss alone bounds the target, and a long queue.
func (a *aimd) contested(m moment) bool {
	if m.at >= a.contestedUntil {
		return false
	}
	a.contestedRate = a.target
	if m.queue > overuseQueue {
		a.emptySince = m.at
	}
	if m.queue > contestedQueue || m.at-a.emptySince > uncontested {
		a.contestedUntil, a.contestedRate = 0, 0

		return false
	}

	return true
}

// yield gives way a little for what gets lost beside another flow, which gives half:
// otherwise it would be that one which has nothing left.
func (a *aimd) yield(m moment) {
	if m.lost && m.at-a.yieldedAt > yieldEvery+m.rtt && m.acknowledged > yieldAbove && m.queue > standingQueue {
		a.yieldedAt = m.at
		a.target = min(a.target, max(int64(yieldTo*float64(m.acknowledged)), yieldAbove))
	}
}

// contest begins such a time; each that follows soon is twice as long.
func (a *aimd) contest(at int64) {
	if a.contestedUntil != 0 && at-a.contestedUntil < contestedFor {
		a.contestedSpan = min(2*a.contestedSpan, contestedMost)
	} else {
		a.contestedSpan = contestedFor
	}
	a.contestedUntil, a.emptySince, a.futile, a.sinking = at+a.contestedSpan, at, 0, 0
	a.target = max(a.target, int64(futileBack*float64(a.sunkFrom)))
	a.sunkFrom, a.sunk = 0, 0
}

func (a *aimd) hold(at int64) {
	if !a.holding {
		a.holding, a.holdSince = true, at
	}
}

// decrease goes below what came through, the more so the longer the queue is,
// so that a full second of it is gone after about two.
func (a *aimd) decrease(m moment) bool {
	a.hold(m.at)
	a.holdSince = m.at
	if m.acknowledged == 0 || m.at-a.decreasedAt < max(m.rtt, 200*millisecond) {
		return false
	}
	factor := decreaseTo - min(max(float64(m.queue-50*millisecond), 0)/float64(second), 0.35)
	if m.at-a.decreasedAt > burstAlone && float64(m.sending) > burstAbove*float64(a.target) && m.queue < burstQueue {
		factor = burstTo // a keyframe: what was too much is over before the target could change it
	}
	next := int64(factor * float64(m.busy))
	if m.at-a.contestedUntil < contestedTest {
		// Time for a probe to tell whether it is so still.
		next = max(next, int64(contestedKeep*float64(a.contestedRate)))
	}
	if next >= a.target {
		return false // already there: a queue of ours drains at the link's rate, whatever we send
	}
	if m.at-a.futileAt > futileAfter+m.rtt {
		a.futile++
		a.futileAt = m.at
	}
	a.sink(m)
	if a.futile > futileMost || a.sinking > futileMost {
		a.contest(m.at)

		return false
	}
	a.target, a.decreasedAt = next, m.at
	if a.afterwards = 0; factor < decreaseTo && m.jitter < steadyWay {
		a.afterwards = int64(decreaseTo * float64(m.busy))
	}
	a.learn(float64(m.busy))

	return true
}

// sink counts decreases after each of which less comes through although there is a
// queue: what a link carries does not depend on what we send, but our share of one
// does that somebody else fills.
func (a *aimd) sink(m moment) {
	rate := float64(m.busy)
	switch {
	case m.at-a.sunkAt > futileFor, a.sunk == 0, rate > futileKeeps*a.sunk:
		a.sinking, a.sunkFrom = 0, a.target
	case m.at-a.sunkAt < futileAfter+m.rtt, rate > futileLess*a.sunk:
		return
	default:
		a.sinking++
	}
	a.sunk, a.sunkAt = rate, m.at
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
	if a.ceiling != 0 && m.at-a.ceilingAt < ceilingGood {
		limit = min(limit, max(a.ceiling, a.ceilingBefore, m.acknowledged*21/20))
	}
	if a.target >= limit {
		return
	}
	if a.capacity != 0 && float64(m.acknowledged) > a.capacity && a.outside(float64(m.acknowledged)) {
		a.capacity = 0 // more comes through than ever did: it was another link
	}
	near := a.capacity != 0 && !a.outside(float64(a.target)) || m.at < a.contestedUntil
	step := int64(float64(a.target) * (math.Pow(growth, float64(elapsed)/float64(second)) - 1))
	if near {
		// One packet for each time that the answer takes.
		response := m.rtt + 100*millisecond
		step = max(m.packet*8*elapsed/response, 4000*elapsed/second)
	}
	a.target = min(a.target+step, limit)
}

// filled takes what a probe that filled the link measured. A target that
// nothing sent has proven comes down to it, if the probe before agrees: times of
// a few packets are noisy, and noise only ever makes them say less.
func (a *aimd) filled(rate, acknowledged, at int64) {
	if at-a.ceilingAt > ceilingGood {
		a.ceiling = 0
	}
	a.ceilingBefore, a.ceiling, a.ceilingAt = a.ceiling, rate, at
	if a.ceilingBefore == 0 {
		a.ceilingBefore = a.target
	}
	a.target = min(a.target, max(a.ceiling, a.ceilingBefore, acknowledged))
}
