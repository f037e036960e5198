// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"testing/synctest"
	"time"
)

// kickRig is a Forwarder whose shard runs, and is parked between the test's steps.
type kickRig struct {
	f  *Forwarder
	up *UpTrack
	w  *recorder
	n  uint64 // sequence number of the next packet
}

// withKicks runs a test in a bubble, with so many slots bound to one track.
func withKicks(t *testing.T, video bool, slots int, do func(t *testing.T, r *kickRig)) {
	synctest.Test(t, func(t *testing.T) {
		flushes := newFlushWatch(1)
		f := New(Config{Shards: 1, Kicked: true, Flush: flushes.flush})
		u := f.NewUplink(UplinkConfig{})
		r := &kickRig{f: f, up: u.NewTrack(TrackConfig{Video: video}).NewUpTrack(upConfig()), w: &recorder{}, n: base}
		slot := audioSlot()
		if video {
			slot = videoSlot()
		}
		for range slots {
			d := f.NewDownlink(DownlinkConfig{NewWriter: flushes.out(r.w)})
			d.SetReady(true)
			<-d.NewDownTrack(slot).Bind(r.up.track, false)
		}
		synctest.Wait()
		do(t, r)
		u.Close()
		f.Close()
		flushes.check(t)
	})
}

// ingest brings a packet, of a keyframe of its own if it is video.
func (r *kickRig) ingest(marker bool) {
	payload, kind := rigKey, uint8(96)
	if !r.up.track.cfg.Video {
		payload, kind = []byte{0xfc, 1, 2}, 98
	}
	p := packet(r.up, r.n, 3000, 0, kind, payload)
	if !marker {
		p.Buf[1] &^= 0x80
	}
	ingest(r.up, p)
	r.n++
}

// left is how many packets have left by now, without anybody else having had a turn.
func (r *kickRig) left() int { return len(r.w.take()) }

// TestKickSmall: who brings a packet for a few sends it, and the shard sleeps on.
func TestKickSmall(t *testing.T) {
	withKicks(t, false, 3, func(t *testing.T, r *kickRig) {
		for range 5 {
			r.ingest(false)
			if n := r.left(); n != 0 {
				t.Errorf("%d packets have left before the kick", n)
			}
			r.f.Kick()
			if n := r.left(); n != 3 {
				t.Errorf("%d packets have left, want 3", n)
			}
			if !r.f.shards[0].sleeping.Load() {
				t.Error("the shard was woken")
			}
		}
		r.f.Kick()
		synctest.Wait()
		if n := r.left(); n != 0 {
			t.Errorf("%d packets too many", n)
		}
	})
}

// TestKickLarge: a fan-out to many is the shard's.
func TestKickLarge(t *testing.T) {
	withKicks(t, false, helpMost+1, func(t *testing.T, r *kickRig) {
		r.ingest(false)
		r.f.Kick()
		if r.f.shards[0].sleeping.Load() {
			t.Error("the shard was not woken")
		}
		synctest.Wait()
		if n := r.left(); n != helpMost+1 {
			t.Errorf("%d packets have left, want %d", n, helpMost+1)
		}
	})
}

// TestKickFrame: a frame leaves when it is whole, or at the end of the hold when it is not.
func TestKickFrame(t *testing.T) {
	withKicks(t, true, 2, func(t *testing.T, r *kickRig) {
		for range 2 {
			r.ingest(false)
			r.f.Kick()
			synctest.Wait()
		}
		if n := r.left(); n != 0 {
			t.Errorf("%d packets have left with the frame incomplete", n)
		}
		r.ingest(true)
		r.f.Kick()
		if n := r.left(); n != 6 {
			t.Errorf("%d packets have left with the frame complete, want 6", n)
		}
		time.Sleep(10 * time.Millisecond) // the hold that was waited for ends
		r.ingest(false)
		r.f.Kick()
		synctest.Wait()
		time.Sleep(2 * r.f.cfg.Hold)
		synctest.Wait()
		if n := r.left(); n != 2 {
			t.Errorf("%d packets have left after the hold, want 2", n)
		}
	})
}

// TestKickClosed: nobody helps a Forwarder that has ended.
func TestKickClosed(t *testing.T) {
	withKicks(t, false, 1, func(t *testing.T, r *kickRig) {
		r.f.Close()
		r.ingest(false)
		r.f.Kick()
		if n := r.left(); n != 0 {
			t.Errorf("%d packets have left a closed Forwarder", n)
		}
	})
}

// TestKickFeedback: what a subscriber reports waits for what is urgent, which is taken without waking the shard.
func TestKickFeedback(t *testing.T) {
	withKicks(t, true, 1, func(t *testing.T, r *kickRig) {
		r.ingest(true)
		r.f.Kick()
		r.w.take()
		s := r.f.shards[0]
		s.downs[0].HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, FractionLost: 7}}))
		r.f.Kick()
		if !s.sleeping.Load() || !s.queue.ready() {
			t.Error("the report has woken the shard, or did not wait")
		}
		s.downs[0].HandleRTCP(appendNACK(nil, 1, slotSSRC, []uint16{uint16(s.downs[0].tracks[0].seq.next - 1)}))
		if !s.sleeping.Load() {
			t.Error("the request for a packet has woken the shard")
		}
		r.f.Kick()
		if n := r.left(); n != 1 || !s.sleeping.Load() || s.queue.ready() {
			t.Errorf("%d packets were sent again without waking the shard, want 1, and nothing that waits", n)
		}
		s.downs[0].HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, FractionLost: 7}}))
		r.f.Kick()
		time.Sleep(2 * shardTick)
		synctest.Wait()
		if s.queue.ready() {
			t.Error("with nothing urgent the report waits for more than a tick")
		}
	})
}

// TestKickBehind: a packet behind a report that is still being written is seen to by whoever writes that, though the shard has
// looked meanwhile.
func TestKickBehind(t *testing.T) {
	withKicks(t, true, 1, func(t *testing.T, r *kickRig) {
		s := r.f.shards[0]
		at := s.queue.tail.Add(1) - 1 // a reader has a place, and is stopped there
		r.ingest(true)
		r.f.Kick()
		s.rouse()
		synctest.Wait()
		if n := r.left(); n != 0 {
			t.Fatalf("%d packets have overtaken the report", n)
		}
		e := &s.queue.cells[at&s.queue.mask]
		e.command = &command{do: func() {}}
		e.turn.Store(at + 1) // it goes on
		r.f.Kick()
		if n := r.left(); n != 1 {
			t.Errorf("%d packets have left, want 1", n)
		}
	})
}
