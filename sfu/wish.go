// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"math"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// plainWish is what a slot has that nobody wished anything for, rtpforward's zero value written out.
var plainWish = rtpforward.Wish{Weight: 1, Priority: 1}

// wishOf translates what the router says of a slot. A subscription's priority p, 0 to 255, counts as a factor of 1 + p: none
// is without any share, and what has priority 1 counts twice as much as what has none.
func wishOf(p router.Preference, priority, weight uint32) rtpforward.Wish {
	const most = 1000 // of both, see rtpforward.Wish

	return rtpforward.Wish{
		Preference: rtpforward.Preference{
			Spatial: layersUpTo(p.MaxSpatial), Temporal: layersUpTo(p.MaxTemporal),
			Width: short(p.Width), Height: short(p.Height), FrameRate: short(p.FPS),
		},
		Weight:   float64(min(max(weight, 1), most)),
		Priority: 1 + float64(min(priority, most-1)),
	}
}

// layersUpTo is how many layers there are up to one that is counted from 0; 0: no bound.
func layersUpTo(highest *uint8) uint8 {
	if highest == nil {
		return 0
	}

	return uint8(min(int(*highest)+1, math.MaxUint8))
}

func short(n uint32) uint16 { return uint16(min(n, math.MaxUint16)) }

// serve tells a slot of video how it takes part in the division of the link. With mu held.
func (slot *slot) serve(kind router.Kind, p router.Preference, priority, weight uint32) {
	wish := wishOf(p, priority, weight)
	if kind != router.Video || wish == slot.wish {
		return
	}
	slot.wish = wish
	slot.down.SetWish(wish)
}
