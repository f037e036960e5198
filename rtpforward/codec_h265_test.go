// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeH265(t *testing.T) {
	rows := []struct {
		name, hex string
		want      Descriptor
	}{
		{"slice", h265Slice, Descriptor{FrameStart: true}},
		{"IDR slice", h265IDRSlice, Descriptor{FrameStart: true, Keyframe: true}},
		{"BLA", "2001 af", Descriptor{FrameStart: true, Keyframe: true}},
		{"CRA", "2a01 af", Descriptor{FrameStart: true, Keyframe: true}},
		{"reserved IRAP", "2c01 af", Descriptor{FrameStart: true}},
		{"VPS", h265VPSUnit, Descriptor{FrameStart: true, Keyframe: true}},
		{"SPS", h265SmallSPS, Descriptor{FrameStart: true, Keyframe: true, Width: 66, Height: 50}},
		{"SPS, encrypted", "4201 8f2e117c9a", Descriptor{FrameStart: true, Keyframe: true}},
		{"PPS", h265PPS, Descriptor{FrameStart: true}},
		{"upper temporal layer, TSA", "0403 d0", Descriptor{FrameStart: true, Temporal: 2, SwitchingPoint: true}},
		{"upper temporal layer, STSA", "0a02 d0", Descriptor{FrameStart: true, Temporal: 1, SwitchingPoint: true}},
		{"IDR of an upper spatial layer", "2809 af", Descriptor{FrameStart: true, Spatial: 1}},
		{"layer clamped", "29ff af", Descriptor{FrameStart: true, Spatial: MaxSpatialLayers - 1, Temporal: 6}},
		{"parameter sets", "6001 0018" + h265VPSUnit + "002a" + h265SmallSPS + "0006" + h265PPS, Descriptor{FrameStart: true, Keyframe: true, Width: 66, Height: 50}},
		{"parameter set below the layer of its packet", "6015 0003 4001ff", Descriptor{FrameStart: true, Spatial: 2, Temporal: 4}},
		{"slices together", "6001 0003 0201d0 0003 0201d0", Descriptor{FrameStart: true}},
		{"fragment, IDR starts", "6201 93 af25", Descriptor{FrameStart: true, Keyframe: true}},
		{"fragment, IDR goes on", "6201 13 af25", Descriptor{}},
		{"fragment, IDR ends", "6201 53 af25", Descriptor{}},
		{"fragment, slice starts", "6201 81 af25", Descriptor{FrameStart: true}},
		{"fragment, IDR of an upper layer", "6209 93 af25", Descriptor{FrameStart: true, Spatial: 1}},
	}
	for _, r := range rows {
		r.want.Known, r.want.HasLayers = true, true
		if diff := cmp.Diff(r.want, CodecH265.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
	bad := map[string]string{
		"forbidden bit":                  "a801 af",
		"header only":                    "2801",
		"half a header":                  "28",
		"TID of zero":                    "2800 af",
		"PACI":                           "6401 0000 0000",
		"reserved type 51":               "6601 0000",
		"aggregation, half a size":       "6001 00",
		"aggregation, size of one":       "6001 0001 2801",
		"aggregation, beyond the end":    "6001 0004 2801af",
		"aggregation, second is 65535":   "6001 0002 2801 ffff 2801",
		"aggregation, a byte left":       "6001 0002 2801 00",
		"fragment, no header":            "6201",
		"fragment, no payload":           "6201 93",
		"fragment, start and end":        "6201 d3 af",
		"fragment of aggregation packet": "6201 b0 af",
	}
	for name, payload := range bad {
		if d := CodecH265.Describe(unhex(t, payload), true); d != (Descriptor{FrameEnd: true}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestH265Size reads parameter sets made by libx265.
func TestH265Size(t *testing.T) {
	rows := []struct {
		name, sps     string
		width, height uint16
	}{
		{"cropped", "0101600000030090000003000003003fa005020169f596566924caf016808000000300800000030284", 640, 358},
		{"full HD", "0101600000030090000003000003007 8a003c08010e596566924e5780b404000000300400000030142", 1920, 1080},
		{"small", h265SmallSPS[4:], 66, 50},
	}
	for _, r := range rows {
		sps := unhex(t, r.sps)
		if w, h, ok := h265Size(sps); !ok || w != r.width || h != r.height {
			t.Errorf("%s: %dx%d, %v; want %dx%d", r.name, w, h, ok, r.width, r.height)
		}
		for n := range 14 {
			if w, h, ok := h265Size(sps[:n]); ok {
				t.Errorf("%s, %d bytes of it: %dx%d", r.name, n, w, h)
			}
		}
	}

	var w spsBits // three temporal layers, 4:4:4, one plane each
	w.u(0, 4)
	w.u(2, 3)
	w.u(1, 1)
	w.u(0x0160000000900000, 64)
	w.u(0x3c0000, 32)
	w.u(0b11_01_000000000000, 16)
	w.u(^uint64(0)>>1, 64)
	w.u(0, 24)   // profile of the first layer
	w.u(0x3f, 8) // level of the first
	w.u(0x3f, 8) // and of the second
	w.ue(0)
	w.ue(3)
	w.u(1, 1)
	w.ue(1280)
	w.ue(728)
	w.u(1, 1)
	w.ue(0)
	w.ue(0)
	w.ue(0)
	w.ue(8)
	if width, height, ok := h265Size(w.buf); !ok || width != 1280 || height != 720 {
		t.Errorf("with temporal layers: %dx%d, %v", width, height, ok)
	}
}
