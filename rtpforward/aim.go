// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	retargetEvery = 100 * time.Millisecond // between two looks at which streams are alive
	freezeAfter   = 500 * time.Millisecond // without a packet of a picture that was to be shown
	settleTime    = 500 * time.Millisecond // until the layers of a stream that was begun have been seen
)

// theTop is the aim of a slot that nobody aims.
var theTop = layers.Layer{Spatial: layers.MaxLayers - 1, Temporal: layers.MaxLayers - 1}

// aim says up to which layer to forward; None: nothing. Owned by the shard.
func (dt *DownTrack) aim(l layers.Layer, limit Limit, now int64) {
	if l.Spatial < 0 {
		l = layers.None
	}
	if dt.aimed == l && dt.limit == limit {
		return
	}
	dt.aimed, dt.limit = l, limit
	if dt.track == nil || !dt.video {
		return
	}
	dt.retarget(now)
	// A stream that is not sent at the moment comes the sooner for being asked.
	if r := dt.ranking; r != nil && r.simulcast && l.Spatial >= 0 && dt.takes() {
		if at := min(int(l.Spatial), len(r.ups)-1); at >= 0 && int8(at) != dt.selector.Target().Spatial {
			dt.track.wishFor(r.ups[at])
		}
	}
	dt.gauge()
	dt.touch()
}

// takes reports whether the slot would show something if it came.
func (dt *DownTrack) takes() bool {
	return dt.track != nil && !dt.paused && !dt.quiet && dt.down.ready
}

// look is called before a group of video: has the order of the streams changed, or
// is it time to see which of them are alive?
func (dt *DownTrack) look(now int64) {
	if dt.ranking != dt.track.ranking.Load() || now >= dt.retargetAt {
		dt.unsure = dt.reconsider(now) || dt.unsure
	}
}

// retarget has the Selector go for what is aimed at, as far as it is there, and
// asks for the keyframe that this takes.
func (dt *DownTrack) retarget(now int64) {
	if dt.track != nil && dt.video && dt.reconsider(now) {
		dt.expect(now)
	}
}

// reconsider is retarget without asking: the keyframe may be among the packets that
// are about to be forwarded. It reports whether there is another target.
func (dt *DownTrack) reconsider(now int64) (changed bool) {
	dt.settle()
	if r := dt.track.ranking.Load(); r != dt.ranking {
		dt.reorder(r)
	}
	dt.retargetAt = now + dt.patience()
	if goal := dt.goal(now); goal != dt.selector.Target() {
		dt.selector.SetTarget(goal)
		if goal.Spatial < 0 {
			dt.halt()
		}
		changed = true
	}
	dt.simplify()
	dt.take(dt.wanting())
	dt.noteLayer(now)
	return changed
}

// patience is how long to wait for the next retarget. A single stream is there or
// is not; which layers it has is not that urgent.
func (dt *DownTrack) patience() int64 {
	switch r := dt.ranking; {
	case r == nil || len(r.ups) > 1:
		return int64(retargetEvery)
	case len(r.ups) == 1 && r.ups[0].topSpatial() > 0:
		return 2 * int64(retargetEvery)
	}
	return second // tick is as soon
}

// halt ends the run: what comes next is another one.
func (dt *DownTrack) halt() {
	dt.settle()
	dt.running, dt.whole, dt.shownAt, dt.frozen = false, !dt.video, 0, false
}

// reorder follows a change in the order of the streams, or of the streams.
func (dt *DownTrack) reorder(r *ranking) {
	var from [layers.MaxStreams]int8
	for i := range from {
		from[i] = -1
		if dt.ranking != nil && i < len(r.ups) {
			from[i] = int8(dt.ranking.place(r.ups[i]))
		}
	}
	dt.ranking = r
	dt.selector.Reorder(r.simulcast, &from)
	if dt.running && r.place(dt.up) < 0 {
		dt.running = false
	}
	if dt.selector.Target().Spatial >= 0 {
		dt.selector.SetTarget(layers.Layer{Spatial: 0, Temporal: -1}) // never a goal: it is set anew
	}
}

// goal is what the slot can have of what it is aimed at: in a simulcast the best
// stream up to there that is alive, or else the least above. Numbers that nothing
// exceeds at the moment become the highest, so that what takes everything is
// known to.
func (dt *DownTrack) goal(now int64) layers.Layer {
	l, r := dt.aimed, dt.ranking
	if !dt.takes() || l.Spatial < 0 {
		return layers.None
	}
	if r == nil || len(r.ups) == 0 {
		return l
	}
	up := r.ups[0]
	if r.simulcast {
		top := min(int(l.Spatial), len(r.ups)-1)
		at := r.alive(top, now)
		if at < 0 {
			at = top
			if was := dt.selector.Target().Spatial; was >= 0 && dt.running {
				at = min(int(was), top)
			}
		}
		up, l.Spatial = r.ups[at], int8(at)
	} else if dt.merges(up) {
		l.Spatial = 0
	} else if l.Spatial >= up.topSpatial() {
		l.Spatial = layers.MaxLayers - 1
	}
	if l.Temporal >= up.topTemporal() {
		l.Temporal = layers.MaxLayers - 1
	}
	return l
}

// merges reports whether the subscriber could not tell the spatial layers of a
// stream apart: nothing in AV1 packets says where one of a picture ends and the next
// begins, but for descriptors, and those it has not agreed to. Browsers offer them
// for what they receive only if told to; without, Chromium shows none of the layers
// if it gets more than one.
func (dt *DownTrack) merges(up *UpTrack) bool {
	s := up.structure.Load()
	return s != nil && s.Spatial > 1 && Codec(up.codec.Load()) == CodecAV1 && dt.down.extensions.ids[ExtDependencyDescriptor] == 0
}

// usable is the slot's preference, within what its subscriber can tell apart.
func (dt *DownTrack) usable() Preference {
	p := dt.wish.Preference
	if r := dt.ranking; r != nil && !r.simulcast && len(r.ups) > 0 && dt.merges(r.ups[0]) {
		p.Spatial = 1
	}
	return p
}

// alive is the best stream up to top of which media arrives, otherwise the least
// above it, -1 if there is none.
func (r *ranking) alive(top int, now int64) int {
	for at := top; at >= 0; at-- {
		if r.ups[at].heard(now, int64(layerSilence)) {
			return at
		}
	}
	for at := top + 1; at < len(r.ups); at++ {
		if r.ups[at].heard(now, int64(layerSilence)) {
			return at
		}
	}
	return -1
}

// expect asks for a keyframe if one is waited for.
func (dt *DownTrack) expect(now int64) {
	_, need := dt.selector.NeedsKeyframe()
	if need && !dt.waiting {
		dt.since = now
	}
	if need && dt.fromCache(now) {
		_, need = dt.selector.NeedsKeyframe()
	}
	dt.waiting = need
	dt.askKeyframe()
}

// noteLayer keeps account of what is shown. What a stream has turns out packet by
// packet, which is no switch.
func (dt *DownTrack) noteLayer(now int64) {
	shown := dt.selector.Current()
	switch {
	case !dt.running:
		shown = layers.None
	case dt.whole: // the Selector does not see all of it
		shown.Temporal = dt.up.topTemporal()
		if !dt.ranking.simulcast {
			shown.Spatial = dt.up.topSpatial()
		}
	}
	if shown == dt.shown {
		return
	}
	if dt.shown.Spatial >= 0 && shown.Spatial >= 0 && now >= dt.settledAt {
		dt.count[countLayerSwitches]++
	}
	dt.shown = shown
	dt.gauge()
	dt.touch()
}

// gauge publishes what the slot shows and aims at.
func (dt *DownTrack) gauge() {
	state := dt.slotState()
	dt.count[gaugeLayers] = packLayer(state.Current)<<32 | packLayer(state.Target)<<16 | uint64(state.Limit)
}

// packLayer keeps a layer in 16 bits; 0 is None.
func packLayer(l layers.Layer) uint64 {
	if l.Spatial < 0 {
		return 0
	}
	return uint64(l.Spatial+1)<<8 | uint64(max(l.Temporal, 0))
}

func unpackLayer(v uint16) layers.Layer {
	if v == 0 {
		return layers.None
	}
	return layers.Layer{Spatial: int8(v>>8) - 1, Temporal: int8(v & 0xff)}
}

// slotState is what the slot shows and is to show. Owned by the shard.
func (dt *DownTrack) slotState() SlotState {
	s := SlotState{Mid: dt.cfg.Mid, Current: dt.shown, Target: dt.aimed, Limit: dt.limit}
	switch {
	case dt.track == nil || !dt.video:
		s.Current, s.Target, s.Limit = layers.None, layers.None, LimitNone
	case dt.paused:
		s.Current, s.Target, s.Limit = layers.None, layers.None, LimitPaused
	case s.Target.Spatial >= 0 && dt.ranking != nil && len(dt.ranking.ups) > 0:
		r := dt.ranking
		if !r.simulcast {
			s.Target = layers.Layer{Spatial: min(s.Target.Spatial, r.ups[0].topSpatial()), Temporal: min(s.Target.Temporal, r.ups[0].topTemporal())}
			break
		}
		s.Target.Spatial = min(s.Target.Spatial, int8(len(r.ups)-1))
		s.Target.Temporal = min(s.Target.Temporal, r.ups[s.Target.Spatial].topTemporal())
	}
	return s
}

// missed notes that something of the source came and was not shown: if nothing has
// been shown for long, the picture stands still.
func (dt *DownTrack) missed(now int64) {
	if dt.shownAt != 0 && !dt.frozen && now-dt.shownAt > int64(freezeAfter) {
		dt.frozen = true
		dt.count[countFreezes]++
	}
}

// showed notes that something was shown.
func (dt *DownTrack) showed(now int64) {
	if dt.frozen {
		dt.frozen = false
		dt.count[countFrozen] += uint64(max(now-dt.shownAt, 0))
	}
	dt.shownAt = max(now, 1)
}
