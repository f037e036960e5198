// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"math"
	"sync/atomic"
	"time"
)

// Window is the time that is measured. Packets belong to it by when they were sent, so that what is in flight at its ends
// is neither lost nor counted twice. One Window is shared by all clients of a run.
type Window struct {
	from, to atomic.Int64 // Unix ns; written by Open and Shut, read by publishers and pollers
}

// NewWindow is empty until Open.
func NewWindow() *Window {
	w := &Window{}
	w.from.Store(math.MaxInt64)

	return w
}

// Open begins the window at a time that is not in the past, for a length.
func (w *Window) Open(at time.Time, length time.Duration) {
	w.to.Store(at.Add(length).UnixNano())
	w.from.Store(at.UnixNano())
}

// Shut makes the window empty again.
func (w *Window) Shut() { w.from.Store(math.MaxInt64) }

func (w *Window) holds(sent int64) bool { return sent >= w.from.Load() && sent < w.to.Load() }

// Track is one published audio or video track, whoever receives it.
type Track struct {
	ID    uint32
	Video bool
	Bits  int // a second; 0: of video what StartPublishers is told, of audio what the clip has

	// Layers make the track a simulcast, smallest first; three at most. Bits is not used then, and the counters below are of all
	// layers together.
	Layers []Layer

	// atomic: written by the Publisher, read by anybody
	sent       atomic.Uint64 // packets
	windowSent atomic.Uint64 // of the window
	bytes      atomic.Uint64 // of the window's datagrams, repetitions included
}

// Layer is one stream of a simulcast, with three temporal layers.
type Layer struct {
	RID           string
	Bits          int // a second
	Width, Height uint16
}

// Sent is how many packets were sent: since the start, and in the window.
func (t *Track) Sent() (all, inWindow uint64) { return t.sent.Load(), t.windowSent.Load() }

// Bytes is how much was sent in the window, as UDP payload.
func (t *Track) Bytes() uint64 { return t.bytes.Load() }

// bitset remembers which counters have come. It grows by doubling, so that growing does not count per packet.
type bitset struct{ words []uint64 }

// maxCounter bounds it (128 MiB), whatever a stamp claims.
const maxCounter = 1 << 30

// set marks n; false when it was marked, or is out of bounds.
func (b *bitset) set(n uint64) bool {
	if n >= maxCounter {
		return false
	}
	word, bit := int(n/64), uint64(1)<<(n%64)
	for word >= len(b.words) {
		b.words = append(b.words, make([]uint64, max(256, len(b.words)))...)
	}
	if b.words[word]&bit != 0 {
		return false
	}
	b.words[word] |= bit

	return true
}

func (b *bitset) has(n uint64) bool {
	return n/64 < uint64(len(b.words)) && b.words[n/64]&(1<<(n%64)) != 0
}

// Received is what one client has received of one track.
type Received struct {
	// immutable
	Track *Track
	Room  string // of the subscription

	// guarded by the Poller's lock
	Packets       uint64    // all, without duplicates
	Duplicates    uint64    // came again
	Reordered     uint64    // came after a later one
	WindowPackets uint64    // of the window, without duplicates
	First         time.Time // arrival of the first packet; zero: none
	FirstKeyframe time.Time // arrival of the packet that completed the first keyframe; zero: none
	Last          time.Time // arrival of the last packet

	seen    bitset
	highest uint64
	layers  []Received // of a simulcast
}

// take counts a packet, and reports whether it is new.
func (r *Received) take(s Stamp, at int64, w *Window) bool {
	if !r.seen.set(s.Counter) {
		r.Duplicates++

		return false
	}
	r.Packets++
	if w.holds(s.Sent) {
		r.WindowPackets++
	}
	if s.Counter < r.highest {
		r.Reordered++
	}
	r.highest = max(r.highest, s.Counter)
	r.Last = time.Unix(0, at)
	if r.First.IsZero() {
		r.First = r.Last
	}
	if s.Key && r.FirstKeyframe.IsZero() && r.complete(s) {
		r.FirstKeyframe = r.Last
	}

	return true
}

// complete says whether all packets of the stamp's frame have come.
func (r *Received) complete(s Stamp) bool {
	first := s.Counter - uint64(s.Index)
	for n := first; n < first+uint64(s.Count); n++ {
		if !r.seen.has(n) {
			return false
		}
	}

	return true
}
