// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/switchyard-media/sfu/bench/stats"
)

const (
	historySize = 1024   // packets kept for retransmission; a power of two
	midPackets  = 100    // that carry the mid: until the node must know the SSRC
	burstBytes  = 25_000 // sent at once; libwebrtc paces what is more
	burstEvery  = 20 * time.Millisecond
)

// Publisher sends one track, in real time.
type Publisher struct {
	// immutable after StartPublisher
	client  *Client
	track   *Track
	line    line
	payload uint8
	frames  []frame // audio
	video   *video  // nil: audio
	stop    chan struct{}
	done    chan struct{}

	// atomic: written by the Poller, read by run
	key atomic.Bool // a keyframe is wanted

	again chan uint16 // numbers asked for again; sent by the Poller, received by run

	// owned by run
	wide     bool // packets carry a transport-wide number
	srtp     *srtp.Context
	header   rtp.Header
	packet   [packetSize]byte
	sealed   [packetSize]byte
	next     int // frame
	picture  uint16
	sequence uint16
	repair   uint16 // sequence number of the RTX stream
	clock    uint32
	counter  uint64
	octets   uint32
	report   int64 // when the next sender report is due
	history  [][]byte
	delay    stats.Histogram
}

// StartPublisher sends a track that c has as a source; for video at bitsPerSecond. Stop ends it.
func StartPublisher(c *Client, t *Track, l int, bitsPerSecond int) (*Publisher, error) {
	context, err := c.outbound()
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		client: c, track: t, line: c.lines[l], payload: payloadOpus, srtp: context,
		stop: make(chan struct{}), done: make(chan struct{}), again: make(chan uint16, 256),
		wide:     c.remote.lines[c.lines[l].mid].transport,
		sequence: uint16(rand.Uint32()) & 0x7fff, repair: uint16(rand.Uint32()) & 0x7fff, clock: rand.Uint32(),
	}
	if t.Video {
		p.payload, p.video = payloadVP8, newVideo(bitsPerSecond)
		p.history = make([][]byte, historySize)
		for i := range p.history {
			p.history[i] = make([]byte, 0, maxPayload+64)
		}
		p.key.Store(true)
	} else {
		p.frames = opusPayloads()
	}
	c.poller.Locked(func() { c.publishers[p.line.ssrc] = p })
	go p.run()

	return p, nil
}

// StartPublishers sends all tracks of a client's sources; video at bitsPerSecond unless the track says otherwise.
func StartPublishers(c *Client, sources []Source, bitsPerSecond int) ([]*Publisher, error) {
	var out []*Publisher
	l := 0
	for _, s := range sources {
		for _, t := range []*Track{s.Audio, s.Video} {
			if t == nil {
				continue
			}
			p, err := StartPublisher(c, t, l, cmp.Or(t.Bits, bitsPerSecond))
			if err != nil {
				StopAll(out)

				return nil, err
			}
			out = append(out, p)
			l++
		}
	}

	return out, nil
}

// StopAll stops publishers.
func StopAll(all []*Publisher) {
	for _, p := range all {
		p.Stop()
	}
}

// Stop ends sending, and returns when the last packet is out.
func (p *Publisher) Stop() {
	p.client.poller.Locked(func() { delete(p.client.publishers, p.line.ssrc) })
	close(p.stop)
	<-p.done
}

// Delay is how long packets of the window took from their stamp to the return of the call that sends: what is long in it is
// the load generator waiting for a CPU, and a part of the latency that is measured. Call it after Stop.
func (p *Publisher) Delay() *stats.Histogram { return &p.delay }

// askedAgain takes the entries of a NACK. Called under the Poller's lock; what does not fit is asked for again.
func (p *Publisher) askedAgain(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		first, mask := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		for i := range uint16(17) {
			if i > 0 && mask&(1<<(i-1)) == 0 {
				continue
			}
			select {
			case p.again <- first + i:
			default:
				return
			}
		}
	}
}

func (p *Publisher) run() {
	defer close(p.done)
	every := opusEvery
	if p.video != nil {
		every = frameEvery
	}
	next := time.Now().Add(rand.N(every)) // cameras do not run in step
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case seq := <-p.again:
			p.resend(seq)

			continue
		case <-timer.C:
		}
		p.frame()
		p.clock += uint32(every.Microseconds() * p.rate() / 1_000_000)
		next = next.Add(every)
		timer.Reset(time.Until(next))
	}
}

// rate is that of the RTP clock, in Hz.
func (p *Publisher) rate() int64 {
	if p.video != nil {
		return 90_000
	}

	return 48_000
}

// frame sends the next one.
func (p *Publisher) frame() {
	f := p.pick()
	p.picture = (p.picture + 1) & 0x7fff
	burst := 0
	for i, payload := range f.payloads {
		if burst += len(payload); burst > burstBytes {
			time.Sleep(burstEvery)
			burst = 0
		}
		p.send(payload, i, len(f.payloads), f.key)
	}
	if now := time.Now().UnixNano(); now >= p.report {
		p.report = now + int64(time.Second)
		p.senderReport(now)
	}
}

func (p *Publisher) pick() *frame {
	if p.video == nil {
		p.next = (p.next + 1) % len(p.frames)

		return &p.frames[p.next]
	}
	if p.key.Swap(false) {
		return &p.video.keyframes[0]
	}
	p.next = (p.next + 1) % len(p.video.between)

	return &p.video.between[p.next]
}

func (p *Publisher) send(payload []byte, index, count int, key bool) {
	b := p.writeHeader(p.packet[:0], index == count-1)
	from := len(b)
	b = append(b, payload...)
	if p.video != nil {
		binary.BigEndian.PutUint16(b[from+2:], 0x8000|p.picture)
	}
	now := time.Now().UnixNano()
	Stamp{Track: p.track.ID, Counter: p.counter, Sent: now, Key: key, Index: uint8(index), Count: uint8(count)}.put(b[from:])
	if p.history != nil {
		h := &p.history[int(p.sequence)%historySize]
		*h = append((*h)[:0], b...)
	}
	p.sequence++
	p.counter++
	p.octets += uint32(len(payload))
	if !p.seal(b) {
		return
	}
	p.track.sent.Add(1)
	if p.client.poller.window.holds(now) {
		p.track.windowSent.Add(1)
		p.delay.Add(durationOf(time.Now().UnixNano() - now))
	}
}

// seal encrypts and sends; false when the packet has not left.
func (p *Publisher) seal(b []byte) bool {
	sealed, err := p.srtp.EncryptRTP(p.sealed[:0], b, &p.header)
	if err != nil || p.client.socket.send(sealed) != nil {
		return false
	}
	if p.client.poller.window.holds(time.Now().UnixNano()) {
		p.track.bytes.Add(uint64(len(sealed)))
	}

	return true
}

// writeHeader writes header and extensions (RFC 8285, section 4.2) of the next packet.
func (p *Publisher) writeHeader(b []byte, last bool) []byte {
	kind := p.payload
	if last && p.video != nil {
		kind |= 0x80
	}
	b = append(b, 0x90, kind)
	b = binary.BigEndian.AppendUint16(b, p.sequence)
	b = binary.BigEndian.AppendUint32(b, p.clock)
	b = binary.BigEndian.AppendUint32(b, p.line.ssrc)
	b = append(b, 0xbe, 0xde, 0, 0)
	at := len(b)
	// abs-send-time: seconds in 6.18 bits
	now := uint64(time.Now().UnixNano())
	abs := uint32((now % 64_000_000_000) * (1 << 18) / 1_000_000_000)
	b = append(b, extAbsSendTime<<4|2, byte(abs>>16), byte(abs>>8), byte(abs))
	if p.wide {
		n := uint16(p.client.transportSeq.Add(1))
		b = append(b, extTransport<<4|1, byte(n>>8), byte(n))
	}
	if p.video == nil {
		b = append(b, extAudioLevel<<4, 0x80|40) // speech, -40 dBov
	}
	if p.counter < midPackets {
		b = append(b, byte(extMid<<4|len(p.line.mid)-1))
		b = append(b, p.line.mid...)
	}
	for (len(b)-at)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16((len(b)-at)/4))

	return b
}

// resend answers a NACK on the retransmission stream (RFC 4588, section 4).
func (p *Publisher) resend(seq uint16) {
	if p.history == nil || p.line.rtx == 0 {
		return
	}
	kept := p.history[int(seq)%historySize]
	if len(kept) == 0 || binary.BigEndian.Uint16(kept[2:]) != seq {
		return
	}
	from := headerSize(kept)
	b := append(p.packet[:0], kept[:from]...)
	b[1] = b[1]&0x80 | payloadRTX
	binary.BigEndian.PutUint16(b[2:], p.repair)
	binary.BigEndian.PutUint32(b[8:], p.line.rtx)
	b = binary.BigEndian.AppendUint16(b, seq)
	b = append(b, kept[from:]...)
	p.repair++
	p.seal(b)
}

// senderReport is RFC 3550, section 6.4.1.
func (p *Publisher) senderReport(now int64) {
	const toNTP = 2_208_988_800 // seconds from 1900 to 1970
	b := append(p.packet[:0], 0x80, rtcpSR, 0, 6)
	b = binary.BigEndian.AppendUint32(b, p.line.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(now/1_000_000_000+toNTP))
	b = binary.BigEndian.AppendUint32(b, uint32(uint64(now%1_000_000_000)<<32/1_000_000_000))
	b = binary.BigEndian.AppendUint32(b, p.clock)
	b = binary.BigEndian.AppendUint32(b, uint32(p.counter))
	b = binary.BigEndian.AppendUint32(b, p.octets)
	b = cname(b, p.line.ssrc)
	if sealed, err := p.srtp.EncryptRTCP(p.sealed[:0], b, nil); err == nil {
		_ = p.client.socket.send(sealed)
	}
}
