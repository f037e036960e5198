// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// sent opens what a client would have sent, with another implementation.
func sent(t *testing.T, plain []byte) []rtcp.Packet {
	t.Helper()
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		t.Fatal(err)
	}

	return packets
}

func TestSequence(t *testing.T) {
	var s sequence
	ms := int64(time.Millisecond)
	for _, seq := range []uint16{65533, 65534, 1, 2} { // 65535 and 0 are missing
		s.add(seq, uint32(seq), 0, true, true)
	}
	if s.extended != 65538 || s.received != 4 {
		t.Errorf("highest %d, received %d", s.extended, s.received)
	}
	if got, _ := s.due(10*ms, nil); len(got) != 0 {
		t.Errorf("asked for %v at once: they may be late", got)
	}
	got, _ := s.due(30*ms, nil)
	if diff := cmp.Diff([]uint16{65535, 0}, got); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	s.add(65535, 0, 40*ms, true, false) // a retransmission
	gaveUp := false
	asked := 0
	for at := 100 * ms; !gaveUp; at += 100 * ms {
		got, gaveUp = s.due(at+50*ms, nil)
		asked += len(got)
		if asked > 20 {
			t.Fatal("never gives up")
		}
	}
	if asked != nackMost-1 || s.absent != 0 {
		t.Errorf("asked %d times more, %d left", asked, s.absent)
	}
	s.add(5000, 0, 0, true, true) // a break, not loss
	if s.absent != 0 {
		t.Errorf("%d packets are missing after a break", s.absent)
	}
}

func TestArrivals(t *testing.T) {
	var a arrivals
	base := int64(1_700_000_000_000_000_000)
	at := map[uint16]int64{65534: base, 65535: base + 3_000_000, 2: base + 100_000_000, 3: base + 99_000_000, 4: base + 99_250_000}
	for _, seq := range []uint16{65534, 65535, 2, 3, 4} {
		a.add(seq, at[seq])
	}
	b, ok := a.report(nil, 2)
	if !ok {
		t.Fatal("nothing to report")
	}
	var p rtcp.TransportLayerCC
	if err := p.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	if p.BaseSequenceNumber != 65534 || p.PacketStatusCount != 7 || p.SenderSSRC != 1 || p.MediaSSRC != 2 {
		t.Errorf("%+v", p)
	}
	now := int64(p.ReferenceTime) * 64_000
	first := now
	var offsets []int64
	for i, d := range p.RecvDeltas {
		now += d.Delta
		if i == 0 {
			first = now
		}
		offsets = append(offsets, now-first)
	}
	if diff := cmp.Diff([]int64{0, 3000, 100_000, 99_000, 99_250}, offsets); diff != "" {
		t.Errorf("arrivals in µs (-want +got):\n%s", diff)
	}
	if _, ok := a.report(nil, 2); ok {
		t.Error("an empty report")
	}
	a.add(5, base+200_000_000)
	b, _ = a.report(b[:0], 2)
	p = rtcp.TransportLayerCC{}
	if err := p.Unmarshal(b); err != nil || p.BaseSequenceNumber != 5 || p.FbPktCount != 1 {
		t.Errorf("%+v %v", p, err)
	}
	a.add(0, base+250_000_000) // overtaken: everything from it on is told again
	a.add(1, base+251_000_000)
	a.add(2, base+252_000_000) // it has come before
	p = rtcp.TransportLayerCC{}
	if b, ok = a.report(b[:0], 2); !ok || p.Unmarshal(b) != nil || p.BaseSequenceNumber != 0 || p.PacketStatusCount != 6 || len(p.RecvDeltas) != 6 {
		t.Errorf("after a late packet: %v %+v", ok, p)
	}
	a.add(5000, base) // a jump: the report begins after it
	p = rtcp.TransportLayerCC{}
	if b, ok = a.report(b[:0], 2); !ok || p.Unmarshal(b) != nil || p.BaseSequenceNumber != 5000 {
		t.Errorf("after a jump: %v %+v", ok, p)
	}
}

func TestReportsAsOthersReadThem(t *testing.T) {
	c, _ := pair(t)
	s := c.order[0]
	for _, seq := range []uint16{10, 11, 13, 14} {
		s.sequence.add(seq, uint32(seq)*3000, 0, true, true)
	}
	s.report.senderReport, s.report.senderReportAt = 77, 0
	c.receiverReport(s, int64(2*time.Second))
	got := sent(t, c.scratch[:44+4])
	rr, ok := got[0].(*rtcp.ReceiverReport)
	if !ok || len(rr.Reports) != 1 {
		t.Fatalf("%v", got)
	}
	want := rtcp.ReceptionReport{SSRC: 10, FractionLost: 51, TotalLost: 1, LastSequenceNumber: 14, Jitter: rr.Reports[0].Jitter, LastSenderReport: 77, Delay: 2 * 65536}
	if diff := cmp.Diff(want, rr.Reports[0]); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if d, ok := got[1].(*rtcp.SourceDescription); !ok || d.Chunks[0].Items[0].Text != "bench" {
		t.Errorf("no CNAME: %v", got[1])
	}
	c.nack(s, []uint16{12, 20, 28, 65535, 3})
	nack, ok := sent(t, c.scratch[:12+2*4])[0].(*rtcp.TransportLayerNack)
	if !ok {
		t.Fatal("no NACK")
	}
	var asked []uint16
	for _, p := range nack.Nacks {
		asked = append(asked, p.PacketList()...)
	}
	if diff := cmp.Diff([]uint16{12, 20, 28, 65535, 3}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	c.keyframe(s, int64(time.Second), true)
	if pli, ok := sent(t, c.scratch[:12])[0].(*rtcp.PictureLossIndication); !ok || pli.MediaSSRC != 10 {
		t.Error("no PLI")
	}
	if c.poller.counters.Reports != 1 || c.poller.counters.NACKs != 1 || c.poller.counters.PLIs != 1 {
		t.Errorf("%+v", c.poller.counters)
	}
}

// publisher is one that is not started.
func publisher(c *Client, isVideo bool) *Publisher {
	p := &Publisher{client: c, track: &Track{ID: 1, Video: isVideo}, payload: payloadOpus, line: line{mid: "3", ssrc: 50, rtx: 51}, again: make(chan uint16, 16)}
	if isVideo {
		p.payload, p.video = payloadVP8, newVideo(500_000)
	}

	return p
}

func TestPublisherHeader(t *testing.T) {
	c, _ := pair(t)
	for _, isVideo := range []bool{false, true} {
		p := publisher(c, isVideo)
		p.sequence, p.clock, p.wide = 9, 1234, true
		var h rtp.Header
		b := p.writeHeader(nil, true, extRID)
		n, err := h.Unmarshal(append(b, 1, 2, 3))
		if err != nil || n != len(b) {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
		if h.SSRC != 50 || h.SequenceNumber != 9 || h.Timestamp != 1234 || h.Marker != isVideo || h.PayloadType != p.payload {
			t.Errorf("%+v", h)
		}
		if string(h.GetExtension(extMid)) != "3" || len(h.GetExtension(extTransport)) != 2 || len(h.GetExtension(extAbsSendTime)) != 3 {
			t.Errorf("extensions %v", h.GetExtensionIDs())
		}
		if level := h.GetExtension(extAudioLevel); (len(level) == 1) == isVideo {
			t.Errorf("audio level %v on video %v", level, isVideo)
		}
		p.counter, p.wide = midPackets, false
		if _, err := h.Unmarshal(p.writeHeader(nil, true, extRID)); err != nil || h.GetExtension(extMid) != nil {
			t.Error("the mid is sent for ever")
		}
		if h.GetExtension(extTransport) != nil {
			t.Error("a transport-wide number that nobody has agreed on")
		}
	}
}

func TestControlReachesPublisher(t *testing.T) {
	c, context := pair(t)
	p := publisher(c, true)
	c.publishers[50] = p
	compound, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 10, NTPTime: 0x1122334455667788},
		&rtcp.PictureLossIndication{MediaSSRC: 50},
		&rtcp.TransportLayerNack{MediaSSRC: 50, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := context.EncryptRTCP(nil, compound, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.handle(sealed, 1000)
	if !p.key.Load() || c.poller.counters.KeyframeAsks != 1 {
		t.Error("the keyframe request is lost")
	}
	if a, b := <-p.again, <-p.again; a != 65535 || b != 1 {
		t.Errorf("asked for %d and %d", a, b)
	}
	if s := c.order[0]; s.report.senderReport != 0x33445566 || s.report.senderReportAt != 1000 {
		t.Errorf("sender report %x at %d", s.report.senderReport, s.report.senderReportAt)
	}
	if !p.pick().key || p.pick().key {
		t.Error("one request, one keyframe")
	}
}

func FuzzControl(f *testing.F) {
	seed, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 50}, &rtcp.TransportLayerNack{MediaSSRC: 50, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}}})
	f.Add(seed)
	f.Add([]byte{0x80, 206, 0, 1, 0, 0, 0, 1})
	f.Add([]byte{0x80, 200, 0xff, 0xff, 0, 0, 0, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Client{poller: &Poller{}, slots: map[uint32]*slot{10: {}}, publishers: map[uint32]*Publisher{50: {again: make(chan uint16, 4)}}}
		c.controlPackets(b, 1)
		if n := len(c.publishers[50].again); n > 4 {
			t.Errorf("%d numbers are waiting", n)
		}
	})
}

func TestPublisherDoesNotAllocate(t *testing.T) {
	c, context := pair(t)
	for _, isVideo := range []bool{false, true} {
		p := publisher(c, isVideo)
		p.srtp, p.wide, p.counter, p.frames = context, true, midPackets, opusPayloads()
		p.report = 1 << 62
		p.frame() // the context learns the SSRC
		if n := testing.AllocsPerRun(50, p.frame); n != 0 {
			t.Errorf("%v allocations a frame, video: %v", n, isVideo)
		}
	}
}
