// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"strconv"
)

// apply does everything of a join; any part's failure takes back all of it, the end of an earlier session of the same
// user too.
func (c Connect) apply(r *Router, tx *transaction) (any, error) {
	tx.recording()
	s, err := r.createSession(tx, c.Create)
	if err != nil {
		return nil, err
	}
	if len(c.Lines) > 0 {
		if err := r.setLines(tx, s, c.Lines); err != nil {
			return nil, err
		}
	}
	var reply ConnectReply
	if reply.Rooms, err = r.connectRooms(tx, s, c.Joins); err != nil {
		return nil, err
	}
	for i, p := range c.Publishes {
		if err := s.fits(p.Fence); err != nil {
			return nil, inPart("publishes", i, err)
		}
		if _, err := r.publish(tx, s, p); err != nil {
			return nil, inPart("publishes", i, err)
		}
	}
	subs := make([]*subscription, len(c.Subscriptions))
	for i, want := range c.Subscriptions {
		if err := s.fits(want.Fence); err != nil {
			return nil, inPart("subscriptions", i, err)
		}
		if subs[i], err = r.subscribe(tx, s, want); err != nil {
			return nil, inPart("subscriptions", i, err)
		}
	}
	// What is answered is how things stand after waiting subscriptions have had their turn.
	r.finish(tx)
	for i, joined := range reply.Rooms {
		m := s.member(joined.Member.Room)
		reply.Rooms[i] = JoinReply{Member: m.view(), Room: m.room.view(), Revision: r.counters.revision, Repeated: joined.Repeated}
	}
	for _, p := range c.Publishes {
		reply.Streams = append(reply.Streams, s.member(s.only(p.Room)).room.stream(p.Stream).view())
	}
	for _, sub := range subs {
		reply.Subscriptions = append(reply.Subscriptions, sub.view())
	}
	reply.Session, reply.Lines = s.view(), s.lineViews()

	return reply, nil
}

func (r *Router) connectRooms(tx *transaction, s *session, joins []JoinRoom) ([]JoinReply, error) {
	replies := make([]JoinReply, 0, len(joins))
	for i, j := range joins {
		if err := s.fits(Fence{SessionEpoch: j.Fence.SessionEpoch}); err != nil {
			return nil, inPart("joins", i, err)
		}
		m, repeated, err := r.join(tx, s, j)
		if err != nil {
			return nil, inPart("joins", i, err)
		}
		replies = append(replies, JoinReply{
			Member: m.view(), Room: m.room.view(), Revision: r.counters.revision, Repeated: repeated,
		})
	}

	return replies, nil
}

// inPart names the part of a Connect that has failed in the error's field.
func inPart(list string, i int, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	field := list + "[" + strconv.Itoa(i) + "]"
	if e.Field != "" {
		field += "." + e.Field
	}

	return e.In(field)
}
