// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import (
	"errors"
	"fmt"

	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// Units, in ns and in bit/s.
const (
	Millisecond = path.Millisecond
	Second      = path.Second
	Mbit        = int64(1_000_000)
)

// Scenario is a link, what wants to go over it, and for how long.
type Scenario struct {
	Name     string
	Length   int64
	Link     path.Shape           // Capacity is needed
	Deaf     float64              // part of the feedback that gets lost
	Keyframe int64                // every so often a frame is six times as large; 0: never
	Demand   func(at int64) int64 // bit/s that the source has; nil: 8 Mbit/s
	// Pick, if there is one, turns a target into the rate that is sent: an application that has steps only.
	Pick func(target, at int64) int64
	// KeySteps has each step up of Pick begin with a keyframe, six times a frame of what it adds, as a switch of layers does.
	KeySteps bool
	Config   bandwidth.Config
	Seed     uint64
}

const mostDemand = 8_000_000

// Wanted is what the source has at a time, bit/s.
func (sc *Scenario) Wanted(at int64) int64 {
	if sc.Demand == nil {
		return mostDemand
	}

	return sc.Demand(at)
}

// Full is what the link and the source allow at the end, bit/s.
func (sc *Scenario) Full() int64 {
	return min(sc.Link.Capacity(sc.Length-1), sc.Wanted(sc.Length-1))
}

// Patience is how long 95 % of packets may wait. A keyframe of the keyframes scenario is 200 ms of its link all by itself.
func (sc *Scenario) Patience() int64 {
	if sc.Keyframe != 0 {
		return 220 * Millisecond
	}

	return 150 * Millisecond
}

// Dropping is 2 Mbit/s, 300 kbit/s from 20 to 50 s, and 2 Mbit/s again.
func Dropping(at int64) int64 {
	if at >= 20*Second && at < 50*Second {
		return 300_000
	}

	return 2 * Mbit
}

func limited(at int64) int64 {
	if at < 20*Second {
		return 200_000
	}

	return 3 * Mbit
}

// steady is a bottleneck with a queue of 300 ms and a round trip of 50.
func steady(rate int64) path.Shape {
	return path.Shape{Capacity: path.Constant(rate), Queue: rate / 8 * 3 / 10, Delay: 25 * Millisecond}
}

func with(s path.Shape, change func(*path.Shape)) path.Shape {
	change(&s)

	return s
}

func delayed(ms int64) path.Shape {
	return with(steady(2*Mbit), func(s *path.Shape) { s.Delay = ms * Millisecond })
}

func lossy(rate int64, loss float64) path.Shape {
	return with(steady(rate), func(s *path.Shape) { s.Loss = loss })
}

func jittery(ordered bool) path.Shape {
	return with(delayed(50), func(s *path.Shape) { s.Jitter, s.Ordered = 30*Millisecond, ordered })
}

// All are the links of docs/congestion.md: those of the acceptance list, and some beyond.
func All() []Scenario {
	const minute = 60 * Second
	ample := path.Constant(2_500_000)

	return []Scenario{
		{Name: "steady 1M", Length: minute, Link: steady(Mbit)},
		{Name: "2M-300k-2M", Length: 80 * Second, Link: with(steady(2*Mbit), func(s *path.Shape) { s.Capacity = Dropping })},
		{Name: "loss 5%", Length: minute, Link: lossy(10*Mbit, 0.05), Demand: ample},
		{Name: "loss 10%", Length: minute, Link: lossy(10*Mbit, 0.10), Demand: ample},
		{Name: "delay 50ms", Length: minute, Link: delayed(50)},
		{Name: "delay 100ms", Length: minute, Link: delayed(100)},
		{Name: "delay 200ms", Length: minute, Link: delayed(200)},
		{Name: "jitter 30ms", Length: minute, Link: jittery(false)},
		{Name: "jitter ordered", Length: minute, Link: jittery(true)},
		{Name: "rival", Length: 2 * minute, Link: with(steady(2*Mbit), func(s *path.Shape) { s.Queue, s.Rival = 50_000, true })},
		{Name: "bloat 1s", Length: minute, Link: with(steady(Mbit), func(s *path.Shape) { s.Queue = 125_000 })},
		{Name: "limited then full", Length: minute, Link: steady(3 * Mbit), Demand: limited},
		// Beyond the list.
		{Name: "policer", Length: minute, Link: with(steady(2*Mbit), func(s *path.Shape) { s.Queue = 8_000 })},
		{Name: "narrow, loss 3%", Length: minute, Link: lossy(Mbit, 0.03)},
		{Name: "feedback lost 30%", Length: minute, Link: steady(2 * Mbit), Deaf: 0.3},
		{Name: "keyframes", Length: minute, Link: steady(2 * Mbit), Keyframe: 4 * Second},
		{Name: "fast start 3M", Length: 30 * Second, Link: steady(3 * Mbit)},
	}
}

// ErrUnknown is a name that no scenario has.
var ErrUnknown = errors.New("no such link")

// Named finds one of All.
func Named(name string) (Scenario, error) {
	for _, sc := range All() {
		if sc.Name == name {
			return sc, nil
		}
	}

	return Scenario{}, fmt.Errorf("%w: %q", ErrUnknown, name)
}
