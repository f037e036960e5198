// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"cmp"
	"slices"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// ranking is the streams of a source by the size of their pictures, the smallest
// first: a stream's place is its spatial layer. Immutable.
type ranking struct {
	ups       []*UpTrack // at most layers.MaxStreams
	simulcast bool       // the streams are a simulcast, even if it is of one at the moment
}

// place of a stream, -1 if it has none.
func (r *ranking) place(u *UpTrack) int {
	for i, up := range r.ups {
		if up == u {
			return i
		}
	}
	return -1
}

// rerank makes the ranking anew, after a stream has come or gone or has shown the
// size of its pictures; anew, also if it is the same: slots look at what the streams
// have when they see another. Any goroutine; takes no lock.
func (t *Track) rerank(anew bool) {
	for t.cfg.Video {
		old := t.ranking.Load()
		ups := slices.Clone(t.eachLayer())
		if len(ups) > layers.MaxStreams {
			ups = ups[:layers.MaxStreams]
		}
		r := &ranking{ups: ups, simulcast: len(ups) > 1}
		for _, u := range ups {
			r.simulcast = r.simulcast || u.cfg.RID != ""
		}
		sortStreams(ups)
		if !anew && old != nil && old.simulcast == r.simulcast && slices.Equal(old.ups, ups) {
			return
		}
		if t.ranking.CompareAndSwap(old, r) && slices.Equal(t.eachLayerOf(r), ups) {
			return
		}
	}
}

// eachLayerOf is what r would have to rank now. Another that came meanwhile makes
// a difference, for which rerank goes round again.
func (t *Track) eachLayerOf(r *ranking) []*UpTrack {
	now := t.eachLayer()
	if len(now) != len(r.ups) && len(now) <= layers.MaxStreams {
		return now
	}
	return r.ups
}

// sortStreams puts the smallest pictures first. As long as some of the sizes are
// not known it goes by the order of the offer, turned round if those that are
// known say so.
func sortStreams(ups []*UpTrack) {
	slices.SortStableFunc(ups, func(a, b *UpTrack) int { return cmp.Compare(a.cfg.Index, b.cfg.Index) })
	known, grows := 0, 0
	before := uint32(0)
	for _, u := range ups {
		area := u.area()
		if area == 0 {
			continue
		}
		if known > 0 {
			grows += cmp.Compare(area, before)
		}
		known++
		before = area
	}
	switch {
	case known == len(ups):
		slices.SortStableFunc(ups, func(a, b *UpTrack) int { return cmp.Compare(a.area(), b.area()) })
	case grows < 0:
		slices.Reverse(ups)
	}
}

// area of the stream's pictures, 0 unknown.
func (u *UpTrack) area() uint32 {
	size := u.size.Load()
	return (size >> 16) * (size & 0xffff)
}

// sized notes the size of the stream's pictures. Readers of the track.
func (u *UpTrack) sized(width, height uint16) {
	if size := uint32(width)<<16 | uint32(height); width != 0 && height != 0 && u.size.Load() != size {
		u.size.Store(size)
		u.track.rerank(false)
	}
}

// heard reports whether media of the stream arrived within a time before now.
func (u *UpTrack) heard(now, within int64) bool {
	at := u.lastArrival()
	return at != 0 && now-at < within && !u.closed.Load()
}
