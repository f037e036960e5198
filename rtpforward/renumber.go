// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

const (
	// seqWindow is how far behind the newest packet a late one may be, and the
	// largest jump ahead that is taken for loss. After a larger one the source
	// has begun anew and the output goes on without a gap.
	seqWindow = 1024
	seqRanges = 8 // places where packets were left out that late ones can be on the other side of
)

// renumbering maps a source's extended sequence numbers to those of an output.
// Numbers that the source lost stay free, so that the packet keeps its place
// when it comes after all; numbers of packets that are left out by rule close
// up. No output number is given twice. It is pure arithmetic; additions and
// subtractions wrap on purpose.
//
// A run is a stretch with one source. The zero value needs start.
type renumbering struct {
	next    uint64 // output number after the highest that was given
	highest uint64 // source number, the highest of this run
	used    int    // of ranges; the last of them is open
	ranges  [seqRanges]seqRange
	seen    [seqWindow / 64]uint64 // bit n%seqWindow: source number n was given a number; of the last seqWindow
}

// seqRange maps source numbers from to last, both included, to themselves minus offset.
type seqRange struct{ from, last, offset uint64 }

// openEnd is the last of the newest range.
const openEnd = ^uint64(0)

// start begins a run: source number first comes next. Numbers before it belong
// to nothing any more.
func (q *renumbering) start(first uint64) {
	q.ranges[0] = seqRange{from: first, last: openEnd, offset: first - q.next}
	q.used = 1
	q.highest = first - 1
	clear(q.seen[:])
}

// take gives source number n its output number; ok is false when it has none:
// it is of before the run, too old, left out before, or a duplicate.
func (q *renumbering) take(n uint64) (out uint64, ok bool) {
	if n > q.highest {
		if n-q.highest > seqWindow {
			q.start(n)
		}
		q.advance(n)
		out = n - q.ranges[q.used-1].offset
	} else if out, ok = q.late(n); !ok {
		return 0, false
	}
	q.seen[n%seqWindow/64] |= 1 << (n % 64)
	q.next = max(q.next, out+1) // a late one can be the newest, when all after it were left out
	return out, true
}

// follow is take of the source number after the highest.
func (q *renumbering) follow() (out uint64) {
	n := q.highest + 1
	out = n - q.ranges[(q.used-1)%seqRanges].offset
	q.seen[n%seqWindow/64] |= 1 << (n % 64)
	q.highest, q.next = n, max(q.next, out+1)
	return out
}

func (q *renumbering) late(n uint64) (out uint64, ok bool) {
	if q.highest-n >= seqWindow || q.seen[n%seqWindow/64]&(1<<(n%64)) != 0 {
		return 0, false
	}
	for i := q.used - 1; i >= 0; i-- {
		if r := &q.ranges[i]; n >= r.from {
			return n - r.offset, n <= r.last
		}
	}
	return 0, false
}

// advance moves highest to n, at most seqWindow ahead.
func (q *renumbering) advance(n uint64) {
	for at := q.highest + 1; at <= n; { // a word at a time: a publisher may leave out many with each packet
		count := min(64-at%64, n-at+1)
		q.seen[at%seqWindow/64] &^= ^uint64(0) >> (64 - count) << (at % 64)
		at += count
	}
	q.highest = max(q.highest, n)
}

// skip leaves source number n out. A late one was kept a place, which stays empty.
func (q *renumbering) skip(n uint64) {
	switch {
	case n <= q.highest:
		return
	case n-q.highest > seqWindow:
		q.start(n + 1)
		return
	}
	q.advance(n)
	open := &q.ranges[q.used-1]
	if open.from == n { // nothing lies between this and what was left out before
		open.from++
		open.offset++
		return
	}
	open.last = n - 1
	if q.used == seqRanges {
		copy(q.ranges[:], q.ranges[1:])
		q.used--
	}
	q.ranges[q.used] = seqRange{from: n + 1, last: openEnd, offset: open.offset + 1}
	q.used++
}
