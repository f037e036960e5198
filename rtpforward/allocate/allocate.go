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
	// 0.01 to 0.5, default 0.1: the estimate goes up and down by itself, and that
	// must not take the layer away again.
	Headroom float64
	// FirstHeadroom is what the first layer of something that is paused leaves
	// unused, as a part of the budget. At most Headroom, default 0.04: to be seen at
	// all is worth more than calm.
	FirstHeadroom float64
	// UpHold is for how long an upgrade has to be affordable before it is made,
	// and the least time between two of them, in ns: each begins with a keyframe.
	// Default 1 s.
	UpHold int64
	// FirstHold is the same for what is paused. Default 500 ms.
	FirstHold int64
	// DownHold is for how long a subscription is not upgraded after it was
	// downgraded, in ns. Default 10 s. Each upgrade that fails within that time
	// doubles it, up to six times. What is paused within that time of having come
	// back stays so for as long. Neither holds once the budget is one and a half
	// times what it was before the failure.
	DownHold int64
	// ResumeHold is for how long anything else is paused at least, in ns: a link that
	// jams and drains takes a second or two. Default 1 s.
	ResumeHold int64
}

func (c Config) withDefaults() Config {
	c.Headroom = share(c.Headroom, 0.1)
	c.FirstHeadroom = min(share(c.FirstHeadroom, 0.04), c.Headroom)
	c.UpHold = orElse(c.UpHold, second)
	c.FirstHold = orElse(c.FirstHold, second/2)
	c.DownHold = orElse(c.DownHold, 10*second)
	c.ResumeHold = min(orElse(c.ResumeHold, second), c.DownHold)

	return c
}

// part of a budget.
func part(budget int64, of float64) int64 { return int64(of * float64(max(budget, 0))) }

func share(v, otherwise float64) float64 {
	if !(v > 0) {
		v = otherwise
	}

	return min(max(v, 0.01), 0.5)
}

func orElse(v, otherwise int64) int64 {
	if v <= 0 {
		return otherwise
	}

	return v
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

// firsts looks if something that is paused can be shown beside all that is, and
// leaves in best what that makes.
func (a *Allocator) firsts(budget, left int64, subs []Subscription, at int64) bool {
	paused := false
	for i := range subs {
		paused = paused || a.keep[i] == Paused && !subs[i].Audio
	}
	if !paused {
		return false
	}
	a.fill(a.best, budget, subs, func(i int) int {
		if a.keep[i] != Paused {
			return int(a.keep[i])
		}

		return min(a.reach(&subs[i], left, at), subs[i].first())
	})
	more := false
	for i := range subs {
		if a.best[i] < a.keep[i] {
			return false
		}
		more = more || a.best[i] > a.keep[i]
	}

	return more
}

// reach is the best layer that a subscription may have now.
func (a *Allocator) reach(s *Subscription, left, at int64) int {
	m := &s.Memory
	if !m.Known || m.DownAt == 0 {
		return s.allowed()
	}
	since, hold, pause := at-m.DownAt, m.Hold, m.PauseHold
	if left > m.UpBudget+m.UpBudget/2 { // that it failed then says nothing about now
		hold, pause = min(hold, a.cfg.DownHold), min(pause, a.cfg.ResumeHold)
	}
	switch {
	case since >= hold:
		return s.allowed()
	case m.Layer != Paused:
		return min(s.allowed(), m.Layer)
	case since >= pause:
		return min(s.allowed(), s.first())
	}

	return Paused
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

// pick notes in UpSince since when each could have more, and takes into keep what
// of best is to be done now: what need not wait, what one layer is exchanged for
// another, and otherwise one upgrade at a time. Each begins with a keyframe, and
// several at once would be a burst that no estimate allows for.
func (a *Allocator) pick(subs []Subscription, better bool, at int64) {
	next, gain, exchange, raised := -1, 0.0, false, int64(0)
	for i := range subs {
		s := &subs[i]
		m := &s.Memory
		raised = max(raised, m.RaisedAt)
		if !better || a.best[i] <= a.keep[i] {
			m.UpSince = 0
			exchange = exchange || better && a.best[i] < a.keep[i]

			continue
		}
		if m.UpSince == 0 {
			m.UpSince = at
		}
		if g := s.gain(int(a.keep[i]), int(a.best[i])); g > gain && a.ripe(i, s, at) {
			next, gain = i, g
		}
	}
	if !better || next < 0 {
		return
	}
	if exchange { // all or nothing: one pays for another
		if a.allRipe(subs, at) {
			copy(a.keep, a.best)
		}

		return
	}
	for i := range subs {
		if s := &subs[i]; a.best[i] > a.keep[i] && s.Eager {
			a.keep[i] = a.best[i]
		}
	}
	if raised == 0 || at-raised >= a.patience(next) {
		a.keep[next] = a.best[next]
	}
}

// patience is how long an upgrade has to be affordable, and how long after another
// it comes.
func (a *Allocator) patience(i int) int64 {
	if a.keep[i] == Paused {
		return a.cfg.FirstHold
	}

	return a.cfg.UpHold
}

// ripe says if an upgrade could be afforded for long enough.
func (a *Allocator) ripe(i int, s *Subscription, at int64) bool {
	return s.Eager || at-s.Memory.UpSince >= a.patience(i)
}

func (a *Allocator) allRipe(subs []Subscription, at int64) bool {
	for i := range subs {
		if a.best[i] > a.keep[i] && !a.ripe(i, &subs[i], at) {
			return false
		}
	}

	return true
}

// gain is the weighted quality per bit of a step.
func (s *Subscription) gain(from, to int) float64 {
	return s.factor() * (s.quality(to) - s.quality(from)) / float64(max(s.rate(to)-s.rate(from), 1))
}

// decide makes of the layer in keep a subscription's decision.
func (a *Allocator) decide(i int, s *Subscription, left, at int64) {
	m := s.Memory
	layer, top := int(a.keep[i]), s.allowed()
	if s.Audio {
		layer, top = Paused, Paused
		if wants(s) {
			layer, top = 0, 0
		}
	}
	switch {
	case m.Known && layer < min(m.Layer, top) && s.quality(m.Layer) > 0:
		a.lower(&m, layer, at)
	case m.Known && layer > m.Layer:
		if m.Layer == Paused {
			m.ResumedAt = at
		} else {
			m.UpAt = at
		}
		m.UpBudget, m.RaisedAt, m.UpSince = left, at, 0
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

// lower notes that the budget has taken a layer away. An upgrade that was followed
// by that has failed; coming back is no upgrade, and has a wait of its own.
func (a *Allocator) lower(m *Memory, layer int, at int64) {
	switch {
	case m.UpAt != 0 && at-m.UpAt < a.cfg.DownHold:
		m.Hold = min(max(2*m.Hold, a.cfg.DownHold), mostHolds*a.cfg.DownHold)
	case m.DownAt != 0 && at-m.DownAt < m.Hold:
		m.Hold = max(a.cfg.DownHold, m.Hold) // further down in the same fall
	default:
		m.Hold = a.cfg.DownHold
	}
	m.PauseHold = a.cfg.ResumeHold
	if m.ResumedAt != 0 && at-m.ResumedAt < a.cfg.DownHold {
		m.PauseHold = a.cfg.DownHold
	}
	m.DownAt, m.UpAt = at, 0
}
