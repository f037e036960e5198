// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/allocate"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	meterSpatial  = 4                      // spatial and temporal layers of one stream that are told apart;
	meterTemporal = 4                      // those above count as the last
	meterEvery    = 250 * time.Millisecond // between two looks
	meterDepth    = 7                      // looks that are kept: rates are of a second and a half
	meterLeast    = 100 * time.Millisecond // what is measured for less says nothing
	meterLeap     = 1.3                    // ratio from which on a rate is another
	meterShare    = 0.25                   // of a small difference that counts at each look
)

// layerCounts counts what arrives of each layer of a stream.
type layerCounts struct {
	// atomic: written by the reader, read by Uplink.run
	bytes, frames [meterSpatial][meterTemporal]atomic.Uint64

	top atomic.Uint32 // atomic: written by the reader, read by anyone; highest layer seen: spatial<<8 | temporal
}

// count notes a packet and reports if it is of a layer that is new. The reader only.
func (c *layerCounts) count(p *Packet) (fresh bool) {
	s, t := min(int(p.Unit.Spatial), meterSpatial-1), min(int(p.Unit.Temporal), meterTemporal-1)
	c.bytes[s][t].Add(uint64(len(p.Buf)))
	if p.Unit.FrameEnd {
		c.frames[s][t].Add(1)
	}
	top := c.top.Load()
	if high := max(top>>8, uint32(p.Unit.Spatial))<<8 | max(top&0xff, uint32(p.Unit.Temporal)); high != top {
		c.top.Store(high)
		return true
	}
	return false
}

// topSpatial is the highest spatial layer seen in the stream, topTemporal the
// highest temporal one.
func (u *UpTrack) topSpatial() int8 {
	if u.counts == nil {
		return 0
	}
	return int8(u.counts.top.Load() >> 8)
}

func (u *UpTrack) topTemporal() int8 {
	if u.counts == nil {
		return 0
	}
	return int8(u.counts.top.Load() & 0xff)
}

// meter turns counts into rates. Owned by Uplink.run.
type meter struct {
	looks [meterDepth]struct {
		at            int64
		bytes, frames [meterSpatial][meterTemporal]uint64
	}
	used int

	// the last rates that were measured while the layer was live
	bits, frames [meterSpatial][meterTemporal]float64 // per second
	live         [meterSpatial]bool                   // something of it came since the oldest look
	ready        bool                                 // looks are far enough apart
}

// look takes the counts as of now and makes the rates anew. arrived is when the
// last packet came.
func (m *meter) look(c *layerCounts, now, arrived int64) {
	if m.used == meterDepth {
		copy(m.looks[:], m.looks[1:])
		m.used--
	}
	newest := &m.looks[m.used]
	m.used++
	newest.at = now
	oldest := &m.looks[0]
	passed := float64(arrived-oldest.at) / float64(second) // a stream that has stopped keeps its rate
	m.ready = m.ready || arrived-oldest.at >= int64(meterLeast)
	for s := range meterSpatial {
		came := uint64(0)
		for t := range meterTemporal {
			newest.bytes[s][t], newest.frames[s][t] = c.bytes[s][t].Load(), c.frames[s][t].Load()
			came += newest.bytes[s][t] - oldest.bytes[s][t]
		}
		m.live[s] = came > 0
		for t := 0; came > 0 && arrived-oldest.at >= int64(meterLeast) && t < meterTemporal; t++ {
			follow(&m.bits[s][t], 8*float64(newest.bytes[s][t]-oldest.bytes[s][t])/passed)
			follow(&m.frames[s][t], float64(newest.frames[s][t]-oldest.frames[s][t])/passed)
		}
	}
}

// follow has a rate follow what was measured: slowly if that is noise, which may
// not take layers away from anybody, and at once if it is another rate altogether.
func follow(rate *float64, measured float64) {
	if measured > *rate*meterLeap || measured < *rate/meterLeap {
		*rate = measured
		return
	}
	*rate += (measured - *rate) * meterShare
}

// upTo is the rate of everything up to a layer, and the frames of its spatial
// layer up to its temporal one.
func (m *meter) upTo(from, spatial, temporal int) (bits, frames float64) {
	for s := from; s <= min(spatial, meterSpatial-1); s++ {
		frames = 0
		for t := 0; t <= min(temporal, meterTemporal-1); t++ {
			bits += m.bits[s][t]
			frames += m.frames[s][t]
		}
	}
	return bits, frames
}

// shape is what a source offers, as of one moment. Immutable.
type shape struct {
	ladder ladder
	layers []LayerStats
}

// ladder is what the source offers, as of some 100 ms ago. Any goroutine; takes no
// lock, allocates nothing.
func (t *Track) ladder() *ladder {
	if s := t.shape.Load(); s != nil {
		return &s.ladder
	}
	return &emptyLadder
}

var emptyLadder ladder

// Layers describes the layers that arrive, smallest first. Any goroutine.
func (t *Track) Layers() []LayerStats {
	s := t.shape.Load()
	if s == nil {
		return nil
	}
	list, unwanted := slices.Clone(s.layers), t.wanted.unwanted.Load()
	for i := range list { // nothing is measured while nothing comes, but somebody may want it by now
		list[i].Wanted = unwanted>>list[i].Layer.Spatial&1 == 0
	}
	return list
}

// measure makes the shape anew, a few times a second. Uplink.run only; next is when
// to call again, 0 for when a packet comes.
func (t *Track) measure(now int64) (next int64) {
	if !t.cfg.Video || !t.live.Load() && !t.metered {
		return 0
	}
	if now < t.measureAt {
		return t.measureAt
	}
	t.measureAt, t.metered = now+int64(meterEvery), t.live.Load()
	r := t.ranking.Load()
	if r == nil {
		return t.measureAt
	}
	s := &shape{}
	for i, u := range r.ups {
		if u.counts == nil {
			continue
		}
		u.meter.look(u.counts, now, u.arrived.Load())
		if r.simulcast {
			t.describeStream(s, u, i, now)
		} else {
			t.describeLayers(s, u, now)
		}
	}
	s.ladder.trim()
	t.shape.Store(s)
	return t.measureAt
}

// describeStream adds a stream of a simulcast, which is a spatial layer as a whole.
func (t *Track) describeStream(s *shape, u *UpTrack, place int, now int64) {
	top, temporal := int(u.topSpatial()), int(u.topTemporal())
	live := u.heard(now, int64(time.Second))
	width, height := u.dimensions()
	bits, frames := u.meter.upTo(0, top, temporal)
	s.layers = append(s.layers, t.layerStats(u, layers.Layer{Spatial: int8(place), Temporal: int8(temporal)}, width, height, bits, frames, live))
	if !u.meter.ready { // it is there, or was: that is all that is known. Left out, nobody would ever ask for it
		s.ladder.rungs = append(s.ladder.rungs, rung{layer: layers.Layer{Spatial: int8(place), Temporal: int8(temporal)}, width: width, height: height, live: live})
		return
	}
	for at := 0; at <= temporal; at++ {
		bits, frames := u.meter.upTo(0, top, at)
		s.ladder.rungs = append(s.ladder.rungs, rung{
			layer: layers.Layer{Spatial: int8(place), Temporal: int8(at)}, rate: int64(bits), width: width, height: height, frameRate: frames, live: live,
		})
	}
}

// describeLayers adds the layers of a single stream.
func (t *Track) describeLayers(s *shape, u *UpTrack, now int64) {
	top, temporal := int(u.topSpatial()), int(u.topTemporal())
	heard := u.heard(now, int64(time.Second))
	for at := 0; at <= min(top, meterSpatial-1); at++ {
		width, height := u.layerDimensions(at, top)
		live := heard && (u.meter.live[at] || at == 0)
		bits, frames := u.meter.upTo(at, at, temporal)
		s.layers = append(s.layers, t.layerStats(u, layers.Layer{Spatial: int8(at), Temporal: int8(temporal)}, width, height, bits, frames, live))
		for tid := 0; tid <= min(temporal, meterTemporal-1) && u.meter.ready; tid++ {
			bits, frames := u.meter.upTo(0, at, tid)
			s.ladder.rungs = append(s.ladder.rungs, rung{
				layer: layers.Layer{Spatial: int8(at), Temporal: int8(tid)}, rate: int64(bits), width: width, height: height, frameRate: frames, live: live,
			})
		}
	}
}

func (t *Track) layerStats(u *UpTrack, l layers.Layer, width, height uint16, bits, frames float64, live bool) LayerStats {
	if !live {
		bits, frames = 0, 0
	}
	return LayerStats{
		Layer: l, RID: u.cfg.RID, SSRC: u.cfg.SSRC, Width: width, Height: height, FrameRate: frames, Bitrate: uint64(bits),
		TemporalLayers: int(l.Temporal) + 1, Live: live,
	}
}

// dimensions of the stream's largest pictures, 0 unknown.
func (u *UpTrack) dimensions() (width, height uint16) {
	size := u.size.Load()
	return uint16(size >> 16), uint16(size)
}

// layerDimensions are those of a spatial layer below top: as the stream says, or
// halved from layer to layer as encoders do.
func (u *UpTrack) layerDimensions(spatial, top int) (width, height uint16) {
	if st := u.structure.Load(); st != nil && st.Sized && spatial < int(st.Spatial) {
		size := st.Sizes[spatial]
		return uint16(min(size.Width, 65535)), uint16(min(size.Height, 65535))
	}
	width, height = u.dimensions()
	return width >> (top - spatial), height >> (top - spatial)
}

// trim leaves at most as many rungs as an allocation looks at, without what lies
// between a spatial layer's first and last.
func (l *ladder) trim() {
	for at := len(l.rungs) - 2; at > 0 && len(l.rungs) > allocate.MaxLayers; at-- {
		if s := l.rungs[at].layer.Spatial; l.rungs[at-1].layer.Spatial == s && l.rungs[at+1].layer.Spatial == s {
			l.rungs = slices.Delete(l.rungs, at, at+1)
		}
	}
	if n := len(l.rungs); n > allocate.MaxLayers {
		l.rungs = append(l.rungs[:allocate.MaxLayers-1], l.rungs[n-1])
	}
}
