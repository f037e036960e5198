// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

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
			m.UpAt, m.UpFrom = at, m.Layer
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

// lower notes that the budget has taken a layer away. An upgrade of which
// nothing is left soon after has failed; coming back is no upgrade, and has a wait of its own.
func (a *Allocator) lower(m *Memory, layer int, at int64) {
	switch {
	case m.UpAt != 0 && at-m.UpAt < a.cfg.DownHold && layer <= m.UpFrom:
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
	m.DownAt = at
	if layer <= m.UpFrom {
		m.UpAt = 0
	}
}
