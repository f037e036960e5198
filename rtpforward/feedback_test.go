// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
)

// TestKeyframeFlood: however many subscribers ask however often, one request
// goes up per interval.
func TestKeyframeFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Shards: 2})
		var plis atomic.Int64
		u := f.NewUplink(UplinkConfig{WriteRTCP: func(b []byte) error {
			var ev RTCPEvents
			if err := ScanRTCP(b, &ev); err != nil {
				t.Error(err)
			}
			plis.Add(int64(len(ev.Keyframes)))
			return nil
		}})
		cfg := upConfig()
		cfg.PLI = true
		up := u.NewTrack(TrackConfig{Video: true}).NewUpTrack(cfg)
		var downs []*Downlink
		for range 50 {
			d := f.NewDownlink(DownlinkConfig{NewWriter: out(&discard{})})
			d.SetReady(true)
			<-d.NewDownTrack(videoSlot()).Bind(up.track, false)
			downs = append(downs, d)
		}
		pli := appendPLI(nil, 1, slotSSRC)
		for n := range uint64(500) { // 5 s, 100 a second from each
			for _, d := range downs {
				d.HandleRTCP(pli)
			}
			payload := rigDelta
			if n%100 == 0 {
				payload = rigKey
			}
			ingest(up, packet(up, base+n, n*900, 0, 96, payload))
			time.Sleep(10 * time.Millisecond)
		}
		if n := plis.Load(); n < 5 || n > 11 {
			t.Errorf("%d requests went up in 5 s, want one in 500 ms at most", n)
		}
		for _, d := range downs {
			<-d.Close()
		}
		u.Close()
		f.Close()
	})
}

// sleepyWriter takes its time for every packet, which it should not.
type sleepyWriter struct{}

func (sleepyWriter) WriteRTP(_ *rtp.Header, payload []byte) (int, error) {
	time.Sleep(3 * time.Millisecond)
	return len(payload), nil
}

// TestSlowWriter delays those on its shard, but costs them no packet, and those
// on the other shard nothing at all.
func TestSlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Shards: 2})
		u := f.NewUplink(UplinkConfig{})
		up := u.NewTrack(TrackConfig{}).NewUpTrack(upConfig())
		writers := []packetSink{sleepyWriter{}, &recorder{}, &recorder{}, &recorder{}} // shards in turn
		var slots []*DownTrack
		for _, w := range writers {
			d := f.NewDownlink(DownlinkConfig{NewWriter: out(w)})
			d.SetReady(true)
			slots = append(slots, d.NewDownTrack(audioSlot()))
			<-slots[len(slots)-1].Bind(up.track, false)
		}
		var ingested []time.Time
		for n := range uint64(500) {
			ingested = append(ingested, time.Now())
			ingest(up, packet(up, base+n, n*960, 0, 98, nil))
			time.Sleep(5 * time.Millisecond)
		}
		for i, dt := range slots {
			<-dt.SetPaused(true)
			checkDownIdentity(t, dt.Stats())
			w, ok := writers[i].(*recorder)
			if !ok {
				continue
			}
			sent := w.take()
			if n := len(sources(t, sent)); n != 500 {
				t.Errorf("subscriber %d got %d packets, want 500", i, n)
			}
			limit := time.Duration(0)
			if dt.shard() == slots[0].shard() {
				limit = 5 * time.Millisecond
			}
			for n := range sent {
				if d := sent[n].at.Sub(ingested[n]); d > limit {
					t.Fatalf("subscriber %d: packet %d took %v, want %v at most", i, n, d, limit)
				}
			}
		}
		for _, dt := range slots {
			<-dt.down.Close()
		}
		u.Close()
		f.Close()
	})
}

// TestHoldIsOver: a frame whose end does not come leaves all the same, in groups.
func TestHoldIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Shards: 1, Hold: 2 * time.Millisecond})
		u := f.NewUplink(UplinkConfig{})
		up, w := u.NewTrack(TrackConfig{Video: true}).NewUpTrack(upConfig()), &recorder{}
		d := f.NewDownlink(DownlinkConfig{NewWriter: out(w)})
		d.SetReady(true)
		dt := d.NewDownTrack(videoSlot())
		<-dt.Bind(up.track, false)
		start := time.Now()
		for n := range uint64(10) {
			p := keyPacket(up, base+n, 0, 0)
			p.Descriptor.FrameEnd = false
			f.shards[0].push(p)
			time.Sleep(500 * time.Microsecond)
		}
		time.Sleep(10 * time.Millisecond)
		var groups []time.Duration
		for _, p := range w.take() {
			groups = append(groups, p.at.Sub(start))
		}
		ms := time.Millisecond
		// The packet that comes at the very end of a hold may be of either group.
		want := []time.Duration{2 * ms, 2 * ms, 2 * ms, 2 * ms}
		if len(groups) != 10 || !slices.Equal(groups[:4], want) || groups[9] > 7*ms {
			t.Errorf("packets left after %v", groups)
		}
		for _, at := range groups {
			if at%(500*time.Microsecond) != 0 {
				t.Errorf("a packet left at %v, before its hold was over", at)
			}
		}
		<-d.Close()
		u.Close()
		f.Close()
	})
}

// FuzzHandleRTCP: whatever a subscriber sends, it gets no more than what it may
// ask for, each packet as it was, and the slot goes on.
func FuzzHandleRTCP(f *testing.F) {
	f.Add(appendNACK(nil, 1, slotSSRC, []uint16{0, 1, 2, 3}))
	f.Add(appendPLI(nil, 1, slotSSRC))
	f.Add(appendFIR(nil, 1, slotSSRC, 9))
	f.Add(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, LastSR: 1, DelaySinceSR: 1 << 31}, {SSRC: slotRTXSSRC}}))
	f.Add(appendNACK(appendReceiverReport(nil, 1, nil), 1, slotSSRC, []uint16{0, 0, 0, 0, 65535}))
	f.Add([]byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0x50, 0, 0, 1, 0xff, 0xff})
	f.Add([]byte{0x8f, 206, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newEgressRig(t, Config{})
		up, w := r.source(true), &recorder{}
		d := r.f.NewDownlink(DownlinkConfig{NewWriter: out(w)})
		dt := d.NewDownTrack(videoSlot())
		dt.seq.next = 0 // so that small numbers mean something
		d.SetReady(true)
		dt.Bind(up.track, false)
		r.step(0)
		var first []written
		for n := range uint64(4) {
			ingest(up, packet(up, base+n, n*3000, 0, 96, rigKey))
		}
		r.step(r.f.now())
		first = w.take()
		buf := slices.Clone(data)
		d.HandleRTCP(buf)
		clear(buf) // it was not kept
		r.step(r.f.now())
		again := w.take()
		if len(again) > len(first) {
			t.Fatalf("%d retransmissions of %d packets at one request", len(again), len(first))
		}
		for _, a := range again {
			was := first[binary.BigEndian.Uint16(a.payload)]
			if !bytes.Equal(a.payload[2:], was.payload) || a.header.Timestamp != was.header.Timestamp {
				t.Fatal("another packet was sent")
			}
		}
		d.tick(r.f.now())
		ingest(up, packet(up, base+4, 5*3000, 0, 96, rigDelta))
		r.step(r.f.now())
		if n := len(w.take()); n != 1 {
			t.Fatalf("the next packet: %d left", n)
		}
		checkDownIdentity(t, dt.Stats())
	})
}

// FuzzRedundantAudio: the primary block lies within the payload.
func FuzzRedundantAudio(f *testing.F) {
	f.Add([]byte("\x6fabc"))
	f.Add([]byte("\xef\x00\x00\x02\x6fxxabc"))
	f.Add([]byte("\xef\xff\xff\xff\x6fxx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, ok := redPrimary(data); ok && (len(b) == 0 || !bytes.HasSuffix(data, b)) {
			t.Errorf("%x of %x", b, data)
		}
	})
}
