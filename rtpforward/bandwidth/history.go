// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// fate is what became of a sent packet.
type fate uint8

const (
	nothing  fate = iota // no packet here
	inFlight             // sent, nothing heard
	missing              // said not to have arrived, when later ones had
	lost                 // and that for long: counted; may still turn up
	arrived
)

// record is one sent packet.
type record struct {
	at     int64
	number uint32 // transport-wide number, unwrapped
	size   uint16
	probe  uint8
	fate   fate
}

// history remembers the last packets sent, in a ring as long as Config.History.
type history struct {
	records []record
	newest  uint32 // number of the last packet sent
	settled uint32 // up to this number missing packets have been counted
	started bool
}

// add notes a packet. Numbers go up; one that does not is refused.
func (h *history) add(seq uint16, size int, at int64, probe uint8) bool {
	number := uint32(seq)
	if h.started {
		step := int16(seq - uint16(h.newest))
		if step <= 0 {
			return false
		}
		number = h.newest + uint32(step)
	}
	if !h.started {
		h.settled = number - 1
	}
	h.newest, h.started = number, true
	h.records[h.slot(number)] = record{
		at: at, number: number, size: uint16(min(max(size, 0), 65535)), probe: probe, fate: inFlight,
	}

	return true
}

func (h *history) slot(number uint32) int { return int(number) & (len(h.records) - 1) }

// find gives the packet that a client means by seq, nil if it was never sent or
// is forgotten. The pointer is good until the next add.
func (h *history) find(seq uint16) *record {
	if !h.started {
		return nil
	}
	back := int16(uint16(h.newest) - seq)
	if back < 0 || int(back) >= len(h.records) {
		return nil
	}
	number := h.newest - uint32(back)
	r := &h.records[h.slot(number)]
	if r.fate == nothing || r.number != number {
		return nil
	}

	return r
}

// overdue gives the next packet that is missing and was sent before a time, nil
// when there is none. It looks at each packet once, up to the number reported.
func (h *history) overdue(reported uint32, sentBefore int64) *record {
	if back := h.newest - h.settled; back > uint32(len(h.records)) {
		h.settled = h.newest - uint32(len(h.records))
	}
	for int32(reported-h.settled) > 0 {
		r := &h.records[h.slot(h.settled+1)]
		known := r.fate != nothing && r.number == h.settled+1
		if known && r.at >= sentBefore {
			return nil
		}
		h.settled++
		if known && r.fate == missing {
			return r
		}
	}

	return nil
}
