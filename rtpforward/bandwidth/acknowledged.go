// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

const (
	roundsKept  = 32
	rateSpan    = 400 * millisecond // what the acknowledged rate is measured over
	rateLeast   = 100 * millisecond
	roundsStale = 2 * second
)

// round is what one feedback acknowledged.
type round struct {
	bytes       int64
	lastSent    int64
	lastArrival int64
}

// acknowledged is the rate at which packets came through.
type acknowledged struct {
	rounds [roundsKept]round
	next   int
	count  int
}

func (a *acknowledged) reset() { a.next, a.count = 0, 0 }

func (a *acknowledged) add(r round) {
	if a.count > 0 {
		last := a.back(0)
		if r.lastArrival <= last.lastArrival || r.lastSent <= last.lastSent {
			last.bytes += r.bytes // late ones: they belong to what was counted

			return
		}
		if r.lastSent-last.lastSent > roundsStale {
			a.reset()
		}
	}
	a.rounds[a.next] = r
	a.next = (a.next + 1) % roundsKept
	a.count = min(a.count+1, roundsKept)
}

// back gives the i-th last round.
func (a *acknowledged) back(i int) *round {
	return &a.rounds[(a.next-1-i+2*roundsKept)%roundsKept]
}

// rate is in bit/s, 0 while nothing can be said. Bytes are divided by the time
// in which they arrived or in which they were sent, whichever is longer: a
// client that claims to have got them in no time proves nothing beyond what we
// sent.
func (a *acknowledged) rate() int64 {
	if a.count < 2 {
		return 0
	}
	newest := *a.back(0)
	var bytes, span int64
	for i := 0; i+1 < a.count; i++ {
		bytes += a.back(i).bytes
		older := a.back(i + 1)
		span = max(newest.lastArrival-older.lastArrival, newest.lastSent-older.lastSent)
		if span >= rateSpan {
			break
		}
	}
	if span < rateLeast {
		return 0
	}

	return bytes * 8 * second / span
}
