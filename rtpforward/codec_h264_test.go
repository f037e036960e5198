// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeH264(t *testing.T) {
	rows := []struct {
		name, hex string
		want      Descriptor
	}{
		{"slice", h264Slice, Descriptor{FrameStart: true}},
		{"IDR slice", h264IDRSlice, Descriptor{FrameStart: true, Keyframe: true}},
		{"SPS", h264SmallSPS, Descriptor{FrameStart: true, Keyframe: true, Width: 66, Height: 50}},
		{"SPS, encrypted", "67 8f2e117c9a", Descriptor{FrameStart: true, Keyframe: true}},
		{"SPS, nothing but its header", "67", Descriptor{FrameStart: true, Keyframe: true}},
		{"PPS", h264PPS, Descriptor{FrameStart: true}},
		{"SEI", "06 0501", Descriptor{FrameStart: true}},
		{"STAP-A with SPS and PPS", "78 001a" + h264SmallSPS + "0006" + h264PPS, Descriptor{FrameStart: true, Keyframe: true, Width: 66, Height: 50}},
		{"STAP-A, IDR last", "78 0002 0605 0003 658884", Descriptor{FrameStart: true, Keyframe: true}},
		{"STAP-A of slices", "78 0002 419a 0002 419a", Descriptor{FrameStart: true}},
		{"FU-A, IDR starts", "7c 85 8884", Descriptor{FrameStart: true, Keyframe: true}},
		{"FU-A, IDR goes on", "7c 05 8884", Descriptor{}},
		{"FU-A, IDR ends", "7c 45 8884", Descriptor{}},
		{"FU-A, slice starts", "5c 81 9a3b", Descriptor{FrameStart: true}},
		{"FU-A, SPS starts", "7c 87 6400", Descriptor{FrameStart: true, Keyframe: true}},
	}
	for _, r := range rows {
		r.want.Known = true
		if diff := cmp.Diff(r.want, CodecH264.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
	bad := map[string]string{
		"forbidden bit":                 "e5 8884",
		"type 0":                        "60 8884",
		"type 30":                       "7e 8884",
		"STAP-B":                        "79 0000 0002 658a",
		"MTAP16":                        "7a 0000 0002 658a",
		"STAP-A, empty":                 "78",
		"STAP-A, half a size":           "78 00",
		"STAP-A, size only":             "78 0000",
		"STAP-A, size of zero":          "78 0000 65",
		"STAP-A, size beyond the end":   "78 0002 65",
		"STAP-A, second size of 65535":  "78 0001 65 ffff 65",
		"STAP-A, a byte left":           "78 0001 65 00",
		"FU-A, no header":               "7c",
		"FU-A, no payload":              "7c 85",
		"FU-A, start and end":           "7c c5 8884",
		"FU-A of an aggregation packet": "7c 98 8884",
	}
	for name, payload := range bad {
		if d := CodecH264.Describe(unhex(t, payload), true); d != (Descriptor{FrameEnd: true}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestH264Size reads parameter sets made by libx264.
func TestH264Size(t *testing.T) {
	rows := []struct {
		name, sps     string
		width, height uint16
	}{
		{"constrained baseline, cropped", "42c016da0280bfe6c044000003000400000300283c58ba80", 640, 358},
		{"high 4:4:4, cropped", "f40016919b281405ff1780880000030008000003005078b16cb0", 640, 358},
		{"high, interlaced, own matrices in the PPS", "640016ace402818fcf808800000300080000030050f8a15240", 640, 360},
		{"high, emulation prevention", h264SmallSPS[2:], 66, 50},
	}
	for _, r := range rows {
		sps := unhex(t, r.sps)
		if w, h, ok := h264Size(sps); !ok || w != r.width || h != r.height {
			t.Errorf("%s: %dx%d, %v; want %dx%d", r.name, w, h, ok, r.width, r.height)
		}
		// Cut anywhere before the size it must fail, not invent one.
		for n := range 8 {
			if w, h, ok := h264Size(sps[:n]); ok {
				t.Errorf("%s, %d bytes of it: %dx%d", r.name, n, w, h)
			}
		}
	}
	for _, bad := range []string{"", "00", "4200160000000000000000000000000000", "6400160000000000"} {
		if w, h, ok := h264Size(unhex(t, bad)); ok {
			t.Errorf("%s: %dx%d", bad, w, h)
		}
	}
}

// spsBits writes the fields of a parameter set in a test.
type spsBits struct {
	buf []byte
	n   int
}

func (w *spsBits) u(value uint64, n int) {
	for n--; n >= 0; n-- {
		if w.n%8 == 0 {
			w.buf = append(w.buf, 0)
		}
		w.buf[w.n/8] |= byte(value>>n&1) << (7 - w.n%8)
		w.n++
	}
}

func (w *spsBits) ue(value uint64) {
	size := 0
	for (value+1)>>(size+1) != 0 {
		size++
	}
	w.u(0, size)
	w.u(value+1, size+1)
}

// TestH264SizeRareFields covers what encoders seldom write.
func TestH264SizeRareFields(t *testing.T) {
	var w spsBits
	w.u(0x7a0033, 24) // high 4:2:2
	w.ue(0)           // id
	w.ue(2)           // 4:2:2
	w.ue(0)
	w.ue(0)
	w.u(0, 1)
	w.u(1, 1) // scaling matrix present
	w.u(1, 1) // first list, 16 deltas of zero
	for range 16 {
		w.ue(0)
	}
	w.u(1, 1) // second list: a delta of -8 makes the rest the default
	w.ue(16)
	w.u(0, 4)
	w.u(1, 1) // seventh list, 64 deltas of one
	for range 64 {
		w.ue(1)
	}
	w.u(0, 1)
	w.ue(4) // log2_max_frame_num
	w.ue(1) // picture order count type
	w.u(0, 1)
	w.ue(3)
	w.ue(4)
	w.ue(2) // two offsets
	w.ue(1)
	w.ue(2)
	w.ue(4)   // reference frames
	w.u(0, 1) // gaps
	w.ue(119) // 1920
	w.ue(67)  // 1088
	w.u(1, 1) // frames only
	w.u(1, 1)
	w.u(1, 1)     // cropping
	w.ue(0)       // left
	w.ue(5)       // right, 10 pixels
	w.ue(0)       // top
	w.ue(8)       // bottom, 8 lines in 4:2:2
	w.u(0x80, 16) // no VUI, stop bit
	if width, height, ok := h264Size(w.buf); !ok || width != 1910 || height != 1080 {
		t.Errorf("%dx%d, %v", width, height, ok)
	}

	for _, tooLarge := range [][4]uint64{
		{1024, 1, 0, 0}, {1, 1024, 0, 0}, {0, 0, 8, 0}, {0, 0, 0, 8}, {0, 0, 1<<32 - 2, 1<<32 - 2}, {1<<32 - 2, 1<<32 - 2, 0, 0},
	} {
		w = spsBits{}
		w.u(0x42c016, 24)
		w.ue(0)
		w.ue(0)
		w.ue(2)
		w.ue(1)
		w.u(0, 1)
		w.ue(tooLarge[0])
		w.ue(tooLarge[1])
		w.u(7, 3)
		w.ue(0)
		w.ue(tooLarge[2])
		w.ue(0)
		w.ue(tooLarge[3])
		w.u(0x80, 16)
		if width, height, ok := h264Size(w.buf); ok {
			t.Errorf("%v gives %dx%d", tooLarge, width, height)
		}
	}
}
