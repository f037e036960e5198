// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

const (
	rateShift  = 27                      // a slot lasts 2^27 ns, 134 ms
	rateWindow = 8                       // full slots that are looked at: 1.07 s
	rateSlots  = 16                      // power of two above rateWindow+1
	rateBits   = 40                      // of a slot that count; the rest tells the slot's time
	rateCount  = uint64(1)<<rateBits - 1 // more than a terabyte
	rateTime   = uint64(1)<<(64-rateBits) - 1
)

// rate counts something over a sliding window of about a second. One goroutine
// adds, any goroutine reads; time is given in nanoseconds on one clock. The
// zero value is ready.
type rate struct {
	slots [rateSlots]atomic.Uint64 // atomic: written by the one that adds, read by anyone; slot time and count
}

func (r *rate) add(now int64, n uint64) {
	at := uint64(now) >> rateShift
	slot := &r.slots[at%rateSlots]
	have := slot.Load()
	if have>>rateBits != at&rateTime {
		have = at & rateTime << rateBits
	}
	slot.Store(have&^rateCount | min(have&rateCount+n, rateCount))
}

// perSecond is the rate over the window that ends with the last full slot.
func (r *rate) perSecond(now int64) float64 {
	at := uint64(now) >> rateShift
	var sum uint64
	for back := uint64(1); back <= rateWindow && back <= at; back++ {
		have := r.slots[(at-back)%rateSlots].Load()
		if have>>rateBits == (at-back)&rateTime {
			sum += have & rateCount
		}
	}
	return float64(sum) * 1e9 / float64(rateWindow<<rateShift)
}
