// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import "encoding/binary"

// HandleMedia implements transport.Handler: it hands one decrypted packet to whoever it is for. Nothing here waits, and
// nothing is allocated for a packet of a stream that is known.
func (s *session) HandleMedia(packet []byte, rtcp bool) {
	defer s.contain("media")
	flood := false
	if rtcp {
		flood = s.demux.report(packet)
		s.feedback(packet)
	} else {
		flood = s.demux.media(packet)
	}
	if flood {
		s.flooded.Store(true)
		s.poke()
	}
}

// feedback hands out one compound RTCP packet.
func (s *session) feedback(packet []byte) {
	up, down := s.sources.uplink.Load(), s.reports.Load()
	asSender, asReceiver := rtcpRoles(packet)
	if up != nil && asSender {
		up.HandleRTCP(packet)
	}
	if down != nil && asReceiver {
		down.HandleRTCP(packet)
	}
}

// RTCP packet types (RFC 3550, section 12.1, and RFC 4585, section 6.1).
const (
	rtcpSenderReport   = 200
	rtcpReceiverReport = 201
	rtcpGoodbye        = 203
	rtcpTransport      = 205
	rtcpPayload        = 206
)

// rtcpRoles says whether a compound packet has something that its sender says of what it sends, and of what it receives. So
// that most are looked into once: a client that publishes reports on nothing, and one that plays sends no sender reports.
func rtcpRoles(compound []byte) (asSender, asReceiver bool) {
	for len(compound) >= 4 {
		switch compound[1] {
		case rtcpSenderReport:
			asSender = true
			asReceiver = asReceiver || compound[0]&0x1f > 0 // report blocks
		case rtcpGoodbye:
			asSender = true
		case rtcpReceiverReport, rtcpTransport, rtcpPayload:
			asReceiver = true
		}
		size := 4 * (int(binary.BigEndian.Uint16(compound[2:])) + 1)
		if size > len(compound) {
			break
		}
		compound = compound[size:]
	}

	return asSender, asReceiver
}
