// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// stream is a second or so of received packets.
func benchmarkStream(b testing.TB, mode string) ([]*modelPacket, *Reader) {
	b.Helper()
	specForModel = specStructures(b)
	var packets []*modelPacket
	var reader Reader
	t := &world{dice: rand.New(rand.NewPCG(1, 1))}
	e := &encoder{mode: mode, spatial: 1, byLayer: map[[2]int]int{}, clock: 1 << 20}
	switch mode {
	case "vp8":
		reader.Codec = VP8
	case "vp9":
		reader.Codec, e.spatial = VP9, 3
	case "L3T3":
		reader.Codec, e.spatial, e.structure = AV1, 3, specForModel["L3T3"]
	}
	for range 40 {
		packets = append(packets, e.picture(t)...)
	}
	return packets, &reader
}

// pass sends a packet to one receiver that takes the middle layers.
func (n *node) pass(p *modelPacket, timestamp uint64, out []byte) int {
	d := n.selector.Choose(0, timestamp, &p.unit)
	switch d.Action {
	case Ignore:
	case Skip:
		n.rewriter.Skip(&p.unit)
	case Forward:
		if stamp, ok := n.rewriter.Forward(&p.unit, &d); ok {
			copy(out, p.payload)
			stamp.Payload(&p.unit, out)
			size := stamp.DescriptorSize(&p.unit, len(p.extension))
			stamp.Descriptor(&p.unit, out[512:512+size], p.extension)
			return 1
		}
	}
	return 0
}

var benchmarkModes = []string{"vp8", "vp9", "L3T3"}

// TestNothingAllocates: neither describing nor choosing nor rewriting.
func TestNothingAllocates(t *testing.T) {
	for _, mode := range benchmarkModes {
		packets, reader := benchmarkStream(t, mode)
		var n node
		n.selector.Reset(false)
		out := make([]byte, 2048)
		round, forwarded := uint64(0), 0
		all := func() {
			n.selector.SetTarget(Layer{int8(round % 3), int8(round / 3 % 3)})
			for _, p := range packets {
				p.unit = reader.Read(p.payload, p.extension, uint32(p.timestamp), p.marker)
				forwarded += n.pass(p, p.timestamp+round<<32, out)
			}
			round++
		}
		all() // the Reader's structures
		if allocations := testing.AllocsPerRun(20, all); allocations != 0 || forwarded == 0 {
			t.Errorf("%s: %v allocations, %d packets forwarded", mode, allocations, forwarded)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, mode := range benchmarkModes {
		b.Run(mode, func(b *testing.B) {
			packets, reader := benchmarkStream(b, mode)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := packets[i%len(packets)]
				p.unit = reader.Read(p.payload, p.extension, uint32(p.timestamp), p.marker)
			}
		})
	}
}

func BenchmarkForward(b *testing.B) {
	for _, mode := range benchmarkModes {
		b.Run(mode, func(b *testing.B) {
			packets, reader := benchmarkStream(b, mode)
			for _, p := range packets {
				p.unit = reader.Read(p.payload, p.extension, uint32(p.timestamp), p.marker)
			}
			var n node
			n.selector.Reset(false)
			n.selector.SetTarget(Layer{1, 1})
			out := make([]byte, 2048)
			forwarded := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := packets[i%len(packets)]
				forwarded += n.pass(p, p.timestamp+uint64(i/len(packets))<<32, out)
			}
			b.ReportMetric(float64(forwarded)/float64(b.N), "forwarded/op")
		})
	}
}

// TestWindow holds the window to a map.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		start := rapid.Uint64Range(1<<32, 1<<33).Draw(t, "start")
		w.start(start)
		marked := make(map[uint64]bool)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := w.newest + uint64(rapid.IntRange(-100, windowSize+20).Draw(t, "step"))
			if n-w.newest < 1<<32 && n-w.newest >= windowSize {
				clear(marked)
			}
			if w.advance(n); w.holds(n) && rapid.Bool().Draw(t, "mark") {
				w.mark(n)
				marked[n] = true
			}
			count := uint64(0)
			for n := w.newest; n > w.newest-windowSize; n-- {
				if w.marked(n) != marked[n] {
					t.Fatalf("%d of %d: marked %v", n, w.newest, w.marked(n))
				}
				if got := w.after(n); got != count {
					t.Fatalf("%d of %d: %d after it, want %d", n, w.newest, got, count)
				}
				if marked[n] {
					count++
				}
			}
			for _, width := range []uint8{7, 15, 16} {
				near := w.newest + uint64(rapid.IntRange(-60, 60).Draw(t, "near"))
				if got := w.unwrap(uint16(near&(1<<width-1)), width); got != near {
					t.Fatalf("%d bits of %d are %d", width, near, got)
				}
			}
		}
	})
}
