// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

// Sizes of the transport-wide feedback.
const (
	transportWindow = 2048      // sequence numbers remembered; power of two
	transportMany   = 256       // packets that make feedback due before its time
	transportFew    = 10        // packets that it waits for
	transportSlow   = 5         // times its interval, at most
	transportBack   = 512       // how far behind the newest a late packet is still reported
	transportTime   = 1<<40 - 1 // of a slot that is the arrival in µs; the rest is of the number
)

// transportRecorder remembers when the packets of one transport arrived, all
// layers together, for draft-holmer-rmcat-transport-wide-cc-extensions-01. Any
// number of readers write, Uplink.run takes.
type transportRecorder struct {
	// atomic: written by the readers, read by Uplink.run
	slots   [transportWindow]atomic.Uint64 // low bits of the extended number, low bits of the arrival
	highest atomic.Uint64                  // newest extended number, 0 for none yet
	late    atomic.Uint64                  // lowest number that came after it was reported missing, 0 for none
	pending atomic.Uint32                  // packets since the last feedback

	// atomic: written by Uplink.run and the readers
	idle atomic.Bool // run does not wait for a time: wake it with the next packet

	// atomic: written by Uplink.run, read by the readers
	taken atomic.Uint64 // first number that was not reported yet, 0 for none yet

	// owned by Uplink.run
	sent int64 // last feedback
	tick int64 // arrival last reported, in 250 µs
	statusScratch
}

// due is when feedback about the packets that have come since the last one is to
// be sent. Feedback about two packets is nearly as large as about twenty, so
// that a microphone gets it as seldom as libwebrtc's receivers give it, every
// 250 ms, and a camera at every interval. Where packets are so rare that waiting
// would not bring enough of them, it does not wait.
func (r *transportRecorder) due(every int64, pending uint32, now int64) int64 {
	passed := now - r.sent
	if passed >= every && pending > 0 && pending < transportFew {
		if enough := passed * transportFew / int64(pending); enough <= transportSlow*every {
			return r.sent + enough // at the pace of these
		}
	}
	return r.sent + every
}

// observe notes the arrival of a packet and tells if run has to be woken.
func (r *transportRecorder) observe(sequence uint16, now int64) (wake bool) {
	extended := r.note(sequence, now)
	// If run moved past this number before it could see the slot, we see that
	// here; if not, run sees the slot. So it is reported one way or the other.
	if extended < r.taken.Load() {
		for {
			low := r.late.Load()
			if low != 0 && low <= extended || r.late.CompareAndSwap(low, extended) {
				break
			}
		}
	}
	return r.pending.Add(1) == transportMany || r.idle.Load() && r.idle.CompareAndSwap(true, false)
}

func (r *transportRecorder) note(sequence uint16, now int64) (extended uint64) {
	for {
		highest := r.highest.Load()
		switch step := int16(sequence - uint16(highest)); {
		case highest == 0:
			extended = 1<<16 | uint64(sequence)
		case step > -transportWindow:
			extended = highest + uint64(int64(step))
		default: // not late but another beginning: numbers only grow
			extended = highest + uint64(sequence-uint16(highest))
		}
		r.slots[extended%transportWindow].Store(extended<<40 | uint64(now/1000)&transportTime)
		if extended <= highest || r.highest.CompareAndSwap(highest, extended) {
			return extended
		}
	}
}

// arrival is when the packet with this number came, in µs.
func (r *transportRecorder) arrival(extended uint64, now int64) (at int64, ok bool) {
	slot := r.slots[extended%transportWindow].Load()
	if slot == 0 || slot>>40 != extended&(1<<24-1) {
		return 0, false
	}
	// The slot may have been written since now was taken: the age has a sign.
	age := int64((uint64(now/1000)-slot)<<24) >> 24
	return now/1000 - age, true
}

// take returns the range of numbers to report on, first to last. Run calls it
// once per feedback.
func (r *transportRecorder) take(now int64) (first, last uint64, ok bool) {
	r.pending.Store(0)
	last = r.highest.Load()
	if last == 0 {
		return 0, 0, false
	}
	first = r.taken.Load()
	reset := first == 0 || last-first >= transportWindow && first <= last
	r.taken.Store(last + 1) // before the slots are read, see observe
	if late := r.late.Swap(0); late != 0 && late < first && last-late < transportBack {
		first = late
	}
	if reset {
		for first = max(last, transportWindow) - transportWindow + 1; first < last; first++ {
			if _, ok := r.arrival(first, now); ok {
				break
			}
		}
	}
	return first, last, first <= last
}
