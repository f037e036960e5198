// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// The reasons for which ScanRTCP complains.
var (
	// ErrRTCPFraming ends the walk: the packets of the compound can no longer
	// be told apart.
	ErrRTCPFraming = errors.New("rtcp: version or length is wrong")
	// ErrRTCPBody means that a packet contradicts its own counters, padding or
	// length; it was left out and the walk went on.
	ErrRTCPBody = errors.New("rtcp: packet does not hold what it announces")
)

// Bounds on what one compound packet may ask for. What exceeds them is dropped
// and noted in RTCPEvents.Truncated.
const (
	MaxRTCPReports   = 64
	MaxRTCPSenders   = 32
	MaxRTCPNACKs     = 1024 // sequence numbers
	MaxRTCPKeyframes = 64
	MaxRTCPByes      = 64
	// MaxREMB bounds RTCPEvents.REMB, in bit/s. The wire format reaches 2^81.
	MaxREMB = 100_000_000_000
)

// ReportBlock is one block of a sender or receiver report,
// https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1 .
type ReportBlock struct {
	Reporter        uint32 // SSRC of who reports
	SSRC            uint32 // the source that is reported on
	FractionLost    uint8  // of 256, since the report before
	TotalLost       int32  // 24 bits; negative when duplicates arrived
	HighestSequence uint32 // 16 bits of cycles, 16 of sequence number
	Jitter          uint32 // in units of the source's clock
	LastSR          uint32 // middle 32 bits of the NTP time of the last sender report, 0 for none
	DelaySinceSR    uint32 // 1/65536 s since that arrived
}

// SenderReport is the sender information of a sender report. NTP is the sender's
// word and may lie in the future.
type SenderReport struct {
	SSRC    uint32
	NTP     uint64 // 32.32 fixed point seconds since 1900
	RTP     uint32 // timestamp of the same moment
	Packets uint32
	Octets  uint32
}

// NACKPair is one sequence number asked for again.
type NACKPair struct {
	MediaSSRC uint32
	Sequence  uint16
}

// KeyframeRequest is a PLI, or one entry of a FIR.
type KeyframeRequest struct {
	MediaSSRC uint32
	FIR       bool
	FIRSeq    uint8 // a FIR with the number of the one before repeats that
}

// RTCPEvents is what ScanRTCP found in a compound packet. The caller owns it
// and its slices and uses it again for the next packet: they grow to what the
// traffic needs, at most to the MaxRTCP bounds, and from then on nothing is
// allocated. No reference to the packet is kept. Not safe for concurrent use.
type RTCPEvents struct {
	Reports       []ReportBlock
	NACKs         []NACKPair // in the order asked for; may repeat
	Keyframes     []KeyframeRequest
	SenderReports []SenderReport
	Byes          []uint32
	REMB          uint64 // bit/s, at most MaxREMB; 0 for none; the last one counts
	TransportCC   int    // valid feedback packets of transport-wide congestion control
	Malformed     int    // packets left out for what they contain
	Unknown       int    // packets of kinds that mean nothing to the node: APP, XR, …
	Truncated     bool   // a bound was reached and something left out
}

// Reset empties ev and keeps the memory of its slices.
func (ev *RTCPEvents) Reset() {
	*ev = RTCPEvents{
		Reports:       ev.Reports[:0],
		NACKs:         ev.NACKs[:0],
		Keyframes:     ev.Keyframes[:0],
		SenderReports: ev.SenderReports[:0],
		Byes:          ev.Byes[:0],
	}
}

// RTCP packet types and feedback formats.
const (
	rtcpSR    = 200
	rtcpRR    = 201
	rtcpSDES  = 202
	rtcpBYE   = 203
	rtcpRTPFB = 205
	rtcpPSFB  = 206

	rtcpNACK        = 1  // of RTPFB, https://www.rfc-editor.org/rfc/rfc4585#section-6.2.1
	rtcpTransportCC = 15 // of RTPFB, draft-holmer-rmcat-transport-wide-cc-extensions-01
	rtcpPLI         = 1  // of PSFB, https://www.rfc-editor.org/rfc/rfc4585#section-6.3.1
	rtcpFIR         = 4  // of PSFB, https://www.rfc-editor.org/rfc/rfc5104#section-4.3.1
	rtcpAFB         = 15 // of PSFB, application layer feedback; ours is draft-alvestrand-rmcat-remb-03

	rtcpBlockSize = 24
)

// ScanRTCP resets ev and fills it from the compound packet in buf, reduced-size
// ones (https://www.rfc-editor.org/rfc/rfc5506 ) included. Whatever it returns,
// ev holds the packets that were valid: all of those before an
// ErrRTCPFraming, and those before and after an ErrRTCPBody.
func ScanRTCP(buf []byte, ev *RTCPEvents) error {
	ev.Reset()
	if len(buf) == 0 {
		return ErrRTCPFraming
	}
	var err error
	for len(buf) > 0 {
		if len(buf) < 4 || buf[0]>>6 != 2 {
			ev.Malformed++
			return ErrRTCPFraming
		}
		size := 4 * (int(binary.BigEndian.Uint16(buf[2:])) + 1)
		if size > len(buf) {
			ev.Malformed++
			return ErrRTCPFraming
		}
		body, ok := buf[4:size], true
		if buf[0]&0x20 != 0 {
			body, ok = rtcpUnpad(body)
		}
		if !ok || !ev.packet(buf[1], buf[0]&0x1f, body) {
			ev.Malformed++
			err = ErrRTCPBody
		}
		buf = buf[size:]
	}
	return err
}

// rtcpUnpad takes off the padding, whose last byte counts it. What follows the
// packet does not depend on it.
func rtcpUnpad(body []byte) (rest []byte, ok bool) {
	if len(body) == 0 {
		return nil, false
	}
	padding := int(body[len(body)-1])
	if padding == 0 || padding > len(body) {
		return nil, false
	}
	return body[:len(body)-padding], true
}

// packet takes one packet of a kind, with its count or format field. It returns
// false, having taken nothing, if the body does not fit these.
func (ev *RTCPEvents) packet(kind, count uint8, body []byte) bool {
	switch kind {
	case rtcpSR:
		return ev.senderReport(int(count), body)
	case rtcpRR:
		if len(body) < 4 {
			return false
		}
		return ev.reports(int(count), binary.BigEndian.Uint32(body), body[4:])
	case rtcpSDES:
		return true // names are the signaling's business
	case rtcpBYE:
		return ev.bye(int(count), body)
	case rtcpRTPFB:
		switch count {
		case rtcpNACK:
			return ev.nack(body)
		case rtcpTransportCC:
			if !rtcpTransportCCValid(body) {
				return false
			}
			ev.TransportCC++
			return true
		}
	case rtcpPSFB:
		switch count {
		case rtcpPLI:
			return ev.pli(body)
		case rtcpFIR:
			return ev.fir(body)
		case rtcpAFB:
			return ev.remb(body)
		}
	}
	ev.Unknown++
	return true
}

func (ev *RTCPEvents) senderReport(count int, body []byte) bool {
	if len(body) < 24+count*rtcpBlockSize {
		return false
	}
	ssrc := binary.BigEndian.Uint32(body)
	if len(ev.SenderReports) == MaxRTCPSenders {
		ev.Truncated = true
	} else {
		ev.SenderReports = append(ev.SenderReports, SenderReport{
			SSRC:    ssrc,
			NTP:     binary.BigEndian.Uint64(body[4:]),
			RTP:     binary.BigEndian.Uint32(body[12:]),
			Packets: binary.BigEndian.Uint32(body[16:]),
			Octets:  binary.BigEndian.Uint32(body[20:]),
		})
	}
	return ev.reports(count, ssrc, body[24:])
}

// reports takes count blocks; profile-specific extensions behind them are
// allowed and ignored.
func (ev *RTCPEvents) reports(count int, reporter uint32, b []byte) bool {
	if len(b) < count*rtcpBlockSize {
		return false
	}
	for range count {
		if len(ev.Reports) == MaxRTCPReports {
			ev.Truncated = true
			return true
		}
		lost := binary.BigEndian.Uint32(b[4:])
		ev.Reports = append(ev.Reports, ReportBlock{
			Reporter:        reporter,
			SSRC:            binary.BigEndian.Uint32(b),
			FractionLost:    uint8(lost >> 24),
			TotalLost:       int32(lost<<8) >> 8, // sign of 24 bits
			HighestSequence: binary.BigEndian.Uint32(b[8:]),
			Jitter:          binary.BigEndian.Uint32(b[12:]),
			LastSR:          binary.BigEndian.Uint32(b[16:]),
			DelaySinceSR:    binary.BigEndian.Uint32(b[20:]),
		})
		b = b[rtcpBlockSize:]
	}
	return true
}

func (ev *RTCPEvents) bye(count int, body []byte) bool {
	if len(body) < 4*count {
		return false
	}
	if rest := body[4*count:]; len(rest) > 0 && int(rest[0]) > len(rest)-1 {
		return false // the reason is longer than the packet
	}
	for i := range count {
		if len(ev.Byes) == MaxRTCPByes {
			ev.Truncated = true
			return true
		}
		ev.Byes = append(ev.Byes, binary.BigEndian.Uint32(body[4*i:]))
	}
	return true
}

// nack takes apart pairs of a sequence number and a bitmask of the 16 after it.
func (ev *RTCPEvents) nack(body []byte) bool {
	if len(body) < 12 || len(body)%4 != 0 {
		return false
	}
	media := binary.BigEndian.Uint32(body[4:])
	for pairs := body[8:]; len(pairs) > 0; pairs = pairs[4:] {
		first, mask := binary.BigEndian.Uint16(pairs), binary.BigEndian.Uint16(pairs[2:])
		if len(ev.NACKs)+1+bits.OnesCount16(mask) > MaxRTCPNACKs {
			ev.Truncated = true
			return true
		}
		ev.NACKs = append(ev.NACKs, NACKPair{media, first})
		for ; mask != 0; mask &= mask - 1 {
			sequence := first + 1 + uint16(bits.TrailingZeros16(mask))
			ev.NACKs = append(ev.NACKs, NACKPair{media, sequence})
		}
	}
	return true
}

func (ev *RTCPEvents) pli(body []byte) bool {
	if len(body) < 8 {
		return false
	}
	ev.keyframe(KeyframeRequest{MediaSSRC: binary.BigEndian.Uint32(body[4:])})
	return true
}

// fir takes the entries; the media source in the header has no meaning here.
func (ev *RTCPEvents) fir(body []byte) bool {
	if len(body) < 16 || len(body)%8 != 0 {
		return false
	}
	for entry := body[8:]; len(entry) > 0; entry = entry[8:] {
		ev.keyframe(KeyframeRequest{
			MediaSSRC: binary.BigEndian.Uint32(entry), FIR: true, FIRSeq: entry[4],
		})
	}
	return true
}

func (ev *RTCPEvents) keyframe(r KeyframeRequest) {
	if len(ev.Keyframes) == MaxRTCPKeyframes {
		ev.Truncated = true
		return
	}
	ev.Keyframes = append(ev.Keyframes, r)
}

// remb reads |R E M B|count|exponent (6 bits)|mantissa (18 bits)| and checks
// that the listed SSRCs are there; the estimate is of the whole transport.
func (ev *RTCPEvents) remb(body []byte) bool {
	if len(body) < 8 {
		return false
	}
	if len(body) < 12 || string(body[8:12]) != "REMB" {
		ev.Unknown++
		return true
	}
	if len(body) < 16 || len(body) < 16+4*int(body[12]) {
		return false
	}
	exponent := body[13] >> 2
	mantissa := uint64(binary.BigEndian.Uint32(body[12:]) & 0x3ffff)
	switch {
	case mantissa == 0:
		ev.REMB = 0
	case exponent > 36 || mantissa<<exponent > MaxREMB:
		ev.REMB = MaxREMB // 2^37 exceeds it already
	default:
		ev.REMB = mantissa << exponent
	}
	return true
}

// rtcpTransportCCValid walks the status chunks and checks that a receive delta
// is there for each packet they call received. The work is bounded by the
// length of the body: each chunk takes two bytes of it.
func rtcpTransportCCValid(body []byte) bool {
	if len(body) < 16 {
		return false
	}
	left := int(binary.BigEndian.Uint16(body[10:])) // packet status count
	if left == 0 {
		return false
	}
	deltas := 0 // bytes
	rest := body[16:]
	for left > 0 {
		if len(rest) < 2 {
			return false
		}
		chunk := binary.BigEndian.Uint16(rest)
		rest = rest[2:]
		n, size, ok := rtcpStatusChunk(chunk, left)
		if !ok {
			return false
		}
		left -= n
		deltas += size
	}
	return deltas <= len(rest)
}

// rtcpStatusChunk returns how many of the left packets a chunk is about, and the
// bytes of receive deltas that these need: one for a small delta, two for a
// large or negative one. The symbol 3 is reserved.
func rtcpStatusChunk(chunk uint16, left int) (n, size int, ok bool) {
	if chunk&0x8000 == 0 { // run length: symbol in 2 bits, length in 13
		symbol := int(chunk >> 13 & 3)
		n = min(int(chunk&0x1fff), left)
		return n, n * symbol, symbol != 3
	}
	if chunk&0x4000 == 0 { // 14 symbols of one bit: small delta or not received
		n = min(14, left)
		return n, bits.OnesCount16(chunk & 0x3fff >> (14 - n)), true
	}
	n = min(7, left) // 7 symbols of two bits
	for i := range n {
		symbol := int(chunk >> (12 - 2*i) & 3)
		if symbol == 3 {
			return 0, 0, false
		}
		size += symbol
	}
	return n, size, true
}
