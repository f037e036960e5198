// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
)

// flushWatch keeps what Writers take until their shard flushes, as a socket's
// batch does: only then it has left.
type flushWatch struct {
	shards  []flushedShard
	empty   atomic.Uint64 // flushes with nothing to send; written by the shards, read by tests
	flushes atomic.Uint64 // written by the shards, read by tests
}

// flushedShard is owned by its shard.
type flushedShard struct {
	waiting []flushedPacket
	rtcp    int // compound packets
}

type flushedPacket struct {
	sink   packetSink
	packet []byte
}

func newFlushWatch(shards int) *flushWatch { return &flushWatch{shards: make([]flushedShard, shards)} }

func (f *flushWatch) flush(shard int) {
	s := &f.shards[shard]
	f.flushes.Add(1)
	if len(s.waiting)+s.rtcp == 0 {
		f.empty.Add(1)
	}
	for _, w := range s.waiting {
		var h rtp.Header
		if n, err := h.Unmarshal(w.packet); err == nil {
			_, _ = w.sink.WriteRTP(&h, w.packet[n:])
		}
	}
	s.waiting, s.rtcp = s.waiting[:0], 0
}

func (f *flushWatch) out(sink packetSink) func(shard int) Writer {
	return func(shard int) Writer { return &heldWriter{sink: sink, shard: &f.shards[shard]} }
}

// heldWriter is a Writer into a flushWatch.
type heldWriter struct {
	sink  packetSink
	shard *flushedShard
	room  [2048]byte
	n     int
}

func (w *heldWriter) Reserve(n int) []byte { w.n = n; return w.room[:n] }

func (w *heldWriter) Commit() error {
	w.shard.waiting = append(w.shard.waiting, flushedPacket{w.sink, bytes.Clone(w.room[:w.n])})
	return nil
}

func (w *heldWriter) WriteRTCP([]byte) error { w.shard.rtcp++; return nil }

// check wants nothing left behind, and no flush without need.
func (f *flushWatch) check(t testing.TB) {
	t.Helper()
	for i := range f.shards {
		if s := &f.shards[i]; len(s.waiting)+s.rtcp != 0 {
			t.Errorf("shard %d: %d packets and %d reports were written and never flushed", i, len(s.waiting), s.rtcp)
		}
	}
	if n := f.empty.Load(); n != 0 {
		t.Errorf("%d flushes with nothing to send", n)
	}
}

// TestWrittenFlushedAcknowledged steps through all that writes, and through all
// that must not be acknowledged before what was written has left.
func TestWrittenFlushedAcknowledged(t *testing.T) {
	flushes := newFlushWatch(1)
	r := newEgressRig(t, Config{Flush: flushes.flush})
	up, w := r.source(true), &recorder{}
	d := r.f.NewDownlink(DownlinkConfig{CNAME: "c", NewWriter: flushes.out(w)})
	dt := d.NewDownTrack(videoSlot())
	d.SetReady(true)
	dt.Bind(up.track, false)
	r.s.step(0)
	turn := func(name string, packets int, do func()) {
		t.Helper()
		before := flushes.flushes.Load()
		do()
		want := uint64(0)
		if packets > 0 {
			want = 1
		}
		if n := flushes.flushes.Load() - before; n != want {
			t.Errorf("%s: %d flushes, want %d", name, n, want)
		}
		if n := len(w.take()); n != max(packets, 0) && packets < reportOnly {
			t.Errorf("%s: %d packets have left, want %d", name, n, packets)
		}
		flushes.check(t)
	}
	next := base
	frame := func(end bool) {
		p := keyPacket(up, next, next*3000, r.f.now())
		p.Descriptor.FrameEnd = end
		up.hist.put(p)
		next++
		r.push(p)
	}
	turn("nothing", 0, func() { r.s.step(0) })
	turn("a frame", 2, func() { frame(false); frame(true); r.s.step(0) })
	turn("half a frame is held", 0, func() { frame(false); r.s.step(0) })
	turn("the end of the hold", 1, func() { r.s.step(int64(time.Second)) })
	turn("retransmissions", 2, func() {
		d.HandleRTCP(appendNACK(nil, 1, slotSSRC, []uint16{uint16(dt.seq.next - 2), uint16(dt.seq.next - 1)}))
		r.s.step(0)
	})
	turn("a report of the subscriber", 0, func() {
		d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC}}))
		r.s.step(0)
	})
	turn("sender reports", reportOnly, func() {
		for range r.s.phases {
			r.s.tick(int64(time.Second))
		}
	})
	for name, stop := range map[string]func() <-chan struct{}{
		"pause":  func() <-chan struct{} { return dt.SetPaused(true) },
		"switch": func() <-chan struct{} { return dt.Bind(r.source(true).track, false) },
	} {
		dt.Bind(up.track, false)
		frame(true)
		r.s.step(0)
		w.take()
		turn(name, 1, func() {
			frame(false) // is collected, and leaves because of the command
			done := stop()
			r.s.queue.push(nil, &command{do: func() {
				select {
				case <-done:
				default:
					t.Errorf("%s: not acknowledged", name)
				}
				if n := len(flushes.shards[0].waiting); n != 0 {
					t.Errorf("%s: acknowledged with %d packets not flushed", name, n)
				}
			}}, 0)
			r.s.step(0)
		})
	}
}

// reportOnly says that no packets leave, but something else does.
const reportOnly = 1 << 20

// TestCloseFlushes: what is written while a Forwarder closes has left when it is
// closed, or acknowledged before.
func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			flushes := newFlushWatch(1)
			f := New(Config{Shards: 1, Hold: time.Hour, Flush: flushes.flush})
			u := f.NewUplink(UplinkConfig{})
			up, w := u.NewTrack(TrackConfig{Video: true}).NewUpTrack(upConfig()), &recorder{}
			d := f.NewDownlink(DownlinkConfig{NewWriter: flushes.out(w)})
			dt := d.NewDownTrack(videoSlot())
			d.SetReady(true)
			<-dt.Bind(up.track, false)
			p := keyPacket(up, base, 0, 0)
			p.Descriptor.FrameEnd = false
			f.shards[0].push(p)
			synctest.Wait() // it is collected
			paused := dt.SetPaused(true)
			f.Close()
			<-paused
			flushes.check(t)
			if n := len(w.take()); n != 1 {
				t.Errorf("%d packets have left, want 1", n)
			}
			checkDownIdentity(t, dt.Stats())
			u.Close()
		}
	})
}

// roomless is a Writer that has room for small packets only.
type roomless struct{ discard }

func (w *roomless) Reserve(n int) []byte {
	if n > 100 {
		return nil
	}
	return w.discard.Reserve(n)
}

// TestNoRoom: a packet that the transport has no room for is dropped, and
// counted as such; so is every packet of a session without a Writer.
func TestNoRoom(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &roomless{}
	d, dt := r.slot(up, w, videoSlot())
	r.push(keyPacket(up, base, 0, 0))
	r.push(packet(up, base+1, 3000, 0, 96, append(bytes.Clone(rigDelta), make([]byte, 200)...)))
	r.push(deltaPacket(up, base+2, 6000, 0))
	r.step(0)
	checkDrops(t, dt, map[DropReason]uint64{DropWrite: 1})
	if w.packets != 2 || d.stamps.next != 2 {
		t.Errorf("%d packets left, %d transport-wide numbers were used", w.packets, d.stamps.next)
	}
	none := r.f.NewDownlink(DownlinkConfig{})
	dt = none.NewDownTrack(videoSlot())
	dt.Bind(up.track, false)
	r.push(keyPacket(up, base+3, 9000, 0))
	none.SetReady(true)
	r.push(keyPacket(up, base+4, 12000, 0))
	r.push(keyPacket(up, base+5, 15000, 0))
	r.step(0)
	none.tick(0)
	checkDrops(t, dt, map[DropReason]uint64{DropNotReady: 1, DropWrite: 2})
}
