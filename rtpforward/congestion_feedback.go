// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// rawFeedback bounds the transport-wide feedback of one compound packet, in
// bytes; packets beyond it are left out. A datagram cannot bring more.
const rawFeedback = 1500

// What a client may report on: two dozen bytes speak of thousands of packets, so
// that a client who repeats himself would keep the shard from all others.
const (
	heardShare = 2      // for each packet that was sent, so many,
	heardFloor = 2_000  // so many a second beside that,
	heardBurst = 10_000 // and so many at once
)

// heardBudget counts the packets that a client may yet report on.
type heardBudget struct {
	tokens float64
	at     int64
	earned uint64 // of link.packets, what tokens has its share of
}

// take pays for feedback on n packets; false: it is not to be looked at.
func (b *heardBudget) take(n int, packets uint64, now int64) bool {
	if b.at == 0 {
		b.tokens = heardBurst
	}
	b.tokens += heardShare*float64(packets-b.earned) + heardFloor*float64(max(now-b.at, 0))/float64(time.Second)
	b.tokens = min(b.tokens, heardBurst)
	b.earned, b.at = packets, max(now, b.at, 1)
	if b.tokens < float64(n) {
		return false
	}
	b.tokens -= float64(n)
	return true
}

// reportedOn is how many packets a transport-wide feedback announces to be about,
// as far as these are looked at.
func reportedOn(packet []byte) int {
	if len(packet) < 16 {
		return 0
	}
	return min(int(binary.BigEndian.Uint16(packet[14:])), bandwidth.MaxFeedbackPackets)
}

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
