// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/bench/path"
)

var threeLayers = []Layer{
	{RID: "q", Bits: 150_000, Width: 320, Height: 180},
	{RID: "h", Bits: 500_000, Width: 640, Height: 360},
	{RID: "f", Bits: 1_500_000, Width: 1280, Height: 720},
}

func TestSimulcastOffer(t *testing.T) {
	text := offer([]line{{mid: "0", video: true, ssrc: 12, rtx: 13, rids: []string{"q", "h", "f"}}}, credentials{"ufrg", "password", "AA:BB"}, 4, true)
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	m := d.MediaDescriptions[0]
	if v, _ := m.Attribute("simulcast"); v != "send q;h;f" {
		t.Errorf("simulcast %q", v)
	}
	if _, ok := m.Attribute("ssrc"); ok {
		t.Error("a simulcast names SSRCs")
	}
	if strings.Count(text, "a=rid:") != 3 || !strings.Contains(text, uriRID) || !strings.Contains(text, uriRepaired) {
		t.Errorf("no rids or no extensions for them in\n%s", text)
	}
}

func TestLayerHasItsRateAndSize(t *testing.T) {
	for _, l := range threeLayers {
		v := newLayer(l)
		total := 0
		for _, f := range v.between {
			for _, p := range f.payloads {
				total += len(p) - layerDescriptor
			}
		}
		if rate := float64(total) * 8 * framesPerSecond / float64(len(v.between)); math.Abs(rate-float64(l.Bits)) > float64(l.Bits)/50 {
			t.Errorf("layer %s has %.0f bit/s", l.RID, rate)
		}
		var vp8 codecs.VP8Packet
		first := v.keyframes[0].payloads[0]
		first[2] = 0x80 // a long picture id, as sending has it
		data, err := vp8.Unmarshal(first)
		if err != nil || vp8.S != 1 || vp8.I != 1 || vp8.L != 1 || vp8.T != 1 {
			t.Fatalf("descriptor %+v, %v", vp8, err)
		}
		if data[0]&1 != 0 || data[3] != 0x9d || binary.LittleEndian.Uint16(data[6:]) != l.Width || binary.LittleEndian.Uint16(data[8:]) != l.Height {
			t.Errorf("layer %s: keyframe begins %x", l.RID, data[:10])
		}
	}
}

// TestTemporalLayers: one frame in four is of the base, and what is told of a frame is what a decoder reads.
func TestTemporalLayers(t *testing.T) {
	c, _ := pair(t)
	p := publisher(c, true)
	p.rid = "q"
	var got []uint8
	for i := range 9 {
		p.temporal(i == 0 || i == 6)
		got = append(got, p.tid)
	}
	if diff := cmp.Diff([]uint8{0, 2, 1, 2, 0, 2, 0, 2, 1}, got); diff != "" {
		t.Errorf("temporal layers (-want +got):\n%s", diff)
	}
	if p.tl0 != 3 {
		t.Errorf("TL0PICIDX %d after three pictures of the base", p.tl0)
	}
	b := splitLayer(make([]byte, 100))[0]
	b[2], b[4], b[5] = 0x80, 77, 2<<6|1<<5
	var vp8 codecs.VP8Packet
	if _, err := vp8.Unmarshal(b); err != nil || vp8.TL0PICIDX != 77 || vp8.TID != 2 || vp8.Y != 1 {
		t.Errorf("%+v, %v", vp8, err)
	}
	if tl0, tid, ok := vp8Layers(b); !ok || tl0 != 77 || tid != 2 {
		t.Errorf("read %d, %d, %v", tl0, tid, ok)
	}
}

func TestStreamNames(t *testing.T) {
	c, _ := pair(t)
	p := publisher(c, true)
	p.rid = "h"
	for _, id := range []byte{extRID, extRepaired} {
		var h rtp.Header
		if _, err := h.Unmarshal(p.writeHeader(nil, true, id)); err != nil || string(h.GetExtension(id)) != "h" || string(h.GetExtension(extMid)) != "3" {
			t.Errorf("extension %d: %v, %+v", id, err, h)
		}
	}
	p.counter = midPackets
	var h rtp.Header
	if _, err := h.Unmarshal(p.writeHeader(nil, true, extRID)); err != nil || h.GetExtension(extRID) != nil {
		t.Error("the rid is sent for ever")
	}
}

func TestHoldGoesOnWithAKeyframe(t *testing.T) {
	c, _ := pair(t)
	p := publisher(c, true)
	p.Hold(true)
	p.frame() // would need a context
	p.Hold(false)
	if !p.pick().key {
		t.Error("no keyframe after a pause")
	}
	p.Hold(false)
	if p.pick().key {
		t.Error("a keyframe without a pause")
	}
}

func FuzzVP8Layers(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0x81, 0x23, 9, 0x40})
	f.Add([]byte{0x80, 0xe0, 0x01})
	f.Add([]byte{0x80, 0x60})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		tl0, tid, ok := vp8Layers(b)
		var vp8 codecs.VP8Packet
		_, err := vp8.Unmarshal(b)
		if err == nil && vp8.L == 1 && vp8.T == 1 && (!ok || vp8.TL0PICIDX != tl0 || vp8.TID != tid) {
			t.Errorf("%x: %d, %d, %v, want %d, %d", b, tl0, tid, ok, vp8.TL0PICIDX, vp8.TID)
		}
	})
}

// TestDecoder: what is whole is shown in order of dependence, and nothing without its base.
func TestDecoder(t *testing.T) {
	var d decoder
	var shown []int64
	add := func(key bool, tl0, tid uint8, at int64) int {
		return d.add(picture{key: key, tl0: tl0, tid: tid, at: at}, func(p picture) { shown = append(shown, p.at) })
	}
	add(false, 4, 2, 1) // before any keyframe
	add(true, 250, 0, 2)
	add(false, 250, 2, 3)
	add(false, 252, 0, 4) // its predecessor is missing
	add(false, 252, 1, 5)
	add(false, 251, 2, 6)
	add(false, 251, 0, 7)
	if broken := add(false, 250, 1, 8); broken != 1 {
		t.Errorf("%d pictures are too late, want one", broken)
	}
	for i := range 10 {
		add(false, uint8(253+i), 0, int64(9+i)) // over 255
	}
	want := []int64{2, 3, 7, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	for i := range 2 * mostPending {
		add(false, uint8(20+i%64), 0, 100)
	}
	if len(d.pending) > mostPending {
		t.Errorf("%d pictures wait", len(d.pending))
	}
}

func TestFreezes(t *testing.T) {
	from := time.Unix(1000, 0)
	tr := &Trace{From: from, Every: 100 * time.Millisecond, Slots: make([]TraceSlot, 50), Pictures: make(map[uint32]*Pictures)}
	at := func(ms int64) int64 { return from.UnixNano() + ms*int64(time.Millisecond) }
	tr.picture(1, 0, at(700)) // 700 ms after the beginning
	for ms := int64(750); ms < 2000; ms += 33 {
		tr.picture(1, 0, at(ms))
	}
	tr.picture(1, 1, at(2600))
	tr.picture(1, 1, at(9000)) // after the end
	p := tr.pictures(1)
	p.until(at(5000), from.UnixNano())
	if p.Freezes != 3 || p.Frozen < 3600*time.Millisecond || p.Frozen > 3800*time.Millisecond {
		t.Errorf("%d freezes, %v in all", p.Freezes, p.Frozen)
	}
	if diff := cmp.Diff([]Switch{{700 * time.Millisecond, 0}, {2600 * time.Millisecond, 1}}, p.Switches); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
}

// TestFeedbackEvery: as often as libwebrtc, by the rate that arrives.
func TestFeedbackEvery(t *testing.T) {
	for bits, want := range map[int64]time.Duration{
		0: 250 * time.Millisecond, 10_000: 250 * time.Millisecond, 108_800: 100 * time.Millisecond, 217_600: 50 * time.Millisecond, 5_000_000: 50 * time.Millisecond,
	} {
		if got := durationOf(feedbackEvery(bits)); got != want {
			t.Errorf("every %v at %d bit/s, want %v", got, bits, want)
		}
	}
}

// TestLinkTellsItsOwnTimes: what a client behind a link has seen is of the link's times, whenever this process has run.
func TestLinkTellsItsOwnTimes(t *testing.T) {
	c, context := pair(t)
	c.decoders = make(map[uint32]*decoder)
	const rate = 3_000_000
	start := time.Unix(5000, 0).UnixNano()
	c.access = newAccess(c, Config{Down: &path.Shape{Capacity: path.Constant(rate), Queue: 1 << 20, Delay: int64(30 * time.Millisecond)}})
	c.access.down = path.New(path.Shape{Capacity: path.Constant(rate), Queue: 1 << 20, Delay: int64(30 * time.Millisecond)}, rand.New(rand.NewPCG(1, 1)), start)
	c.trace = &Trace{From: time.Unix(0, start), Every: time.Second, Slots: make([]TraceSlot, 3), Pictures: make(map[uint32]*Pictures)}
	size := 0
	for i := range 100 {
		payload := make([]byte, 1100)
		Stamp{Track: 1, Counter: uint64(i), Sent: start, Count: 1}.put(payload)
		b := seal(t, context, 10, uint16(i), payload)
		size = len(b) + linkOverhead
		c.access.enter(b, 0, start)
	}
	c.access.move(start + int64(5*time.Second)) // far too late
	r := c.received[0]
	took := time.Duration(100*size*8) * time.Second / rate
	if last := r.Last.Sub(time.Unix(0, start)); last < took+30*time.Millisecond || last > took+31*time.Millisecond {
		t.Errorf("the last of 100 packets came after %v, want %v and 30 ms", last, took)
	}
	if c.trace.Slots[0].Bytes != 100*size || r.Packets != 100 {
		t.Errorf("%d packets, %d bytes", r.Packets, c.trace.Slots[0].Bytes)
	}
	for i := 1; i < 100; i++ {
		gap, want := c.arrivals.when(i)-c.arrivals.when(i-1), int64(size)*8*int64(time.Second)/rate
		if gap < want-int64(300*time.Microsecond) || gap > want+int64(300*time.Microsecond) {
			t.Errorf("feedback tells a gap of %v, want %v", durationOf(gap), durationOf(want))
		}
	}
}

// TestPaddingIsNoGap: padding alone has a number, and nobody asks for it again.
func TestPaddingIsNoGap(t *testing.T) {
	c, context := pair(t)
	payload := make([]byte, 100)
	Stamp{Track: 1, Counter: 0, Count: 1}.put(payload)
	c.handle(seal(t, context, 10, 1, payload), 1000)
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: payloadVP8, SSRC: 10, SequenceNumber: 2, Padding: true, PaddingSize: 200}}
	plain, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := context.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.handle(sealed, 2000)
	Stamp{Track: 1, Counter: 1, Count: 1}.put(payload)
	c.handle(seal(t, context, 10, 3, payload), 3000)
	s := c.order[0]
	if s.sequence.absent != 0 || s.gaps(3000) != 0 || c.poller.counters.Foreign != 1 {
		t.Errorf("%d missing, %d gaps, %d without a stamp", s.sequence.absent, s.gaps(3000), c.poller.counters.Foreign)
	}
}

// TestGaps: what the link has lost is no gap, and neither is what it has lost before the first packet or behind the newest.
func TestGaps(t *testing.T) {
	s := &slot{video: true}
	for _, seq := range []uint16{65530, 65531, 65534, 2, 4} {
		s.sequence.add(seq, 0, 1000, true, true)
	}
	if n := s.gaps(2000); n != 6 {
		t.Errorf("%d gaps, want 65532, 65533, 65535, 0, 1 and 3", n)
	}
	s.dropped = []loss{{65528, 500}, {65532, 500}, {65533, 1500}, {3, 1500}, {9, 1900}}
	if n := s.gaps(2000); n != 3 {
		t.Errorf("%d gaps, want 65535, 0 and 1", n)
	}
}
