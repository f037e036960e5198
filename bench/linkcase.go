// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/path"
)

// linkCase is one link that a real client of a real node sits behind.
type linkCase struct {
	name    string
	length  time.Duration
	shape   path.Shape                 // times are from the start of media
	cameras int                        // 0: one; each with all layers
	layers  func(at time.Duration) int // how many of them the cameras send; nil: all
	ask     func(b *linkBounds)        // what is asked of it
}

// Layers of cameras, smallest first. The largest is a little less than what is left of 2 Mbit/s with the allocation's headroom.
func cameraLayers() []load.Layer {
	return []load.Layer{
		{RID: "q", Bits: 150_000, Width: 320, Height: 180},
		{RID: "h", Bits: 500_000, Width: 640, Height: 360},
		{RID: "f", Bits: 1_500_000, Width: 1280, Height: 720},
	}
}

// Bounds that more than one link has.
const (
	standingQueue = 150.0 // ms that 95 % of packets wait at most
	downWithin    = 2 * time.Second
	upWithin      = 15 * time.Second
	flapWithin    = 10 * time.Second
	wayBytes      = 1.05 // of a layer's rate that headers take at most, on the link
	voiceBits     = 32_000
	voiceWay      = 65_000.0 // that it takes of the link, bit/s: half of it is headers
)

const (
	dropAt  = 15 * time.Second
	dropEnd = 35 * time.Second
	fullAt  = 12 * time.Second
)

// bottleneck is a link with a queue of 300 ms and a round trip of 50.
func bottleneck(bits int64) path.Shape {
	return path.Shape{Capacity: path.Constant(bits), Queue: bits / 8 * 3 / 10, Delay: 25 * path.Millisecond}
}

func shaped(bits int64, change func(*path.Shape)) path.Shape {
	s := bottleneck(bits)
	change(&s)

	return s
}

// linkCases are those of the acceptance list.
func linkCases() []linkCase {
	const best = 2
	steady := func(layer int) func(*linkBounds) {
		return func(b *linkBounds) { b.layer(layer); b.queue(); b.calm() }
	}
	delayed := func(name string, delay, jitter int64) linkCase {
		return linkCase{name: name, length: 30 * time.Second, ask: steady(best), shape: shaped(2*links.Mbit, func(s *path.Shape) {
			s.Delay, s.Jitter = delay*path.Millisecond, jitter*path.Millisecond
		})}
	}
	lossy := func(name string, share float64) linkCase {
		return linkCase{
			name: name, length: 30 * time.Second, shape: shaped(10*links.Mbit, func(s *path.Shape) { s.Loss = share }),
			ask: func(b *linkBounds) { b.layer(best); b.share(0.8); b.queue() },
		}
	}

	return []linkCase{
		{name: "link-steady", length: 30 * time.Second, shape: bottleneck(links.Mbit), ask: steady(1)},
		{
			name: "link-step", length: 60 * time.Second,
			shape: shaped(2*links.Mbit, func(s *path.Shape) { s.Capacity = stepped }), ask: func(b *linkBounds) { b.step() },
		},
		lossy("link-loss-5", 0.05), lossy("link-loss-10", 0.10),
		delayed("link-delay-50", 50, 0), delayed("link-delay-100", 100, 0), delayed("link-delay-200", 200, 0),
		delayed("link-jitter", 50, 30),
		{
			name: "link-rival", length: 45 * time.Second,
			shape: shaped(2*links.Mbit, func(s *path.Shape) { s.Queue, s.Rival = 50_000, true }), ask: func(b *linkBounds) { b.rival() },
		},
		{
			name: "link-bloat", length: 30 * time.Second, ask: steady(1),
			shape: shaped(links.Mbit, func(s *path.Shape) { s.Queue = links.Mbit / 8 }),
		},
		{
			name: "link-limited", length: 35 * time.Second, shape: bottleneck(3 * links.Mbit), cameras: 2, ask: func(b *linkBounds) { b.limited() },
			layers: func(at time.Duration) int {
				if at < fullAt {
					return 1
				}

				return best + 1
			},
		},
		{name: "link-start", length: 15 * time.Second, shape: bottleneck(3 * links.Mbit), cameras: 2, ask: func(b *linkBounds) { b.start() }},
	}
}

func stepped(at int64) int64 {
	if at >= int64(dropAt) && at < int64(dropEnd) {
		return 300_000
	}

	return 2 * links.Mbit
}
