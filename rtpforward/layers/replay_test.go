// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A capture has a packet a line, as Chromium 156 sent it: sequence number,
// timestamp, marker, dependency descriptor, beginning of the payload.
type captured struct {
	sequence            uint16
	timestamp           uint64
	marker              bool
	descriptor, payload []byte
}

func readCapture(t testing.TB, name string) (packets []captured) {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(src)) {
		f := strings.Fields(line)
		sequence, err1 := strconv.ParseUint(f[0], 10, 16)
		timestamp, err2 := strconv.ParseUint(f[1], 10, 64)
		payload, err3 := hex.DecodeString(f[4])
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatalf("%s: %q", name, line)
		}
		packets = append(packets, captured{uint16(sequence), timestamp, f[2] == "1", unhex(t, f[3]), payload})
	}
	return packets
}

func eachCapture(t *testing.T, run func(t *testing.T, codec Codec, packets []captured)) {
	t.Helper()
	names, err := filepath.Glob("testdata/chromium_*.txt")
	if err != nil || len(names) < 6 {
		t.Fatalf("captures %v: %v", names, err)
	}
	for _, name := range names {
		codec := map[string]Codec{"AV1": AV1, "VP9": VP9, "VP8": VP8}[strings.Split(name, "_")[1]]
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { run(t, codec, readCapture(t, name)) })
	}
}

// TestCapturedDescriptors: every descriptor of a browser is read, refers to frames
// that it has sent, and is written as it was.
func TestCapturedDescriptors(t *testing.T) {
	eachCapture(t, func(t *testing.T, _ Codec, packets []captured) {
		var current *Structure
		sent := make(map[uint16]bool)
		for _, p := range packets {
			var d Dependency
			into := new(Structure)
			if err := ReadDependency(p.descriptor, current, into, &d); err != nil {
				t.Fatalf("%d: %x: %v", p.sequence, p.descriptor, err)
			}
			if current = d.Structure; d.Attached {
				clear(sent)
			}
			sent[d.Number] = true
			for _, diff := range d.References.Diff[:d.References.Count] {
				if !sent[d.Number-diff] {
					t.Errorf("%d: frame %d refers to %d, which was not sent", p.sequence, d.Number, d.Number-diff)
				}
			}
			if again := d.Append(nil); !slices.Equal(again, p.descriptor) {
				t.Errorf("%d: %x written as %x", p.sequence, p.descriptor, again)
			}
		}
	})
}

// TestCapturedStreams sends what a browser sent through a receiver's side, with
// every target from the beginning, and with one that changes all the time.
func TestCapturedStreams(t *testing.T) {
	eachCapture(t, func(t *testing.T, codec Codec, packets []captured) {
		for s := range int8(3) {
			for l := range int8(3) {
				replay(t, codec, packets, Layer{s, l}, func() Layer { return Layer{s, l} })
			}
		}
		dice := rand.New(rand.NewPCG(3, 3))
		for range 200 {
			target := Layer{2, 2}
			replay(t, codec, packets, Layer{2, 2}, func() Layer {
				if dice.IntN(15) == 0 {
					target = Layer{int8(dice.IntN(3)), int8(dice.IntN(3))}
				}
				return target
			})
		}
	})
}

// replay sends packets to a receiver whose target is never above most.
func replay(t *testing.T, codec Codec, packets []captured, most Layer, target func() Layer) {
	t.Helper()
	in, out := Reader{Codec: codec}, Reader{Codec: codec}
	var s Selector
	var w Rewriter
	s.Reset(false)
	left, forwarded := make(map[uint16]bool), make(map[uint16]bool)
	markers, last := make(map[uint64]int), uint64(0)
	for _, p := range packets {
		s.SetTarget(target())
		u := in.Read(p.payload, p.descriptor, uint32(p.timestamp), p.marker)
		d := s.Choose(0, p.timestamp, &u)
		switch d.Action {
		case Ignore:
			t.Fatalf("%d: ignored: %d", p.sequence, d.Reason)
		case Skip:
			left[u.Number] = true
			w.Skip(&u)
			continue
		case Forward:
		}
		stamp, ok := w.Forward(&u, &d)
		if !ok {
			t.Fatalf("%d: no stamp", p.sequence)
		}
		if int8(u.Spatial) > most.Spatial || int8(u.Temporal) > most.Temporal {
			t.Fatalf("%d: S%d T%d forwarded, target %v", p.sequence, u.Spatial, u.Temporal, most)
		}
		last = p.timestamp
		forwarded[u.Number] = true
		if left[u.Number] {
			t.Fatalf("%d: frame %d forwarded and left out", p.sequence, u.Number)
		}
		for _, diff := range u.References.Diff[:u.References.Count] {
			if !forwarded[u.Number-diff] {
				t.Fatalf("%d: frame %d refers to %d, which was left out", p.sequence, u.Number, u.Number-diff)
			}
		}
		if markers[p.timestamp] > 0 {
			t.Fatalf("%d: picture goes on behind its marker", p.sequence)
		}
		if d.Marker {
			markers[p.timestamp]++
		} else {
			markers[p.timestamp] += 0
		}
		written := make([]byte, stamp.DescriptorSize(&u, len(p.descriptor)))
		stamp.Descriptor(&u, written, p.descriptor)
		if got := out.Read(p.payload, written, 0, false); got.Structure == nil || got.Targets != u.Targets || got.References != u.References || got.Active != d.Active {
			t.Fatalf("%d: %x written as %x, read as %+v", p.sequence, p.descriptor, written, got)
		}
	}
	for _, p := range packets { // the browser itself leaves some pictures without
		if n, ok := markers[p.timestamp]; ok && p.marker && n != 1 && p.timestamp != last {
			t.Fatalf("picture %d has %d markers; target %v, at %v", p.timestamp, n, s.Target(), s.Current())
		}
	}
	if len(forwarded) < len(packets)/24 {
		t.Errorf("%d frames of %d packets forwarded", len(forwarded), len(packets))
	}
}

// TestEverythingPassesAsItCame: who takes all layers gets all packets, those of
// layers too that the browser adds in the middle, and no byte is changed.
func TestEverythingPassesAsItCame(t *testing.T) {
	eachCapture(t, func(t *testing.T, codec Codec, packets []captured) {
		in := Reader{Codec: codec}
		var s Selector
		var w Rewriter
		s.Reset(false)
		s.SetTarget(Layer{2, 2})
		for _, p := range packets {
			u := in.Read(p.payload, p.descriptor, uint32(p.timestamp), p.marker)
			d := s.Choose(0, p.timestamp, &u)
			if d.Action == Skip && strings.HasSuffix(t.Name(), "_KEY") {
				continue // the lower layers' own frames
			}
			if d.Action != Forward || d.Marker != p.marker {
				t.Fatalf("%d: S%d T%d: %+v", p.sequence, u.Spatial, u.Temporal, d)
			}
			stamp, _ := w.Forward(&u, &d)
			payload := slices.Clone(p.payload)
			stamp.Payload(&u, payload)
			descriptor := make([]byte, stamp.DescriptorSize(&u, len(p.descriptor)))
			stamp.Descriptor(&u, descriptor, p.descriptor)
			same := slices.Equal(payload, p.payload) && slices.Equal(descriptor, p.descriptor)
			if _, need := s.NeedsKeyframe(); need || !same && !strings.HasSuffix(t.Name(), "_KEY") {
				t.Fatalf("%d: %x %x became %x %x; needs a keyframe: %v", p.sequence, p.descriptor, p.payload, descriptor, payload, need)
			}
		}
	})
}
