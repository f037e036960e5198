// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const mbit = 1_000_000

// bottleneck is a Writer in front of a link with a queue, and the client behind
// it, who says what came and when.
type bottleneck struct {
	start time.Time
	delay time.Duration // each way
	queue time.Duration // that the link holds
	lies  bool          // everything came, and at once
	deaf  bool          // the client says nothing

	// owned by the shard
	room   []byte
	header rtp.Header

	// guarded by mu
	mu       sync.Mutex
	rate     int64 // bit/s
	free     time.Duration
	arrivals []arrival
	sent     []departure
	waited   time.Duration // longest in the queue since it was looked at
	recorder *twcc.Recorder
}

type arrival struct {
	number uint16
	at     time.Duration
}

// departure is one packet that left.
type departure struct {
	at    time.Duration
	size  int
	ssrc  uint32
	empty bool // of padding only
	seq   uint16
}

func newBottleneck(rate int64) *bottleneck {
	return &bottleneck{start: time.Now(), delay: 25 * time.Millisecond, queue: 300 * time.Millisecond, rate: rate, recorder: twcc.NewRecorder(1)}
}

func (b *bottleneck) Reserve(n int) []byte {
	b.room = slices.Grow(b.room[:0], n)[:n]
	return b.room
}

func (b *bottleneck) WriteRTCP([]byte) error { return nil }

func (b *bottleneck) Commit() error {
	n, err := b.header.Unmarshal(b.room)
	if err != nil {
		return err
	}
	payload := len(b.room) - n
	if b.header.Padding {
		payload -= int(b.room[len(b.room)-1])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, size := time.Since(b.start), len(b.room)+wireOverhead
	b.sent = append(b.sent, departure{at: now, size: size, ssrc: b.header.SSRC, empty: payload == 0, seq: b.header.SequenceNumber})
	ext := b.header.GetExtension(idTransportCC)
	if ext == nil {
		return nil
	}
	number := binary.BigEndian.Uint16(ext)
	if b.lies {
		b.arrivals = append(b.arrivals, arrival{number, now})
		return nil
	}
	wait := max(b.free-now, 0)
	if wait > b.queue {
		return nil // dropped at the end of the queue
	}
	b.waited = max(b.waited, wait)
	b.free = max(b.free, now) + time.Duration(int64(size)*8*int64(time.Second)/b.rate)
	b.arrivals = append(b.arrivals, arrival{number, b.free + b.delay})
	return nil
}

// reply is what the client says now about what has come by then.
func (b *bottleneck) reply() (raw [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, news := time.Since(b.start), false
	kept := b.arrivals[:0]
	for _, a := range b.arrivals {
		if a.at > now {
			kept = append(kept, a)
			continue
		}
		at := a.at
		if b.lies {
			at = now
		}
		b.recorder.Record(1, a.number, (at + time.Second).Microseconds())
		news = true
	}
	b.arrivals = kept
	if !news || b.deaf {
		return nil
	}
	for _, p := range b.recorder.BuildFeedbackPacket() {
		buf, err := p.(*rtcp.TransportLayerCC).Marshal()
		if err != nil {
			panic(err)
		}
		raw = append(raw, buf)
	}
	return raw
}

// setRate changes what the link carries.
func (b *bottleneck) setRate(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = rate
}

func (b *bottleneck) setDeaf(deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = deaf
}

// take returns what left since the last time, and the longest wait in the queue.
func (b *bottleneck) take() (sent []departure, waited time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent, waited = b.sent, b.waited
	b.sent, b.waited = nil, 0
	return sent, waited
}

// bitsOf is the size of what left.
func bitsOf(sent []departure) (n int64) {
	for _, d := range sent {
		n += int64(d.size) * 8
	}
	return n
}

// camera is a source in several qualities: it sends the one that its slot is aimed
// at, as a publisher's layers do of which all but one are left out.
type camera struct {
	up     *UpTrack
	dt     *DownTrack
	rates  []int64 // bit/s
	every  time.Duration
	next   time.Duration
	seq    uint64
	stamp  uint64
	layer  int
	shut   bool
	frames int
}

// linkRig is a session with cameras and a voice behind a bottleneck, with shards
// that run, in a bubble.
type linkRig struct {
	t       *testing.T
	f       *Forwarder
	u       *Uplink
	b       *bottleneck
	d       *Downlink
	cameras []*camera
	voice   *camera
	answer  time.Duration // next feedback
	every   time.Duration // between two of them
	kicks   bool          // packets are kicked, see Config.Kicked

	// guarded by mu
	mu     sync.Mutex
	states []SlotState
}

// onLink runs a test in a bubble, with a session behind a link of rate.
func onLink(t *testing.T, rate int64, cfg Config, down DownlinkConfig, do func(t *testing.T, r *linkRig)) {
	synctest.Test(t, func(t *testing.T) {
		cfg.Shards = 1
		r := &linkRig{t: t, f: New(cfg), b: newBottleneck(rate), every: 100 * time.Millisecond}
		r.u = r.f.NewUplink(UplinkConfig{})
		down.CNAME, down.Extensions = "c", subscriberExtensions()
		down.NewWriter = func(int) Writer { return r.b }
		down.OnSlot = func(s SlotState) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.states = append(r.states, s)
		}
		r.d = r.f.NewDownlink(down)
		r.d.SetReady(true)
		defer func() {
			<-r.d.Close()
			r.u.Close()
			r.f.Close()
		}()
		do(t, r)
	})
}

var transportCC = DownlinkConfig{TransportCC: true}

// told is what OnSlot was told since the last time.
func (r *linkRig) told() []SlotState {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := r.states
	r.states = nil
	return states
}

// camera adds one with so many qualities.
func (r *linkRig) camera(rates ...int64) *camera {
	n := len(r.cameras)
	cfg := upConfig()
	cfg.SSRC = uint32(100 + n)
	c := &camera{up: r.u.NewTrack(TrackConfig{Video: true}).NewUpTrack(cfg), rates: rates, every: time.Second / 30, seq: base, layer: -1}
	slot := videoSlot()
	slot.SSRC, slot.RTXSSRC = uint32(slotSSRC+2*n), uint32(slotRTXSSRC+2*n)
	c.dt = r.d.NewDownTrack(slot)
	c.offer(true)
	<-c.dt.Bind(c.up.track, false)
	r.cameras = append(r.cameras, c)
	return c
}

// offer publishes the camera's qualities as the ladder that they make.
func (c *camera) offer(live bool) {
	var s shape
	for i, rate := range c.rates {
		s.ladder.rungs = append(s.ladder.rungs, rung{
			layer: layers.Layer{Spatial: int8(i)}, rate: rate, width: 320 << i, height: 180 << i, frameRate: 30, live: live,
		})
	}
	c.up.track.shape.Store(&s)
}

// speak adds a voice of 40 kbit/s.
func (r *linkRig) speak() {
	cfg := upConfig()
	cfg.SSRC = 99
	c := &camera{up: r.u.NewTrack(TrackConfig{}).NewUpTrack(cfg), rates: []int64{22_400}, every: 20 * time.Millisecond, seq: base}
	slot := audioSlot()
	slot.SSRC = 0x7000
	c.dt = r.d.NewDownTrack(slot)
	<-c.dt.Bind(c.up.track, false)
	r.voice = c
}

// send makes the packets that are due.
func (r *linkRig) send(c *camera, now time.Duration) {
	for ; c.next <= now; c.next += c.every {
		if c != r.voice {
			r.look(c)
		}
		if c.shut {
			continue
		}
		size := int(float64(c.rates[max(c.layer, 0)]) / 8 * c.every.Seconds())
		r.frame(c, size, now)
	}
}

// look finds out what the camera's slot is aimed at.
func (r *linkRig) look(c *camera) {
	<-r.d.shard.post(func() {
		c.layer, c.shut = min(int(c.dt.share.layer.Spatial), len(c.rates)-1), c.dt.share.layer.Spatial < 0
	})
}

// frame sends one of about size bytes.
func (r *linkRig) frame(c *camera, size int, now time.Duration) {
	c.stamp += uint64(c.every.Seconds() * 90000)
	c.frames++
	for size > 0 {
		n := min(size, 1100)
		payload, kind := make([]byte, max(n-21, 12)), uint8(96)
		if copy(payload, rigKey); c == r.voice {
			kind = 98
		}
		p := packet(c.up, c.seq, c.stamp, int64(now), kind, payload)
		c.up.hist.put(p)
		if !r.d.shard.push(p) {
			r.t.Fatal("the queue is full")
		}
		c.seq++
		size -= n
	}
}

// play lets time pass.
func (r *linkRig) play(length time.Duration) {
	for end := time.Since(r.b.start) + length; time.Since(r.b.start) < end; {
		now := time.Since(r.b.start)
		for _, c := range r.cameras {
			r.send(c, now)
		}
		if r.voice != nil {
			r.send(r.voice, now)
		}
		if now >= r.answer {
			r.answer = now + r.every
			for _, raw := range r.b.reply() {
				time.AfterFunc(r.b.delay, func() { r.d.HandleRTCP(raw) })
			}
		}
		if r.kicks {
			r.f.Kick()
		}
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
	}
}

// until plays until good, for at most limit, and says how long that took; -1 if it
// has not come to be.
func (r *linkRig) until(limit time.Duration, good func() bool) time.Duration {
	for passed := time.Duration(0); passed < limit; passed += 100 * time.Millisecond {
		if good() {
			return passed
		}
		r.play(100 * time.Millisecond)
	}
	return -1
}
