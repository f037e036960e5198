// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"fmt"
	"testing"
	"time"
)

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
			if st := loads[1].s.downs[0].Link(); st.Controlled != load.video {
				b.Errorf("%+v", st)
			}
		})
	}
}
