// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"slices"
)

// subscription is a member's wish for a stream. Its slots and bound stream are set exactly while it is Active.
type subscription struct {
	id         SubscriptionID
	seq        uint64  // order of creation; never changes
	member     *member // of its target room; SwitchSubscription changes it within one session
	stream     string  // target stream id
	wants      [kinds]bool
	preference Preference
	priority   uint32
	paused     bool

	state SubscriptionState // never PausedByBandwidth: see view
	slot  [kinds]*line
	bound *stream
	shown shown // noLayers unless the video's slot is bound and not paused
}

// wish is a stream id of a room that somebody is subscribed to, whether there is such a stream or not.
type wish struct {
	subs []*subscription // oldest first
}

func compareSub(s *subscription, seq uint64) int { return cmp.Compare(s.seq, seq) }

// wishers are the subscriptions to a stream id, oldest first.
func (rm *room) wishers(stream string) []*subscription {
	if w := rm.wishes[stream]; w != nil {
		return w.subs
	}

	return nil
}

func (sub *subscription) view() Subscription {
	m := sub.member
	v := Subscription{
		ID: sub.id, App: m.room.app.ID, Session: m.session.id, User: m.session.user,
		Room: m.room.id, Incarnation: m.room.incarnation, Stream: sub.stream,
		Audio: sub.wants[Audio], Video: sub.wants[Video],
		Preference: sub.preference, Priority: sub.priority, Paused: sub.paused, State: sub.state,
		Spatial: sub.shown.spatial, Temporal: sub.shown.temporal, TargetSpatial: sub.shown.target, BandwidthPaused: sub.shown.starved,
	}
	if sub.shown.starved {
		v.State = SubscriptionPausedByBandwidth
	}
	if l := sub.slot[Audio]; l != nil {
		v.AudioMid = l.mid
	}
	if l := sub.slot[Video]; l != nil {
		v.VideoMid = l.mid
	}

	return v
}

// tell logs the subscription's state in its room.
func (r *Router) tell(tx *transaction, sub *subscription, reason Reason) {
	rm := sub.member.room
	r.emit(tx, rm.app.ID, rm, sub.member.session.id, SubscriptionEvent{Subscription: sub.view(), Reason: reason})
}

// attach enters a subscription into its member and room under its stream id; detach is the reverse.
func (r *Router) attach(tx *transaction, sub *subscription) {
	m := sub.member
	i, _ := slices.BinarySearchFunc(m.subs, sub.seq, compareSub)
	insert(tx, &m.subs, i, sub)
	w := m.room.wishes[sub.stream]
	if w == nil {
		w = &wish{}
		put(tx, m.room.wishes, sub.stream, w)
	}
	i, _ = slices.BinarySearchFunc(w.subs, sub.seq, compareSub)
	insert(tx, &w.subs, i, sub)
}

func (r *Router) detach(tx *transaction, sub *subscription) {
	m := sub.member
	if i, ok := slices.BinarySearchFunc(m.subs, sub.seq, compareSub); ok {
		remove(tx, &m.subs, i)
	}
	w := m.room.wishes[sub.stream]
	if i, ok := slices.BinarySearchFunc(w.subs, sub.seq, compareSub); ok {
		remove(tx, &w.subs, i)
	}
	if len(w.subs) == 0 {
		drop(tx, m.room.wishes, sub.stream)
	}
}

// subscribed returns the member's subscription to a stream id; nil when it has none.
func (m *member) subscribed(stream string) *subscription {
	for _, sub := range m.subs {
		if sub.stream == stream {
			return sub
		}
	}

	return nil
}

func (c Subscribe) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	sub, err := r.subscribe(tx, s, c)
	if err != nil {
		return nil, err
	}

	return sub.view(), nil
}

func (r *Router) subscribe(tx *transaction, s *session, c Subscribe) (*subscription, error) {
	m, err := s.membership(c.Room, c.Fence, ErrPlayRoom)
	if err != nil {
		return nil, err
	}
	if err := c.check(m); err != nil {
		return nil, err
	}
	if sub := m.subscribed(c.Stream); sub != nil {
		r.restate(tx, sub, c)

		return sub, nil
	}

	if s.subscriptions >= s.app.Limits.SubscriptionsPerUser {
		return nil, ErrSubscriptionLimit.About(s.user.ID)
	}

	return r.addSubscription(tx, m, c), nil
}

func (c Subscribe) check(m *member) error {
	if !m.grants.Subscribe {
		return ErrSubscribeDenied.About(m.room.id)
	}
	if err := checkStreamID(c.Stream); err != nil {
		return err
	}
	if !c.Audio && !c.Video {
		return ErrMediaRequired
	}

	return nil
}

func (r *Router) addSubscription(tx *transaction, m *member, c Subscribe) *subscription {
	s := m.session
	r.counters.subscription++
	sub := &subscription{
		id: SubscriptionID(r.name("u", r.counters.subscription)), seq: r.counters.subscription, member: m, stream: c.Stream,
		wants: [kinds]bool{Audio: c.Audio, Video: c.Video}, preference: c.Preference.clone(),
		priority: c.Priority, paused: c.Paused, shown: noLayers,
	}
	put(tx, r.subs, sub.id, sub)
	assign(tx, &s.subscriptions, s.subscriptions+1)
	r.attach(tx, sub)
	r.settle(tx, sub, "", true)

	return sub
}

// restate makes an existing subscription what a repeated Subscribe says; the same again changes nothing.
func (r *Router) restate(tx *transaction, sub *subscription, c Subscribe) {
	wants := [kinds]bool{Audio: c.Audio, Video: c.Video}
	changed := wants != sub.wants
	assign(tx, &sub.wants, wants) // first, so that a slot about to be freed is not updated before
	served := r.serve(tx, sub, &c.Preference, &c.Priority, &c.Paused)
	r.settle(tx, sub, "", changed || served)
}

// serve changes how a subscription is served, nil stays, and updates its slots. It reports whether anything changed.
func (r *Router) serve(tx *transaction, sub *subscription, preference *Preference, priority *uint32, paused *bool) bool {
	changed := false
	if preference != nil && !preference.equal(sub.preference) {
		assign(tx, &sub.preference, preference.clone())
		changed = true
	}
	if priority != nil && *priority != sub.priority {
		assign(tx, &sub.priority, *priority)
		changed = true
	}
	if paused != nil && *paused != sub.paused {
		assign(tx, &sub.paused, *paused)
		sub.forgetLayers(tx)
		changed = true
	}
	for _, k := range bothKinds {
		if changed && sub.slot[k] != nil && sub.wants[k] {
			tx.effect(sub.update(k))
		}
	}

	return changed
}

// endSubscription frees the subscription's slots and forgets it.
func (r *Router) endSubscription(tx *transaction, sub *subscription, reason Reason, stopped *Stopped) {
	s := sub.member.session
	r.release(tx, sub)
	r.setState(tx, sub, SubscriptionEnded)
	r.detach(tx, sub)
	drop(tx, r.subs, sub.id)
	assign(tx, &s.subscriptions, s.subscriptions-1)
	stopped.Subscriptions++
	r.tell(tx, sub, reason)
}

func (c Unsubscribe) apply(r *Router, tx *transaction) (any, error) {
	sub := r.subs[c.ID]
	if sub == nil {
		return nil, ErrSubscriptionNotFound.About(string(c.ID))
	}
	var stopped Stopped
	r.endSubscription(tx, sub, ReasonRequested, &stopped)

	return stopped, nil
}

func (p Preference) clone() Preference {
	p.MaxSpatial, p.MaxTemporal = cloneByte(p.MaxSpatial), cloneByte(p.MaxTemporal)

	return p
}

func cloneByte(p *uint8) *uint8 {
	if p == nil {
		return nil
	}
	v := *p

	return &v
}

func (p Preference) equal(q Preference) bool {
	return equalByte(p.MaxSpatial, q.MaxSpatial) && equalByte(p.MaxTemporal, q.MaxTemporal) &&
		p.Width == q.Width && p.Height == q.Height && p.FPS == q.FPS
}

func equalByte(p, q *uint8) bool {
	return p == q || p != nil && q != nil && *p == *q
}
