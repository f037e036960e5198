// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Times of a browser's feedback.
const (
	videoReportEvery = int64(time.Second)
	audioReportEvery = int64(5 * time.Second)
	transportLeast   = int64(50 * time.Millisecond) // libwebrtc: as much as one part in twenty of what arrives pays for
	transportMost    = int64(250 * time.Millisecond)
	transportBits    = 68 * 8                        // of one report, as libwebrtc reckons
	keyframePatience = int64(200 * time.Millisecond) // without a keyframe, before asking
	keyframeAgain    = int64(500 * time.Millisecond)
)

// feedbackSSRC is the sender of a client's RTCP other than sender reports; browsers that only receive use 1 as well.
const feedbackSSRC = 1

// RTCP packet types and formats.
const (
	rtcpSR, rtcpRR, rtcpSDES, rtcpRTPFB, rtcpPSFB = 200, 201, 202, 205, 206

	formatNACK, formatPLI, formatFIR = 1, 1, 4
)

// reporting is what receiver reports and keyframe requests of a slot need.
type reporting struct {
	next             int64  // of the next report; 0: not planned yet
	expected, number uint32 // as of the last report
	senderReport     uint32 // middle bits of its NTP time
	senderReportAt   int64
	pliNext          int64
}

// tick sends what is due. Called under the Poller's lock.
func (c *Client) tick(now int64) {
	if c.out == nil || c.stalled {
		return
	}
	if now >= c.nextCheck {
		c.sendCheck(now)
		c.nextCheck += rand.Int64N(int64(checkEvery/5)) - int64(checkEvery/10)
	}
	if now >= c.nextTCC {
		c.nextTCC = now + c.transportEvery(now)
		c.transportFeedback()
	}
	for _, s := range c.order {
		c.tickSlot(s, now)
	}
}

func (c *Client) tickSlot(s *slot, now int64) {
	if !s.sequence.started {
		return
	}
	every := audioReportEvery
	if s.video {
		every = videoReportEvery
	}
	switch {
	case s.report.next == 0:
		s.report.next = now + rand.Int64N(every) // clients do not report in step
	case now >= s.report.next:
		s.report.next = now + every/2 + rand.Int64N(every) // RFC 3550, section 6.3.1
		c.receiverReport(s, now)
	}
	if !s.video {
		return
	}
	var room [maxGap]uint16
	seqs, gaveUp := s.sequence.due(now, room[:0])
	if len(seqs) > 0 {
		c.nack(s, seqs)
	}
	c.keyframe(s, now, gaveUp)
}

// keyframe asks for one as a decoder would that cannot begin, or has lost a packet for good.
func (c *Client) keyframe(s *slot, now int64, broken bool) {
	r := s.current
	waiting := r != nil && r.FirstKeyframe.IsZero() && now-r.First.UnixNano() > keyframePatience
	if r != nil && c.stuck(r, now) {
		waiting = true
	}
	if (!waiting && !broken) || now < s.report.pliNext {
		return
	}
	s.report.pliNext = now + keyframeAgain
	b := feedbackHeader(c.scratch[:0], rtcpPSFB, formatPLI, 2, s.ssrc)
	c.poller.counters.PLIs++
	c.sendControl(b)
}

func feedbackHeader(b []byte, kind, format byte, words uint16, media uint32) []byte {
	b = append(b, 0x80|format, kind)
	b = binary.BigEndian.AppendUint16(b, words)
	b = binary.BigEndian.AppendUint32(b, feedbackSSRC)

	return binary.BigEndian.AppendUint32(b, media)
}

// receiverReport is RFC 3550, section 6.4.2, and a CNAME as compound packets need.
func (c *Client) receiverReport(s *slot, now int64) {
	q, r := &s.sequence, &s.report
	expected := q.extended - q.base + 1
	lost := int64(expected) - int64(q.received)
	lostNow := int64(expected-r.expected) - int64(q.received-r.number)
	fraction := byte(0)
	if span := int64(expected - r.expected); span > 0 && lostNow > 0 {
		fraction = byte(min(lostNow*256/span, 255))
	}
	r.expected, r.number = expected, q.received
	lost = max(min(lost, 1<<23-1), -1<<23)
	b := append(c.scratch[:0], 0x81, rtcpRR, 0, 7)
	b = binary.BigEndian.AppendUint32(b, feedbackSSRC)
	b = binary.BigEndian.AppendUint32(b, s.ssrc)
	b = append(b, fraction, byte(lost>>16), byte(lost>>8), byte(lost))
	b = binary.BigEndian.AppendUint32(b, q.extended)
	b = binary.BigEndian.AppendUint32(b, uint32(q.jitter))
	b = binary.BigEndian.AppendUint32(b, r.senderReport)
	since := uint32(0)
	if r.senderReport != 0 {
		since = uint32((now - r.senderReportAt) / 1000 * 65536 / 1_000_000)
	}
	b = binary.BigEndian.AppendUint32(b, since)
	b = cname(b, feedbackSSRC)
	c.poller.counters.Reports++
	c.sendControl(b)
}

// cname appends an SDES packet with the CNAME "bench".
func cname(b []byte, ssrc uint32) []byte {
	b = append(b, 0x81, rtcpSDES, 0, 3)
	b = binary.BigEndian.AppendUint32(b, ssrc)

	return append(b, 1, 5, 'b', 'e', 'n', 'c', 'h', 0)
}

// nack asks for packets again (RFC 4585, section 6.2.1).
func (c *Client) nack(s *slot, seqs []uint16) {
	b := feedbackHeader(c.scratch[:0], rtcpRTPFB, formatNACK, 0, s.ssrc)
	for i := 0; i < len(seqs); {
		first, mask := seqs[i], uint16(0)
		for i++; i < len(seqs); i++ {
			d := seqs[i] - first
			if d == 0 || d > 16 {
				break
			}
			mask |= 1 << (d - 1)
		}
		b = binary.BigEndian.AppendUint16(b, first)
		b = binary.BigEndian.AppendUint16(b, mask)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	c.poller.counters.NACKs++
	c.sendControl(b)
}

// transportEvery is how long libwebrtc waits for the next report, by the rate that arrives.
func (c *Client) transportEvery(now int64) int64 {
	if span := now - c.rateAt; span >= int64(time.Second) {
		c.rate, c.rateBytes, c.rateAt = int64(float64(c.rateBytes)*8e9/float64(span)), 0, now
	}

	return feedbackEvery(c.rate)
}

func feedbackEvery(bits int64) int64 {
	if bits <= 0 {
		return transportMost
	}

	return min(max(transportBits*20*int64(time.Second)/bits, transportLeast), transportMost)
}

func (c *Client) transportFeedback() {
	media := uint32(0)
	if len(c.order) > 0 {
		media = c.order[0].ssrc
	}
	if b, ok := c.arrivals.report(c.scratch[:0], media); ok {
		c.poller.counters.TransportCC++
		c.sendControl(b)
	}
}

// sendControl encrypts and sends. What is lost here is lost as it would be in a network.
func (c *Client) sendControl(b []byte) {
	if sealed, err := c.out.EncryptRTCP(c.sealed[:0], b, nil); err == nil {
		c.leave(sealed)
	}
}

// control takes an RTCP datagram of the node.
func (c *Client) control(b []byte, at int64) {
	plain, err := c.in.DecryptRTCP(c.plain[:0], b, nil)
	if err != nil {
		c.poller.counters.Undecrypted++

		return
	}
	c.poller.counters.RTCPIn++
	c.controlPackets(plain, at)
}

// controlPackets takes the parts of a compound packet.
func (c *Client) controlPackets(plain []byte, at int64) {
	for len(plain) >= 8 {
		size := 4 * (int(binary.BigEndian.Uint16(plain[2:])) + 1)
		if size > len(plain) {
			return
		}
		c.controlPacket(plain[:size], at)
		plain = plain[size:]
	}
}

func (c *Client) controlPacket(b []byte, at int64) {
	format := b[0] & 31
	switch {
	case b[1] == rtcpSR && len(b) >= 28:
		if s := c.slots[binary.BigEndian.Uint32(b[4:])]; s != nil {
			s.report.senderReport, s.report.senderReportAt = binary.BigEndian.Uint32(b[10:]), at
		}
	case b[1] == rtcpPSFB && format == formatPLI && len(b) >= 12:
		c.askedForKeyframe(binary.BigEndian.Uint32(b[8:]))
	case b[1] == rtcpPSFB && format == formatFIR && len(b) >= 20:
		c.askedForKeyframe(binary.BigEndian.Uint32(b[12:]))
	case b[1] == rtcpRTPFB && format == formatNACK && len(b) >= 16:
		if p := c.publishers[binary.BigEndian.Uint32(b[8:])]; p != nil {
			p.askedAgain(b[12:])
		}
	}
}

func (c *Client) askedForKeyframe(ssrc uint32) {
	if p := c.publishers[ssrc]; p != nil {
		c.poller.counters.KeyframeAsks++
		p.key.Store(true)
	}
}
