// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// specStructures reads the example structures of the specification.
func specStructures(t testing.TB) map[string]*Structure {
	t.Helper()
	src, err := os.ReadFile("testdata/structures.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*Structure)
	var s *Structure
	for line := range strings.Lines(string(src)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "structure":
			s = new(Structure)
			all[f[1]] = s
			for _, n := range numbers(t, f[3]) {
				s.Protected[s.Targets] = uint8(n)
				s.Targets++
				s.Chains = max(s.Chains, uint8(n)+1)
			}
		default:
			addTemplate(t, s, f)
		}
	}
	for _, s := range all {
		s.derive()
	}
	return all
}

func addTemplate(t testing.TB, s *Structure, f []string) {
	t.Helper()
	p := &s.Templates[s.Count]
	s.Count++
	p.Spatial, p.Temporal = uint8(numbers(t, f[0])[0]), uint8(numbers(t, f[1])[0])
	s.Spatial = p.Spatial + 1
	if f[2] != "-" {
		for _, n := range numbers(t, f[2]) {
			p.References.add(uint32(n))
		}
	}
	for c, n := range numbers(t, f[3]) {
		p.Chains[c] = uint8(n)
	}
	for d, symbol := range f[4] {
		p.Targets.set(d, Indication(strings.IndexRune("-DSR", symbol)))
	}
}

func numbers(t testing.TB, s string) (out []int) {
	t.Helper()
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

var equalStructure = cmp.AllowUnexported(Structure{}, Dependency{})

// TestReadDependencyBits holds the parser to descriptors written by hand, bit by bit:
// a keyframe of one spatial and two temporal layers, and a frame with everything custom.
func TestReadDependencyBits(t *testing.T) {
	// start, end, template 0, frame 0; structure; offset 0, two targets; templates
	// (0,0) (0,1) written 01 11; dtis S S, - D → 10 10 00 01; fdiffs none, none;
	// no chains (ns(3) 0); no sizes.
	b := appendBits(nil, "11 000000 0000000000000000 1 0 0 0 0 000000 00001 01 11 10 10 00 01 0 1 0000 0 0 0")
	var d Dependency
	var s Structure
	if err := ReadDependency(b, nil, &s, &d); err != nil {
		t.Fatal(err)
	}
	want := Structure{Count: 2, Targets: 2, Spatial: 1}
	want.Templates[0].Targets = Indications(Switch | Switch<<2)
	want.Templates[1] = Template{Temporal: 1, Targets: Indications(Discardable << 2), References: References{Count: 1, Diff: [8]uint16{1}}}
	want.Layers[1].Temporal = 1
	want.within = [MaxTargets]uint32{1, 3}
	if diff := cmp.Diff(want, s, equalStructure); diff != "" {
		t.Error(diff)
	}
	if !d.FrameStart || !d.FrameEnd || !d.Attached || d.Active != 3 || d.Targets != want.Templates[0].Targets {
		t.Errorf("%+v", d)
	}

	// A later frame: template 1, number 0x0102, with a mask, custom everything.
	b = appendBits(nil, "10 000001 0000000100000010 0 1 1 1 0 01 11 10 01 0011 10 00001111 11 111111111111 00")
	if err := ReadDependency(b, &s, nil, &d); err != nil {
		t.Fatal(err)
	}
	if d.Active != 1 || !d.Masked || d.Number != 0x102 || d.Temporal != 1 || d.Targets != Indications(Required|Switch<<2) {
		t.Errorf("%+v", d)
	}
	if got, want := d.References, (References{Count: 3, Diff: [8]uint16{4, 16, 4096}}); got != want {
		t.Errorf("references %v, want %v", got, want)
	}
}

// appendBits writes a string of 0 and 1, padded with zeros.
func appendBits(b []byte, s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	w := bitWriter{buf: make([]byte, (len(s)+7)/8)}
	for _, c := range s {
		w.bits(uint32(c-'0'), 1)
	}
	return append(b, w.buf...)
}

func TestSpecificationStructures(t *testing.T) {
	all := specStructures(t)
	for name, want := range map[string]struct {
		count, targets, chains, spatial uint8
		first                           Layer
		within                          uint32 // the first target
	}{
		"L1T3":           {5, 3, 1, 1, Layer{0, 2}, 0b111},
		"L3T3":           {15, 9, 3, 3, Layer{2, 2}, 0b111111111},
		"L3T3_KEY_SHIFT": {20, 9, 3, 3, Layer{2, 2}, 0b111}, // upper layers leave the lower out
	} {
		s := all[name]
		if s.Count != want.count || s.Targets != want.targets || s.Chains != want.chains || s.Spatial != want.spatial {
			t.Errorf("%s: %d templates, %d targets, %d chains, %d layers", name, s.Count, s.Targets, s.Chains, s.Spatial)
		}
		if s.Layers[0] != want.first || s.Within(0) != want.within {
			t.Errorf("%s: target 0 is %v, within %b", name, s.Layers[0], s.Within(0))
		}
		d := Dependency{FrameStart: true, Number: 7, Attached: true, Structure: s}
		b := d.Append(nil)
		var got Structure
		if err := ReadDependency(b, nil, &got, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(*s, got, equalStructure); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if again := d.Append(nil); !slices.Equal(b, again) {
			t.Errorf("%s: %x written again as %x", name, b, again)
		}
		for n := range b {
			if err := ReadDependency(b[:n], nil, &got, &d); err == nil {
				t.Errorf("%s: read from %d of %d bytes", name, n, len(b))
			}
		}
	}
	s := all["L3T3"]
	for want, target := range map[Layer]int{
		{2, 2}: 0, {2, 0}: 2, {1, 1}: 4, {0, 0}: 8, {7, 7}: 0, {1, 7}: 3, None: 8,
	} {
		if got := s.Choose(want, s.All()); got != target {
			t.Errorf("%v: target %d, want %d", want, got, target)
		}
	}
	if got := s.Choose(Layer{2, 2}, 0b110000000); got != 7 {
		t.Errorf("of the two least: target %d", got)
	}
	if got := s.Choose(Layer{2, 2}, 0); got != -1 {
		t.Errorf("of none: target %d", got)
	}
}

func drawStructure(t *rapid.T) *Structure {
	s := &Structure{
		Offset: rapid.Uint8Range(0, 63).Draw(t, "offset"), Count: rapid.Uint8Range(1, 64).Draw(t, "templates"),
		Targets: rapid.Uint8Range(1, 32).Draw(t, "targets"), Sized: rapid.Bool().Draw(t, "sized"),
	}
	s.Chains = rapid.Uint8Range(0, s.Targets).Draw(t, "chains")
	var l Layer
	for i := range s.Count {
		p := &s.Templates[i]
		switch step := rapid.IntRange(0, 2).Draw(t, "step"); {
		case i > 0 && step == 1 && l.Temporal < MaxLayers-1:
			l.Temporal++
		case i > 0 && step == 2 && l.Spatial < MaxLayers-1:
			l = Layer{Spatial: l.Spatial + 1}
		}
		p.Spatial, p.Temporal = uint8(l.Spatial), uint8(l.Temporal)
		s.Spatial = p.Spatial + 1
		for d := range int(s.Targets) {
			p.Targets.set(d, Indication(rapid.IntRange(0, 3).Draw(t, "dti")))
		}
		p.References = drawReferences(t, 16)
		for c := range s.Chains {
			p.Chains[c] = rapid.Uint8Range(0, 15).Draw(t, "chain")
		}
	}
	if s.Chains > 0 {
		for d := range s.Targets {
			s.Protected[d] = rapid.Uint8Range(0, s.Chains-1).Draw(t, "protected")
		}
	}
	for i := 0; s.Sized && i < int(s.Spatial); i++ {
		s.Sizes[i] = Resolution{rapid.Uint32Range(1, 65536).Draw(t, "width"), rapid.Uint32Range(1, 65536).Draw(t, "height")}
	}
	s.derive()
	return s
}

func drawReferences(t *rapid.T, most uint16) (f References) {
	for _, d := range rapid.SliceOfN(rapid.Uint16Range(1, most), 0, MaxReferences).Draw(t, "fdiffs") {
		f.add(uint32(d))
	}
	return f
}

func drawDependency(t *rapid.T, s *Structure) Dependency {
	d := Dependency{
		FrameStart: rapid.Bool().Draw(t, "start"), FrameEnd: rapid.Bool().Draw(t, "end"),
		Number: rapid.Uint16().Draw(t, "number"), Structure: s,
		Attached: rapid.Bool().Draw(t, "attached"), Masked: rapid.Bool().Draw(t, "masked"),
		CustomTargets: rapid.Bool().Draw(t, "dtis"), CustomRefs: rapid.Bool().Draw(t, "refs"), CustomChain: rapid.Bool().Draw(t, "chains"),
	}
	index := rapid.Uint8Range(0, s.Count-1).Draw(t, "template")
	p := &s.Templates[index]
	d.TemplateID = (s.Offset + index) & 63
	d.Spatial, d.Temporal, d.Targets, d.References, d.Chains = p.Spatial, p.Temporal, p.Targets, p.References, p.Chains
	if d.Attached {
		d.Active = s.All()
	}
	if d.Masked {
		d.Active = rapid.Uint32().Draw(t, "mask") & s.All()
	}
	for x := 0; d.CustomTargets && x < int(s.Targets); x++ {
		d.Targets.set(x, Indication(rapid.IntRange(0, 3).Draw(t, "dti")))
	}
	if d.CustomRefs {
		d.References = drawReferences(t, 4096)
	}
	for c := 0; d.CustomChain && c < int(s.Chains); c++ {
		d.Chains[c] = rapid.Uint8().Draw(t, "chain")
	}
	return d
}

// TestDependencyRoundTrip: what is written is read, and what a Stamp puts in is
// there, with everything else as it was.
func TestDependencyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStructure(t)
		want := drawDependency(t, s)
		b := want.Append(nil)
		var got Dependency
		var into Structure
		if err := ReadDependency(b, s, &into, &got); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		want.maskAt, want.end = got.maskAt, got.end
		if diff := cmp.Diff(want, got, equalStructure); diff != "" {
			t.Fatalf("%x: (-want +got)\n%s", b, diff)
		}

		r := Reader{Codec: AV1}
		r.current = s
		u := r.Read([]byte{0}, b, 0, false)
		stamp := Stamp{
			Active: rapid.Uint32().Draw(t, "active") & s.All(), Number: rapid.Uint16().Draw(t, "to"),
			Shift: rapid.Uint8Range(0, 63).Draw(t, "shift"), Announce: rapid.Bool().Draw(t, "announce"),
			Attach: !want.Attached && rapid.Bool().Draw(t, "attach"),
		}
		out := make([]byte, stamp.DescriptorSize(&u, len(b)))
		for i := range out {
			out[i] = 0xff
		}
		stamp.Descriptor(&u, out, b)

		moved := *s
		moved.Offset = (s.Offset + stamp.Shift) & 63
		want.Structure, want.Number, want.TemplateID = &moved, stamp.Number, (want.TemplateID+stamp.Shift)&63
		want.Attached = want.Attached || stamp.Attach
		want.Masked = want.Masked || stamp.Announce
		switch {
		case want.Masked:
			want.Active = stamp.Active
		case want.Attached:
			want.Active = s.All()
		}
		if err := ReadDependency(out, &moved, &into, &got); err != nil {
			t.Fatalf("%x from %x: %v", out, b, err)
		}
		want.maskAt, want.end = got.maskAt, got.end
		if diff := cmp.Diff(want, got, equalStructure); diff != "" {
			t.Fatalf("%x: (-want +got)\n%s", out, diff)
		}
	})
}

func FuzzDependency(f *testing.F) {
	for _, s := range specStructures(f) {
		d := Dependency{FrameStart: true, Attached: true, Structure: s}
		first := d.Append(nil)
		f.Add(first, []byte{0x40, 0, 1})
		d = Dependency{TemplateID: s.Count - 1, Number: 9, Masked: true, CustomRefs: true, CustomTargets: true, CustomChain: true, Structure: s}
		d.References.add(300)
		f.Add(first, d.Append(nil))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := Reader{Codec: AV1}
		for _, b := range [][]byte{first, second, first} {
			b = slices.Clip(b)
			u := r.Read([]byte{8, 8}, b, 0, true)
			if u.Structure == nil {
				continue
			}
			if u.Spatial >= MaxLayers || u.Temporal >= MaxLayers || u.References.Count > MaxReferences || int(u.end) > 8*len(b) {
				t.Fatalf("%x: %+v", b, u)
			}
			s := Selector{}
			s.Reset(false)
			s.SetTarget(Layer{1, 1})
			d := s.Choose(0, 0, &u)
			var w Rewriter
			stamp, ok := w.Forward(&u, &d)
			if !ok {
				t.Fatalf("%x has no place", b)
			}
			stamp.Announce = true
			out := make([]byte, stamp.DescriptorSize(&u, len(b)))
			stamp.Descriptor(&u, out, b)
			var again Dependency
			if err := ReadDependency(out, u.Structure, new(Structure), &again); err != nil {
				t.Fatalf("%x from %x: %v", out, b, err)
			}
			if again.Targets != u.Targets || again.References != u.References || again.Active != stamp.Active {
				t.Fatalf("%x from %x: %+v", out, b, again)
			}
		}
	})
}
