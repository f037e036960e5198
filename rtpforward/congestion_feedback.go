// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// rawFeedback bounds the transport-wide feedback of one compound packet, in
// bytes; packets beyond it are left out. A datagram cannot bring more.
const rawFeedback = 1500

// appendTransportCC copies the transport-wide feedback out of a compound packet
// that ScanRTCP has been through, for a shard to parse: what a Feedback takes up
// when it is parsed is a hundred times as much.
func appendTransportCC(to, buf []byte) []byte {
	for len(buf) >= 4 {
		size := rtcpSize(buf)
		if size > len(buf) {
			break
		}
		if buf[1] == rtcpRTPFB && buf[0]&0x1f == rtcpTransportCC && len(to)+size <= rawFeedback {
			to = append(to, buf[:size]...)
		}
		buf = buf[size:]
	}
	return to
}

// rtcpSize is the length that an RTCP packet announces, in bytes.
func rtcpSize(packet []byte) int { return 4 * (int(binary.BigEndian.Uint16(packet[2:])) + 1) }
