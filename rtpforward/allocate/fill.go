// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

// exchangeGain is how much better an allocation must be, of the whole, before
// somebody's layer is taken for somebody else's.
const exchangeGain = 0.02

// fill spends budget on the subscriptions' video, none above the layer that
// limit gives, writes the layers to out and returns the weighted quality of all.
func (a *Allocator) fill(out []int8, budget int64, subs []Subscription, limit func(i int) int) (value float64) {
	a.heap = a.heap[:0]
	for i := range subs {
		out[i] = Paused
		if s := &subs[i]; !s.Audio {
			a.offer(s, i, Paused, limit(i), budget)
		}
	}
	for len(a.heap) > 0 {
		next := a.pop()
		s := &subs[next.sub]
		from := int(out[next.sub])
		if cost := s.rate(int(next.to)) - s.rate(from); cost <= budget {
			budget -= cost
			value += s.factor() * (s.quality(int(next.to)) - s.quality(from))
			out[next.sub] = int8(next.to)
			a.offer(s, int(next.sub), int(next.to), limit(int(next.sub)), budget)

			continue
		}
		// The best step does not fit; a smaller one of the same may.
		a.offer(s, int(next.sub), from, int(next.to)-1, budget)
	}

	return value
}

// offer puts the best step of a subscription from its layer on, up to top, on
// the heap: the one with the most quality per bit, of those that fit. Looking
// at all of them leaves out layers that cost much and show little.
func (a *Allocator) offer(s *Subscription, i, from, top int, budget int64) {
	best := step{sub: int32(i), to: Paused}
	for to := from + 1; to <= top; to++ {
		gain := s.quality(to) - s.quality(from)
		cost := s.rate(to) - s.rate(from)
		if !(gain > 0) || cost > budget {
			continue
		}
		perBit := s.factor() * gain / float64(max(cost, 1))
		if perBit > best.gain {
			best.gain, best.to = perBit, int32(to)
		}
	}
	if best.to != Paused {
		a.push(best)
	}
}

// before orders steps; equal ones go by position, so that runs repeat exactly.
func before(x, y step) bool {
	if x.gain != y.gain {
		return x.gain > y.gain
	}

	return x.sub < y.sub
}

// push and pop are a binary heap: container/heap would allocate for each step.
func (a *Allocator) push(s step) {
	a.heap = append(a.heap, s) // at most one a subscription: never grows here
	h := a.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(h[i], h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (a *Allocator) pop() step {
	h := a.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && before(h[child+1], h[child]) {
			child++
		}
		if !before(h[child], h[i]) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	a.heap = h

	return top
}

// worth says if best is to replace keep at all: it may take from nobody for a
// small gain, and not the last layer unless somebody else is seen for it.
func (a *Allocator) worth(subs []Subscription, best, keep float64) bool {
	fewer, takes := 0, false
	for i := range subs {
		takes = takes || a.best[i] < a.keep[i]
		if a.best[i] == Paused {
			fewer++
		}
		if a.keep[i] == Paused {
			fewer--
		}
	}

	return !takes || best > keep*(1+exchangeGain) && fewer <= 0
}
