// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var unitFields = cmp.AllowUnexported(Unit{})

func TestReadVP8(t *testing.T) {
	for name, r := range map[string]struct {
		hex  string
		want Unit
	}{
		"keyframe":     {"10 100000 9d012a 4001 b400", Unit{Key: true, FrameStart: true, PictureStart: true, Width: 320, Height: 180}},
		"continuation": {"00 11", Unit{}},
		"non-reference, short id": {"b0 80 7f 11", Unit{
			FrameStart: true, PictureStart: true, Discardable: true, PictureID: 127, PictureBits: 7, pictureAt: 2,
		}},
		"everything": {"90 f0 9234 07 6b 11", Unit{
			FrameStart: true, PictureStart: true, PictureID: 0x1234, PictureBits: 15, pictureAt: 2, TL0PicIdx: 7, HasTL0PicIdx: true, tl0At: 4,
			Temporal: 1, Layered: true, Sync: true, KeyIdx: 11, HasKeyIdx: true, keyAt: 5,
		}},
		"layer alone": {"90 20 a0 11", Unit{FrameStart: true, PictureStart: true, Temporal: 2, Layered: true, Sync: true}},
	} {
		r.want.Known, r.want.codec = true, VP8
		reader := Reader{Codec: VP8}
		if diff := cmp.Diff(r.want, reader.Read(unhex(t, r.hex), nil, 0, false), unitFields); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, hex := range map[string]string{
		"no extension": "90", "no id": "90 80", "half an id": "90 80 80", "no tl0": "90 40", "no layer": "90 20", "no frame": "90 80 05",
		"ciphertext": "10 100000 112233 4001 b400",
	} {
		reader := Reader{Codec: VP8}
		want := Unit{PictureEnd: true, FrameEnd: true}
		if diff := cmp.Diff(want, reader.Read(unhex(t, hex), nil, 0, true), unitFields); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadVP9(t *testing.T) {
	for name, r := range map[string]struct {
		hex  string
		want Unit
	}{
		"key picture, base layer": {"a8 05 10 07 01", Unit{
			Key: true, FrameStart: true, PictureStart: true, PictureID: 5, PictureBits: 7, pictureAt: 1, Layered: true, Sync: true, TL0PicIdx: 7, HasTL0PicIdx: true, tl0At: 3,
		}},
		"key picture, upper layer": {"ac 05 03 07 01", Unit{
			FrameStart: true, FrameEnd: true, PictureID: 5, PictureBits: 7, pictureAt: 1, Spatial: 1, Layered: true, TL0PicIdx: 7, HasTL0PicIdx: true, tl0At: 3,
		}},
		"flexible, three references": {"f8 9234 44 030502 01", Unit{
			FrameStart: true, PictureID: 0x1234, PictureBits: 15, pictureAt: 1, Temporal: 2, Spatial: 2, Layered: true,
		}},
		"structure": {"0a 58 0140 00b4 0280 0168 0500 02d0 02 04 00 08 0102 01", Unit{
			Key: true, FrameStart: true, PictureStart: true, Width: 1280, Height: 720,
		}},
		"F without I": {"78 44 07 01", Unit{FrameStart: true, Temporal: 2, Spatial: 2, Layered: true, TL0PicIdx: 7, HasTL0PicIdx: true, tl0At: 2}},
	} {
		r.want.Known, r.want.codec = true, VP9
		reader := Reader{Codec: VP9}
		if diff := cmp.Diff(r.want, reader.Read(unhex(t, r.hex), nil, 0, false), unitFields); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, hex := range map[string]string{
		"nothing behind": "0c", "no id": "80", "half an id": "80 80", "no layers": "28", "no tl0": "28 00", "no references": "d0 05",
		"references cut": "d0 05 03", "four references": "d0 05 030303 00 01", "no structure": "02", "sizes cut": "02 f0 0102",
		"no picture count": "02 08", "pictures cut": "02 08 02 0c 0102",
	} {
		reader := Reader{Codec: VP9}
		if u := reader.Read(unhex(t, hex), nil, 0, false); u != (Unit{}) {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

// TestReadH264 reads one access unit after the other, since the packets behind a
// prefix NAL unit do not repeat its temporal layer.
func TestReadH264(t *testing.T) {
	reader := Reader{Codec: H264}
	for _, r := range []struct {
		name, hex           string
		timestamp           uint32
		temporal            uint8
		key, discard, start bool
	}{
		{"parameter sets and IDR", "78 0002 6742 0002 68ce 0002 6588", 1, 0, true, false, true},
		{"reference slice", "41 9a", 2, 0, false, false, true},
		{"slice nothing refers to", "01 9a", 3, 1, false, true, true},
		{"fragment of one", "1c 81 9a", 4, 1, false, true, true},
		{"its middle", "1c 01 9a", 4, 1, false, true, false},
		{"SEI is not a slice", "06 01", 5, 0, false, false, true},
		{"prefix, temporal layer 2", "6e 80 00 40", 6, 2, false, false, true},
		{"slice behind it", "5c 81 9a", 6, 2, false, false, true},
		{"its end", "5c 41 9a", 6, 2, false, false, false},
		{"next access unit", "41 9a", 7, 0, false, false, true},
		{"prefix and slice in one", "78 0004 6e 80 00 20 0002 419a", 8, 1, false, false, true},
		{"multiview extension has no layers", "6e 00 00 40", 9, 0, false, false, true},
		{"scalable slice", "74 80 00 60 11", 10, 3, false, false, true},
		{"fragment of an IDR picture", "7c 85 88", 11, 0, true, false, true},
	} {
		u := reader.Read(unhex(t, r.hex), nil, r.timestamp, false)
		if !u.Known || u.Temporal != r.temporal || u.Key != r.key || u.Discardable != r.discard || u.FrameStart != r.start {
			t.Errorf("%s: %+v", r.name, u)
		}
	}
	for _, hex := range []string{"80", "60", "78", "78 0003 41", "78 0000 41", "1c 81", "1c c1 00", "1c 9c 00", "7f 00"} {
		if u := reader.Read(unhex(t, hex), nil, 20, false); u != (Unit{}) {
			t.Errorf("%s: %+v", hex, u)
		}
	}
}

// TestOpaque: what is encrypted from end to end passes as it is; a dependency
// descriptor, which is in the clear, still tells of its layers.
func TestOpaque(t *testing.T) {
	payload := unhex(t, "90 f0 9234 07 6b 11")
	reader := Reader{Codec: VP8, Opaque: true}
	u := reader.Read(payload, nil, 0, true)
	if want := (Unit{PictureEnd: true, FrameEnd: true}); u != want {
		t.Errorf("without a descriptor: %+v", u)
	}
	d := Dependency{FrameStart: true, FrameEnd: true, Attached: true, Structure: specStructures(t)["L1T3"]}
	u = reader.Read(payload, d.Append(nil), 0, true)
	if !u.Known || !u.Key || u.Structure == nil {
		t.Errorf("with one: %+v", u)
	}
	copied := slices.Clone(payload)
	stamp := Stamp{PictureID: 1, TL0PicIdx: 1, KeyIdx: 1}
	if stamp.Payload(&u, copied); !slices.Equal(copied, payload) {
		t.Errorf("payload %x became %x", payload, copied)
	}

	// Encrypted behind the descriptor, without leaving the frame header: the first
	// frame that ought to have a start code and has none settles it.
	reader = Reader{Codec: VP8}
	reader.Read(unhex(t, "90 80 05 100000 112233 4455"), nil, 0, true)
	if u := reader.Read(payload, nil, 1, true); u.PictureBits != 0 || u.Known {
		t.Errorf("taken for VP8: %+v", u)
	}
}

// TestReaderKeepsStructures: late packets find the structure before, and a
// repeated structure is the same one, without an allocation.
func TestReaderKeepsStructures(t *testing.T) {
	spec := specStructures(t)
	first, second := *spec["L1T3"], *spec["L3T3"]
	second.Offset = first.Count
	key := func(s *Structure, n uint16) []byte {
		d := Dependency{FrameStart: true, TemplateID: s.Offset, Number: n, Attached: true, Structure: s}
		return d.Append(nil)
	}
	r := Reader{Codec: AV1}
	read := func(b []byte) Unit { return r.Read([]byte{0x10, 1}, b, 0, false) }
	if u := read([]byte{0x80, 0, 1}); u.Structure != nil || u.Known {
		t.Errorf("before any structure: %+v", u)
	}
	a, b := read(key(&first, 10)).Structure, read(key(&second, 20)).Structure
	if a == nil || b == nil || a == b {
		t.Fatal("structures were not read")
	}
	if u := read([]byte{0x81, 0, 11}); u.Structure != a || u.Active != a.All() {
		t.Errorf("late packet: %+v", u)
	}
	if u := read([]byte{0x80 | second.Offset + 14, 0, 21}); u.Structure != b || u.Spatial != 2 || u.Temporal != 2 {
		t.Errorf("packet of the new structure: %+v", u)
	}
	if u := read(key(&first, 10)); u.Structure != a || r.current != b {
		t.Error("a late keyframe was taken for a new structure")
	}
	again := key(&second, 30)
	if n := testing.AllocsPerRun(100, func() { read(again) }); n != 0 {
		t.Errorf("%v allocations for a structure that is known", n)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"90f0923407 6b11", "f8923444030502 01", "0a580140 00b402800168050002d0020400080102 01", "7800046e8000200002419a", "1c8100"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for codec := Other; codec <= AV1; codec++ {
			b := slices.Clip(slices.Clone(b))
			r := Reader{Codec: codec}
			u := r.Read(b, nil, 0, false)
			if u.Spatial >= MaxLayers || u.Temporal >= MaxLayers {
				t.Fatalf("%d %x: %+v", codec, b, u)
			}
			// Writing the very counters that were read changes nothing.
			stamp := Stamp{PictureID: u.PictureID, TL0PicIdx: u.TL0PicIdx, KeyIdx: u.KeyIdx}
			out := slices.Clone(b)
			if stamp.Payload(&u, out); !slices.Equal(out, b) {
				t.Fatalf("%d: %x became %x", codec, b, out)
			}
		}
	})
}
