// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
)

// witness is a Writer that looks at everything that leaves: whose it is, and that
// no number protects two different packets.
type witness struct {
	link *bottleneck // says what the client says

	// guarded by mu
	mu      sync.Mutex
	room    []byte
	rng     *rand.Rand
	allowed map[uint32][]byte            // by SSRC of the slot: sources that may leave on it
	rtx     map[uint32]uint32            // SSRC of retransmissions: that of the slot
	indices map[uint32]map[uint64][]byte // by SSRC and extended number
	newest  map[uint32]uint64
	recent  map[uint32][]uint16
	faults  []string
}

func (w *witness) Reserve(n int) []byte {
	if w.rng.IntN(400) == 0 {
		return nil
	}
	w.room = slices.Grow(w.room[:0], n)[:n]
	w.link.Reserve(n)
	return w.room
}

func (w *witness) WriteRTCP([]byte) error { return nil }

func (w *witness) Commit() error {
	copy(w.link.room, w.room)
	_ = w.link.Commit()
	w.mu.Lock()
	defer w.mu.Unlock()
	var p rtp.Packet
	if err := p.Unmarshal(bytes.Clone(w.room)); err != nil {
		w.faults = append(w.faults, err.Error())
		return err
	}
	w.look(&p)
	if w.rng.IntN(300) == 0 {
		return errors.New("not today") // it may have left for all that
	}
	return nil
}

func (w *witness) look(p *rtp.Packet) {
	index := uint64(1<<16) | uint64(p.SequenceNumber)
	if newest, ok := w.newest[p.SSRC]; ok {
		index = newest + uint64(int64(int16(p.SequenceNumber-uint16(newest))))
	}
	w.newest[p.SSRC] = max(w.newest[p.SSRC], index)
	if w.indices[p.SSRC] == nil {
		w.indices[p.SSRC] = make(map[uint64][]byte)
	}
	if before, used := w.indices[p.SSRC][index]; used && !bytes.Equal(before, w.room) {
		w.faults = append(w.faults, "two packets of one number")
	}
	w.indices[p.SSRC][index] = bytes.Clone(w.room)
	slot, repeats := w.rtx[p.SSRC]
	if !repeats {
		slot = p.SSRC
		w.recent[slot] = append(w.recent[slot], p.SequenceNumber)
	}
	allowed := w.allowed[slot]
	if len(p.Payload) == 0 { // padding tells nothing, but where nothing is bound there is to be none
		if len(allowed) == 0 {
			w.faults = append(w.faults, "padding of a slot without a source")
		}
		return
	}
	if len(p.Payload) < 9 || !slices.Contains(allowed, p.Payload[len(p.Payload)-9]) {
		w.faults = append(w.faults, "a packet of a source that the slot does not show")
	}
}

func (w *witness) allow(slot uint32, sources ...byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed[slot] = sources
}

// actor is a publisher of a simulcast of VP8, which does as it likes.
type actor struct {
	id    byte
	track *Track
	ups   []*UpTrack
	raw   []rtp.Header
	count uint64
	stamp uint32
	pid   []uint16
	tl0   []byte
	muted []bool
	calm  bool // sends keyframes when it is asked, and what is wanted, and says what is so

	wanted atomic.Uint32 // atomic: written by the uplink's goroutine

	mu    sync.Mutex
	asked []bool // guarded by mu; for a keyframe of a stream
}

// ask is called with what the node asks of publishers.
func (a *actor) ask(ssrc uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, up := range a.ups {
		if up.cfg.SSRC == ssrc {
			a.asked[i] = true
		}
	}
}

// key says whether the next frame of a stream is a keyframe.
func (a *actor) key(i int, rng *rand.Rand) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked[i]
	a.asked[i] = false
	return asked || !a.calm && rng.IntN(12) == 0
}

// obey stops what nobody wants, and starts what somebody does, with a keyframe.
func (a *actor) obey() {
	for _, l := range a.track.Layers() {
		for i, up := range a.ups {
			if up.cfg.RID == l.RID {
				wanted := a.wanted.Load()>>l.Layer.Spatial&1 != 0
				if a.muted[i] && wanted {
					a.ask(up.cfg.SSRC)
				}
				a.muted[i] = !wanted
			}
		}
	}
}

// frame sends one on each stream that is not muted.
func (a *actor) frame(rng *rand.Rand) {
	a.stamp += 3000
	if a.calm {
		a.obey()
	} else if rng.IntN(200) == 0 {
		a.stamp += rng.Uint32()
	}
	for i, up := range a.ups {
		h := &a.raw[i]
		if !a.calm && rng.IntN(300) == 0 {
			h.SequenceNumber += uint16(rng.Uint32())
		}
		if a.muted[i] {
			continue
		}
		key, tid := a.key(i, rng), byte(rng.IntN(3))
		if key {
			tid = 0
		}
		if a.pid[i]++; tid == 0 {
			a.tl0[i]++
		}
		for n, last := 0, rng.IntN(1+3*i); n <= last; n++ {
			h.SequenceNumber++
			h.Timestamp, h.Marker = a.stamp, n == last
			if a.calm || rng.IntN(40) > 0 {
				up.Ingest(a.packet(h, i, key, tid, n == 0, rng))
			}
		}
	}
}

func (a *actor) packet(h *rtp.Header, i int, key bool, tid byte, first bool, rng *rand.Rand) []byte {
	b := []byte{0x80, 0xf0, 0x80 | byte(a.pid[i]>>8), byte(a.pid[i]), a.tl0[i], tid<<6 | 0x20}
	if first {
		b[0] |= 0x10
		if key {
			side := uint16(160 << i)
			if !a.calm && rng.IntN(10) == 0 {
				side = uint16(160 + rng.IntN(1000)) // says that it is of another size, and another
			}
			b = append(b, 0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(side), byte(side>>8), byte(side), byte(side>>8))
		} else {
			b = append(b, 0x11, 0, 0)
		}
	}
	b = append(b, make([]byte, rng.IntN(1000))...)
	a.count++
	b = binary.BigEndian.AppendUint64(append(b, a.id), a.count)
	raw, err := (&rtp.Packet{Header: *h, Payload: b}).Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}

// TestAdversaries has publishers and a subscriber do what they like, on a link that
// paces and is probed, and looks at what leaves:
//
//   - after a stop is acknowledged nothing of what was stopped does, neither late,
//     nor again, nor to find out what the link carries;
//   - no number of a stream stands for two packets;
//   - received = forwarded + dropped;
//   - when everybody behaves, every slot comes to show the best that there is.
func TestAdversaries(t *testing.T) {
	for seed := range uint64(24) {
		if !t.Run("", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { adversaries(t, seed) }) }) {
			t.Logf("seed %d", seed)
		}
	}
}

func adversaries(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	cfg := Config{Shards: 1, Kicked: seed%2 == 1, StartFromCache: seed%3 == 0, VideoHistory: 256, UnwantedAfter: 300 * time.Millisecond}
	f := New(cfg)
	var actors []*actor
	u := f.NewUplink(UplinkConfig{WriteRTCP: func(buf []byte) error {
		for b := buf; len(b) >= 12; b = b[rtcpSize(b):] {
			if b[1] == rtcpPSFB && b[0]&31 == 1 {
				for _, a := range actors {
					a.ask(binary.BigEndian.Uint32(b[8:]))
				}
			}
		}
		return nil
	}})
	w := &witness{
		link: newBottleneck(1_500_000), rng: rand.New(rand.NewPCG(seed, 8)), allowed: map[uint32][]byte{}, rtx: map[uint32]uint32{}, indices: map[uint32]map[uint64][]byte{},
		newest: map[uint32]uint64{}, recent: map[uint32][]uint16{},
	}
	d := f.NewDownlink(DownlinkConfig{CNAME: "c", Extensions: subscriberExtensions(), TransportCC: true, NewWriter: func(int) Writer { return w }, OnSlot: func(SlotState) {}})
	for i := range 3 {
		a := &actor{id: byte(0xa0 + i)}
		a.wanted.Store(255)
		a.track = u.NewTrack(TrackConfig{Video: true, OnWanted: func(spatial uint8) { a.wanted.Store(uint32(spatial)) }})
		for n := range 1 + i {
			up := upConfig()
			up.SSRC, up.RID, up.Index, up.PLI = uint32(100*i+n+1), string(rune('a'+n)), n, true
			a.ups = append(a.ups, a.track.NewUpTrack(up))
			a.raw = append(a.raw, rtp.Header{Version: 2, PayloadType: 96, SSRC: up.SSRC, SequenceNumber: uint16(rng.Uint32())})
			a.asked = append(a.asked, true)
			a.pid, a.tl0, a.muted = append(a.pid, uint16(rng.IntN(1<<15))), append(a.tl0, 0), append(a.muted, false)
		}
		actors = append(actors, a)
	}
	var slots []*DownTrack
	bound := make([]*actor, 3)
	paused := make([]bool, 3)
	for i := range 3 {
		c := DownTrackConfig{Mid: string(rune('0' + i)), Video: true, SSRC: uint32(0x5000 + i)}
		c.Formats = []OutFormat{{Format: formatVP8, Payload: slotVP8, NACK: true}}
		if seed%4 != 3 { // otherwise without numbers, uncontrolled
			c.RTXSSRC, c.Formats[0].RTXPayload = uint32(0x6000+i), slotVP8RTX
			w.rtx[c.RTXSSRC] = c.SSRC
		}
		slots = append(slots, d.NewDownTrack(c))
	}
	d.SetReady(true)
	stop := func(i int, done <-chan struct{}) {
		<-done
		if bound[i] == nil || paused[i] {
			w.allow(uint32(0x5000 + i))
		} else {
			w.allow(uint32(0x5000+i), bound[i].id)
		}
	}
	for step := range 600 {
		for _, a := range actors {
			a.frame(rng)
		}
		if cfg.Kicked {
			f.Kick()
		}
		i := rng.IntN(len(slots))
		dt, ssrc, a := slots[i], uint32(0x5000+i), actors[rng.IntN(len(actors))]
		switch rng.IntN(40) {
		case 0, 1:
			old := bound[i]
			bound[i], paused[i] = a, rng.IntN(4) == 0
			if old != nil {
				w.allow(ssrc, old.id, a.id)
			} else {
				w.allow(ssrc, a.id)
			}
			stop(i, dt.Bind(a.track, paused[i]))
		case 2:
			bound[i] = nil
			stop(i, dt.Unbind())
		case 3, 4:
			if bound[i] != nil {
				paused[i] = !paused[i]
				w.allow(ssrc, bound[i].id)
				stop(i, dt.SetPaused(paused[i]))
			}
		case 5, 6, 7:
			dt.SetWish(Wish{Preference: Preference{Spatial: uint8(rng.IntN(4)), Temporal: uint8(rng.IntN(4)), Width: uint16(rng.IntN(2000))}, Weight: rng.Float64() * 10})
		case 8:
			w.link.setRate(int64(20_000 * (1 + rng.IntN(200))))
		case 9:
			w.link.setDeaf(rng.IntN(2) == 0)
		case 10:
			w.link.mu.Lock()
			w.link.lies = rng.IntN(2) == 0
			w.link.mu.Unlock()
		case 11, 12, 13, 14, 15:
			w.mu.Lock()
			recent := w.recent[ssrc]
			nack := []byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, byte(ssrc >> 8), byte(ssrc), 0, 0, 0xff, 0xff}
			if len(recent) > 0 {
				binary.BigEndian.PutUint16(nack[12:], recent[max(len(recent)-1-rng.IntN(60), 0)]-uint16(rng.IntN(8)))
			}
			w.mu.Unlock()
			d.HandleRTCP(nack)
		case 16:
			d.HandleRTCP([]byte{0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, byte(ssrc >> 8), byte(ssrc)})
		case 17:
			d.HandleRTCP(appendREMB(nil, int64(rng.IntN(3_000_000))))
		case 18:
			for _, up := range a.ups {
				a.muted[slices.Index(a.ups, up)] = rng.IntN(3) == 0
			}
		case 19:
			if rng.IntN(8) == 0 {
				d.SetReady(false)
				d.SetReady(true)
			}
		case 20:
			if rng.IntN(6) == 0 {
				m := subscriberExtensions()
				if rng.IntN(2) == 0 {
					m.Set(ExtMid, 14)
				}
				d.SetExtensions(m)
			}
		case 21:
			d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: ssrc, HighestSequence: rng.Uint32(), FractionLost: uint8(rng.IntN(256))}}))
		case 22:
			raw := make([]byte, 24+4*rng.IntN(20))
			for k := range raw {
				raw[k] = byte(rng.Uint32())
			}
			raw[0], raw[1] = 0x8f, rtcpRTPFB
			binary.BigEndian.PutUint16(raw[2:], uint16(len(raw)/4-1))
			d.HandleRTCP(raw)
		}
		if step%6 == 0 {
			for _, raw := range w.link.reply() {
				d.HandleRTCP(raw)
			}
		}
		time.Sleep(time.Duration(1+rng.IntN(30)) * time.Millisecond)
		synctest.Wait()
		w.mu.Lock()
		if len(w.faults) > 0 {
			t.Errorf("step %d: %v", step, w.faults[:min(len(w.faults), 4)])
			w.mu.Unlock()
			break
		}
		w.mu.Unlock()
	}
	settle(t, rng, f, d, w, actors, slots, bound, paused)
	<-d.Close()
	for i := range slots {
		w.allow(uint32(0x5000 + i))
	}
	for range 5 {
		for _, a := range actors {
			a.frame(rng)
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
	}
	w.mu.Lock()
	if len(w.faults) > 0 {
		t.Errorf("after the end: %v", w.faults[0])
	}
	w.mu.Unlock()
	for _, dt := range slots {
		checkDownIdentity(t, dt.Stats())
		if dt.queued != 0 {
			t.Errorf("%d packets wait for ever", dt.queued)
		}
	}
	u.Close()
	f.Close()
	for _, a := range actors {
		for k := range a.track.takers {
			if mask := a.track.takers[k].mask.Load(); mask != 0 {
				t.Errorf("source %x: layers %b are taken by nobody", a.id, mask)
			}
		}
	}
}

// settle has everybody behave, and wants every slot to show the best there is.
func settle(t *testing.T, rng *rand.Rand, f *Forwarder, d *Downlink, w *witness, actors []*actor, slots []*DownTrack, bound []*actor, paused []bool) {
	w.link.mu.Lock()
	w.link.rate, w.link.lies, w.link.deaf = 20*mbit, false, false
	w.link.mu.Unlock()
	for _, a := range actors {
		a.calm = true
	}
	for _, dt := range slots {
		dt.SetWish(Wish{})
	}
	good := func(i int) bool {
		st := slots[i].Stats()
		return bound[i] == nil || paused[i] || int(st.Current.Spatial) == len(bound[i].ups)-1 && st.Current.Temporal == 2
	}
	for step := range 45 * 30 {
		for _, a := range actors {
			a.frame(rng)
		}
		f.Kick()
		if step%3 == 0 {
			for _, raw := range w.link.reply() {
				d.HandleRTCP(raw)
			}
		}
		time.Sleep(time.Second / 30)
		synctest.Wait()
		if step%30 == 0 && good(0) && good(1) && good(2) {
			return
		}
	}
	for i, dt := range slots {
		if !good(i) {
			t.Errorf("slot %d shows not all of %d streams: %+v; %+v; %+v, wanted %b taken %b", i, len(bound[i].ups), dt.Stats(), d.Link(), bound[i].track.Layers(), bound[i].wanted.Load(), bound[i].track.takenLayers())
		}
	}
}
