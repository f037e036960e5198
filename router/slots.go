// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "slices"

// settle decides what a subscription is bound to, from what it wants, what its stream has, and which slots are free. It
// takes all the slots it needs, those that session.choose prefers, or none. Slots it holds are kept and switched in place. The
// outcome is told when it differs from before, or in any case when tell is set.
func (r *Router) settle(tx *transaction, sub *subscription, reason Reason, tell bool) {
	st := sub.member.room.stream(sub.stream)
	before := sub.binding()
	want, some := sub.needs(st)
	switch {
	case !some:
		r.release(tx, sub)
		r.setState(tx, sub, SubscriptionPending)
	case !sub.fits(want):
		r.release(tx, sub)
		r.setState(tx, sub, SubscriptionNeedsNegotiation)
	default:
		r.bind(tx, sub, st, want)
		r.setState(tx, sub, SubscriptionActive)
	}
	if tell || before != sub.binding() {
		r.tell(tx, sub, reason)
	}
}

// binding is what subscribers see of a settlement.
type binding struct {
	state SubscriptionState
	slot  [kinds]*line
	bound *stream
}

func (sub *subscription) binding() binding { return binding{sub.state, sub.slot, sub.bound} }

// needs are the kinds that are both wanted and there.
func (sub *subscription) needs(st *stream) (want [kinds]bool, some bool) {
	if st == nil {
		return want, false
	}
	for _, k := range bothKinds {
		want[k] = sub.wants[k] && st.mid[k] != ""
		some = some || want[k]
	}

	return want, some
}

// fits reports whether the session has the slots, held or idle.
func (sub *subscription) fits(want [kinds]bool) bool {
	for _, k := range bothKinds {
		if want[k] && sub.slot[k] == nil && sub.member.session.idleSlots(k) == 0 {
			return false
		}
	}

	return true
}

// bind binds the wanted kinds to the stream and frees the others.
func (r *Router) bind(tx *transaction, sub *subscription, st *stream, want [kinds]bool) {
	s := sub.member.session
	for _, k := range bothKinds {
		if !want[k] && sub.slot[k] != nil {
			r.unbind(tx, sub, k)
		}
	}
	switched := sub.bound != st
	if switched {
		assign(tx, &sub.bound, st)
	}
	for _, k := range bothKinds {
		if !want[k] || sub.slot[k] != nil && !switched {
			continue
		}
		if sub.slot[k] == nil {
			l := s.choose(sub, want, k)
			s.occupy(tx, l)
			assign(tx, &sub.slot[k], l)
			assign(tx, &l.sub, sub)
			tx.touch(s)
		}
		if k == Video {
			sub.forgetLayers(tx)
		}
		tx.effect(BindSlot{
			Session: s.id, Mid: sub.slot[k].mid, Kind: k, Subscription: sub.id,
			Room: st.member.room.id, Stream: st.id, Source: st.member.session.id, SourceMid: st.mid[k],
			Paused: sub.stopped(k), Preference: sub.preference, Priority: sub.priority, Weight: sub.member.weight,
		})
	}
}

// release frees all slots of a subscription.
func (r *Router) release(tx *transaction, sub *subscription) {
	for _, k := range bothKinds {
		if sub.slot[k] != nil {
			r.unbind(tx, sub, k)
		}
	}
	if sub.bound != nil {
		assign(tx, &sub.bound, nil)
	}
}

// unbind makes one slot idle.
func (r *Router) unbind(tx *transaction, sub *subscription, k Kind) {
	s, l := sub.member.session, sub.slot[k]
	tx.effect(UnbindSlot{
		Session: s.id, Mid: l.mid, Kind: k, Subscription: sub.id,
		Room: sub.bound.member.room.id, Stream: sub.bound.id,
	})
	assign(tx, &l.sub, nil)
	assign(tx, &sub.slot[k], nil)
	if k == Video {
		sub.forgetLayers(tx)
	}
	s.vacate(tx, l)
	tx.touch(s)
}

// stopped reports whether a bound kind is not to be forwarded for now, by the subscriber's wish or the stream's mute.
func (sub *subscription) stopped(k Kind) bool { return sub.paused || sub.bound.muted[k] }

func (sub *subscription) update(k Kind) UpdateSlot {
	return UpdateSlot{
		Session: sub.member.session.id, Mid: sub.slot[k].mid, Kind: k, Subscription: sub.id,
		Paused: sub.stopped(k), Preference: sub.preference, Priority: sub.priority, Weight: sub.member.weight,
	}
}

// setState changes the state and keeps the session's list of waiting subscriptions.
func (r *Router) setState(tx *transaction, sub *subscription, to SubscriptionState) {
	s := sub.member.session
	if to == SubscriptionNeedsNegotiation || sub.state == SubscriptionNeedsNegotiation {
		tx.touch(s) // how many slots are missing may change even when the state does not
	}
	if sub.state == to {
		return
	}
	i, waits := slices.BinarySearchFunc(s.waiting, sub.seq, compareSub)
	switch {
	case waits:
		remove(tx, &s.waiting, i)
	case to == SubscriptionNeedsNegotiation:
		insert(tx, &s.waiting, i, sub)
	}
	assign(tx, &sub.state, to)
}

// finish gives idle slots of the touched sessions to waiting subscriptions, oldest first (one that does not fit is
// passed over, and stays first in line), and tells how many slots are missing when that has changed.
func (r *Router) finish(tx *transaction) {
	for _, s := range tx.touched {
		if !s.live || s.touched != tx.serial {
			continue
		}
		r.fill(tx, s)
		missing := s.missingSlots()
		if missing != s.missing {
			assign(tx, &s.missing, missing)
			if missing != (NegotiationNeededEvent{}) {
				r.emit(tx, s.app.ID, nil, s.id, missing)
			}
		}
		s.touched = 0
	}
	clear(tx.touched)
	tx.touched = tx.touched[:0]
}

// fill gives a session's idle slots to those of its subscriptions that wait for some.
func (r *Router) fill(tx *transaction, s *session) {
	for _, sub := range slices.Clone(s.waiting) {
		r.settle(tx, sub, "", false)
	}
}

// missingSlots counts the slots a client must offer so that every waiting subscription finds its own.
func (s *session) missingSlots() (missing NegotiationNeededEvent) {
	if len(s.waiting) == 0 {
		return missing
	}
	for _, sub := range s.waiting {
		want, _ := sub.needs(sub.member.room.stream(sub.stream))
		if want[Audio] {
			missing.Audio++
		}
		if want[Video] {
			missing.Video++
		}
	}
	missing.Audio = max(0, missing.Audio-s.idleSlots(Audio))
	missing.Video = max(0, missing.Video-s.idleSlots(Video))

	return missing
}
