// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// feedbackRoom is the most a compound packet may take, so that it fits any path
// with SRTCP, UDP and IP around it.
const feedbackRoom = 1100

// reportsMost is the number of blocks a report can hold (5 bits).
const reportsMost = 31

// appendRTCPHeader begins a packet of the given kind. words is the length of
// the whole packet in 32-bit words.
func appendRTCPHeader(buf []byte, kind, count uint8, words int) []byte {
	buf = append(buf, 2<<6|count, kind)
	return binary.BigEndian.AppendUint16(buf, uint16(words-1))
}

// appendReceiverReport writes one receiver report of at most reportsMost
// blocks. A compound packet starts with one, which may be empty
// (https://www.rfc-editor.org/rfc/rfc3550#section-6.1 ).
func appendReceiverReport(buf []byte, reporter uint32, blocks []ReportBlock) []byte {
	buf = appendRTCPHeader(buf, rtcpRR, uint8(len(blocks)), 2+6*len(blocks))
	buf = binary.BigEndian.AppendUint32(buf, reporter)
	for _, b := range blocks {
		buf = binary.BigEndian.AppendUint32(buf, b.SSRC)
		buf = binary.BigEndian.AppendUint32(buf, uint32(b.FractionLost)<<24|uint32(b.TotalLost)&0xffffff)
		buf = binary.BigEndian.AppendUint32(buf, b.HighestSequence)
		buf = binary.BigEndian.AppendUint32(buf, b.Jitter)
		buf = binary.BigEndian.AppendUint32(buf, b.LastSR)
		buf = binary.BigEndian.AppendUint32(buf, b.DelaySinceSR)
	}
	return buf
}

// appendNACK writes one request for the ascending sequence numbers, merged into
// pairs of a number and a bitmask of the 16 that follow it.
func appendNACK(buf []byte, sender, media uint32, seqs []uint16) []byte {
	start := len(buf)
	buf = appendRTCPHeader(buf, rtcpRTPFB, rtcpNACK, 3)
	buf = binary.BigEndian.AppendUint32(buf, sender)
	buf = binary.BigEndian.AppendUint32(buf, media)
	for i := 0; i < len(seqs); {
		first, mask := seqs[i], uint16(0)
		for i++; i < len(seqs); i++ {
			ahead := seqs[i] - first
			if ahead == 0 || ahead > 16 {
				break
			}
			mask |= 1 << (ahead - 1)
		}
		buf = binary.BigEndian.AppendUint16(buf, first)
		buf = binary.BigEndian.AppendUint16(buf, mask)
	}
	binary.BigEndian.PutUint16(buf[start+2:], uint16((len(buf)-start)/4-1))
	return buf
}

// appendPLI: https://www.rfc-editor.org/rfc/rfc4585#section-6.3.1 .
func appendPLI(buf []byte, sender, media uint32) []byte {
	buf = appendRTCPHeader(buf, rtcpPSFB, rtcpPLI, 3)
	buf = binary.BigEndian.AppendUint32(buf, sender)
	return binary.BigEndian.AppendUint32(buf, media)
}

// appendFIR writes a request with one entry; the media source of the header is
// not used, https://www.rfc-editor.org/rfc/rfc5104#section-4.3.1.2 .
func appendFIR(buf []byte, sender, media uint32, serial uint8) []byte {
	buf = appendRTCPHeader(buf, rtcpPSFB, rtcpFIR, 5)
	buf = binary.BigEndian.AppendUint32(buf, sender)
	buf = binary.BigEndian.AppendUint32(buf, 0)
	buf = binary.BigEndian.AppendUint32(buf, media)
	return append(buf, serial, 0, 0, 0)
}
