// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import "encoding/binary"

const (
	maxArrivals = 512     // of one report: it has to fit a packet
	deltaTick   = 250_000 // ns
	baseTick    = 64_000_000
)

// arrivals collects transport-wide sequence numbers for feedback as of
// draft-holmer-rmcat-transport-wide-cc-extensions-01. Nothing is allocated. A packet that was overtaken and comes after the report
// that had it missing is in the next one, with all that follows it, as in libwebrtc.
type arrivals struct {
	started    bool
	start, end uint16             // the open report is about start to end - 1
	at         [maxArrivals]int64 // by number; 0: not come
	reports    uint8
}

// add notes that number seq has come. What is maxArrivals older than the newest is left out.
func (a *arrivals) add(seq uint16, at int64) {
	if !a.started {
		a.started, a.start, a.end = true, seq, seq
	}
	ahead := int(int16(seq - a.end))
	switch {
	case ahead >= maxArrivals: // a jump: begin again after it
		a.at = [maxArrivals]int64{}
		a.start, a.end = seq, seq+1
	case ahead >= 0:
		for ; a.end != seq; a.end++ {
			a.at[a.end%maxArrivals] = 0
		}
		a.end++
		if a.end-a.start > maxArrivals {
			a.start = a.end - maxArrivals
		}
	case -ahead > maxArrivals || a.at[seq%maxArrivals] != 0:
		return
	case int16(seq-a.start) < 0:
		a.start = seq
	}
	a.at[seq%maxArrivals] = at
}

// when is the arrival of the i-th number of the open report.
func (a *arrivals) when(i int) int64 { return a.at[(a.start+uint16(i))%maxArrivals] }

// report appends one feedback packet about everything so far to b, and begins the next one; false when nothing has come.
func (a *arrivals) report(b []byte, media uint32) ([]byte, bool) {
	n := int(a.end - a.start)
	if n == 0 {
		return b, false
	}
	start := len(b)
	first := int64(0)
	for i := 0; first == 0; i++ { // the highest number has come, so there is one
		first = a.when(i)
	}
	reference := first / baseTick
	b = append(b, 0x8f, 205, 0, 0)
	b = binary.BigEndian.AppendUint32(b, feedbackSSRC)
	b = binary.BigEndian.AppendUint32(b, media)
	b = binary.BigEndian.AppendUint16(b, a.start)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = append(b, byte(reference>>16), byte(reference>>8), byte(reference), a.reports)
	b = a.symbols(b, reference*baseTick)
	b = a.deltas(b, reference*baseTick)
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	a.reports++
	a.start = a.end

	return b, true
}

// delta is the time of arrival i after the one before, in ticks of 250 µs; size is what it takes: 0, 1 or 2 bytes.
func (a *arrivals) delta(i int, last *int64) (ticks int64, size int) {
	if a.when(i) == 0 {
		return 0, 0
	}
	ticks = (a.when(i) - *last) / deltaTick
	ticks = max(min(ticks, 32767), -32768)
	*last += ticks * deltaTick
	if ticks >= 0 && ticks < 256 {
		return ticks, 1
	}

	return ticks, 2
}

// symbols appends status vectors of seven two-bit symbols each.
func (a *arrivals) symbols(b []byte, last int64) []byte {
	n := int(a.end - a.start)
	for i := 0; i < n; i += 7 {
		chunk := uint16(3) << 14
		for k := i; k < min(i+7, n); k++ {
			_, size := a.delta(k, &last)
			chunk |= uint16(size) << (12 - 2*(k-i))
		}
		b = binary.BigEndian.AppendUint16(b, chunk)
	}

	return b
}

func (a *arrivals) deltas(b []byte, last int64) []byte {
	for i := range int(a.end - a.start) {
		switch ticks, size := a.delta(i, &last); size {
		case 1:
			b = append(b, byte(ticks))
		case 2:
			b = binary.BigEndian.AppendUint16(b, uint16(ticks))
		}
	}

	return b
}
