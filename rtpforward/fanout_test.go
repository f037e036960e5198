// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"fmt"
	"hash/maphash"
	"testing"
	"time"
)

// fanRig is a video and an audio track with sinks in many sessions, which are
// sent to nowhere.
type fanRig struct {
	*egressRig
	video, audio *UpTrack
	packets      []*Packet
	next         uint64
	w            *discard
}

func newFanRig(t testing.TB, sinks int) *fanRig {
	r := &fanRig{egressRig: newEgressRig(t, Config{}), w: &discard{}}
	r.video, r.audio = r.source(true), r.source(false)
	for range sinks {
		d, _ := r.slot(r.video, r.w, videoSlot())
		d.NewDownTrack(audioSlot()).Bind(r.audio.track, false)
		r.step(0)
	}
	for n := range uint64(4096) {
		payload := rigDelta
		if n == 0 {
			payload = rigKey
		}
		body := append(append([]byte(nil), payload...), make([]byte, 1000)...)
		p := packet(r.video, 1<<16+n, n/4*3000, int64(n)*8e6, 96, body,
			rtpExt{upIDDependency, []byte{0x80, 0, byte(n)}}, rtpExt{upIDOrientation, []byte{1}})
		p.Descriptor.FrameEnd = n%4 == 3
		r.packets = append(r.packets, p)
	}
	return r
}

// one forwards the next video packet. The sources' numbers go on for ever, as
// long as each packet is used up before it comes again.
func (r *fanRig) one() {
	p := r.packets[r.next%uint64(len(r.packets))]
	if r.next >= uint64(len(r.packets)) {
		p.Sequence += uint64(len(r.packets))
		p.Timestamp += uint64(len(r.packets)) / 4 * 3000
	}
	r.next++
	r.s.push(p)
	r.s.step(int64(r.next) * 8e6)
	r.s.publish()
}

// TestForwardDoesNotAllocate: not for a packet, however many get it.
func TestForwardDoesNotAllocate(t *testing.T) {
	for _, sinks := range []int{1, 10, 1000} {
		t.Run(fmt.Sprint(sinks), func(t *testing.T) {
			r := newFanRig(t, sinks)
			for range 64 {
				r.one()
			}
			before := r.w.packets
			if n := testing.AllocsPerRun(100, r.one); n != 0 {
				t.Errorf("%v allocations a packet", n)
			}
			r.step(0)
			if got := r.w.packets - before; got != 101*sinks {
				t.Errorf("%d packets left, want %d", got, 101*sinks)
			}
		})
	}
}

// TestGroupsDoNotAllocate: several tracks in one flush go session by session.
func TestGroupsDoNotAllocate(t *testing.T) {
	r := newFanRig(t, 10)
	sound := packet(r.audio, 1<<16, 0, 0, 98, make([]byte, 80))
	both := func() {
		sound.Sequence++
		sound.Timestamp += 960
		r.s.push(sound)
		p := r.packets[r.next%4096]
		p.Descriptor.FrameEnd = true // nothing is held, so that sound can be used again
		r.next++
		r.s.push(p)
		r.s.step(int64(r.next) * 8e6)
		r.s.publish()
	}
	for range 64 {
		both()
	}
	before := r.w.packets
	if n := testing.AllocsPerRun(100, both); n != 0 {
		t.Errorf("%v allocations for two packets", n)
	}
	r.step(0)
	if got := r.w.packets - before; got != 2*101*10 {
		t.Errorf("%d packets left, want %d", got, 2*101*10)
	}
}

// TestRetransmissionDoesNotAllocate, nor does the way of the feedback there.
func TestRetransmissionDoesNotAllocate(t *testing.T) {
	r := newEgressRig(t, Config{RetransmitMax: 255, RetransmitShare: 100})
	up, w := r.source(true), &recorder{}
	d, dt := r.slot(up, w, videoSlot())
	up.Ingest(keyPacket(up, 1<<16|500, 9000, 0).Buf)
	r.step(0)
	sent := w.take()
	if len(sent) != 1 {
		t.Fatalf("%d packets left", len(sent))
	}
	d.writer = &discard{}
	nack := appendNACK(nil, 1, slotSSRC, []uint16{sent[0].header.SequenceNumber})
	ask := func() {
		dt.sent.entries[(dt.seq.next-1)&1023].times = 0
		d.budget.tokens = 1e6
		d.HandleRTCP(nack)
		r.s.step(0)
		r.s.publish()
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n != 0 {
		t.Errorf("%v allocations a NACK", n)
	}
	if st := dt.Stats(); st.Retransmitted != 102 || st.NACKs != 102 {
		t.Errorf("retransmitted %d of %d", st.Retransmitted, st.NACKs)
	}
}

// TestReportsDoNotAllocate.
func TestReportsDoNotAllocate(t *testing.T) {
	r := newFanRig(t, 3)
	r.one()
	reports := 0
	for _, d := range r.s.downs {
		d.writer = reportCounter{&discard{}, &reports}
	}
	turn := func() {
		for _, d := range r.s.downs {
			for _, dt := range d.tracks {
				dt.lastReport--
			}
			d.tick(int64(time.Second))
		}
	}
	r.step(0)
	turn()
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations a turn", n)
	}
	if reports < 300 {
		t.Errorf("only %d reports were sent", reports)
	}
}

// TestPacketsAreNotWritten: what sinks change, they change in their own scratch.
func TestPacketsAreNotWritten(t *testing.T) {
	r := newFanRig(t, 50)
	seed := maphash.MakeSeed()
	sum := func(p *Packet) [2]uint64 {
		return [2]uint64{maphash.Bytes(seed, p.Buf), maphash.Comparable(seed, struct {
			h Header
			d Descriptor
			s uint64
		}{p.Header, p.Descriptor, p.Sequence})}
	}
	before := make(map[*Packet][2]uint64)
	for _, p := range r.packets[:256] {
		before[p] = sum(p)
	}
	for range 256 {
		r.one()
	}
	r.step(0)
	if r.w.packets != 256*50 {
		t.Fatalf("%d packets left, want %d", r.w.packets, 256*50)
	}
	for p, want := range before {
		if sum(p) != want {
			t.Fatalf("packet %d was written to", p.Sequence)
		}
	}
}

// TestCollectsFrames: packets of an open frame wait for its end, for Hold at most.
func TestCollectsFrames(t *testing.T) {
	r := newEgressRig(t, Config{Hold: time.Millisecond})
	up, w := r.source(true), &recorder{}
	r.slot(up, w, videoSlot())
	frame := func(n uint64, end bool) *Packet {
		p := keyPacket(up, 1<<16+n, 0, 0)
		p.Descriptor.FrameEnd = end
		return p
	}
	r.push(frame(0, false))
	r.s.step(1000)
	r.push(frame(1, false))
	r.s.step(2000)
	if n := len(w.take()); n != 0 {
		t.Fatalf("%d packets of an open frame left", n)
	}
	r.push(frame(2, true))
	r.s.step(3000)
	if n := len(w.take()); n != 3 {
		t.Fatalf("%d packets of a whole frame left, want 3", n)
	}
	r.push(frame(3, false))
	r.s.step(10_000)
	r.s.step(10_000 + int64(time.Millisecond) - 1)
	if n := len(w.take()); n != 0 {
		t.Fatalf("%d packets left before the hold was over", n)
	}
	r.s.step(10_000 + int64(time.Millisecond))
	if n := len(w.take()); n != 1 {
		t.Fatalf("%d packets left after the hold, want 1", n)
	}
	for n := range uint64(shardBatch) {
		r.push(frame(4+n, false))
	}
	r.s.step(20_000_000)
	if n := len(w.take()); n != shardBatch {
		t.Fatalf("%d packets left, a full batch is %d", n, shardBatch)
	}
}

// TestSubscriberMajor: in a flush each session's packets leave in one run, and
// those of a track in their order.
func TestSubscriberMajor(t *testing.T) {
	r := newEgressRig(t, Config{})
	video, audio := r.source(true), r.source(false)
	type left struct {
		session  int
		ssrc     uint32
		sequence uint16
	}
	var order []left
	for i := range 3 {
		d, _ := r.slot(video, writerFunc(func(ssrc uint32, sequence uint16) { order = append(order, left{i, ssrc, sequence}) }), videoSlot())
		d.NewDownTrack(audioSlot()).Bind(audio.track, false)
	}
	r.step(0)
	for n := range uint64(3) {
		r.push(keyPacket(video, 1<<16+n, n*3000, 0))
		r.push(packet(audio, 1<<16+n, n*960, 0, 98, nil))
	}
	r.step(0)
	if len(order) != 18 {
		t.Fatalf("%d packets left, want 18", len(order))
	}
	for i, l := range order {
		if l.session != order[i/6*6].session {
			t.Errorf("packet %d goes to session %d in the middle of another's run", i, l.session)
		}
		if i%3 != 0 && (l.ssrc != order[i-1].ssrc || l.sequence != order[i-1].sequence+1) {
			t.Errorf("packet %d of the run: %+v after %+v", i, l, order[i-1])
		}
	}
}

func BenchmarkFanOut(b *testing.B) {
	for _, sinks := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(sinks), func(b *testing.B) {
			r := newFanRig(b, sinks)
			for range 8 { // what a slot needs is allocated with its first packet
				r.one()
			}
			b.ReportAllocs()
			for b.Loop() {
				r.one()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*sinks), "ns/forwarded")
		})
	}
}
