// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// controlledLoad is a fanLoad whose sessions have a link each, and clients that
// say every 100 ms what has come.
type controlledLoad struct {
	*fanLoad
	told  []uint16 // by session: the next number to speak of
	turns int
	raw   []byte
}

// newControlledLoad has sessions that get all of so many tracks; without control
// nothing is numbered and nobody says anything but receiver reports.
func newControlledLoad(t testing.TB, tracks, sessions int, video, control bool) *controlledLoad {
	r := &controlledLoad{fanLoad: newFanLoad(t, tracks, sessions, video, true)}
	for _, up := range r.ups {
		if video {
			up.track.shape.Store(&shape{ladder: ladder{rungs: []rung{
				{layer: layers.Layer{}, rate: 1_800_000, width: 1280, height: 720, frameRate: 30, live: true},
			}}})
		}
	}
	for _, d := range r.s.downs {
		d.useTCC = control
		d.extend(d.extensions)
		r.told = append(r.told, d.stamps.next)
	}
	return r
}

// play is a turn, and what happens besides: ticks, and feedback.
func (r *controlledLoad) play() {
	r.f.start = time.Now().Add(-time.Duration(r.now)) // the load's time is the Forwarder's
	r.turn()
	if r.turns++; r.turns%10 == 0 {
		r.s.tick(r.now)
	}
	for i, d := range r.s.downs {
		if (r.turns+i)%20 == 0 { // not all of them at once
			r.speak(i, d)
		}
	}
}

// speak has a client report on all that came since the last time.
func (r *controlledLoad) speak(i int, d *Downlink) {
	if !d.useTCC {
		return
	}
	count := d.stamps.next - r.told[i]
	if count == 0 {
		return
	}
	b := append(r.raw[:0], 0x8f, rtcpRTPFB, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, r.told[i])
	b = binary.BigEndian.AppendUint16(b, count)
	b = binary.BigEndian.AppendUint32(b, uint32(r.now/64e6)<<8)
	b = binary.BigEndian.AppendUint16(b, 1<<13|count)
	step, rest := 400/int(count), int(r.now%64e6/250e3)
	for n := range count { // over the 100 ms before
		delta := step
		if n == 0 {
			delta = rest
		}
		b = append(b, byte(delta))
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	r.raw, r.told[i] = b, d.stamps.next
	d.HandleRTCP(b)
}

// BenchmarkCongestionControl compares the same load with congestion control and
// without, in turns.
func BenchmarkCongestionControl(b *testing.B) {
	for _, load := range []struct {
		tracks, sessions int
		video            bool
	}{{1, 100, true}, {5, 20, true}, {10, 10, true}, {30, 30, false}} {
		kind := "audio"
		if load.video {
			kind = "video"
		}
		b.Run(fmt.Sprintf("%s/%dto%d", kind, load.tracks, load.sessions), func(b *testing.B) {
			var loads [2]*controlledLoad
			var passed [2]time.Duration
			for i := range loads {
				loads[i] = newControlledLoad(b, load.tracks, load.sessions, load.video, i == 1)
				for range 2000 {
					loads[i].play()
				}
				loads[i].sent = 0
			}
			b.ReportAllocs()
			start, at := cpuTime(), 0 // other processes do not count
			for n := 0; b.Loop(); n++ {
				if i := n / 20 % 2; i != at {
					now := cpuTime()
					passed[at] += now - start
					start, at = now, i
				}
				loads[at].play()
			}
			passed[at] += cpuTime() - start
			off := float64(passed[0].Nanoseconds()) / float64(max(loads[0].sent, 1))
			on := float64(passed[1].Nanoseconds()) / float64(max(loads[1].sent, 1))
			b.ReportMetric(off, "ns/off")
			b.ReportMetric(on, "ns/on")
			b.ReportMetric(on/off, "ratio")
			if st := loads[1].s.downs[0].Link(); !st.Controlled {
				b.Errorf("nothing was controlled: %+v", st)
			}
		})
	}
}
