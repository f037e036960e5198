// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "slices"

func (c SwitchSubscription) apply(r *Router, tx *transaction) (any, error) {
	sub := r.subs[c.ID]
	if sub == nil {
		return nil, ErrSubscriptionNotFound.About(string(c.ID))
	}
	m, err := sub.member.session.membership(c.Room, Fence{}, ErrPlayRoom)
	if err != nil {
		return nil, err
	}
	target := Subscribe{Stream: c.Stream, Audio: sub.wants[Audio], Video: sub.wants[Video]}
	if err := target.check(m); err != nil {
		return nil, err
	}
	if m == sub.member && sub.stream == c.Stream {
		return sub.view(), nil
	}
	if m.subscribed(c.Stream) != nil {
		return nil, ErrSubscriptionExists.About(c.Stream)
	}
	if m != sub.member {
		r.departs(tx, sub)
	}
	r.detach(tx, sub)
	assign(tx, &sub.member, m)
	assign(tx, &sub.stream, c.Stream)
	r.attach(tx, sub)
	r.settle(tx, sub, ReasonSwitched, true)

	return sub.view(), nil
}

// departs tells the room that a subscription is about to leave for another room: who watches only this one must see it
// go. Nothing else ends.
func (r *Router) departs(tx *transaction, sub *subscription) {
	gone := sub.view()
	gone.State, gone.AudioMid, gone.VideoMid = SubscriptionEnded, "", ""
	gone.Spatial, gone.Temporal, gone.TargetSpatial, gone.BandwidthPaused = -1, -1, -1, false
	rm := sub.member.room
	r.emit(tx, rm.app.ID, rm, sub.member.session.id, SubscriptionEvent{Subscription: gone, Reason: ReasonSwitched})
}

func (c UpdateSubscription) apply(r *Router, tx *transaction) (any, error) {
	sub := r.subs[c.ID]
	if sub == nil {
		return nil, ErrSubscriptionNotFound.About(string(c.ID))
	}
	if r.serve(tx, sub, c.Preference, c.Priority, c.Paused) {
		r.tell(tx, sub, "")
	}

	return sub.view(), nil
}

func (c SetSubscriptions) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	m, err := s.membership(c.Room, c.Fence, ErrPlayRoom)
	if err != nil {
		return nil, err
	}
	if c.Generation < m.generation {
		return nil, ErrStaleGeneration.About(m.room.id).Now(m.generation)
	}
	wanted, err := c.wanted(m)
	if err != nil {
		return nil, err
	}
	grows := len(wanted) > len(m.subs) // a set over a lowered limit may still shrink
	if grows && s.subscriptions-len(m.subs)+len(wanted) > s.app.Limits.SubscriptionsPerUser {
		return nil, ErrSubscriptionLimit.About(s.user.ID)
	}
	assign(tx, &m.generation, c.Generation)
	for _, sub := range slices.Clone(m.subs) {
		if _, ok := wanted[sub.stream]; !ok {
			r.endSubscription(tx, sub, ReasonRequested, &Stopped{})
		}
	}

	return r.desire(tx, m, c.Desired), nil
}

// wanted indexes the desired subscriptions by stream id.
func (c SetSubscriptions) wanted(m *member) (map[string]struct{}, error) {
	wanted := make(map[string]struct{}, len(c.Desired))
	for _, d := range c.Desired {
		if err := d.check(m); err != nil {
			return nil, err
		}
		if _, twice := wanted[d.Stream]; twice {
			return nil, ErrArgument.In("desired").About(d.Stream)
		}
		wanted[d.Stream] = struct{}{}
	}

	return wanted, nil
}

// desire restates the subscriptions that stay, lets those of the session that wait take what is free now, and then adds
// the new ones.
func (r *Router) desire(tx *transaction, m *member, desired []Subscribe) []Subscription {
	subs := make([]*subscription, len(desired))
	for i, d := range desired {
		if subs[i] = m.subscribed(d.Stream); subs[i] != nil {
			r.restate(tx, subs[i], d)
		}
	}
	r.fill(tx, m.session)
	for i, d := range desired {
		if subs[i] != nil {
			continue
		}
		subs[i] = r.addSubscription(tx, m, d)
	}
	views := make([]Subscription, len(subs))
	for i, sub := range subs {
		views[i] = sub.view()
	}

	return views
}
