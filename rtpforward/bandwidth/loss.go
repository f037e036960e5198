// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "math"

const (
	lossSpan       = 250 * millisecond
	lossLeast      = 20  // packets
	lossMostRandom = 0.2 // beyond this, loss is never taken for the route's own
	lossMargin     = 0.02
	lossTrialLeast = 40 // packets that decide a trial
	lossTrialSpan  = 500 * millisecond
	lossTrialMost  = 3 * second // after which it is decided by what there is
	lossTrialLost  = 20         // packets that are expected to get lost in one: fewer say little
	lossLong       = 3 * second / 2
	lossLongLeast  = 100  // packets
	lossLimited    = 0.92 // of the target: below it, a cut of the target changes nothing that is sent
	lossForgiven   = 0.6  // of the loss before: what remains after a cut is not ours
	lossRest       = 5 * second
)

// lossBound tells loss that we cause from loss that is the route's own. It
// cuts the rate by what got lost and looks again: loss of a full queue goes
// away, loss of bad radio stays, and then the cut is undone and that much loss
// is expected from now on.
type lossBound struct {
	// The window that is being counted.
	lost, total int
	since       int64
	// The same of a longer time, in two halves of lossLong: what a few packets
	// say is chance, and what makes one look is the worst of it.
	long, longBefore lossCount
	longAt           int64

	fraction float64 // smoothed, for show
	inherent float64 // expected of this route

	trial      bool
	trialFrom  int64   // target before the cut
	trialTo    int64   // and after it
	trialLoss  float64 // that caused it
	trialStart int64   // packets reported from then on decide
	trialLost  int
	trialTotal int
	restUntil  int64 // no further trial until then, unless it got much worse
	cutAt      int64

	shownLost, shownTotal int
	shownAt               int64
}

type lossCount struct{ lost, total int }

func (c lossCount) part() float64 {
	return min(max(float64(c.lost)/float64(max(c.total, 1)), 0), 1)
}

// deviation of a part that was counted in so many packets.
func deviation(p float64, total int) float64 { return math.Sqrt(p * (1 - p) / float64(max(total, 1))) }

func (l *lossBound) count(t *tally, at int64) {
	if l.since == 0 {
		l.since = at
	}
	l.lost += t.lostSince
	l.total += t.totalSince
	if at-l.longAt >= lossLong {
		l.longBefore, l.long, l.longAt = l.long, lossCount{}, at
	}
	l.long.lost += t.lostSince
	l.long.total += t.totalSince
	l.shownLost += t.lost
	l.shownTotal += t.total
	if l.trial && at >= l.trialStart {
		l.trialLost += t.lostSince
		l.trialTotal += t.totalSince
	}
	if at-l.shownAt >= lossSpan && l.shownTotal >= lossLeast {
		p := min(max(float64(l.shownLost)/float64(l.shownTotal), 0), 1)
		if l.shownAt == 0 {
			l.fraction = p
		}
		l.fraction += 0.3 * (p - l.fraction)
		l.shownLost, l.shownTotal, l.shownAt = 0, 0, at
	}
}

// update gives the target after the loss seen up to at.
func (l *lossBound) update(target, sending, rtt, at int64, minimum int64) int64 {
	if l.trial {
		target = l.judge(target, at)
	}
	if at-l.since < lossSpan || l.total < lossLeast {
		return target
	}
	p := lossCount{l.lost, l.total}.part()
	margin := lossMargin + 3*deviation(max(l.inherent, p), l.total)
	l.lost, l.total, l.since = 0, 0, at
	if l.fraction < l.inherent {
		l.inherent += 0.05 * (l.fraction - l.inherent)
	}
	sudden := p-l.inherent > margin
	both := lossCount{l.long.lost + l.longBefore.lost, l.long.total + l.longBefore.total}
	if both.total >= lossLongLeast && (!sudden || p-both.part() < margin) {
		p = both.part()
		margin = lossMargin + 2*deviation(max(l.inherent, p), both.total)
	} else if !sudden {
		return target
	}
	excess := p - l.inherent
	if excess <= margin || l.trial && excess <= l.trialLoss+margin+0.1 || at-l.cutAt < rtt+lossSpan {
		return target
	}
	if at < l.restUntil && excess < 0.1+margin {
		return target
	}

	return l.cut(target, sending, p, rtt, at, minimum)
}

func (l *lossBound) cut(target, sending int64, p float64, rtt, at, minimum int64) int64 {
	from := target
	kept := (1 - min(p, 0.5)) * 0.98
	random := p <= lossMostRandom+lossMargin
	switch {
	case sending <= 0:
		target = int64(float64(target) * kept)
	case random && float64(sending) < lossLimited*float64(target):
		// What is sent stays: where it is far below what the link has carried
		// already, its loss is hardly one of too much.
		target = max(int64(float64(target)*kept), sending)
	default:
		target = int64(float64(min(target, sending)) * kept)
	}
	target = max(target, minimum)
	l.cutAt, l.trial = at, random
	l.long, l.longBefore = lossCount{}, lossCount{}
	if random {
		l.trialFrom, l.trialTo, l.trialLoss = from, target, p
		l.trialStart = at + rtt + 50*millisecond
		l.trialLost, l.trialTotal = 0, 0
	}

	return target
}

// judge ends a trial once there is enough to judge by.
func (l *lossBound) judge(target, at int64) int64 {
	span, enough := at-l.trialStart, int(lossTrialLost/l.trialLoss)
	if span < lossTrialSpan || l.trialTotal < lossTrialLeast || l.trialTotal < enough && span < lossTrialMost {
		if span > 5*second {
			l.trial = false
		}

		return target
	}
	l.trial = false
	p := lossCount{l.trialLost, l.trialTotal}.part()
	if p <= lossForgiven*l.trialLoss {
		return target
	}
	l.inherent = min(max(l.inherent, (p+l.trialLoss)/2), lossMostRandom)
	l.restUntil = at + lossRest

	return max(target, l.trialFrom)
}

// abandon ends a trial without a verdict: the delay has spoken.
func (l *lossBound) abandon() { l.trial = false }
