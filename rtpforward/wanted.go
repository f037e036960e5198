// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync/atomic"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// takers counts, on one shard, the slots that take or aim at each spatial layer of
// a track.
type takers struct {
	slots [layers.MaxLayers]int32 // owned by the shard
	mask  atomic.Uint32           // atomic: written by the shard, read by Uplink.run; bit i: slots[i] is not 0

	_ [64]byte // the next element is another processor's
}

// set changes what one slot takes from a mask to another. It reports whether that
// changed anything for the track.
func (k *takers) set(from, to uint8) bool {
	old, mask := k.mask.Load(), uint32(0)
	for i := range k.slots {
		k.slots[i] += int32(to>>i&1) - int32(from>>i&1)
		if k.slots[i] > 0 {
			mask |= 1 << i
		}
	}
	if mask == old {
		return false
	}
	k.mask.Store(mask)
	return true
}

// wantedState is what the publisher was told of who takes what.
type wantedState struct {
	since     [layers.MaxLayers]int64 // owned by Uplink.run; since when nobody takes the layer, 0: somebody does, or it was told
	unwanted  atomic.Uint32           // atomic: written by Uplink.run, read by anyone; layers that nobody has taken for Config.UnwantedAfter
	announced uint8                   // owned by Uplink.run; what OnWanted was told last
	told      bool                    // owned by Uplink.run; it was told anything
}

// checkWanted tells OnWanted what changed. Uplink.run only; next is when to call
// again, 0 for when a slot changes.
func (t *Track) checkWanted(now int64) (next int64) {
	if !t.cfg.Video {
		return 0
	}
	taken, known, w := t.takenLayers(), t.spatialLayers(), &t.wanted
	// One that is new has its time to be seen and taken, as those before it had.
	unwanted := w.unwanted.Load() &^ taken & uint32(known)
	for i := range w.since {
		switch bit := uint32(1) << i; {
		case uint32(known)&bit == 0, (taken|unwanted)&bit != 0:
			w.since[i] = 0
			continue
		case w.since[i] == 0:
			w.since[i] = max(now, 1)
		}
		if due := w.since[i] + int64(t.f.cfg.UnwantedAfter); due <= now {
			unwanted |= 1 << i
			w.since[i] = 0
		} else {
			next = sooner(due, next)
		}
	}
	w.unwanted.Store(unwanted)
	// Who was told once is told of layers that are new too: what he was told did not speak of them.
	if wanted := ^uint8(unwanted) & known; known != 0 && (w.told && wanted != w.announced || !w.told && wanted != known) {
		w.announced, w.told = wanted, true
		if t.cfg.OnWanted != nil {
			t.cfg.OnWanted(wanted)
		}
	}
	return next
}

// takenLayers are those that somebody takes or aims at, on any shard.
func (t *Track) takenLayers() (mask uint32) {
	for i := range t.takers {
		mask |= t.takers[i].mask.Load()
	}
	return mask
}

// taken reports whether somebody has a use for a keyframe of a stream.
func (t *Track) taken(u *UpTrack) bool {
	if t.interest.Load() == 0 {
		return false
	}
	r := t.ranking.Load()
	if r == nil || !r.simulcast {
		return true
	}
	at := r.place(u)
	return at >= 0 && t.takenLayers()>>at&1 != 0
}

// spatialLayers is the mask of those that exist.
func (t *Track) spatialLayers() uint8 {
	r := t.ranking.Load()
	if r == nil || len(r.ups) == 0 {
		return 0
	}
	n := len(r.ups)
	if !r.simulcast {
		n = int(r.ups[0].topSpatial()) + 1
	}
	return uint8(1<<n - 1)
}

// take notes which spatial layers the slot takes or aims at, and has the publisher
// asked for what nobody took before.
func (dt *DownTrack) take(want uint8) {
	if want == dt.wants {
		return
	}
	if dt.track.takers[dt.shard().index].set(dt.wants, want) {
		dt.track.uplink.wakeRun()
	}
	dt.wants = want
}

// wanting is the mask for take. In a scalable stream all layers below are needed
// too; of a simulcast, what is shown until what is aimed at has come.
func (dt *DownTrack) wanting() (mask uint8) {
	if dt.paused || dt.quiet || dt.aimed.Spatial < 0 {
		return 0
	}
	top, current := int(dt.aimed.Spatial), dt.selector.Current()
	r := dt.ranking
	if r == nil || !r.simulcast {
		return uint8(1<<(max(top, int(current.Spatial))+1) - 1)
	}
	mask = 1 << min(top, max(len(r.ups)-1, 0))
	if goal := dt.selector.Target().Spatial; goal >= 0 && int(goal) < len(r.ups) {
		mask |= 1 << goal
	}
	if current.Spatial >= 0 {
		mask |= 1 << current.Spatial
	}
	return mask
}
