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

// plainLayer leaves only keyframe requests and reports.
func plainLayer(c *UpTrackConfig) { c.TransportCC, c.NACK, c.FIR = false, false, false }

func TestKeyframeRequests(t *testing.T) {
	ask := func(r *uplinkRig) { r.track.RequestKeyframe() }
	key := func(seq uint16) func(*uplinkRig) {
		return func(r *uplinkRig) { ingestInto(r.t, r.layer, videoPacket(seq, uint32(seq), true)) }
	}
	type step struct {
		after time.Duration
		do    func(*uplinkRig)
	}
	rows := []struct {
		name  string
		bound bool
		steps []step
		want  []time.Duration
	}{
		{"at once, and again until there is none to hope for", true, []step{{0, ask}}, []time.Duration{
			0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms,
		}},
		{"not repeated when nobody is there", false, []step{{0, ask}}, []time.Duration{0}},
		{"nobody is there any more", true, []step{
			{0, ask}, {600 * ms, func(r *uplinkRig) { r.track.interest.Store(0) }},
		}, []time.Duration{0, 500 * ms}},
		{"a keyframe ends it", true, []step{{0, ask}, {100 * ms, key(1)}}, []time.Duration{0}},
		{"wishes of an instant are one", true, []step{{0, ask}, {0, ask}, {0, ask}, {100 * ms, key(1)}}, []time.Duration{0}},
		{"a wish after a keyframe waits for its time", true, []step{
			{0, ask}, {100 * ms, key(1)}, {100 * ms, ask}, {400 * ms, key(2)},
		}, []time.Duration{0, 500 * ms}},
		{"a keyframe within that time serves it", true, []step{
			{0, ask}, {100 * ms, key(1)}, {100 * ms, ask}, {100 * ms, key(2)},
		}, []time.Duration{0}},
		{"another wish while one is open", true, []step{
			{0, ask}, {600 * ms, ask}, {500 * ms, key(2)},
		}, []time.Duration{0, 500 * ms, 1000 * ms}},
		{"far apart", true, []step{
			{0, ask}, {10 * ms, key(1)}, {5 * time.Second, ask}, {10 * ms, key(2)},
		}, []time.Duration{0, 5010 * ms}},
		{"another frame is no answer", true, []step{
			{0, ask}, {10 * ms, func(r *uplinkRig) { r.video(1, 1) }}, {600 * ms, key(2)},
		}, []time.Duration{0, 500 * ms}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newUplinkRig(t, Config{}, plainLayer)
				defer r.close()
				if row.bound {
					r.track.interest.Store(1)
				}
				synctest.Wait()
				for _, s := range row.steps {
					time.Sleep(s.after)
					s.do(r)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				plis, at := sentOf[*rtcp.PictureLossIndication](r.reports())
				if diff := cmp.Diff(row.want, at); diff != "" {
					t.Error(diff)
				}
				for _, p := range plis {
					if p.MediaSSRC != rigVideo || p.SenderSSRC != rigSelf {
						t.Errorf("SSRCs %x, %x", p.SenderSSRC, p.MediaSSRC)
					}
				}
				if s := r.track.Stats(); int(s.PLIsSent) != len(plis) {
					t.Errorf("sent %d, counted %d", len(plis), s.PLIsSent)
				}
			})
		})
	}
}

// A thousand wishes a second from many sinks are two requests a second.
func TestKeyframeStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for range 1000 {
					r.track.RequestKeyframe()
					time.Sleep(10 * ms)
				}
			})
		}
		wg.Wait()
		plis, at := sentOf[*rtcp.PictureLossIndication](r.reports())
		if len(plis) != 20 && len(plis) != 21 { // the last one falls on the end
			t.Errorf("%d requests in 10 s", len(plis))
		}
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < 500*ms {
				t.Errorf("%v after %v", at[i], at[i-1])
			}
		}
		if s := r.track.Stats(); s.KeyframeRequests != 10_000 {
			t.Errorf("counted %d wishes", s.KeyframeRequests)
		}
	})
}

// Every layer of a track is asked, each for itself.
func TestKeyframeLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		second := rigLayer()
		plainLayer(&second)
		second.SSRC = rigVideo + 1
		r.track.NewUpTrack(second)
		r.track.RequestKeyframe()
		r.track.RequestKeyframe()
		synctest.Wait()
		reports := r.reports()
		plis, _ := sentOf[*rtcp.PictureLossIndication](reports)
		if len(plis) != 2 || plis[0].MediaSSRC != rigVideo || plis[1].MediaSSRC != rigVideo+1 {
			t.Errorf("%v", plis)
		}
	})
}

// A wish from before the layer exists is remembered for a while.
func TestKeyframeBeforeLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		track := r.u.NewTrack(TrackConfig{Video: true})
		track.RequestKeyframe()
		time.Sleep(time.Second)
		layer := rigLayer()
		plainLayer(&layer)
		layer.SSRC = 7
		track.NewUpTrack(layer)
		synctest.Wait()
		plis, _ := sentOf[*rtcp.PictureLossIndication](r.reports())
		if len(plis) != 1 || plis[0].MediaSSRC != 7 {
			t.Errorf("%v", plis)
		}
	})
}

// A FIR that repeats keeps its number, another command has the next one.
func TestFIRSerial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer, func(c *UpTrackConfig) { c.PLI, c.FIR = false, true })
		defer r.close()
		r.track.interest.Store(1)
		r.track.RequestKeyframe()
		time.Sleep(2 * time.Second) // two repetitions
		ingestInto(t, r.layer, videoPacket(1, 1, true))
		time.Sleep(time.Second)
		r.track.RequestKeyframe()
		synctest.Wait()
		firs, _ := sentOf[*rtcp.FullIntraRequest](r.reports())
		var serials []uint8
		for _, f := range firs {
			if len(f.FIR) != 1 || f.FIR[0].SSRC != rigVideo || f.SenderSSRC != rigSelf || f.MediaSSRC != 0 {
				t.Fatalf("%+v", f)
			}
			serials = append(serials, f.FIR[0].SequenceNumber)
		}
		if diff := cmp.Diff([]uint8{1, 1, 1, 2}, serials); diff != "" {
			t.Error(diff)
		}
	})
}

func TestKeyframeNotUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer, func(c *UpTrackConfig) { c.PLI = false })
		defer r.close()
		r.track.RequestKeyframe()
		time.Sleep(time.Second)
		if got := r.reports(); len(got) != 0 {
			t.Errorf("sent %v", got)
		}
	})
}

func TestRequestKeyframeAllocatesNothing(t *testing.T) {
	r := newUplinkRig(t, Config{}, plainLayer)
	defer r.close()
	if got := testing.AllocsPerRun(100, r.track.RequestKeyframe); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// H264 marks several packets of one keyframe.
func TestKeyframesAreCountedByFrame(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	for i, unit := range []string{h264SmallSPS, h264PPS, h264IDRSlice, h264IDRSlice} {
		p := videoPacket(uint16(i), 9000, false)
		p.PayloadType, p.Payload = 102, unhex(t, unit)
		ingestInto(t, r.layer, p)
	}
	if s := r.track.Stats(); s.Keyframes != 1 || s.Codec != CodecH264 {
		t.Errorf("%d keyframes of %s", s.Keyframes, s.Codec)
	}
}
