// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp/codecs"
)

func TestDescribeAV1(t *testing.T) {
	rows := []struct {
		name, hex string
		want      Descriptor
	}{
		{"sequence starts, W=2", "28 02 0800 3000", Descriptor{FrameStart: true, Keyframe: true}},
		{"sequence starts, W=0", "08 02 0800 02 3000", Descriptor{FrameStart: true, Keyframe: true}},
		{"sequence header without N", "20 02 0800 3000", Descriptor{FrameStart: true, Keyframe: true}},
		{"frame", "10 3000", Descriptor{FrameStart: true}},
		{"frame, to be continued", "50 3000", Descriptor{FrameStart: true}},
		{"continuation, looks like a sequence header", "90 0800", Descriptor{}},
		{"continuation, then a frame", "a0 02 0800 3000", Descriptor{}},
		{"tile group", "10 2000", Descriptor{}},
		{"metadata leads", "20 02 2800 3000", Descriptor{FrameStart: true}},
		{"layers", "10 34 a8 00", Descriptor{FrameStart: true, HasLayers: true, Temporal: 5, Spatial: 1}},
		{"N on an upper layer", "18 34 08 00", Descriptor{FrameStart: true, HasLayers: true, Spatial: 1}},
		{"extension cut", "10 34", Descriptor{FrameStart: true}},
		{"layer of the second element", "20 02 0800 34 70 00", Descriptor{FrameStart: true, HasLayers: true, Temporal: 3, Spatial: 2}},
		{"encrypted frame, N in clear", "18 ff123456", Descriptor{FrameStart: true, Keyframe: true}},
		{"empty elements", "00 00 00 02 3000", Descriptor{}},
		{"length in eight bytes", "00 8280808080808000 3000", Descriptor{FrameStart: true}},
		{"fewer elements than W", "30 02 3000", Descriptor{FrameStart: true}},
	}
	for _, r := range rows {
		r.want.Known = true
		if diff := cmp.Diff(r.want, CodecAV1.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
	bad := map[string]string{
		"aggregation header only":     "10",
		"Z and N":                     "98 3000",
		"element beyond the end":      "00 03 3000",
		"length of 2^56-1":            "20 ffffffffffffff7f 3000",
		"length of nine bytes":        "20 ffffffffffffffff 01 3000",
		"length cut":                  "20 80",
		"second length cut":           "30 02 3000 80",
		"second element beyond":       "30 02 3000 7f 30",
		"no last element without W":   "00 02 3000 01",
		"length of zero then garbage": "00 00 ff",
	}
	for name, payload := range bad {
		if d := CodecAV1.Describe(unhex(t, payload), true); d != (Descriptor{FrameEnd: true}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// compareAV1 holds d against pion's parser, which is stricter about the number
// of elements and what is in them: what it accepts must be known. It reads
// longer lengths than the eight bytes that the specification allows, and N with Z.
func compareAV1(t *testing.T, payload []byte, d Descriptor) {
	t.Helper()
	var p codecs.AV1Depacketizer
	if _, err := p.Unmarshal(payload); err != nil || p.Z && p.N || longLeb128(payload) {
		return
	}
	if !d.Known {
		t.Fatalf("%x: not known", payload)
	}
	if p.N && !d.Keyframe && d.Spatial == 0 || p.Z && d.FrameStart {
		t.Fatalf("%x: %+v, pion: %+v", payload, d, p)
	}
}

// longLeb128 reports whether there may be a length of more than eight bytes.
func longLeb128(b []byte) bool {
	run := 0
	for _, c := range b {
		if c < 0x80 {
			run = 0
		} else if run++; run == 8 {
			return true
		}
	}
	return false
}
