// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
)

func TestOnLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, quietLayer)
		defer r.close()
		check := func(want ...bool) {
			t.Helper()
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			if diff := cmp.Diff(want, r.live); diff != "" {
				t.Errorf("after %v: %s", time.Duration(r.f.now()), diff)
			}
		}
		time.Sleep(10 * time.Second)
		check()
		r.video(1, 1)
		check(true)
		time.Sleep(1900 * ms)
		r.video(2, 1)
		time.Sleep(1900 * ms)
		check(true)
		time.Sleep(101 * ms)
		check(true, false)
		time.Sleep(time.Minute)
		p := videoPacket(3, 1, false)
		p.Payload, p.Padding, p.PaddingSize = nil, true, 20
		ingestInto(t, r.layer, p) // padding is no media
		check(true, false)
		r.video(4, 1)
		check(true, false, true)
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.Goodbye{Sources: []uint32{1, rigVideo}}))
		check(true, false, true, false)
		time.Sleep(ms)
		r.video(5, 1) // it was not the end
		check(true, false, true, false, true)
		r.layer.Close()
		check(true, false, true, false, true, false)
	})
}

// Audio may pause for longer.
func TestOnLiveAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{})
		defer r.close()
		live := make(chan bool, 10)
		track := r.u.NewTrack(TrackConfig{OnLive: func(l bool) { live <- l }})
		cfg := rigLayer()
		cfg.SSRC = rigAudio
		p := videoPacket(1, 1, false)
		p.PayloadType = 111
		ingestInto(t, track.NewUpTrack(cfg), p)
		time.Sleep(4900 * ms)
		if len(live) != 1 || !<-live {
			t.Fatal("not live for 5 s")
		}
		time.Sleep(101 * ms)
		synctest.Wait()
		if len(live) != 1 || <-live {
			t.Error("still live after 5 s")
		}
	})
}

func TestTrackStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		size := uint64(len(mustMarshal(t, videoPacket(0, 0, false))))
		for i := range uint16(60) { // 2 s of 30 frames/s
			r.video(i, uint32(i)*3000)
			time.Sleep(time.Second / 30)
		}
		s := r.track.Stats()
		if s.FrameRate < 27 || s.FrameRate > 33 || s.Bitrate < 27*8*size || s.Bitrate > 33*8*size {
			t.Errorf("%.1f frames/s, %d bit/s", s.FrameRate, s.Bitrate)
		}
		if s.Codec != CodecVP8 || s.Bytes != 60*size || time.Since(s.LastArrival) > time.Second/29 {
			t.Errorf("%s, %d bytes, last %v ago", s.Codec, s.Bytes, time.Since(s.LastArrival))
		}
		time.Sleep(3 * time.Second)
		if s := r.track.Stats(); s.FrameRate != 0 || s.Bitrate != 0 {
			t.Errorf("after silence: %.1f frames/s, %d bit/s", s.FrameRate, s.Bitrate)
		}
		// What a closed layer counted stays, in the track and in the Forwarder.
		second := rigLayer()
		second.SSRC = rigVideo + 1
		layer := r.track.NewUpTrack(second)
		ingestInto(t, layer, videoPacket(9, 9, false))
		before := r.track.Stats()
		layer.Close()
		layer.Close()
		ingestInto(t, layer, videoPacket(10, 9, false)) // ignored
		after := r.track.Stats()
		if after.Received != before.Received || after.Received != 61 || after.LastArrival != before.LastArrival {
			t.Errorf("%+v, before %+v", after, before)
		}
		r.track.Close()
		r.track.Close()
		if all := r.f.Stats(); all.In != 61 || all.InBytes != 61*size {
			t.Errorf("Forwarder: %d packets, %d bytes", all.In, all.InBytes)
		}
		if late := r.track.NewUpTrack(second); late == nil || len(r.track.eachLayer()) != 0 {
			t.Error("a closed track took a layer")
		}
	})
}

func TestUplinkClose(t *testing.T) {
	r := newUplinkRig(t, Config{})
	r.video(1, 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(r.u.Close)
	}
	wg.Wait()
	r.reports()
	r.video(2, 1)
	r.track.RequestKeyframe()
	r.u.ObserveTransport(1)
	if got := r.reports(); len(got) != 0 {
		t.Errorf("sent after Close: %v", got)
	}
	if s := r.track.Stats(); s.Received != 1 {
		t.Errorf("received %d", s.Received)
	}
	track := r.u.NewTrack(TrackConfig{Video: true})
	ingestInto(t, track.NewUpTrack(rigLayer()), videoPacket(1, 1, false))
	if s := track.Stats(); s.Received != 0 {
		t.Errorf("a track of a closed uplink received %d", s.Received)
	}
	idle := r.f.NewUplink(UplinkConfig{})
	idle.ObserveTransport(1)
	idle.Close() // never had a layer, so there is no goroutine to wait for
}

// Everything at once, for the race detector.
func TestUplinkConcurrent(t *testing.T) {
	r := newUplinkRig(t, Config{Shards: 2, QueueLength: 64, TransportCCEvery: time.Millisecond, ReportEvery: time.Millisecond, KeyframeEvery: time.Millisecond})
	r.track.interest.Store(3)
	var wg sync.WaitGroup
	var reports sync.Mutex // calls of HandleRTCP do not overlap
	for i := range uint32(3) {
		cfg := rigLayer()
		cfg.SSRC = 100 + i
		layer := r.track.NewUpTrack(cfg)
		wg.Go(func() {
			for seq := range uint16(3000) {
				if seq%17 == 3 {
					continue
				}
				ingestInto(t, layer, stamped(videoPacket(seq, uint32(seq), seq%300 == 0), seq*3+uint16(i)))
			}
			layer.Close()
		})
		wg.Go(func() {
			for n := range uint32(200) {
				reports.Lock()
				r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: cfg.SSRC, NTPTime: uint64(n) << 32, RTPTime: n}))
				reports.Unlock()
				layer.wallclock(uint64(n))
				if p := layer.packetAt(uint16(n)); p != nil && p.Header.Sequence != uint16(n) {
					t.Errorf("packet %d is %d", n, p.Header.Sequence)
				}
				r.track.RequestKeyframe()
				r.u.ObserveTransport(uint16(n))
				checkIdentity(t, r.track.Stats())
				r.track.AudioLevel()
			}
		})
	}
	wg.Wait()
	s := r.track.Stats()
	checkIdentity(t, s)
	if want := uint64(3 * (3000 - 3000/17 - 1)); s.Accepted != want {
		t.Errorf("accepted %d, want %d", s.Accepted, want)
	}
	if s.Handed+s.Refused != 2*s.Accepted {
		t.Errorf("handed %d, refused %d of %d", s.Handed, s.Refused, s.Accepted)
	}
	r.close()
}
