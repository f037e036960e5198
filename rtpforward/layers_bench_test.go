// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// BenchmarkLayers is a frame of four packets of each stream to a hundred slots: of a single stream, and of a simulcast of
// which they show the largest; then with the upper temporal layer left out, and with dependency descriptors.
func BenchmarkLayers(b *testing.B) {
	for _, row := range []struct {
		name       string
		streams    int
		aim        layers.Layer
		descriptor bool
	}{
		{"single", 1, theTop, false},
		{"simulcast", 3, theTop, false},
		{"thinned", 1, layers.Layer{Spatial: 7, Temporal: 1}, false},
		{"descriptor", 1, theTop, true},
		{"simulcast descriptor", 3, theTop, true},
	} {
		b.Run(row.name, func(b *testing.B) {
			r := newEgressRig(b, Config{})
			track := r.u.NewTrack(TrackConfig{Video: true})
			rings := make([][]*Packet, row.streams)
			for i := range rings {
				cfg := upConfig()
				cfg.SSRC, cfg.Index = uint32(100+i), i
				rings[i] = benchmarkRing(track.NewUpTrack(cfg), row.descriptor)
			}
			w := &discard{}
			for range 100 {
				_, dt := r.slot(rings[0][0].Up, w, videoSlot())
				dt.aim(row.aim, LimitNone, 0)
			}
			next, before := uint64(0), 0
			b.ReportAllocs()
			for b.Loop() {
				for range 4 {
					for _, ring := range rings {
						p := ring[next%uint64(len(ring))]
						if next >= uint64(len(ring)) {
							p.Sequence += uint64(len(ring))
							p.Timestamp += uint64(len(ring)) / 4 * 3000
							p.Unit.Number += uint16(len(ring) / 4)
						}
						r.push(p)
					}
					next++
				}
				r.s.step(int64(next) * 8e6)
				if next == 4*64 {
					before = w.packets
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(w.packets-before, 1)), "ns/forwarded")
		})
	}
}

// benchmarkRing is 256 frames of four packets, in three temporal layers, the first of a keyframe.
func benchmarkRing(up *UpTrack, descriptor bool) (ring []*Packet) {
	st := &layers.Structure{Count: 2, Targets: 1, Spatial: 1}
	st.Templates[0].Targets, st.Templates[1].Targets = layers.Indications(layers.Switch), layers.Indications(layers.Switch)
	st.Templates[1].References = layers.References{Count: 1, Diff: [layers.MaxReferences]uint16{1}}
	for n := range uint64(1024) {
		frame, first, last := n/4, n%4 == 0, n%4 == 3
		body := []byte{0x80, 0xe0, 0x80, byte(frame), byte(frame / 4), []byte{0, 2, 1, 2}[frame%4]<<6 | 0x20, 0x11}
		if first {
			body[0] |= 0x10
		}
		if n == 0 {
			body = append(body[:6], rigKey[1:]...)
		}
		var ext []rtpExt
		if descriptor {
			d := layers.Dependency{FrameStart: first, FrameEnd: last, Number: uint16(frame), Structure: st, Attached: n == 0, TemplateID: min(uint8(n), 1)}
			ext = append(ext, rtpExt{upIDDependency, d.Append(nil)})
		}
		p := packet(up, base+n, frame*3000, 0, 96, append(body, make([]byte, 1000)...), ext...)
		p.Header.Marker, p.Descriptor.FrameEnd, p.Unit.PictureEnd, p.Unit.FrameEnd = last, last, last, last
		ring = append(ring, p)
	}
	return ring
}
