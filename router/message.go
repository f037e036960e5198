// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"time"
)

// messages is what a room remembers of its messages: rates, and the latest ids of callers to answer repeats.
type messages struct {
	rates   [4]bucket // by rate class
	replies map[messageKey]MessageReply
	order   []messageKey // a circle of the keys in replies, the oldest at next
	next    int
}

// messageKey names a message by its sender: one member cannot use up another's ids.
type messageKey struct{ from, id string }

// The rate classes of a room.
const (
	rateBroadcast = iota
	rateBarrage
	rateCommand
	rateCommandMany
)

func (c SendMessage) check(limits Limits) error {
	switch {
	case c.Kind < MessageBroadcast || c.Kind > MessageCommand:
		return ErrArgument.In("kind")
	case len(c.To) > 0 && c.Kind != MessageCommand:
		return ErrArgument.In("to_users")
	case len(c.Payload) == 0:
		return ErrMessageEmpty
	case len(c.Payload) > limits.MessageBytes:
		return ErrMessageTooLong
	}

	return checkText(c.ClientMessageID, maxMessageID, "client_message_id")
}

// apply sends a message. Nothing after the rate check can fail, so buckets and replies need no journal.
func (c SendMessage) apply(r *Router, tx *transaction) (any, error) {
	rm, err := r.findRoom(c.App, c.Room, c.Fence)
	if err != nil {
		return nil, err
	}
	sender := rm.member(c.From)
	if err := c.authorize(sender); err != nil {
		return nil, err
	}
	if err := c.check(rm.app.Limits); err != nil {
		return nil, err
	}
	key := messageKey{c.From, c.ClientMessageID}
	if reply, ok := rm.messages.replies[key]; ok && key.id != "" {
		reply.Repeated = true

		return reply, nil
	}
	to, dropped := rm.recipients(c)
	if err := rm.spend(tx.now, c, sender, len(to)+dropped); err != nil {
		return nil, err
	}
	r.counters.message++
	reply := MessageReply{ID: r.name("g", r.counters.message), Accepted: len(to), Dropped: dropped}
	r.deliver(tx, rm, c, sender, to, reply.ID)
	rm.messages.remember(key, reply, r.cfg.MessageDedup)

	return reply, nil
}

func (c SendMessage) authorize(sender *member) error {
	switch {
	case sender != nil:
		if err := sender.session.fits(c.Fence); err != nil {
			return err
		}
		if !c.FromServer && !sender.grants.Message {
			return ErrMessageDenied.About(c.From)
		}
	case !c.FromServer:
		return ErrNotInRoom.About(c.From)
	case c.From != "":
		return checkUserID(c.From)
	}

	return nil
}

// recipients are the members that get the message, in order of user ids or of c.To, never the sender.
func (rm *room) recipients(c SendMessage) (to []*member, dropped int) {
	if len(c.To) == 0 {
		to = make([]*member, 0, len(rm.members))
		for _, m := range rm.members {
			if m.session.user.ID != c.From {
				to = append(to, m)
			}
		}

		return to, 0
	}
	seen := make(map[string]bool, len(c.To))
	for _, user := range c.To {
		if user == c.From || seen[user] {
			continue
		}
		seen[user] = true
		if m := rm.member(user); m != nil {
			to = append(to, m)
		} else {
			dropped++
		}
	}

	return to, dropped
}

// spend takes the tokens of a message, all or none.
func (rm *room) spend(now time.Time, c SendMessage, sender *member, recipients int) error {
	limits := &rm.app.Limits
	class, rate := rateBroadcast, limits.BroadcastPerSecond
	switch {
	case c.Kind == MessageBarrage:
		class, rate = rateBarrage, limits.BarragePerSecond
	case c.Kind == MessageCommand && len(c.To) > 0 && recipients <= 1:
		class, rate = rateCommand, limits.CommandPerSecond
	case c.Kind == MessageCommand:
		class, rate = rateCommandMany, limits.CommandManyPerSecond
	}
	room := &rm.messages.rates[class]
	wait := room.wait(now, rate)
	own := c.Kind == MessageBroadcast && sender != nil
	if own {
		wait = max(wait, sender.broadcasts.wait(now, limits.BroadcastPerUser))
	}
	if wait > 0 {
		return ErrMessageRate.About(c.Room).After(wait)
	}
	room.take(now, rate)
	if own {
		sender.broadcasts.take(now, limits.BroadcastPerUser)
	}

	return nil
}

func (r *Router) deliver(tx *transaction, rm *room, c SendMessage, sender *member, to []*member, id string) {
	e := &MessageEvent{
		ID: id, ClientMessageID: c.ClientMessageID, From: User{ID: c.From}, MessageKind: c.Kind,
		All: len(c.To) == 0, Payload: slices.Clone(c.Payload), Sent: tx.now,
	}
	var from SessionID
	if sender != nil {
		e.From, from = sender.session.user, sender.session.id
	}
	if !e.All {
		e.To = make([]string, len(to))
		for i, m := range to {
			e.To[i] = m.session.user.ID
		}
	}
	r.emit(tx, rm.app.ID, rm, from, *e)
	for _, m := range to {
		tx.effect(DeliverMessage{Session: m.session.id, Message: e, Room: rm.id})
	}
}

// remember keeps a reply for repeats, in place of the oldest one when there are limit already.
func (g *messages) remember(key messageKey, reply MessageReply, limit int) {
	if key.id == "" {
		return
	}
	if g.replies == nil {
		g.replies = make(map[messageKey]MessageReply)
	}
	if len(g.order) < limit {
		g.order = append(g.order, key)
	} else {
		delete(g.replies, g.order[g.next])
		g.order[g.next] = key
		g.next = (g.next + 1) % limit
	}
	g.replies[key] = reply
}
