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

// Config is how cautious upgrades are. The zero value means the defaults.
type Config struct {
	// Headroom is what an upgrade leaves unused, as a part of the budget.
	// 0.01 to 0.5, default 0.15: the estimate's own cut
	// when it has found the end of a link must not take the layer away again.
	Headroom float64
	// UpHold is for how long an upgrade has to be affordable before it is made,
	// in ns. Default 1 s.
	UpHold int64
	// DownHold is for how long a subscription is not upgraded after it was
	// downgraded, in ns. Default 10 s. Each upgrade that fails within that time
	// doubles it, up to six times.
	DownHold int64
	// ResumeHold takes its place when a subscription was paused that had been
	// shown for twice DownHold: a link that jams and drains takes seconds, and
	// that should not cost ten. Default 2 s.
	ResumeHold int64
}

func (c Config) withDefaults() Config {
	if c.Headroom <= 0 {
		c.Headroom = 0.15
	}
	c.Headroom = min(max(c.Headroom, 0.01), 0.5)
	if c.UpHold <= 0 {
		c.UpHold = second
	}
	if c.DownHold <= 0 {
		c.DownHold = 10 * second
	}
	if c.ResumeHold <= 0 {
		c.ResumeHold = 2 * second
	}
	c.ResumeHold = min(c.ResumeHold, c.DownHold)

	return c
}

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
// subscription that was never looked at: it may take any layer at once.
type Memory struct {
	Layer     int   // shown now, Paused for none; of no meaning until Known
	Known     bool  // there was a run before
	DownAt    int64 // last time that the budget took a layer away, 0 never
	Hold      int64 // for how long after DownAt it stays so, ns
	UpSince   int64 // since when more could be afforded, 0 it cannot
	ChangedAt int64 // last change of Layer
	UpAt      int64 // last upgrade that has not failed, 0 none
	ShownAt   int64 // last time that something was shown again after nothing
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
	best      []int8 // layers of the one that the budget, less headroom, allows
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
	keepValue := a.fill(a.keep, left, subs, func(s *Subscription) int { return min(s.allowed(), s.shown()) })
	cautious := left - int64(a.cfg.Headroom*float64(max(budget, 0)))
	bestValue := a.fill(a.best, cautious, subs, func(s *Subscription) int {
		if s.Memory.Known && s.Memory.DownAt != 0 && at-s.Memory.DownAt < s.Memory.Hold {
			return min(s.allowed(), s.shown())
		}

		return s.allowed()
	})
	better := bestValue > keepValue*(1+1e-9) && a.worth(subs, bestValue, keepValue)
	ripe := better && a.ripe(subs, at)
	for i := range subs {
		a.decide(i, &subs[i], better, ripe, at)
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

// shown is the layer of the run before. One that was not known starts with the
// first at once, and gets more like all others, out of what is to spare.
func (s *Subscription) shown() int {
	if !s.Memory.Known {
		return 0
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

// decide turns the two allocations into one subscription's decision.
func (a *Allocator) decide(i int, s *Subscription, better, ripe bool, at int64) {
	m := s.Memory
	top := s.allowed()
	layer := int(a.keep[i])
	if ripe {
		layer = int(a.best[i])
	}
	if s.Audio {
		layer, top = Paused, Paused
		if wants(s) {
			layer, top = 0, 0
		}
	}
	switch {
	case !better || ripe:
		m.UpSince = 0
	case a.best[i] > a.keep[i] && m.UpSince == 0:
		m.UpSince = at
	case a.best[i] <= a.keep[i]:
		m.UpSince = 0
	}
	if m.Known && layer < min(m.Layer, top) && s.quality(m.Layer) > 0 {
		m.Hold = a.hold(&m, layer, at)
		m.DownAt, m.UpAt = at, 0
	}
	if m.Known && layer > m.Layer {
		m.UpAt = at
	}
	if layer != Paused && (!m.Known || m.Layer == Paused) {
		m.ShownAt = at
	}
	if !m.Known && layer != Paused || m.Known && m.Layer != layer {
		m.ChangedAt = at
	}
	// What was not to be shown at all starts afresh when it is again.
	m.Layer, m.Known = layer, top != Paused
	a.decisions[i] = Decision{Layer: layer, Short: layer < top, Memory: m}
}

// mostHolds is how often DownHold an upgrade that fails again and again waits.
const mostHolds = 6

// hold is how long a subscription that goes down to a layer stays there.
func (a *Allocator) hold(m *Memory, layer int, at int64) int64 {
	switch {
	case m.UpAt != 0 && at-m.UpAt < a.cfg.DownHold:
		return min(max(2*m.Hold, a.cfg.DownHold), mostHolds*a.cfg.DownHold)
	case layer == Paused && at-m.ShownAt > 2*a.cfg.DownHold:
		return a.cfg.ResumeHold
	case m.DownAt != 0 && at-m.DownAt < m.Hold:
		return max(a.cfg.DownHold, m.Hold) // further down in the same fall
	}

	return a.cfg.DownHold
}
