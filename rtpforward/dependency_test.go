// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDependency(t *testing.T) {
	rows := []struct {
		name, hex string
		want      Dependency
		ok, key   bool
	}{
		{"first of a frame", "80 0001", Dependency{FrameStart: true, FrameNumber: 1}, true, false},
		{"last of a frame", "45 ffff", Dependency{FrameEnd: true, Template: 5, FrameNumber: 65535}, true, false},
		{"highest template", "3f 0100", Dependency{Template: 63, FrameNumber: 256}, true, false},
		{"active targets", "c1 0002 40", Dependency{FrameStart: true, FrameEnd: true, Template: 1, FrameNumber: 2, Extended: true, ActiveTargets: true}, true, false},
		{
			"custom everything", "80 0002 38",
			Dependency{FrameStart: true, FrameNumber: 2, Extended: true, CustomTargets: true, CustomDiffs: true, CustomChains: true},
			true, false,
		},
		// A keyframe as libwebrtc sends it for one spatial and two temporal layers.
		{"structure", "c0 0000 80 03 0e a1 70", Dependency{FrameStart: true, FrameEnd: true, Extended: true, Structure: true}, true, true},
		{"structure, not at the start", "00 0000 80 03 0e a1 70", Dependency{Extended: true, Structure: true}, true, false},
		{"empty", "", Dependency{}, false, false},
		{"one byte", "80", Dependency{}, false, false},
		{"two bytes", "80 00", Dependency{}, false, false},
		{"structure without room", "80 0000 80", Dependency{}, false, false},
		{"structure cut", "80 0000 80 03", Dependency{}, false, false},
	}
	for _, r := range rows {
		got, ok := ParseDependency(unhex(t, r.hex))
		if diff := cmp.Diff(r.want, got); diff != "" || ok != r.ok || got.Keyframe() != r.key {
			t.Errorf("%s: ok %v, keyframe %v (-want +got):\n%s", r.name, ok, got.Keyframe(), diff)
		}
	}
}

func TestParseDependencyAllocatesNothing(t *testing.T) {
	b := unhex(t, "c0 0000 80 03 0e a1 70")
	if n := testing.AllocsPerRun(100, func() { dependencySink, _ = ParseDependency(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var dependencySink Dependency

func FuzzDependency(f *testing.F) {
	for _, seed := range []string{"80 0001", "c1 0002 40", "c0 0000 80 03 0e a1 70", "80 0000 80", "3f ffff ff ff ff ff"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = slices.Clip(b)
		d, ok := ParseDependency(b)
		switch {
		case !ok && d != (Dependency{}):
			t.Fatalf("%x: refused, yet %+v", b, d)
		case ok && len(b) < 3, ok && d.Extended != (len(b) > 3):
			t.Fatalf("%x: %+v", b, d)
		case !d.Extended && (d.Structure || d.ActiveTargets || d.CustomTargets || d.CustomDiffs || d.CustomChains):
			t.Fatalf("%x: flags of an extension that is not there: %+v", b, d)
		case d.Template > 63:
			t.Fatalf("%x: template %d", b, d.Template)
		}
		if ok { // what the mandatory fields say can be written back
			back := [3]byte{d.Template, byte(d.FrameNumber >> 8), byte(d.FrameNumber)}
			if d.FrameStart {
				back[0] |= 0x80
			}
			if d.FrameEnd {
				back[0] |= 0x40
			}
			if string(back[:]) != string(b[:3]) {
				t.Fatalf("%x: %+v", b, d)
			}
		}
	})
}
