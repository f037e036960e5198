// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

const (
	bucketShift = 25 // of times in ns: buckets of 34 ms
	bucketCount = 32 // a second of them: longer than a packet is usually on its way
	ownMost     = 250 * millisecond
	ownLongest  = 750 * millisecond // for which a queue is one of a burst: one that lasts is one of too much
	busyQueue   = 10 * millisecond  // from this wait on, or 1.5 times the jitter, the link is not idle
	busyLeast   = 120 * millisecond // that a rate is measured over
	busyMost    = 250 * millisecond // after which a new one begins
	busyGood    = second / 2
)

// burst is what our own sending would do to a link that carries the target and
// no more: frames, and above all keyframes, leave faster than the target, and the
// queue that they make says nothing against it.
type burst struct {
	bits    int64 // × second: what such a link would hold
	at      int64
	emptyAt int64 // when it last held nothing
	buckets [bucketCount]bucket
}

type bucket struct {
	turn int64 // that it is of
	bits int64 // × second, most
}

// add notes what leaves. Neither product overflows: target is below mostRate, and
// what the queue may hold is bounded.
func (b *burst) add(size int, target, at int64) {
	drained := min(at-b.at, second) * (target + target/8)
	if b.bits <= drained {
		b.bits, b.emptyAt = 0, at
	} else {
		b.bits -= drained
	}
	b.bits, b.at = min(b.bits+int64(size)*8*second, ownMost*target+12000*second), at
	if at-b.emptyAt > ownLongest {
		return
	}
	turn := at >> bucketShift
	if p := &b.buckets[turn&(bucketCount-1)]; p.turn != turn {
		*p = bucket{turn, b.bits}
	} else if b.bits > p.bits {
		p.bits = b.bits
	}
}

// wait is how long packets that left at that time would have waited, in ns.
func (b *burst) wait(at, target int64) int64 {
	most, turn := int64(0), at>>bucketShift
	for _, t := range [...]int64{turn - 1, turn} {
		if p := &b.buckets[t&(bucketCount-1)]; p.turn == t {
			most = max(most, p.bits)
		}
	}

	return min(most/max(target, 1), ownMost)
}

// busy measures what comes through while packets wait: then it is the link that
// sets the pace, however little is sent on average.
type busy struct {
	from, to int64 // arrivals
	bytes    int64
	value    int64 // bit/s
	at       int64 // when that was measured; arrival
}

func (b *busy) add(size int, waited bool, arrival int64) {
	switch {
	case !waited:
		b.from = 0

		return
	case b.from == 0 || arrival-b.from > busyMost || arrival < b.from:
		b.from, b.to, b.bytes = arrival, arrival, 0

		return
	}
	b.to = max(b.to, arrival)
	b.bytes += int64(size)
	if span := b.to - b.from; span >= busyLeast {
		b.value, b.at = b.bytes*8*second/span, b.to
	}
}

// rate is in bit/s, 0 when the link was idle before arrival.
func (b *busy) rate(arrival int64) int64 {
	if b.at == 0 || arrival-b.at > busyGood {
		return 0
	}

	return b.value
}
