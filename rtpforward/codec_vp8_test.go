// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp/codecs"
)

func TestDescribeVP8(t *testing.T) {
	const startCode = "000000 9d012a"
	rows := []struct {
		name, hex string
		want      Descriptor
	}{
		{"plain interframe", "10 01020304", Descriptor{FrameStart: true}},
		{"continuation", "00 01020304", Descriptor{}},
		{"second partition starts", "11 00020304", Descriptor{}},
		{"keyframe, scaling bits cut", "10" + startCode + "0045 d042", Descriptor{FrameStart: true, Keyframe: true, Width: 0x500, Height: 0x2d0}},
		{"keyframe, short", "10 00", Descriptor{FrameStart: true, Keyframe: true}},
		{"keyframe, cut after the start code", "10" + startCode + "00", Descriptor{FrameStart: true, Keyframe: true}},
		{"picture id of 7 bits", "9080 7f 01", Descriptor{FrameStart: true, HasPictureID: true, PictureID: 127}},
		{"picture id of 15 bits", "9080 ffff 01", Descriptor{FrameStart: true, HasPictureID: true, PictureID15: true, PictureID: 0x7fff}},
		{"picture id 5 in long form", "9080 8005 01", Descriptor{FrameStart: true, HasPictureID: true, PictureID15: true, PictureID: 5}},
		{
			"everything, interframe", "90f0 8001 ff bf 01",
			Descriptor{
				FrameStart: true, HasPictureID: true, PictureID15: true, PictureID: 1, HasTL0PicIdx: true, TL0PicIdx: 255,
				HasLayers: true, Temporal: 2, SwitchingPoint: true, HasKeyIdx: true, KeyIdx: 31,
			},
		},
		{"key index only", "9010 ff 01", Descriptor{FrameStart: true, HasKeyIdx: true, KeyIdx: 31}},
		{"layer only", "9020 ff 01", Descriptor{FrameStart: true, HasLayers: true, Temporal: 3, SwitchingPoint: true}},
	}
	for _, r := range rows {
		r.want.Known = true
		if diff := cmp.Diff(r.want, CodecVP8.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
	// A keyframe by its first bit, yet without the start code: ciphertext.
	if diff := cmp.Diff(Descriptor{}, CodecVP8.Describe(unhex(t, "90a0 7f c0 00000011223344556677"), false)); diff != "" {
		t.Errorf("ciphertext (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"10", "90", "9080", "908080", "908001", "9040", "904001", "9020", "9010", "902001", "90f0 8001 ff", "90f0 8001 ff bf"} {
		if d := CodecVP8.Describe(unhex(t, bad), true); d != (Descriptor{FrameEnd: true}) {
			t.Errorf("truncated %s: %+v", bad, d)
		}
	}
}

// compareVP8 holds d against pion's parser.
func compareVP8(t *testing.T, payload []byte, d Descriptor) {
	t.Helper()
	var p codecs.VP8Packet
	rest, err := p.Unmarshal(payload)
	whole := err == nil && len(rest) > 0
	opaque := whole && p.S == 1 && p.PID == 0 && len(rest) >= 6 && rest[0]&1 == 0 && string(rest[3:6]) != "\x9d\x01\x2a"
	if d.Known != (whole && !opaque) {
		t.Fatalf("%x: known %v, pion: %v, %d left", payload, d.Known, err, len(rest))
	}
	if !whole || opaque {
		return
	}
	if d.PictureID != p.PictureID || d.TL0PicIdx != p.TL0PICIDX || d.Temporal != p.TID || d.KeyIdx != p.KEYIDX {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
	flags := [...]bool{d.HasPictureID, d.HasTL0PicIdx, d.HasLayers, d.HasKeyIdx, d.SwitchingPoint, d.FrameStart}
	if flags != [...]bool{p.I == 1, p.L == 1, p.T == 1, p.K == 1, p.Y == 1, p.S == 1 && p.PID == 0} {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
}

func TestDescribeVP8AgainstPion(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 50_000 {
		payload := make([]byte, 1+rng.IntN(14))
		for i := range payload {
			payload[i] = byte(rng.Uint32())
		}
		compareVP8(t, payload, checkDescriptor(t, CodecVP8, payload, rng.IntN(2) == 0))
	}
}
