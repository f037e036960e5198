// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

// command is an order to a shard. It travels in the same queue as the packets
// and so takes effect at an exact place between two of them.
type command struct {
	do   func()        // run by the shard
	done chan struct{} // closed by the shard after do has returned; nil when nobody waits
}

// queue is a bounded ring for many producers and one consumer. A producer
// claims a place by advancing tail and publishes it by the place's turn number,
// so that neither side ever waits for a lock and nothing is allocated. It keeps
// the order of each producer.
//
// The scheme is Dmitry Vyukov's bounded queue with a turn number per place:
// turn == position: free for whoever claims that position; turn == position+1:
// filled; the consumer hands it on to the next round with position+length.
type queue struct {
	// immutable after newQueue
	cells []cell
	mask  uint64

	_ [64]byte // tail and head are written by different processors

	tail atomic.Uint64 // next position to claim; written by producers

	_ [56]byte

	head atomic.Uint64 // next position to take; written by the consumer, read by producers to keep their distance

	_ [56]byte
}

type cell struct {
	turn    atomic.Uint64 // who may touch the fields below: see queue
	packet  *Packet       // one of the two is set
	command *command
}

// newQueue makes a ring of at least length cells, a power of two, 16 at least.
func newQueue(length int) *queue {
	size := uint64(16)
	for size < uint64(max(length, 0)) {
		size *= 2
	}
	q := &queue{cells: make([]cell, size), mask: size - 1}
	for i := range q.cells {
		q.cells[i].turn.Store(uint64(i))
	}
	return q
}

// reserve is the number of cells that only commands may use.
func (q *queue) reserve() uint64 { return uint64(len(q.cells)) / 8 }

// push adds a packet or a command and leaves at least keep cells free; it
// returns false when that is not possible. Any goroutine; never waits.
func (q *queue) push(p *Packet, c *command, keep uint64) bool {
	limit := int64(uint64(len(q.cells)) - keep)
	for {
		at := q.tail.Load()
		// head may have passed the tail just read: then the difference is
		// negative and the claim below fails.
		if int64(at-q.head.Load()) >= limit {
			return false
		}
		e := &q.cells[at&q.mask]
		switch turn := e.turn.Load(); {
		case turn == at:
			if !q.tail.CompareAndSwap(at, at+1) {
				continue
			}
			e.packet, e.command = p, c
			e.turn.Store(at + 1)
			return true
		case int64(turn-at) < 0:
			return false // still being emptied, a whole round behind
		}
	}
}

// pop takes the next entry; ok is false when there is none, or when the next
// one is still being written. The consumer only.
func (q *queue) pop() (p *Packet, c *command, ok bool) {
	at := q.head.Load()
	e := &q.cells[at&q.mask]
	if e.turn.Load() != at+1 {
		return nil, nil, false
	}
	p, c = e.packet, e.command
	e.packet, e.command = nil, nil // the collector shall not find them here for a whole round
	e.turn.Store(at + uint64(len(q.cells)))
	q.head.Store(at + 1)
	return p, c, true
}

// ready reports whether pop would return something. The consumer only.
func (q *queue) ready() bool {
	at := q.head.Load()
	return q.cells[at&q.mask].turn.Load() == at+1
}

// length is the number of claimed cells, a moment ago. Any goroutine.
func (q *queue) length() int {
	head := q.head.Load()
	return int(max(0, int64(q.tail.Load()-head)))
}
