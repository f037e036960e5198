// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"time"
)

// banKey names a user that may not join a room; bans survive the room.
type banKey struct{ app, room, user string }

// ban keeps a user out of a room for a while.
type ban struct {
	key   banKey
	until time.Time
	live  bool
	timer timer
}

// due implements timed.
func (b *ban) due(*Router) time.Time {
	if !b.live {
		return time.Time{}
	}

	return b.until
}

// expire implements timed.
func (b *ban) expire(r *Router, tx *transaction) {
	if at := b.due(r); at.IsZero() || at.After(tx.now) {
		return
	}
	assign(tx, &b.live, false)
	drop(tx, r.bans, b.key)
}

func (r *Router) ban(tx *transaction, key banKey, until time.Time) error {
	b := r.bans[key]
	if b == nil {
		if len(r.bans) >= r.cfg.Bans {
			return ErrBanLimit
		}
		b = &ban{key: key}
		b.timer = r.newTimer(b)
		put(tx, r.bans, key, b)
		assign(tx, &b.live, true)
	}
	assign(tx, &b.until, until)
	tx.rearm(&b.timer)

	return nil
}

func (c KickUser) check() error {
	if err := checkRoomID(c.Room); err != nil {
		return err
	}
	if err := checkUserID(c.User); err != nil {
		return err
	}
	if c.Ban < 0 {
		return ErrArgument.In("ban_for")
	}

	return checkText(c.Why, maxWhy, "reason")
}

// apply kicks a member. A ban holds for a user that is not there too: it may have left a moment ago.
func (c KickUser) apply(r *Router, tx *transaction) (any, error) {
	if _, err := r.App(c.App); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	m, err := r.findMember(c.App, c.Room, c.User, c.Fence)
	absent := m == nil && c.Ban > 0 && c.Fence == Fence{}
	if err != nil && !absent {
		return nil, err
	}
	var until time.Time
	if c.Ban > 0 {
		until = tx.now.Add(c.Ban)
		if err := r.ban(tx, banKey{c.App, c.Room, c.User}, until); err != nil {
			return nil, err
		}
	}
	var stopped Stopped
	if m != nil {
		kicked := MemberKickedEvent{Member: m.view(), Reason: ReasonKicked, Why: c.Why, BanUntil: until}
		r.emit(tx, c.App, m.room, m.session.id, kicked)
		r.leave(tx, m, ReasonKicked, c.Why, &stopped)
	}

	return stopped, nil
}

// apply removes the members in order of their user ids; the last one's leaving closes the room.
func (c CloseRoom) apply(r *Router, tx *transaction) (any, error) {
	if err := checkText(c.Why, maxWhy, "reason"); err != nil {
		return nil, err
	}
	rm, err := r.findRoom(c.App, c.Room, c.Fence)
	if err != nil {
		return nil, err
	}
	var stopped Stopped
	for _, m := range slices.Clone(rm.members) {
		r.leave(tx, m, ReasonRoomClosed, c.Why, &stopped)
	}

	return stopped, nil
}

func (c UpdateMember) apply(r *Router, tx *transaction) (any, error) {
	m, err := r.findMember(c.App, c.Room, c.User, c.Fence)
	if err != nil {
		return nil, err
	}
	if err := c.check(m); err != nil {
		return nil, err
	}
	changed := false
	if c.Metadata != nil && *c.Metadata != m.metadata {
		assign(tx, &m.metadata, *c.Metadata)
		changed = true
	}
	reweighed := c.Weight != nil && max(1, *c.Weight) != m.weight
	if reweighed {
		assign(tx, &m.weight, max(1, *c.Weight))
		changed = true
	}
	if c.Grants != nil && *c.Grants != m.grants {
		assign(tx, &m.grants, *c.Grants)
		changed = true
	}
	if !changed {
		return m.view(), nil
	}
	r.emit(tx, c.App, m.room, m.session.id, MemberUpdatedEvent{Member: m.view()})
	if !m.grants.Publish {
		for _, st := range slices.Clone(m.streams) {
			r.removeStream(tx, st, ReasonGrantsChanged, &Stopped{})
		}
	}
	if !m.grants.Subscribe {
		for _, sub := range slices.Clone(m.subs) {
			r.endSubscription(tx, sub, ReasonGrantsChanged, &Stopped{})
		}
	}
	if reweighed {
		m.updateSlots(tx)
	}

	return m.view(), nil
}

func (c UpdateMember) check(m *member) error {
	if c.Metadata != nil && len(*c.Metadata) > m.room.app.Limits.MetadataBytes {
		return ErrMetadataTooLong
	}
	if c.Weight == nil {
		return nil
	}

	return checkWeight(*c.Weight)
}

// updateSlots tells the media engine how the member's slots are served now.
func (m *member) updateSlots(tx *transaction) {
	for _, sub := range m.subs {
		for _, k := range bothKinds {
			if sub.slot[k] != nil {
				tx.effect(sub.update(k))
			}
		}
	}
}

func (c RenewMember) apply(r *Router, tx *transaction) (any, error) {
	m, err := r.findMember(c.App, c.Room, c.User, c.Fence)
	if err != nil {
		return nil, err
	}
	if !c.Expires.IsZero() && !c.Expires.After(tx.now) {
		return nil, ErrArgument.In("expire_time")
	}
	if c.Expires.Equal(m.expires) {
		return m.view(), nil
	}
	assign(tx, &m.expires, c.Expires)
	assign(tx, &m.warned, false)
	tx.rearm(&m.timer)
	r.emit(tx, c.App, m.room, m.session.id, MemberUpdatedEvent{Member: m.view()})

	return m.view(), nil
}
