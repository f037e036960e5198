// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"

	"github.com/pion/stun/v4"
)

// slot is what the node sends on one m-line: one SSRC for life, whatever is played on it.
type slot struct {
	video     bool
	transport bool // transport-wide congestion control is agreed on
	ssrc, rtx uint32
	current   *Received // of the last packet
	sequence  sequence
	report    reporting

	dropped []loss // media packets that the client's link has lost
}

// MaxDatagram is the longest datagram that is read, in bytes, and more than any that is sent.
const MaxDatagram = packetSize

const packetSize = 2048

// maxEarly bounds what is kept until the keys are there.
const maxEarly = 1024

// handleAll takes datagrams that were merged, each but the last as long as segment; 0: it is one.
func (c *Client) handleAll(b []byte, segment int, at int64) {
	for segment > 0 && len(b) > segment {
		c.handle(b[:segment], at)
		b = b[segment:]
	}
	c.handle(b, at)
}

// handle takes one datagram. Called under the Poller's lock; b is the reader's.
func (c *Client) handle(b []byte, at int64) {
	if len(b) == 0 {
		return
	}
	switch first := b[0]; { // RFC 7983, section 7
	case first < 4:
		c.stun(b)
	case first >= 20 && first < 64:
		_, _ = c.handshake.Write(b) // a full buffer is a lost datagram: DTLS repeats
	case first >= 128 && first < 192:
		if c.in == nil {
			if len(c.early) < maxEarly {
				c.early = append(c.early, earlyPacket{append([]byte(nil), b...), at})
			}

			return
		}
		c.media(b, at)
	}
}

func (c *Client) stun(b []byte) {
	if c.checked == nil || !stun.IsMessage(b) {
		return
	}
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil || m.Type != stun.BindingSuccess {
		return
	}
	// An answer to any of the checks will do: a busy node may answer after the next one was sent.
	if stun.NewShortTermIntegrity(c.remote.pwd).Check(m) == nil {
		close(c.checked)
		c.checked = nil
	}
}

func (c *Client) media(b []byte, at int64) {
	if len(b) < 12 {
		return
	}
	if b[1] >= 192 && b[1] < 224 { // RFC 5761, section 4
		c.control(b, at)

		return
	}
	ssrc := binary.BigEndian.Uint32(b[8:])
	n := &c.poller.counters
	if ssrc == FloorSSRC {
		n.Floor++

		return
	}
	if c.loss > 0 && c.unlucky() {
		n.Thrown++

		return
	}
	s := c.slots[ssrc]
	if s == nil {
		n.Unexpected++

		return
	}
	plain, err := c.in.DecryptRTP(c.plain[:0], b, &c.header)
	if err != nil {
		n.Undecrypted++

		return
	}
	c.rateBytes += int64(len(b))
	if c.trace != nil {
		c.trace.took(at, len(b)+linkOverhead)
	}
	if s.transport && c.header.Extension {
		if x := c.header.GetExtension(extTransport); len(x) == 2 {
			c.arrivals.add(binary.BigEndian.Uint16(x), at)
		}
	}
	payload, seq, ok := c.payload(s, ssrc, plain)
	if !ok {
		n.Foreign++
		if ssrc == s.ssrc { // padding has a number, too
			s.sequence.add(c.header.SequenceNumber, c.header.Timestamp, at, s.video, true)
		}

		return
	}
	s.sequence.add(seq, c.header.Timestamp, at, s.video, ssrc == s.ssrc)
	c.count(s, payload, at, len(b), ssrc == s.ssrc)
}

// payload takes header, padding and the retransmission's own header (RFC 4588, section 4) off a packet.
func (c *Client) payload(s *slot, ssrc uint32, plain []byte) (payload []byte, seq uint16, ok bool) {
	from, to := headerSize(plain), len(plain)
	if c.header.Padding && to > from {
		to -= int(plain[to-1])
	}
	if from >= to {
		return nil, 0, false
	}
	payload, seq = plain[from:to], c.header.SequenceNumber
	if ssrc == s.ssrc {
		return payload, seq, true
	}
	if len(payload) < 2 {
		return nil, 0, false
	}
	c.poller.counters.Repaired++

	return payload[2:], binary.BigEndian.Uint16(payload), true
}

// headerSize is what an RTP header takes; b has passed a parser.
func headerSize(b []byte) int {
	n := 12 + 4*int(b[0]&15)
	if b[0]&16 != 0 && len(b) >= n+4 {
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}

	return n
}

func (c *Client) count(s *slot, payload []byte, at int64, size int, direct bool) {
	n := &c.poller.counters
	stamp, ok := readStamp(payload)
	if !ok {
		n.Foreign++

		return
	}
	n.Packets++
	n.Bytes += uint64(size)
	r := s.current
	if r == nil || r.Track.ID != stamp.Track {
		if r = c.find(stamp.Track); r == nil {
			n.Unexpected++

			return
		}
		s.current = r
	}
	if c.leaving != nil && len(c.leaving) < cap(c.leaving) {
		c.leaving = append(c.leaving, departure{r, at, stamp.Sent})
	}
	if len(r.layers) > 0 {
		c.countLayer(r, stamp, payload, at, direct)

		return
	}
	reordered := r.Reordered
	if !r.take(stamp, at, c.poller.window) {
		switch {
		case !direct:
			n.Again++
		case !c.apart:
			n.Duplicates++
		}

		return
	}
	if !c.apart {
		n.Reordered += r.Reordered - reordered
	}
	if c.poller.window.holds(stamp.Sent) {
		c.latency.Add(durationOf(at - stamp.Sent))
	}
}

func (c *Client) find(track uint32) *Received {
	for _, r := range c.received {
		if r.Track.ID == track {
			return r
		}
	}

	return nil
}
