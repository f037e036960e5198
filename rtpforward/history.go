// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/bits"
	"sync/atomic"
)

// Bounds on the packets a history keeps. The upper one leaves half of the
// sequence numbers for telling old from new.
const (
	historyLeast = 64
	historyMost  = 16384
)

// history keeps the newest packets of a layer under their sequence numbers. The
// reader puts packets in, any goroutine looks them up, nobody locks: an entry
// is valid when the packet found there has the number looked for, so one that
// was overwritten meanwhile reads as gone.
//
// A sequence number that was used by a packet that is not forwarded (padding)
// has an entry without bytes.
type history struct {
	ring []atomic.Pointer[Packet] // atomic: written by the reader, read by anyone; the slice is immutable
	mask uint64

	// atomic: written by the reader, read by anyone
	highest atomic.Uint64 // newest extended number, 0 for none yet
	first   atomic.Uint64 // where counting (re)started: nothing before it is missed
}

func (h *history) init(length int) {
	length = min(max(length, historyLeast), historyMost)
	size := 1 << bits.Len(uint(length-1))
	h.ring = make([]atomic.Pointer[Packet], size)
	h.mask = uint64(size - 1)
}

// size is how many sequence numbers are kept.
func (h *history) size() uint64 { return uint64(len(h.ring)) }

// put stores p. The reader only.
func (h *history) put(p *Packet) {
	h.ring[p.Sequence&h.mask].Store(p)
	if p.Sequence > h.highest.Load() {
		h.highest.Store(p.Sequence)
	}
}

// at returns the entry of an extended sequence number, nil when there is none
// (any more).
func (h *history) at(sequence uint64) *Packet {
	if p := h.ring[sequence&h.mask].Load(); p != nil && p.Sequence == sequence {
		return p
	}
	return nil
}

// near returns the entry of the sequence number as it is on the wire, taken to
// be the one closest to the newest.
func (h *history) near(sequence uint16) *Packet {
	highest := h.highest.Load()
	extended := highest + uint64(int64(int16(sequence-uint16(highest))))
	if highest == 0 || extended > highest {
		return nil
	}
	return h.at(extended)
}
