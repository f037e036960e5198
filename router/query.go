// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"slices"
	"strings"
)

// Page sizes.
const (
	defaultPage = 100
	maxPage     = 1000
)

func (p Page) size() (int, error) {
	switch {
	case p.Size < 0:
		return 0, ErrArgument.In("page_size")
	case p.Size == 0:
		return defaultPage, nil
	default:
		return min(p.Size, maxPage), nil
	}
}

// Session returns a session.
func (r *Router) Session(id SessionID) (Session, error) {
	s, err := r.find(id, Fence{})
	if err != nil {
		return Session{}, err
	}

	return s.view(), nil
}

// SessionOfUser returns the session of a user, if it has one.
func (r *Router) SessionOfUser(app, user string) (SessionID, bool) {
	a := r.lookApp(app)
	if a == nil || a.users[user] == nil {
		return "", false
	}

	return a.users[user].id, true
}

// Sessions returns a page of the sessions that the filter selects, by id, and the token of the next page, empty on the last.
func (r *Router) Sessions(f SessionFilter, p Page) (list []Session, next string, err error) {
	size, err := p.size()
	if err != nil {
		return nil, "", err
	}
	var found []*session
	for _, s := range r.sessions {
		if string(s.id) > p.Token && f.selects(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	if len(found) > size {
		found = found[:size]
		next = string(found[size-1].id)
	}
	list = make([]Session, len(found))
	for i, s := range found {
		list[i] = s.view()
	}

	return list, next, nil
}

func (f SessionFilter) selects(s *session) bool {
	return (f.App == "" || f.App == s.app.ID) && (f.User == "" || f.User == s.user.ID) &&
		(f.Room == "" || s.member(f.Room) != nil)
}

// Room returns a room with its members, streams and metadata.
func (r *Router) Room(app, room string) (Room, error) {
	rm, err := r.findRoom(app, room, Fence{})
	if err != nil {
		return Room{}, err
	}

	return rm.view(), nil
}

// key orders rooms of all apps; no id has a slash.
func (rm *room) key() string { return rm.app.ID + "/" + rm.id }

func compareRooms(a, b *room) int {
	return cmp.Or(strings.Compare(a.app.ID, b.app.ID), strings.Compare(a.id, b.id))
}

// Rooms returns a page of the rooms that the filter selects, by app and id, and the token of the next page, empty on the
// last.
func (r *Router) Rooms(f RoomFilter, p Page) (list []Room, next string, err error) {
	found, next, err := r.pageRooms(f, p)
	if err != nil {
		return nil, "", err
	}
	list = make([]Room, len(found))
	for i, rm := range found {
		list[i] = rm.view()
	}

	return list, next, nil
}

// RoomSummaries is Rooms without what is in them: it costs the same for full rooms as for empty ones.
func (r *Router) RoomSummaries(f RoomFilter, p Page) (list []RoomSummary, next string, err error) {
	found, next, err := r.pageRooms(f, p)
	if err != nil {
		return nil, "", err
	}
	list = make([]RoomSummary, len(found))
	for i, rm := range found {
		list[i] = rm.summary()
	}

	return list, next, nil
}

func (rm *room) summary() RoomSummary {
	return RoomSummary{
		App: rm.app.ID, ID: rm.id, Incarnation: rm.incarnation, Revision: rm.revision, Opened: rm.opened,
		Members: len(rm.members), Streams: len(rm.streams), Loudest: rm.loudest,
	}
}

func (r *Router) pageRooms(f RoomFilter, p Page) (found []*room, next string, err error) {
	size, err := p.size()
	if err != nil {
		return nil, "", err
	}
	app, id, ok := strings.Cut(p.Token, "/")
	if p.Token != "" && !ok {
		return nil, "", ErrArgument.In("page_token")
	}
	for _, a := range r.apps {
		if f.App != "" && f.App != a.ID || a.ID < app {
			continue
		}
		for _, rm := range a.rooms {
			if strings.HasPrefix(rm.id, f.Prefix) && (a.ID > app || rm.id > id) {
				found = append(found, rm)
			}
		}
	}
	slices.SortFunc(found, compareRooms)
	if len(found) > size {
		found = found[:size]
		next = found[size-1].key()
	}

	return found, next, nil
}

// Stream returns a stream of a room.
func (r *Router) Stream(app, room, stream string) (Stream, error) {
	st, err := r.findStream(app, room, stream, Fence{})
	if err != nil {
		return Stream{}, err
	}

	return st.view(), nil
}

// Streams returns the streams of a room, by id.
func (r *Router) Streams(app, room string) ([]Stream, error) {
	rm, err := r.findRoom(app, room, Fence{})
	if err != nil {
		return nil, err
	}

	return rm.streamViews(), nil
}

// Subscription returns a subscription.
func (r *Router) Subscription(id SubscriptionID) (Subscription, error) {
	sub := r.subs[id]
	if sub == nil {
		return Subscription{}, ErrSubscriptionNotFound.About(string(id))
	}

	return sub.view(), nil
}

// Subscriptions returns a session's subscriptions in a room, or in all its rooms when room is empty, by room and age.
func (r *Router) Subscriptions(session SessionID, room string) ([]Subscription, error) {
	s, err := r.find(session, Fence{})
	if err != nil {
		return nil, err
	}
	if room != "" && s.member(room) == nil {
		return nil, ErrNotInRoom.About(room)
	}
	var list []Subscription
	for _, m := range s.members {
		if room != "" && m.room.id != room {
			continue
		}
		for _, sub := range m.subs {
			list = append(list, sub.view())
		}
	}

	return list, nil
}

// Lines returns a session's m-lines with what they are bound to, in m-line order.
func (r *Router) Lines(session SessionID) ([]Line, error) {
	s, err := r.find(session, Fence{})
	if err != nil {
		return nil, err
	}

	return s.lineViews(), nil
}

// Counts returns how much there is of everything.
func (r *Router) Counts() Counts {
	return Counts{
		Sessions: len(r.sessions), Rooms: r.counters.rooms, Members: r.counters.members,
		Streams: r.counters.streams, Subscriptions: len(r.subs),
	}
}

// Snapshot returns the complete state as of now, or what match selects of it: sessions are asked about with an empty room,
// rooms with an empty session, subscriptions with both. A nil match selects everything.
func (r *Router) Snapshot(match func(app, room string, session SessionID) bool) Snapshot {
	if match == nil {
		match = func(string, string, SessionID) bool { return true }
	}
	out := Snapshot{Revision: r.counters.revision, Epoch: r.cfg.Epoch, Draining: r.draining, Deadline: r.deadline}
	for _, s := range r.sessions {
		if match(s.app.ID, "", s.id) {
			out.Sessions = append(out.Sessions, s.view())
		}
	}
	var rooms []*room
	for _, a := range r.apps {
		for _, rm := range a.rooms {
			if match(a.ID, rm.id, "") {
				rooms = append(rooms, rm)
			}
		}
	}
	slices.SortFunc(rooms, compareRooms)
	for _, rm := range rooms {
		out.Rooms = append(out.Rooms, rm.view())
	}
	for _, sub := range r.subs {
		if match(sub.member.room.app.ID, sub.member.room.id, sub.member.session.id) {
			out.Subscriptions = append(out.Subscriptions, sub.view())
		}
	}
	slices.SortFunc(out.Sessions, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(out.Subscriptions, func(a, b Subscription) int { return cmp.Compare(a.ID, b.ID) })

	return out
}
