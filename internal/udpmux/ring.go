// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"net/netip"
	"sync"
)

const (
	firstSlots = 4   // of a ring, once something is put into it
	unread     = 8   // datagrams that wait for an agent which does not listen (yet)
	slowRing   = 128 // datagrams that wait for an agent: STUN, DTLS and what SCTP has in flight
	mediaRing  = 512 // the same where media passes the agent too: two key frames
	mediaSlots = 64  // that such a ring keeps
)

// ring holds datagrams until an agent reads them. What does not fit is dropped, newest first: STUN and DTLS repeat
// themselves. Its memory is made when it is needed, and most of it given back when it has been emptied.
type ring struct {
	ready chan struct{} // immutable; a token for one reader that something may be there

	// guarded by mu
	mu    sync.Mutex
	slots []slot
	head  int // the oldest
	n     int
	limit int // datagrams; 0: closed
	keep  int // slots that an empty ring keeps
}

type slot struct {
	data []byte
	from netip.AddrPort
}

func newRing() ring { return ring{ready: make(chan struct{}, 1), limit: unread, keep: firstSlots} }

// resize sets the limit, and how many slots are kept when nothing is there. A limit of 0 empties the ring.
func (r *ring) resize(limit, keep int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit, r.keep = limit, keep
	if limit == 0 {
		r.slots, r.head, r.n = nil, 0, 0
	}
}

// put copies a datagram. It never waits longer than for another copy; false: there is no room.
func (r *ring) put(b []byte, from netip.AddrPort) bool {
	r.mu.Lock()
	if r.n >= r.limit {
		r.mu.Unlock()

		return false
	}
	if r.n == len(r.slots) {
		r.grow()
	}
	s := &r.slots[(r.head+r.n)%len(r.slots)]
	s.data, s.from = append(s.data[:0], b...), from
	r.n++
	r.mu.Unlock()
	r.wake()

	return true
}

// grow makes room for one more at least. With mu held.
func (r *ring) grow() {
	grown := make([]slot, max(firstSlots, 2*len(r.slots)))
	for i := range r.slots {
		grown[i] = r.slots[(r.head+i)%len(r.slots)]
	}
	r.slots, r.head = grown, 0
}

func (r *ring) wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// get copies the oldest datagram into b. size is its length, which may be more than b has; 0: nothing is there.
func (r *ring) get(b []byte) (size int, from netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		return 0, netip.AddrPort{}
	}
	s := &r.slots[r.head]
	copy(b, s.data)
	size, from = len(s.data), s.from
	r.head = (r.head + 1) % len(r.slots)
	if r.n--; r.n > 0 {
		r.wake() // several conns may read one ring

		return size, from
	}
	r.head = 0
	if len(r.slots) > r.keep {
		r.slots = append([]slot(nil), r.slots[:r.keep]...)
	}

	return size, from
}
