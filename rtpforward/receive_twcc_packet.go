// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// Symbols of the packet status.
const (
	statusMissing = iota
	statusSmall   // one byte of delta
	statusLarge   // two bytes of delta
)

const (
	statusMost  = 400 // packets a feedback reports on
	statusRoom  = 940 // bytes that this many take in the worst case
	deltaTick   = 250 // µs
	deltaEpoch  = 256 // ticks in 64 ms, the unit of the reference time
	chunkOnes   = 14  // symbols in a vector of one-bit symbols
	chunkTwos   = 7   // in one of two-bit symbols
	chunkOneBit = 0x8000
	chunkTwoBit = 0xc000
)

// statusScratch is the space for one feedback packet. Owned by Uplink.run.
type statusScratch struct {
	serial  uint8 // of the next packet
	symbols [statusMost]uint8
	deltas  [statusMost]int16
}

// appendTransportCC writes one feedback packet that reports on numbers from
// first on, at most to last, and returns the number after those it holds.
func (r *transportRecorder) appendTransportCC(buf []byte, sender, media uint32, first, last uint64, now int64) (out []byte, next uint64) {
	symbols, deltas := r.symbols[:0], r.deltas[:0]
	reference := r.tick / deltaEpoch // if nothing was received
	for next = first; next <= last && len(symbols) < statusMost; next++ {
		at, ok := r.arrival(next, now)
		if !ok {
			symbols = append(symbols, statusMissing)
			continue
		}
		tick := max(at, 0) / deltaTick
		if len(deltas) == 0 {
			reference = tick / deltaEpoch
			r.tick = reference * deltaEpoch
		}
		delta := tick - r.tick
		if delta != int64(int16(delta)) {
			break // too far apart for one packet: the next has its own reference
		}
		r.tick = tick
		deltas = append(deltas, int16(delta))
		if delta >= 0 && delta <= 255 {
			symbols = append(symbols, statusSmall)
		} else {
			symbols = append(symbols, statusLarge)
		}
	}

	start := len(buf)
	buf = appendRTCPHeader(buf, rtcpRTPFB, rtcpTransportCC, 5)
	buf = binary.BigEndian.AppendUint32(buf, sender)
	buf = binary.BigEndian.AppendUint32(buf, media)
	buf = binary.BigEndian.AppendUint16(buf, uint16(first))
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(symbols)))
	buf = binary.BigEndian.AppendUint32(buf, uint32(reference)<<8|uint32(r.serial))
	r.serial++
	buf = appendStatusChunks(buf, symbols)
	buf = appendDeltas(buf, symbols, deltas)
	return finishPadded(buf, start), next
}

func appendStatusChunks(buf []byte, symbols []uint8) []byte {
	for len(symbols) > 0 {
		chunk, n := statusChunk(symbols)
		buf = binary.BigEndian.AppendUint16(buf, chunk)
		symbols = symbols[n:]
	}
	return buf
}

// statusChunk packs the first n symbols in the form that holds most of them.
func statusChunk(symbols []uint8) (chunk uint16, n int) {
	run := 1
	for run < len(symbols) && symbols[run] == symbols[0] {
		run++
	}
	ones := 0 // symbols that one bit is enough for
	for ones < min(len(symbols), chunkOnes) && symbols[ones] != statusLarge {
		ones++
	}
	oneBit := ones == min(len(symbols), chunkOnes)
	switch {
	case run >= chunkOnes || run == len(symbols) || run >= chunkTwos && !oneBit:
		return uint16(symbols[0])<<13 | uint16(run), run // statusMost fits the 13 bits
	case oneBit:
		chunk = chunkOneBit
		for i, s := range symbols[:ones] {
			chunk |= uint16(s) << (chunkOnes - 1 - i)
		}
		return chunk, ones
	}
	chunk, n = chunkTwoBit, min(len(symbols), chunkTwos)
	for i, s := range symbols[:n] {
		chunk |= uint16(s) << (2 * (chunkTwos - 1 - i))
	}
	return chunk, n
}

func appendDeltas(buf []byte, symbols []uint8, deltas []int16) []byte {
	for _, s := range symbols {
		switch s {
		case statusMissing:
			continue
		case statusSmall:
			buf = append(buf, uint8(deltas[0]))
		default:
			buf = binary.BigEndian.AppendUint16(buf, uint16(deltas[0]))
		}
		deltas = deltas[1:]
	}
	return buf
}

// finishPadded fills the packet that starts at start up to whole words and sets
// its length. Padding may only be in the last packet of a compound.
func finishPadded(buf []byte, start int) []byte {
	if over := (len(buf) - start) % 4; over != 0 {
		pad := 4 - over
		for range pad - 1 {
			buf = append(buf, 0)
		}
		buf = append(buf, uint8(pad))
		buf[start] |= 0x20
	}
	binary.BigEndian.PutUint16(buf[start+2:], uint16((len(buf)-start)/4-1))
	return buf
}
