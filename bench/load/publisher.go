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
	layer   int     // of a simulcast, which it is if there is a rid
	rid     string
	phase   time.Time // when the first frame is due; zero: soon
	stop    chan struct{}
	done    chan struct{}

	// atomic: written by the Poller, read by run
	key atomic.Bool // a keyframe is wanted
	// atomic: written by Hold, read by run
	held atomic.Bool

	again chan uint16 // numbers asked for again; sent by the Poller, received by run

	// owned by run
	wide     bool // packets carry a transport-wide number
	srtp     *srtp.Context
	header   rtp.Header
	packet   [packetSize]byte
	sealed   [packetSize]byte
	next     int // frame
	picture  uint16
	tl0      uint8
	tid, y   uint8 // of the frame that is sent
	base     uint8 // frames since one of the base layer
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
	p, err := newPublisher(c, t, l)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Video:
		p.films(newVideo(bitsPerSecond))
	case t.Bits > 0:
		p.frames = voicePayloads(t.Bits)
	default:
		p.frames = opusPayloads()
	}
	p.start()

	return p, nil
}

// startLayers sends a simulcast: each layer by itself, all frames of one moment together.
func startLayers(c *Client, t *Track, l int) ([]*Publisher, error) {
	var out []*Publisher
	phase := time.Now().Add(rand.N(frameEvery))
	for i, layer := range t.Layers {
		p, err := newPublisher(c, t, l)
		if err != nil {
			StopAll(out)

			return nil, err
		}
		p.layer, p.rid, p.phase = i, layer.RID, phase
		p.line.ssrc, p.line.rtx = rand.Uint32()|1, rand.Uint32()&^1
		p.films(newLayer(layer))
		p.start()
		out = append(out, p)
	}

	return out, nil
}

func (p *Publisher) films(v *video) {
	p.payload, p.video = payloadVP8, v
	p.history = make([][]byte, historySize)
	for i := range p.history {
		p.history[i] = make([]byte, 0, maxPayload+64)
	}
	p.key.Store(true)
}

func (p *Publisher) start() {
	p.client.poller.Locked(func() { p.client.publishers[p.line.ssrc] = p })
	go p.run()
}

// Hold stops sending a layer, and goes on with a keyframe.
func (p *Publisher) Hold(on bool) {
	if p.held.Swap(on) && !on {
		p.key.Store(true)
	}
}

// Layer is which one of a simulcast it sends, and of which track; false: it is no simulcast's.
func (p *Publisher) Layer() (t *Track, layer int, simulcast bool) {
	return p.track, p.layer, p.rid != ""
}

func newPublisher(c *Client, t *Track, l int) (*Publisher, error) {
	context, err := c.outbound()
	if err != nil {
		return nil, err
	}

	return &Publisher{
		client: c, track: t, line: c.lines[l], payload: payloadOpus, srtp: context,
		stop: make(chan struct{}), done: make(chan struct{}), again: make(chan uint16, 256),
		wide:     c.remote.lines[c.lines[l].mid].transport,
		sequence: uint16(rand.Uint32()) & 0x7fff, repair: uint16(rand.Uint32()) & 0x7fff, clock: rand.Uint32(),
	}, nil
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
			if len(t.Layers) > 0 {
				all, err := startLayers(c, t, l)
				if err != nil {
					StopAll(out)

					return nil, err
				}
				out = append(out, all...)
				l++

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
	next := p.phase
	if next.IsZero() {
		next = time.Now().Add(rand.N(every)) // cameras do not run in step
	}
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
	if p.held.Load() {
		return
	}
	f := p.pick()
	p.picture = (p.picture + 1) & 0x7fff
	p.temporal(f.key)
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

// temporal chooses the frame's temporal layer: 0, 2, 1, 2 from each keyframe on. Frames of layer 1 depend on the base alone, and of
// layer 2 every other one does.
func (p *Publisher) temporal(key bool) {
	if key {
		p.base = 0
	}
	switch p.base % 4 {
	case 0:
		p.tid, p.y = 0, 0
		p.tl0++
	case 1:
		p.tid, p.y = 2, 1
	case 2:
		p.tid, p.y = 1, 1
	default:
		p.tid, p.y = 2, 0
	}
	p.base++
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
	b := p.writeHeader(p.packet[:0], index == count-1, extRID)
	from := len(b)
	b = append(b, payload...)
	if p.video != nil {
		binary.BigEndian.PutUint16(b[from+2:], 0x8000|p.picture)
	}
	if p.rid != "" {
		b[from+4], b[from+5] = p.tl0, p.tid<<6|p.y<<5
	}
	now := time.Now().UnixNano()
	Stamp{Track: p.track.ID, Counter: p.counter, Sent: now, Key: key, Index: uint8(index), Count: uint8(count), Layer: uint8(p.layer)}.put(b[from:])
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
// A simulcast's first packets name the stream, by the extension rid.
func (p *Publisher) writeHeader(b []byte, last bool, rid byte) []byte {
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
	if p.counter < midPackets || p.rid != "" && rid == extRepaired {
		b = append(b, byte(extMid<<4|len(p.line.mid)-1))
		b = append(b, p.line.mid...)
		if p.rid != "" {
			b = append(b, rid<<4|byte(len(p.rid)-1))
			b = append(b, p.rid...)
		}
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
	b := p.packet[:0]
	if p.rid != "" { // the stream has another name in retransmissions
		b = p.writeHeader(b, false, extRepaired)
		copy(b[4:8], kept[4:8])
	} else {
		b = append(b, kept[:from]...)
	}
	b[1] = kept[1]&0x80 | payloadRTX
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
