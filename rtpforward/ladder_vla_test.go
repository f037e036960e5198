// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

func TestParseAllocation(t *testing.T) {
	layer := func(width, height uint32, rate uint8, kbit ...uint32) AllocatedLayer {
		l := AllocatedLayer{Active: true, Temporal: uint8(len(kbit)), Width: width, Height: height, FrameRate: rate}
		copy(l.Bitrate[:], kbit)
		return l
	}
	var simulcast, scalable Allocation
	simulcast = Allocation{Stream: 1, Streams: 3, Sized: true}
	simulcast.Layers[0][0] = layer(320, 180, 30, 60, 100)
	simulcast.Layers[1][0] = layer(640, 360, 30, 200, 500)
	simulcast.Layers[2][0] = layer(1280, 720, 30, 600, 1500)
	scalable = Allocation{Streams: 1}
	scalable.Layers[0][0], scalable.Layers[0][1] = layer(0, 0, 0, 100), layer(0, 0, 0, 400)
	apart := Allocation{Streams: 2}
	apart.Layers[1][0] = layer(0, 0, 0, 300)
	for name, row := range map[string]struct {
		hex  string
		want Allocation
	}{
		"nothing":      {"00", Allocation{}},
		"simulcast":    {"61 54 3c64 c801 f403 d804 dc0b 013f00b31e 027f01671e 04ff02cf1e", simulcast},
		"scalable":     {"03 00 64 9003", scalable},
		"one inactive": {"10 01 00 ac02", apart},
	} {
		got, ok := ParseAllocation(unhex(t, row.hex))
		if diff := cmp.Diff(row.want, got); diff != "" || !ok {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
	}
	whole := unhex(t, "61 54 3c64 c801 f403 d804 dc0b 013f00b31e 027f01671e 04ff02cf1e")
	for n := range whole {
		if a, ok := ParseAllocation(whole[:n]); ok != (n == 12) || !ok && a != (Allocation{}) {
			t.Errorf("%d bytes of it: %v %+v", n, ok, a)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseAllocation(whole) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAllocationOrdersStreams: sizes are known before anything that tells them has come.
func TestAllocationOrdersStreams(t *testing.T) {
	r := newEgressRig(t, Config{})
	track := r.u.NewTrack(TrackConfig{Video: true})
	var ups []*UpTrack
	for i := range 3 {
		cfg := upConfig()
		cfg.SSRC, cfg.Index, cfg.RID = uint32(100+i), i, string(rune('a'+i))
		cfg.Extensions.Set(ExtVideoLayersAllocation, 9)
		ups = append(ups, track.NewUpTrack(cfg))
	}
	p := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, PayloadType: 96, SequenceNumber: 1, SSRC: 100}, Payload: rigDelta}
	if err := p.SetExtensionWithProfile(9, unhex(t, "21 54 3c64 c801 f403 d804 dc0b 04ff02cf1e 027f01671e 013f00b31e"), rtp.ExtensionProfileTwoByte); err != nil {
		t.Fatal(err)
	}
	ingestInto(t, ups[0], p)
	if got := track.ranking.Load().ups; got[0] != ups[2] || got[1] != ups[1] || got[2] != ups[0] {
		t.Errorf("the order is %s %s %s", got[0].cfg.RID, got[1].cfg.RID, got[2].cfg.RID)
	}
	if w, h := ups[0].dimensions(); w != 1280 || h != 720 {
		t.Errorf("%dx%d", w, h)
	}
}

func FuzzAllocation(f *testing.F) {
	f.Add([]byte{0})
	f.Add(unhex(f, "61 54 3c64 c801 f403 d804 dc0b 013f00b31e 027f01671e 04ff02cf1e"))
	f.Add(unhex(f, "03 00 64 9003"))
	f.Add(unhex(f, "10 01 00 ac02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := ParseAllocation(b)
		if !ok && a != (Allocation{}) {
			t.Fatalf("%x: %+v", b, a)
		}
		active := 0
		a.each(func(l *AllocatedLayer) bool {
			active++
			if l.Temporal < 1 || l.Temporal > allocationTemporal || a.Sized && (l.Width == 0 || l.Height == 0) {
				t.Fatalf("%x: %+v", b, a)
			}
			return true
		})
		if a.Streams > allocationStreams || ok && len(b) > 1 && active > len(b)*4 {
			t.Fatalf("%x: %+v", b, a)
		}
	})
}
