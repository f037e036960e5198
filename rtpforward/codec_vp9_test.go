// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp/codecs"
)

func TestDescribeVP9(t *testing.T) {
	rows := []struct {
		name, hex string
		want      Descriptor
	}{
		{"key picture, whole frame", "0c 01", Descriptor{FrameStart: true, FrameEnd: true, Keyframe: true}},
		{"inter picture starts", "48 01", Descriptor{FrameStart: true}},
		{"continuation of a key picture", "00 01", Descriptor{}},
		{"end of a layer frame", "44 01", Descriptor{FrameEnd: true}},
		{"picture id of 7 bits", "c0 7f 01", Descriptor{HasPictureID: true, PictureID: 127}},
		{"picture id of 15 bits", "c0 ffff 01", Descriptor{HasPictureID: true, PictureID15: true, PictureID: 0x7fff}},
		{
			"key picture, base layer", "28 10 07 01",
			Descriptor{FrameStart: true, Keyframe: true, HasLayers: true, SwitchingPoint: true, HasTL0PicIdx: true, TL0PicIdx: 7},
		},
		{
			"key picture, upper layer", "28 03 07 01",
			Descriptor{FrameStart: true, HasLayers: true, Spatial: 1, HasTL0PicIdx: true, TL0PicIdx: 7},
		},
		{
			"layers clamped", "68 ff 07 01",
			Descriptor{FrameStart: true, HasLayers: true, Spatial: MaxSpatialLayers - 1, Temporal: 7, SwitchingPoint: true, HasTL0PicIdx: true, TL0PicIdx: 7},
		},
		{"flexible, layers, three references", "f8 05 44 030502 01", Descriptor{FrameStart: true, HasPictureID: true, PictureID: 5, HasLayers: true, Temporal: 2, Spatial: 2}},
		{"flexible key picture has no references", "98 05 01", Descriptor{FrameStart: true, Keyframe: true, HasPictureID: true, PictureID: 5}},
		{"F without I is ignored", "78 44 07 01", Descriptor{FrameStart: true, HasLayers: true, Temporal: 2, Spatial: 2, HasTL0PicIdx: true, TL0PicIdx: 7}},
		{"structure, sizes of three layers", "0a 58 0140 00b4 0280 0168 0500 02d0 01 04 00 01", Descriptor{FrameStart: true, Keyframe: true, Width: 1280, Height: 720}},
		{"structure, picture group without sizes", "0a 08 03 00 14 01 18 0102 01", Descriptor{FrameStart: true, Keyframe: true}},
		{"structure, empty", "0a 00 01", Descriptor{FrameStart: true, Keyframe: true}},
		{
			"structure of 255 pictures", "0a 08 ff" + strings.Repeat("0c 010203", 255) + "01",
			Descriptor{FrameStart: true, Keyframe: true},
		},
	}
	for _, r := range rows {
		r.want.Known = true
		if diff := cmp.Diff(r.want, CodecVP9.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
	bad := map[string]string{
		"nothing behind the descriptor": "0c",
		"no picture id":                 "80",
		"half a picture id":             "80 80",
		"no layers":                     "28",
		"no TL0PICIDX":                  "28 00",
		"no references":                 "d0 05",
		"references cut":                "d0 05 03",
		"four references":               "d0 05 030303 00 01",
		"no structure":                  "02",
		"sizes of 8 layers cut":         "02 f0" + strings.Repeat("01", 31),
		"no picture count":              "02 08",
		"255 pictures, none there":      "02 08 ff",
		"255 pictures, one cut":         "02 08 ff" + strings.Repeat("0c 010203", 254) + "0c 0102",
	}
	for name, payload := range bad {
		if d := CodecVP9.Describe(unhex(t, payload), true); d != (Descriptor{FrameEnd: true}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// compareVP9 holds d against pion's parser, which differs in two points: it
// heeds F without I, and refuses spatial layers that we clamp.
func compareVP9(t *testing.T, payload []byte, d Descriptor) {
	t.Helper()
	if len(payload) == 0 || payload[0]&0x90 == 0x10 {
		return
	}
	var p codecs.VP9Packet
	rest, err := p.Unmarshal(payload)
	if p.SID >= MaxSpatialLayers {
		if d.Known && d.Spatial != MaxSpatialLayers-1 {
			t.Fatalf("%x: layer %d for %d", payload, d.Spatial, p.SID)
		}
		return
	}
	if d.Known != (err == nil && len(rest) > 0) {
		t.Fatalf("%x: known %v, pion: %v, %d left", payload, d.Known, err, len(rest))
	}
	if !d.Known {
		return
	}
	if d.PictureID != p.PictureID || d.TL0PicIdx != p.TL0PICIDX || d.Temporal != p.TID || d.Spatial != p.SID {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
	flags := [...]bool{d.HasPictureID, d.HasLayers, d.HasTL0PicIdx, d.SwitchingPoint, d.FrameStart, d.Keyframe}
	if flags != [...]bool{p.I, p.L, p.L && !p.F, p.U, p.B, p.B && !p.P && p.SID == 0 && !p.D} {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
	if n := len(p.Width); n > 0 && (d.Width != p.Width[n-1] || d.Height != p.Height[n-1]) {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
}

func TestDescribeVP9AgainstPion(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 50_000 {
		payload := make([]byte, 1+rng.IntN(60))
		for i := range payload {
			payload[i] = byte(rng.Uint32())
		}
		compareVP9(t, payload, checkDescriptor(t, CodecVP9, payload, rng.IntN(2) == 0))
	}
}
