// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// linkSlice is how fine what a client sees is kept.
const linkSlice = 200 * time.Millisecond

// linkSeen is what one client behind a link has seen, and the node has said of it meanwhile. Times are from the start.
type linkSeen struct {
	length    time.Duration
	layers    []load.Layer
	tracks    []uint32 // of video
	trace     *load.Trace
	estimates []float64                  // bit/s, one a slice; 0: not known
	said      []*sfuv1.SubscriptionStats // of the first subscription, one a slice
	rival     []float64                  // bit/s of the other flow, one a slice
	capacity  func(at int64) int64
}

func (s *linkSeen) slices(from, to time.Duration) (int, int) {
	n := len(s.trace.Slots)
	a := min(max(int(from/linkSlice), 0), n)

	return a, min(max(int(to/linkSlice), a), n)
}

// mean of f over slices.
func (s *linkSeen) mean(from, to time.Duration, f func(i int) float64) float64 {
	a, b := s.slices(from, to)
	sum := 0.0
	for i := a; i < b; i++ {
		sum += f(i)
	}

	return sum / float64(max(b-a, 1))
}

func perSecond(bytes int) float64 { return float64(bytes) * 8 / linkSlice.Seconds() }

func (s *linkSeen) received(from, to time.Duration) float64 {
	return s.mean(from, to, func(i int) float64 { return perSecond(s.trace.Slots[i].Bytes) })
}

// video is the payload of the cameras alone.
func (s *linkSeen) video(from, to time.Duration) float64 {
	return s.mean(from, to, func(i int) float64 {
		n := 0
		for _, t := range s.tracks {
			n += s.trace.Slots[i].ByTrack[t]
		}

		return perSecond(n)
	})
}

func (s *linkSeen) rivals(from, to time.Duration) float64 {
	return s.mean(from, to, func(i int) float64 { return s.rival[i] })
}

func (s *linkSeen) estimateOf(from, to time.Duration) float64 {
	return s.mean(from, to, func(i int) float64 { return s.estimates[i] })
}

// layerAt is the layer of a track's last picture, -1 without one in the last second: a small layer has few.
func (s *linkSeen) layerAt(track uint32, slice int) int {
	for i := slice; i >= 0 && slice-i < int(time.Second/linkSlice); i-- {
		if l, ok := s.trace.Slots[i].Layer[track]; ok {
			return l
		}
	}

	return -1
}

// best is the best layer of any camera.
func (s *linkSeen) best(slice int) int {
	out := -1
	for _, t := range s.tracks {
		out = max(out, s.layerAt(t, slice))
	}

	return out
}

func (s *linkSeen) shown(at time.Duration) int {
	i, _ := s.slices(at, s.length)

	return s.best(min(i, len(s.trace.Slots)-1))
}

// atLeast is the share of time at a layer or a better one.
func (s *linkSeen) atLeast(layer int, from, to time.Duration) float64 {
	return s.mean(from, to, func(i int) float64 {
		if s.best(i) >= layer {
			return 1
		}

		return 0
	})
}

// usual is the layer that was shown most of a time.
func (s *linkSeen) usual(track uint32, from, to time.Duration) int {
	count := make(map[int]int)
	a, b := s.slices(from, to)
	for i := a; i < b; i++ {
		count[s.layerAt(track, i)]++
	}
	best := -1
	for l, n := range count {
		if n > count[best] || n == count[best] && l > best {
			best = l
		}
	}

	return best
}

// after is how many ms after from something is so for half a second on average; -1: never.
func (s *linkSeen) after(from time.Duration, field func(i int) float64, good func(float64) bool) float64 {
	const smooth = 3
	a, b := s.slices(from, s.length)
	for i := a + smooth - 1; i < b; i++ {
		sum := 0.0
		for k := range smooth {
			sum += field(i - k)
		}
		if good(sum / smooth) {
			return ms(time.Duration(i+1)*linkSlice - from)
		}
	}

	return -1
}

// sentBelow is of what the node put on the link, lost packets as large as those that came.
func (s *linkSeen) sentBelow(from time.Duration, kbits float64) float64 {
	const packet = 1200

	return s.after(from, func(i int) float64 { return perSecond(s.trace.Slots[i].Bytes+s.trace.Slots[i].Lost*packet) / 1000 },
		func(v float64) bool { return v <= kbits })
}

func (s *linkSeen) receivedAbove(from time.Duration, bits float64) float64 {
	return s.after(from, func(i int) float64 { return perSecond(s.trace.Slots[i].Bytes) }, func(v float64) bool { return v >= bits })
}

func (s *linkSeen) estimated(from time.Duration, bits float64) float64 {
	return s.after(from, func(i int) float64 { return s.estimates[i] }, func(v float64) bool { return v >= bits })
}

// back is how many ms after from a layer, or a better one, is shown again, to stay for five seconds at least.
func (s *linkSeen) back(from time.Duration, layer int) float64 {
	const stays = int(5 * time.Second / linkSlice)
	a, b := s.slices(from, s.length)
	run := 0
	for i := a; i < b; i++ {
		if run++; s.best(i) < layer {
			run = 0
		}
		if run == stays {
			return ms(time.Duration(i+2-stays)*linkSlice - from)
		}
	}

	return -1
}

// flaps is the most changes of layer of one camera in any ten seconds.
func (s *linkSeen) flaps(from, to time.Duration) int {
	most := 0
	for _, t := range s.tracks {
		p := s.trace.Pictures[t]
		if p == nil {
			continue
		}
		var at []time.Duration
		for i, c := range p.Switches {
			if i > 0 && c.At >= from && c.At < to {
				at = append(at, c.At)
			}
		}
		for i := range at {
			n := 0
			for _, u := range at[i:] {
				if u-at[i] < flapWithin {
					n++
				}
			}
			most = max(most, n)
		}
	}

	return most
}

func (s *linkSeen) switches() int {
	n := 0
	for _, p := range s.trace.Pictures {
		n += max(len(p.Switches)-1, 0)
	}

	return n
}

func (s *linkSeen) freezes() int {
	n := 0
	for _, p := range s.trace.Pictures {
		n += p.Freezes
	}

	return n
}

// heard is what the node has said of the first subscription: what it aims at, what keeps it from more, and of its probes.
func (s *linkSeen) heard(f *LinkFlow) {
	for _, stats := range s.said {
		target := -1.0
		if stats.TargetSpatialLayer != nil {
			target = float64(stats.GetTargetSpatialLayer())
		}
		f.Target = append(f.Target, target)
		link := stats.GetLink()
		f.Seen = append(f.Seen, LinkSeen{
			round(link.GetLoss()), ms(link.GetQueue().AsDuration()), ms(link.GetRtt().AsDuration()), math.Round(float64(link.GetAcknowledgedBitrate()) / 1000),
			math.Round(float64(link.GetSendingBitrate()) / 1000), link.GetBacklog(), stats.GetTemporalLayer(),
		})
		name := "limit_" + strings.ToLower(strings.TrimPrefix(stats.GetLimit().String(), "LAYER_LIMIT_")) + "_percent"
		f.Figures[name] = round(f.Figures[name] + 100/float64(len(s.said)))
	}
	if n := len(s.said); n > 0 {
		link := s.said[n-1].GetLink()
		f.Figures["probes"], f.Figures["probe_kilobytes"] = float64(link.GetProbes()), round(float64(link.GetProbeBytes())/1000)
		f.Figures["node_freezes"] = float64(s.said[n-1].GetFreezes())
	}
}

// flow is it for the report.
func (s *linkSeen) flow(name string) LinkFlow {
	from := s.length / 3
	f := LinkFlow{Name: name, Every: ms(linkSlice), Figures: map[string]float64{
		"received": math.Round(s.received(from, s.length) / 1000), "q95": round(ms(s.trace.Queued(from, s.length, 0.95))),
		"q50": round(ms(s.trace.Queued(from, s.length, 0.5))), "changes": float64(s.switches()), "freezes": float64(s.freezes()),
		"layer":    round(s.mean(s.length/2, s.length, func(i int) float64 { return float64(s.best(i)) })),
		"estimate": math.Round(s.estimateOf(from, s.length) / 1000), "gaps": float64(s.trace.Gaps),
		"latency_p50_ms": round(ms(s.trace.Latency.Quantile(0.5))), "latency_p99_ms": round(ms(s.trace.Latency.Quantile(0.99))),
	}}
	f.Figures["fps"] = round(s.mean(from, s.length, func(i int) float64 { return float64(s.trace.Slots[i].Shown) }) / linkSlice.Seconds())
	s.heard(&f)
	for _, p := range s.trace.Pictures {
		f.Figures["undecodable"] += float64(p.Broken)
	}
	for i, slot := range s.trace.Slots {
		f.Received = append(f.Received, math.Round(perSecond(slot.Bytes)/1000))
		f.Delay = append(f.Delay, math.Round(ms(slot.Longest)))
		f.Layer = append(f.Layer, float64(s.best(i)))
		f.Estimate = append(f.Estimate, math.Round(s.estimates[i]/1000))
		if s.capacity != nil {
			f.Capacity = append(f.Capacity, kilo(s.capacity(int64(i)*int64(linkSlice))))
		}
	}
	for _, v := range s.rival {
		f.Rival = append(f.Rival, math.Round(v/1000))
	}

	return f
}
