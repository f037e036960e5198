// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// TestAV1WithoutDescriptors: who has not agreed to dependency descriptors gets one spatial layer of an AV1 stream that has
// several, from the first picture on, and each picture ends with a marker.
func TestAV1WithoutDescriptors(t *testing.T) {
	sent := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := newPathRig(rt, t, "L3T3", true)
		defer r.u.Close()
		var bare ExtensionMap
		bare.Set(ExtMid, idMid)
		r.d.SetExtensions(bare)
		r.dt.Bind(r.sources[0][0].up.track, false)
		r.dt.aim(layers.Layer{Spatial: 2, Temporal: 2}, LimitNone, r.f.now())
		r.run()
		pictures := make(map[[2]int]int) // packets that came of them
		for i := range r.sent {
			w := &r.sent[i]
			e, id, index := r.from(w)
			f := &e.frames[id]
			if f.spatial != 0 {
				rt.Fatalf("packet %d of %d is of spatial layer %d", i, len(r.sent), f.spatial)
			}
			if last := index == f.packets-1; w.header.Marker != last {
				rt.Fatalf("packet %d: marker %v at the end of a picture %v", i, w.header.Marker, last)
			}
			pictures[[2]int{int(e.tag), f.picture}]++
		}
		sent += len(pictures)
	})
	if sent == 0 {
		t.Error("nothing was sent")
	}
}
