// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"slices"
)

// The k-th audio slot and the k-th video slot of a session are a pair: clients play them in step, because the answer names
// them as one stream (docs/adr/0021-slot-pairs.md). Idle slots are kept by what they are good for. Those whose counterparts
// are idle too are for subscriptions that want both kinds; the others, the lone ones, are for those that want one.

func (k Kind) other() Kind { return Audio + Video - k }

// counterpart is the other slot of a pair; nil when there is none.
func (s *session) counterpart(l *line) *line {
	if other := s.slots[l.kind.other()]; l.pair <= len(other) {
		return other[l.pair-1]
	}

	return nil
}

// idleSlots counts a kind's.
func (s *session) idleSlots(k Kind) int { return len(s.pairs) + len(s.lone[k]) }

// choose picks an idle slot of a kind for a subscription that is about to hold slots of the wanted kinds; there is one.
//
//  1. The counterpart of the slot that it holds.
//  2. For both kinds: the lowest idle pair.
//  3. A slot without counterpart, the lowest one; then one whose counterpart is in use by others.
//  4. The lowest of an idle pair.
func (s *session) choose(sub *subscription, want [kinds]bool, k Kind) *line {
	held := sub.slot[k.other()]
	if held != nil {
		if l := s.counterpart(held); l != nil && l.idle {
			return l
		}
	}
	both := held == nil && want[k.other()] && len(s.pairs) > 0
	switch {
	case !both && len(s.lone[k]) > 0:
		return s.lone[k][0]
	case k == Video:
		return s.counterpart(s.pairs[0])
	default:
		return s.pairs[0]
	}
}

// vacate enters a slot among the idle ones, occupy takes it out. Either moves its counterpart, if that is idle.
func (s *session) vacate(tx *transaction, l *line) {
	assign(tx, &l.idle, true)
	other := s.counterpart(l)
	if other == nil || !other.idle {
		i, _ := s.searchLone(l)
		insert(tx, &s.lone[l.kind], i, l)

		return
	}
	i, _ := s.searchLone(other)
	remove(tx, &s.lone[other.kind], i)
	i, _ = s.searchPair(l)
	insert(tx, &s.pairs, i, s.slots[Audio][l.pair-1])
}

func (s *session) occupy(tx *transaction, l *line) {
	assign(tx, &l.idle, false)
	other := s.counterpart(l)
	if other == nil || !other.idle {
		i, _ := s.searchLone(l)
		remove(tx, &s.lone[l.kind], i)

		return
	}
	i, _ := s.searchPair(l)
	remove(tx, &s.pairs, i)
	i, _ = s.searchLone(other)
	insert(tx, &s.lone[other.kind], i, other)
}

// searchLone finds a slot among the lone ones of its kind: those without counterpart come first.
func (s *session) searchLone(l *line) (int, bool) {
	own := s.counterpart(l) != nil

	return slices.BinarySearchFunc(s.lone[l.kind], l.pair, func(x *line, pair int) int {
		if has := s.counterpart(x) != nil; has != own {
			if has {
				return 1
			}

			return -1
		}

		return cmp.Compare(x.pair, pair)
	})
}

func (s *session) searchPair(l *line) (int, bool) {
	return slices.BinarySearchFunc(s.pairs, l.pair, func(x *line, pair int) int { return cmp.Compare(x.pair, pair) })
}

// enroll numbers a line that becomes a slot for the first time. It keeps the number when it is none for a while.
func (s *session) enroll(tx *transaction, l *line) {
	if l.pair != 0 {
		return
	}
	numbered := &s.slots[l.kind]
	assign(tx, &l.pair, len(*numbered)+1)
	s.regroup(tx, l, func() { insert(tx, numbered, l.pair-1, l) })
}

// strike takes the number from an inactive line that is used again as another one. The number stays free, so that those of
// the others stay.
func (s *session) strike(tx *transaction, l *line) {
	if l.pair == 0 {
		return
	}
	left := slices.Clone(s.slots[l.kind])
	left[l.pair-1] = nil
	s.regroup(tx, l, func() { assign(tx, &s.slots[l.kind], left) })
	assign(tx, &l.pair, 0)
}

// regroup makes a change after which l's counterpart has l for counterpart, or has no more.
func (s *session) regroup(tx *transaction, l *line, change func()) {
	other := s.counterpart(l)
	moves := other != nil && other.idle
	if moves {
		s.occupy(tx, other)
	}
	change()
	if moves {
		s.vacate(tx, other)
	}
}
