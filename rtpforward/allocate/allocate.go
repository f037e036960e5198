// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

import "math"

// MaxLayers is how many layers of a subscription are looked at: three spatial
// ones of four temporal ones each.
const MaxLayers = 12

// Paused is the layer of a subscription that shows nothing.
const Paused = -1

const (
	millisecond = int64(1_000_000)
	second      = 1000 * millisecond
)

// Layer is something a subscription can show.
type Layer struct {
	// Rate is what showing it takes in all, in bit/s as measured; for SVC with
	// everything that it depends on.
	Rate int64
	// Quality is how good it looks, on any scale on which the first layer of a
	// stream is above 0; Quality gives one. 0 means that it cannot be had now.
	Quality float64
}

// Quality is a scale for Layer.Quality: people see ratios of picture sizes, so
// it grows with the logarithm, and slower with frames a second. A quarter of
// 720p at 30 frames a second is 2 steps below it; showing anything is worth 3.
func Quality(width, height int, framesPerSecond float64) float64 {
	pixels := float64(max(width, 1)) * float64(max(height, 1))
	rate := min(max(framesPerSecond, 1), 60) / 30
	picture := max(math.Log2(pixels/(160*90)), 0)

	return (3 + picture) * math.Pow(rate, 0.3)
}

// Memory is what one subscription carries from run to run. The zero value is a
// subscription that was never looked at: its first layer may come at once.
type Memory struct {
	Layer     int   // shown now, Paused for none; of no meaning until Known
	Known     bool  // there was a run before
	DownAt    int64 // last time that the budget took a layer away, 0 never
	Hold      int64 // for how long after DownAt nothing better comes, ns
	PauseHold int64 // for how long after DownAt nothing comes if it is paused, ns
	UpSince   int64 // since when more could be afforded, 0 it cannot
	ChangedAt int64 // last change of Layer
	UpAt      int64 // last upgrade that has not failed, 0 none
	UpFrom    int   // the layer before that
	RaisedAt  int64 // last time that something better was shown, not for the first time
	UpBudget  int64 // that there was then, bit/s for video
	ResumedAt int64 // last time that it came back after the budget had paused it
}

// Subscription is one stream of one room. The caller owns Layers; Run keeps no
// reference to it.
type Subscription struct {
	// Weight is that of the room and Priority that of the subscription in it;
	// they are multiplied. Above 0, at most 1000; 0 means 1.
	Weight, Priority float64
	// Audio takes Layers[0] whatever the budget.
	Audio bool
	// Pause asks for nothing to be shown.
	Pause bool
	// Eager says that an upgrade need not wait, except after a downgrade.
	Eager bool
	// Layers are what is there, from the least to the best by rate; at most
	// MaxLayers are looked at.
	Layers []Layer
	// Cap is how many of Layers the subscriber wants at most, 0 for all of
	// them: its limits on size, frames and layers, made a number by the caller.
	Cap int
	// Memory is what the run before gave.
	Memory Memory
}

// Decision is what a subscription is to show.
type Decision struct {
	// Layer is an index into Layers, or Paused.
	Layer int
	// Short says that the budget, and not the subscriber or the publisher, is
	// why it is not a better one.
	Short bool
	// Memory goes into the next run.
	Memory Memory
}

// step is the next improvement of one subscription.
type step struct {
	gain float64 // weighted quality per bit
	sub  int32
	to   int32
}

// Allocator is the scratch space of Run.
type Allocator struct {
	cfg       Config
	heap      []step
	keep      []int8 // layers of the allocation that changes least
	best      []int8 // layers of the one that is aimed at
	decisions []Decision
}

// New gives an Allocator.
func New(cfg Config) *Allocator { return &Allocator{cfg: cfg.withDefaults()} }

// Run divides a budget, in bit/s, at a time in ns above 0. The result has one
// decision for each subscription, in their order, and is good until the next
// Run. What video is given never exceeds what audio leaves of the budget.
func (a *Allocator) Run(budget int64, subs []Subscription, at int64) []Decision {
	a.grow(len(subs))
	left := budget
	for i := range subs {
		if s := &subs[i]; s.Audio && wants(s) {
			left -= max(s.Layers[0].Rate, 0)
		}
	}
	left = max(left, 0)
	keepValue := a.fill(a.keep, left, subs, func(i int) int { return min(subs[i].allowed(), subs[i].shown()) })
	better := a.firsts(left-part(budget, a.cfg.FirstHeadroom), left, subs, at)
	if !better {
		cautious := left - part(budget, a.cfg.Headroom)
		bestValue := a.fill(a.best, cautious, subs, func(i int) int { return a.reach(&subs[i], left, at) })
		better = bestValue > keepValue*(1+1e-9) && a.worth(subs, bestValue, keepValue)
	}
	a.pick(subs, better, at)
	for i := range subs {
		a.decide(i, &subs[i], left, at)
	}

	return a.decisions
}

func (a *Allocator) grow(n int) {
	if cap(a.heap) < n {
		a.heap = make([]step, 0, n)
		a.keep, a.best = make([]int8, n), make([]int8, n)
		a.decisions = make([]Decision, n)
	}
	a.keep, a.best, a.decisions = a.keep[:n], a.best[:n], a.decisions[:n]
}

// wants says that a subscription is to show something.
func wants(s *Subscription) bool { return !s.Pause && len(s.Layers) > 0 }

// allowed is the best layer that subscriber and publisher leave, Paused if none.
func (s *Subscription) allowed() int {
	if s.Pause {
		return Paused
	}
	n := min(len(s.Layers), MaxLayers)
	if s.Cap > 0 {
		n = min(n, s.Cap)
	}
	for n > 0 && !(s.Layers[n-1].Quality > 0) {
		n--
	}

	return n - 1
}

// first is the least layer that can be had.
func (s *Subscription) first() int {
	for i := range min(len(s.Layers), MaxLayers) {
		if s.Layers[i].Quality > 0 {
			return i
		}
	}

	return 0
}

// shown is the layer of the run before. One that was not known starts with the
// first at once, and gets more like all others, out of what is to spare.
func (s *Subscription) shown() int {
	if !s.Memory.Known {
		return s.first()
	}

	return s.Memory.Layer
}

func (s *Subscription) factor() float64 {
	w, p := s.Weight, s.Priority
	if !(w > 0) {
		w = 1
	}
	if !(p > 0) {
		p = 1
	}

	return min(w, 1000) * min(p, 1000)
}

// quality of a layer, 0 for Paused and for one that is gone since the run before.
func (s *Subscription) quality(layer int) float64 {
	if layer < 0 || layer >= len(s.Layers) {
		return 0
	}

	return s.Layers[layer].Quality
}

func (s *Subscription) rate(layer int) int64 {
	if layer < 0 {
		return 0
	}

	return max(s.Layers[layer].Rate, 0)
}
