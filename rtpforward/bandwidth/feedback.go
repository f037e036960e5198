// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"encoding/binary"
	"errors"
)

// ErrFeedback means that a packet is not transport-wide feedback, or does not
// hold what it announces. Nothing of it may be used.
var ErrFeedback = errors.New("transport-wide feedback: malformed")

// MaxFeedbackPackets is how many packets one feedback may report on. A client
// that takes 50 Mbit/s and reports every 250 ms stays below a third of it; what
// lies beyond is left out.
const MaxFeedbackPackets = 4096

// Feedback is one parsed packet of transport-wide congestion control feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01). It is some 16 KiB, to be
// used again and again: Parse overwrites all of it and keeps no reference to
// its input. Not safe for concurrent use.
type Feedback struct {
	// Base is the transport-wide number of the first packet reported on.
	Base uint16
	// Count is how many there are, with consecutive numbers, at most
	// MaxFeedbackPackets.
	Count int
	// Reference is the client's clock in units of 64 ms, 24 bits; times count from it.
	Reference uint32
	// Serial is the number of the feedback packet itself.
	Serial uint8
	// Truncated says that packets beyond MaxFeedbackPackets were left out.
	Truncated bool

	ticks [MaxFeedbackPackets]int32 // since Reference, 250 µs each
}

const (
	notReceived   = -1 << 31 // in ticks
	tickTime      = 250 * microsecond
	referenceTime = 64 * millisecond
	headerSize    = 20 // RTCP header, two SSRCs, base, count, reference, serial
)

// Received says whether the i-th packet (0 ≤ i < Count) arrived, and when: in
// nanoseconds of the client's clock after Reference; may be negative.
func (f *Feedback) Received(i int) (sinceReference int64, ok bool) {
	tick := f.ticks[i]

	return int64(tick) * tickTime, tick != notReceived
}

// lastReceived is the index of the last packet that arrived, -1 if none did.
// What follows it may still be on its way.
func (f *Feedback) lastReceived() int {
	for i := f.Count - 1; i >= 0; i-- {
		if f.ticks[i] != notReceived {
			return i
		}
	}

	return -1
}

// Parse reads one RTCP packet, header included, of type 205 and format 15; not
// a compound. On error f holds nothing.
func (f *Feedback) Parse(packet []byte) error {
	f.Count, f.Truncated = 0, false
	if len(packet) < headerSize || packet[0]>>6 != 2 || packet[0]&0x1f != 15 || packet[1] != 205 {
		return ErrFeedback
	}
	length := 4 * (int(binary.BigEndian.Uint16(packet[2:])) + 1)
	if length < headerSize || length > len(packet) {
		return ErrFeedback
	}
	packet = packet[:length]
	if packet[0]&0x20 != 0 { // RFC 3550, section 6.4.1: padding, the last byte counts it
		padding := int(packet[length-1])
		if padding == 0 || padding > length-headerSize {
			return ErrFeedback
		}
		packet = packet[:length-padding]
	}
	f.Base = binary.BigEndian.Uint16(packet[12:])
	announced := int(binary.BigEndian.Uint16(packet[14:]))
	f.Reference = binary.BigEndian.Uint32(packet[16:]) >> 8
	f.Serial = packet[19]
	count := min(announced, MaxFeedbackPackets)
	deltas, err := f.readStatus(packet[headerSize:], announced, count)
	if err != nil {
		return err
	}
	if err := f.readDeltas(deltas, count); err != nil {
		return err
	}
	f.Count, f.Truncated = count, announced > count

	return nil
}

// Symbols of the packet status, kept in ticks until the deltas are read.
const (
	symbolSmall = 1
	symbolLarge = 2
)

// readStatus spreads the status chunks over ticks and returns what follows
// them. The chunks cover all that was announced, also what is left out.
func (f *Feedback) readStatus(buf []byte, announced, count int) (rest []byte, err error) {
	for next := 0; next < announced; {
		if len(buf) < 2 {
			return nil, ErrFeedback
		}
		chunk := binary.BigEndian.Uint16(buf)
		buf = buf[2:]
		switch {
		case chunk&0x8000 == 0: // run length
			run := min(int(chunk&0x1fff), announced-next)
			if run == 0 {
				return nil, ErrFeedback // would never end
			}
			f.fill(next, min(next+run, count), int32(chunk>>13&3))
			next += run
		case chunk&0x4000 == 0: // fourteen of one bit
			for i := range min(14, announced-next) {
				f.fill(next+i, min(next+i+1, count), int32(chunk>>(13-i)&1))
			}
			next += 14
		default: // seven of two bits
			for i := range min(7, announced-next) {
				f.fill(next+i, min(next+i+1, count), int32(chunk>>(12-2*i)&3))
			}
			next += 7
		}
	}

	return buf, nil
}

func (f *Feedback) fill(from, to int, symbol int32) {
	for i := from; i < to; i++ {
		f.ticks[i] = symbol
	}
}

// readDeltas turns symbols into times. A reserved symbol (3) has no delta and
// says nothing: it counts as missing.
func (f *Feedback) readDeltas(buf []byte, count int) error {
	tick := int32(0)
	for i := range count {
		switch f.ticks[i] {
		case symbolSmall:
			if len(buf) < 1 {
				return ErrFeedback
			}
			tick += int32(buf[0])
			buf = buf[1:]
		case symbolLarge:
			if len(buf) < 2 {
				return ErrFeedback
			}
			tick += int32(int16(binary.BigEndian.Uint16(buf)))
			buf = buf[2:]
		default:
			f.ticks[i] = notReceived

			continue
		}
		f.ticks[i] = tick // at most 4096 × 32767: no overflow
	}

	return nil
}
