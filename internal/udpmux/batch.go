// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import "net/netip"

const (
	arenaSize = 128 << 10 // of a batch, in bytes: a hundred packets
	maxRuns   = 256       // of a batch
	// What Linux takes at once with UDP_SEGMENT: newer kernels allow 128 segments.
	maxSegments = 64
	maxMessage  = 65507 // bytes, of UDP over IPv4
)

// Batch collects the datagrams of one shard, and sends them together. Datagrams to one destination leave in the order in which
// they were committed. One goroutine uses it.
type Batch struct {
	socket   *socket   // immutable
	messages *messages // immutable; nil: datagrams are sent one by one
	one      *single   // immutable; for that

	// owned by the shard
	arena []byte
	used  int
	runs  []run
	to    netip.AddrPort // of what was reserved
}

// run is a number of datagrams to one destination, one behind the other in the arena: all of one size, of which the last may
// be smaller.
type run struct {
	to      netip.AddrPort
	from    int // in the arena
	bytes   int
	segment int // size of each, in bytes
	count   int
}

func newBatch(s *socket) *Batch {
	return &Batch{socket: s, messages: newMessages(s), one: newSingle(), arena: make([]byte, arenaSize), runs: make([]run, 0, maxRuns)}
}

// Reserve gives room for a datagram of n bytes to a destination, nil if n is more than MaxDatagram or not positive. What it
// gave before and was not committed is given up.
func (b *Batch) Reserve(to netip.AddrPort, n int) []byte {
	if n > MaxDatagram || n <= 0 {
		return nil
	}
	if b.used+n > len(b.arena) || len(b.runs) == maxRuns {
		b.Flush()
	}
	b.to = to

	return b.arena[b.used : b.used+n : b.used+n]
}

// Commit makes the first n bytes of what was reserved last a datagram, which leaves with the next Flush at the latest. The
// bytes stay the Batch's.
func (b *Batch) Commit(n int) {
	if n <= 0 {
		return
	}
	if len(b.runs) > 0 {
		if r := &b.runs[len(b.runs)-1]; r.takes(b.to, n) {
			r.bytes += n
			r.count++
			b.used += n

			return
		}
	}
	b.runs = append(b.runs, run{to: b.to, from: b.used, bytes: n, segment: n, count: 1})
	b.used += n
}

// takes says whether a datagram can be the next of the run: after one that is smaller than the others nothing can.
func (r *run) takes(to netip.AddrPort, n int) bool {
	return n <= r.segment && r.bytes == r.count*r.segment && r.count < maxSegments && r.bytes+n <= maxMessage && r.to == to
}

// Flush sends everything. It never waits.
func (b *Batch) Flush() {
	switch {
	case len(b.runs) == 0:
	case b.messages != nil:
		b.messages.send(b)
	default:
		b.sendSingles()
	}
	b.used, b.runs = 0, b.runs[:0]
}

func (b *Batch) sendSingles() {
	for i := range b.runs {
		r := &b.runs[i]
		for at := 0; at < r.bytes; at += r.segment {
			_ = b.socket.sendOne(b.one, b.arena[r.from+at:r.from+min(at+r.segment, r.bytes)], r.to) // it counts
		}
	}
}
