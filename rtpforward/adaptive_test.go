// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// simulcastRig is a publisher of three streams, small to large unless turned round, and a slot.
type simulcastRig struct {
	*egressRig
	track *Track
	ups   []*UpTrack // by the order of the offer
	w     *recorder
	d     *Downlink
	dt    *DownTrack
	seq   [3]uint16
	stamp [3]uint32

	// guarded by mu
	mu     sync.Mutex
	wanted []uint8  // what OnWanted was told
	asked  []uint32 // SSRCs of PLIs
}

// told returns what OnWanted was told, and of which streams keyframes were asked for, since the last time.
func (r *simulcastRig) told() (wanted []uint8, asked []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted, asked = r.wanted, r.asked
	r.wanted, r.asked = nil, nil
	return wanted, asked
}

// newSimulcastRig is for use in a bubble: Uplink.run runs, the shard is stepped.
func newSimulcastRig(t *testing.T, cfg Config) *simulcastRig {
	r := &simulcastRig{egressRig: newEgressRig(t, cfg), w: &recorder{}}
	r.u.cfg.WriteRTCP = func(b []byte) error {
		packets, err := rtcp.Unmarshal(b)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, p := range packets {
			if pli, ok := p.(*rtcp.PictureLossIndication); ok {
				r.asked = append(r.asked, pli.MediaSSRC)
			}
		}
		return err
	}
	r.track = r.u.NewTrack(TrackConfig{Video: true, OnWanted: r.onWanted})
	for i := range 3 {
		up := upConfig()
		up.SSRC, up.RID, up.Index, up.PLI = uint32(100+i), string(rune('a'+i)), i, true
		r.ups = append(r.ups, r.track.NewUpTrack(up))
		r.stamp[i] = uint32(i) << 28
	}
	r.d, r.dt = r.slot(nil, r.w, videoSlot())
	synctest.Wait()
	return r
}

func (r *simulcastRig) onWanted(mask uint8) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = append(r.wanted, mask)
}

// frame ingests a frame of a stream, of one packet of about size bytes.
func (r *simulcastRig) frame(stream, size int, key bool, width uint16, temporal uint8) {
	b := []byte{0x90, 0xe0, 0x80, byte(r.seq[stream]), 0, temporal << 6, 0x11}
	if key {
		b = append(b[:6], 0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(width), byte(width>>8), byte(width/2), byte(width/2>>8))
	}
	r.seq[stream]++
	r.stamp[stream] += 3000
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, PayloadType: 96, SequenceNumber: r.seq[stream], Timestamp: r.stamp[stream], SSRC: uint32(100 + stream)},
		Payload: append(append(b, make([]byte, size)...), byte(stream), byte(r.seq[stream])),
	}
	ingestInto(r.t, r.ups[stream], p)
}

// settle lets everybody do what there is to do.
func (r *simulcastRig) settle() {
	synctest.Wait()
	r.step(r.f.now())
	synctest.Wait()
}

// streams of what left.
func (r *simulcastRig) streams() (out []byte) {
	for _, w := range r.w.take() {
		out = append(out, w.payload[len(w.payload)-2])
	}
	return out
}

func at(spatial, temporal int8) layers.Layer {
	return layers.Layer{Spatial: spatial, Temporal: temporal}
}

// TestWanted: a publisher is told which layers somebody takes: those that are wanted at once, and with the request for their
// keyframe; those that nobody wants any more after a time of grace.
func TestWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		var asked []uint32
		check := func(what string, want ...uint8) {
			t.Helper()
			r.settle()
			var wanted []uint8
			wanted, asked = r.told()
			if !bytes.Equal(wanted, want) {
				t.Errorf("%s: told %03b, want %03b", what, wanted, want)
			}
		}
		time.Sleep(1900 * time.Millisecond)
		check("at first")
		time.Sleep(1200 * time.Millisecond)
		check("nobody there", 0)
		r.dt.Bind(r.track, false)
		check("bound", 0b100)
		if diff := cmp.Diff([]uint32{102}, asked); diff != "" {
			t.Errorf("asked for keyframes of %s", diff)
		}
		r.dt.aim(at(0, 0), LimitBandwidth, r.f.now())
		check("aimed down", 0b101)
		if diff := cmp.Diff([]uint32{100}, asked); diff != "" {
			t.Errorf("asked for keyframes of %s", diff)
		}
		time.Sleep(2100 * time.Millisecond)
		check("after the grace", 0b001)
		r.dt.aim(at(2, 7), LimitNone, r.f.now())
		time.Sleep(time.Second)
		r.dt.aim(at(0, 0), LimitBandwidth, r.f.now())
		check("up and down again", 0b101)
		time.Sleep(1900 * time.Millisecond)
		check("within the grace")
		r.dt.SetPaused(true)
		r.settle()
		time.Sleep(2100 * time.Millisecond)
		check("paused", 0b001, 0)
		if wanted := r.track.wanted.unwanted.Load(); wanted&7 != 7 {
			t.Errorf("unwanted %b", wanted)
		}
		r.dt.SetWish(Wish{Preference: Preference{Spatial: 1}}) // to resume divides the link anew
		r.dt.SetPaused(false)
		check("resumed", 0b001)
		gate := new(Gate)
		r.dt.SetGate(gate)
		r.settle()
		gate.Set(true)
		time.Sleep(time.Second)
		r.d.tick(r.f.now())
		time.Sleep(2100 * time.Millisecond)
		check("behind a gate", 0)
		r.dt.Unbind()
		r.settle()
		for i := range r.track.takers {
			if k := &r.track.takers[i]; k.mask.Load() != 0 || k.slots != [layers.MaxLayers]int32{} {
				t.Errorf("left behind: %+v", k.slots)
			}
		}
	})
}

// TestWantedNew: a layer that is new is wanted, whatever was said before it came, and has the time that others have to be
// taken. It is offered even if it has not been sent for long enough to be measured: who would ask for it otherwise?
func TestWantedNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		last := r.ups[2].cfg
		r.ups[2].Close()
		r.dt.Bind(r.track, false)
		r.dt.aim(at(0, 7), LimitBandwidth, r.f.now())
		play := func(frames int, third func(i int) bool) {
			for i := range frames {
				r.frame(0, 100, i == 0, 160, 0)
				r.frame(1, 300, i == 0, 320, 0)
				if third(i) {
					r.frame(2, 900, i == 0, 640, 0)
				}
				time.Sleep(33 * time.Millisecond)
				r.settle()
				r.s.tick(r.f.now())
			}
		}
		play(150, func(int) bool { return false })
		r.told()
		r.ups[2] = r.track.NewUpTrack(last)
		play(2, func(int) bool { return true })
		if wanted, _ := r.told(); len(wanted) == 0 || wanted[len(wanted)-1]&0b100 == 0 {
			t.Errorf("told %03b when the third came", wanted)
		}
		play(90, func(int) bool { return false })
		rungs := r.track.ladder().rungs
		if top := rungs[len(rungs)-1]; top.layer.Spatial != 2 || top.live {
			t.Errorf("what came for 66 ms is offered as %+v", top)
		}
	})
}

// TestKeyframeOfTheLayer: what a slot waits for is asked of one stream, what a subscriber asks for of the one it is shown.
func TestKeyframeOfTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		asked := func(what string, want ...uint32) {
			t.Helper()
			r.settle()
			_, got := r.told()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: asked %s", what, diff)
			}
		}
		r.dt.Bind(r.track, false)
		r.settle()
		r.dt.aim(at(0, 0), LimitBandwidth, r.f.now())
		r.settle()
		r.told()
		time.Sleep(time.Millisecond)
		for i := range 3 {
			r.frame(i, 10, true, 160<<i, 0)
		}
		asked("started")
		if diff := cmp.Diff([]byte{0}, r.streams()); diff != "" {
			t.Errorf("streams %s", diff)
		}
		time.Sleep(time.Second)
		r.d.HandleRTCP(appendPLI(nil, 1, slotSSRC))
		asked("by the subscriber", 100)
		time.Sleep(time.Millisecond)
		r.frame(0, 10, true, 160, 0)
		time.Sleep(time.Second)
		for i := range 3 {
			r.frame(i, 10, false, 160<<i, 0)
		}
		r.settle()
		r.dt.aim(at(1, 0), LimitBandwidth, r.f.now())
		asked("up", 101)
		time.Sleep(700 * time.Millisecond)
		asked("until it comes", 101)
		r.frame(0, 10, false, 160, 0)
		r.frame(1, 10, true, 320, 0)
		r.frame(0, 10, false, 160, 0)
		r.frame(1, 10, false, 320, 0)
		r.settle()
		if diff := cmp.Diff([]byte{0, 0, 0, 1, 1}, r.streams()); diff != "" {
			t.Errorf("streams %s", diff)
		}
		if state := r.dt.slotState(); state.Current != at(1, 0) || state.Target != at(1, 0) || state.Limit != LimitBandwidth {
			t.Errorf("state %+v", state)
		}
		if st := r.dt.Stats(); st.LayerSwitches != 1 || st.Current != at(1, 0) || st.Limit != LimitBandwidth {
			t.Errorf("stats %+v", st)
		}
		time.Sleep(700 * time.Millisecond)
		asked("it has come")
	})
}

// TestOfferedLargestFirst: it is by the size of their pictures that streams are layers.
func TestOfferedLargestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		r.dt.Bind(r.track, false)
		r.settle()
		for i := range 3 {
			r.frame(i, 10, true, 1280>>i, 0)
			r.settle()
		}
		for range 3 {
			for i := range 3 {
				r.frame(i, 10, false, 0, 0)
			}
		}
		r.settle()
		if got := r.streams(); len(got) < 3 || !bytes.Equal(got[len(got)-3:], []byte{0, 0, 0}) {
			t.Errorf("streams %v, in the end the first", got)
		}
		r.dt.aim(at(0, 0), LimitPreference, r.f.now())
		r.frame(2, 10, true, 320, 0)
		r.settle()
		if diff := cmp.Diff([]byte{2}, r.streams()); diff != "" {
			t.Errorf("streams %s", diff)
		}
	})
}

// TestLadder: rates, sizes and frame rates are measured, and kept when a layer stops.
func TestLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		publish := func(seconds int, streams ...int) {
			for n := range 25 * seconds {
				for _, i := range streams {
					r.frame(i, 500<<i, n%25 == 0, 160<<i, []uint8{0, 2, 1, 2}[n%4])
				}
				time.Sleep(40 * time.Millisecond)
				r.settle()
			}
		}
		publish(3, 0, 1, 2)
		check := func(live ...bool) {
			t.Helper()
			l := r.track.ladder()
			if len(l.rungs) != 9 || len(r.track.Layers()) != 3 {
				t.Fatalf("%+v", l.rungs)
			}
			for n, g := range l.rungs {
				spatial, temporal := n/3, n%3
				share := []float64{0.25, 0.5, 1}[temporal]
				rate := share * 25 * 8 * float64(21+int(500)<<spatial)
				if g.layer != at(int8(spatial), int8(temporal)) || g.width != 160<<spatial || g.height != 80<<spatial || g.live != live[spatial] {
					t.Errorf("rung %d: %+v", n, g)
				}
				if math.Abs(float64(g.rate)/rate-1) > 0.25 || math.Abs(g.frameRate/(25*share)-1) > 0.25 {
					t.Errorf("rung %d: %d bit/s of %.0f, %.1f frames/s", n, g.rate, rate, g.frameRate)
				}
			}
		}
		check(true, true, true)
		for i, l := range r.track.Layers() {
			if l.RID != r.ups[i].cfg.RID || l.TemporalLayers != 3 || !l.Live || l.Bitrate == 0 || l.Width != 160<<i {
				t.Errorf("layer %+v", l)
			}
		}
		publish(3, 0, 1)
		check(true, true, false)
		if l := r.track.Layers()[2]; l.Live || l.Bitrate != 0 {
			t.Errorf("stopped: %+v", l)
		}
		time.Sleep(5 * time.Second)
		check(false, false, false)
		if n := testing.AllocsPerRun(100, func() { _ = r.track.ladder() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// TestGate: behind a shut gate numbers close up; sound goes on as if nothing had been, video with a keyframe.
func TestGate(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(false), &recorder{}
	_, dt := r.slot(up, w, audioSlot())
	gate := new(Gate)
	dt.SetGate(gate)
	for n := range uint64(9) {
		gate.Set(n >= 3 && n < 6)
		r.push(packet(up, base+n, 960*n, int64(n)*20e6, 98, []byte{1}))
		r.step(int64(n) * 20e6)
	}
	sent := w.take()
	if diff := cmp.Diff([]uint64{base, base + 1, base + 2, base + 6, base + 7, base + 8}, sources(t, sent)); diff != "" {
		t.Error(diff)
	}
	for i, p := range sent[1:] {
		passed := uint32(960)
		if i == 2 {
			passed = 4 * 960
		}
		if p.header.SequenceNumber != sent[i].header.SequenceNumber+1 || p.header.Timestamp-sent[i].header.Timestamp != passed {
			t.Errorf("packet %d: %d after %d, %d ticks", i+1, p.header.SequenceNumber, sent[i].header.SequenceNumber, p.header.Timestamp-sent[i].header.Timestamp)
		}
	}
	checkDrops(t, dt, map[DropReason]uint64{DropQuiet: 3})

	video := r.source(true)
	_, dt = r.slot(video, w, videoSlot())
	dt.SetGate(gate)
	wishes := video.track.Stats().KeyframeRequests
	for n, key := range []bool{true, false, false, false, false, true} {
		gate.Set(n == 2 || n == 3)
		p := deltaPacket(video, base+uint64(n), 3000*uint64(n), 0)
		if key {
			p = keyPacket(video, base+uint64(n), 3000*uint64(n), 0)
		}
		r.push(p)
		r.step(int64(n) * 40e6)
	}
	sent = w.take()
	if diff := cmp.Diff([]uint64{base, base + 1, base + 5}, sources(t, sent)); diff != "" || sent[2].header.SequenceNumber != sent[1].header.SequenceNumber+1 {
		t.Error(diff, sent[2].header.SequenceNumber-sent[1].header.SequenceNumber)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropQuiet: 2, DropKeyframeWait: 1})
	if n := video.track.Stats().KeyframeRequests - wishes; n != 1 {
		t.Errorf("%d keyframes were asked for, want 1", n)
	}
	dt.Unbind()
	dt.Bind(video.track, false)
	r.step(0)
	if dt.gate != nil {
		t.Error("the gate outlived what it is for")
	}
}

// TestFreezes: video that stands still though the publisher sends is counted, once, with its time.
func TestFreezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		r.dt.Bind(r.track, false)
		r.settle()
		frame := func(stream int, key bool) {
			time.Sleep(40 * time.Millisecond)
			r.frame(stream, 10, key, 160<<stream, 0)
			r.settle()
		}
		frame(2, true)
		for range 50 { // the one that is shown has stopped, the other has no keyframe
			frame(1, false)
		}
		frame(1, true)
		st := r.dt.Stats()
		if st.Freezes != 1 || st.FrozenFor < 2*time.Second || st.FrozenFor > 2100*time.Millisecond {
			t.Errorf("%d freezes, %v", st.Freezes, st.FrozenFor)
		}
		if diff := cmp.Diff([]byte{2, 1}, r.streams()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(3 * time.Second) // the publisher sends nothing
		frame(1, false)
		r.dt.SetPaused(true)
		for range 20 {
			frame(1, false)
		}
		r.dt.SetPaused(false)
		frame(1, true)
		if got := r.dt.Stats(); got.Freezes != 1 || got.FrozenFor != st.FrozenFor {
			t.Errorf("%d freezes, %v", got.Freezes, got.FrozenFor)
		}
	})
}

// TestSwitchBySenderReports: over a change of layers timestamps go on by the time between the pictures, which their sender
// reports tell, however late a packet comes.
func TestSwitchBySenderReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimulcastRig(t, Config{})
		r.dt.Bind(r.track, false)
		r.settle()
		for i := range 3 {
			report := &rtcp.SenderReport{SSRC: uint32(100 + i), NTPTime: 5 << 32, RTPTime: r.stamp[i] + 3000}
			b, err := report.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			r.u.HandleRTCP(b)
		}
		r.frame(0, 10, true, 160, 0) // at 5 s
		r.settle()
		r.stamp[1] += 2 * 3000
		time.Sleep(300 * time.Millisecond) // later than its time
		r.frame(1, 10, true, 320, 0)       // 2/30 s later than the first
		r.settle()
		r.frame(2, 10, true, 640, 0) // of the same time as the first
		r.settle()
		sent := r.w.take()
		if len(sent) != 3 {
			t.Fatalf("%d packets left", len(sent))
		}
		for i, want := range []uint32{6000, 1} {
			if got := sent[i+1].header.Timestamp - sent[i].header.Timestamp; got != want {
				t.Errorf("switch %d: %d ticks, want %d", i, got, want)
			}
		}
	})
}

// TestStartFromCache: who comes late is sent what there is since the last keyframe, and asks for none.
func TestStartFromCache(t *testing.T) {
	for name, row := range map[string]struct {
		cfg       Config
		lost      bool
		old       time.Duration
		fromCache bool
	}{
		"off":        {cfg: Config{}},
		"on":         {cfg: Config{StartFromCache: true}, fromCache: true},
		"too large":  {cfg: Config{StartFromCache: true, CacheBytes: 500}},
		"too old":    {cfg: Config{StartFromCache: true}, old: 1100 * time.Millisecond},
		"incomplete": {cfg: Config{StartFromCache: true}, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSimulcastRig(t, row.cfg)
				for n := range 8 {
					if n == 5 && row.lost {
						r.seq[2]++
					}
					r.frame(2, 100, n == 1, 640, 0)
				}
				r.settle()
				time.Sleep(row.old)
				wishes := r.track.Stats().KeyframeRequests
				r.dt.Bind(r.track, false)
				r.settle()
				r.frame(2, 100, false, 640, 0)
				r.settle()
				var got []uint16
				for _, w := range r.w.take() {
					got = append(got, uint16(w.payload[len(w.payload)-1]))
				}
				var want []uint16
				asked := uint64(1)
				if row.fromCache {
					want, asked = []uint16{2, 3, 4, 5, 6, 7, 8, 9}, 0
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if n := r.track.Stats().KeyframeRequests - wishes; n != asked {
					t.Errorf("%d keyframes were asked for, want %d", n, asked)
				}
				checkDownIdentity(t, r.dt.Stats())
			})
		})
	}
}

// TestLayersDoNotAllocate: not for a packet that is passed over, rewritten, left out or sent.
func TestLayersDoNotAllocate(t *testing.T) {
	r := newEgressRig(t, Config{Hold: -1})
	track := r.u.NewTrack(TrackConfig{Video: true})
	var ups []*UpTrack
	for i := range 3 {
		cfg := upConfig()
		cfg.SSRC, cfg.Index = uint32(100+i), i
		ups = append(ups, track.NewUpTrack(cfg))
	}
	w := &discard{}
	_, dt := r.slot(ups[0], w, videoSlot())
	var ring [3][]*Packet
	for i, up := range ups {
		for n := range uint64(256) {
			b := []byte{0x90, 0xe0, 0x80, byte(n), 0, []byte{0, 2, 1, 2}[n%4]<<6 | 0x20, 0x11}
			if n%64 == 0 {
				b = append(b[:6], rigKey[1:]...)
			}
			ring[i] = append(ring[i], packet(up, base+n, 3000*n, 0, 96, append(b, make([]byte, 900)...)))
		}
	}
	next, round := uint64(0), int8(0)
	turn := func() {
		for range 64 {
			for i := range ups {
				p := ring[i][next%256]
				if next >= 256 {
					p.Sequence, p.Timestamp = p.Sequence+256, p.Timestamp+256*3000
					binary.BigEndian.PutUint16(p.Buf[14:], 0x8000|uint16(next))
					p.Unit.PictureID = uint16(next) & 0x7fff
				}
				r.push(p)
			}
			next++
			r.s.step(int64(next) * 33e6)
		}
		round++
		dt.aim(at(round%3, round/3%3), LimitBandwidth, int64(next)*33e6)
		r.s.publish()
	}
	for range 12 {
		turn()
	}
	before := dt.Stats()
	if n := testing.AllocsPerRun(20, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
	after := dt.Stats()
	if after.Forwarded == before.Forwarded || after.LayerSwitches == before.LayerSwitches || after.Drops[DropLayer] == before.Drops[DropLayer] {
		t.Errorf("%+v", after)
	}
}
