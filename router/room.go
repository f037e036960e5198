// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"strings"
	"time"
)

// room is one incarnation of a room id in an app.
type room struct {
	app         *app
	id          string
	incarnation uint64
	opened      time.Time

	revision uint64           // counted by emit, uncounted by rollback
	members  []*member        // sorted by user id, so that everything told to all has one order
	streams  []*stream        // sorted by id
	wishes   map[string]*wish // by stream id, whether such a stream exists or not
	metadata []Metadata       // sorted by key
	loudest  uint32           // see Room.Loudest
	messages messages
}

// member is a session in a room.
type member struct {
	session  *session
	room     *room
	grants   Grants
	metadata string
	weight   uint32 // 1 to MaxWeight
	joined   time.Time
	expires  time.Time // zero: never

	live       bool // false before joining and after leaving
	warned     bool // of expires
	timer      timer
	generation uint64 // of the last SetSubscriptions
	streams    []*stream
	subs       []*subscription // oldest first
	broadcasts bucket
}

// due implements timed.
func (m *member) due(r *Router) time.Time {
	switch {
	case !m.live || m.expires.IsZero():
		return time.Time{}
	case m.warned:
		return m.expires
	default:
		return m.expires.Add(-r.cfg.ExpiryWarning)
	}
}

// expire implements timed.
func (m *member) expire(r *Router, tx *transaction) {
	if at := m.due(r); at.IsZero() || at.After(tx.now) {
		return
	}
	if !m.expires.After(tx.now) {
		r.leave(tx, m, ReasonExpired, "", &Stopped{})

		return
	}
	assign(tx, &m.warned, true)
	r.emit(tx, m.room.app.ID, m.room, m.session.id, MemberExpiringEvent{Member: m.view()})
}

func (m *member) view() Member {
	return Member{
		App: m.room.app.ID, Room: m.room.id, Incarnation: m.room.incarnation, Session: m.session.id, User: m.session.user,
		Grants: m.grants, Metadata: m.metadata, Joined: m.joined, Expires: m.expires, Weight: m.weight,
	}
}

func compareMember(m *member, user string) int { return strings.Compare(m.session.user.ID, user) }

// member returns the membership of a user; nil when there is none.
func (rm *room) member(user string) *member {
	if i, ok := slices.BinarySearchFunc(rm.members, user, compareMember); ok {
		return rm.members[i]
	}

	return nil
}

// view copies the room, all of it: what a joiner gets has to be complete.
func (rm *room) view() Room {
	v := Room{
		App: rm.app.ID, ID: rm.id, Incarnation: rm.incarnation, Revision: rm.revision, Opened: rm.opened,
		Metadata: slices.Clone(rm.metadata), Loudest: rm.loudest,
	}
	if len(rm.members) > 0 {
		v.Members = make([]Member, len(rm.members))
		for i, m := range rm.members {
			v.Members[i] = m.view()
		}
	}
	v.Streams = rm.streamViews()

	return v
}

func (rm *room) streamViews() []Stream {
	if len(rm.streams) == 0 {
		return nil
	}
	out := make([]Stream, len(rm.streams))
	for i, st := range rm.streams {
		out[i] = st.view()
	}

	return out
}

// lookRoom returns a room; nil when there is none.
func (r *Router) lookRoom(app, id string) *room {
	if a := r.apps[app]; a != nil {
		return a.rooms[id]
	}

	return nil
}

// findRoom returns a room if the fence fits.
func (r *Router) findRoom(app, id string, fence Fence) (*room, error) {
	rm := r.lookRoom(app, id)
	if rm == nil {
		return nil, ErrRoomNotFound.About(id)
	}

	return rm, rm.fits(fence)
}

func (rm *room) fits(fence Fence) error {
	if fence.Incarnation != 0 && fence.Incarnation != rm.incarnation {
		return ErrStaleIncarnation.About(rm.id).Now(rm.incarnation)
	}

	return nil
}

// findMember returns a user's membership of a room if the fence fits.
func (r *Router) findMember(app, room, user string, fence Fence) (*member, error) {
	rm, err := r.findRoom(app, room, fence)
	if err != nil {
		return nil, err
	}
	m := rm.member(user)
	if m == nil {
		return nil, ErrNotAMember.About(user)
	}

	return m, m.session.fits(fence)
}

// membership returns the session's membership of a room that the caller publishes or plays in. Without a room it is the
// only one in SINGLE mode, and the given error in MULTI mode.
func (s *session) membership(room string, fence Fence, required *Error) (*member, error) {
	if room == "" && s.mode == ModeMulti {
		return nil, required
	}
	room = s.only(room)
	m := s.member(room)
	if m == nil {
		return nil, ErrNotInRoom.About(room)
	}

	return m, m.room.fits(fence)
}

// openRoom begins a new incarnation of a room that there is none of.
func (r *Router) openRoom(tx *transaction, a *app, id string) (*room, error) {
	if r.draining {
		return nil, ErrDraining
	}
	if len(a.rooms) >= a.Limits.Rooms || r.counters.rooms >= r.cfg.NodeRooms {
		return nil, ErrNodeRoomLimit.About(id)
	}
	r.counters.rooms++
	r.counters.incarnation++
	rm := &room{
		app: a, id: id, incarnation: r.counters.incarnation, opened: tx.now, wishes: make(map[string]*wish), loudest: a.Loudest,
	}
	put(tx, a.rooms, id, rm)
	r.emit(tx, a.ID, rm, "", RoomOpenedEvent{Loudest: rm.loudest})

	return rm, nil
}

// leave ends a membership: first the streams, then the subscriptions, then the member, then, after the last one, the room.
func (r *Router) leave(tx *transaction, m *member, reason Reason, why string, stopped *Stopped) {
	rm, s := m.room, m.session
	for _, st := range slices.Clone(m.streams) {
		r.removeStream(tx, st, reason, stopped)
	}
	for _, sub := range slices.Clone(m.subs) {
		r.endSubscription(tx, sub, reason, stopped)
	}
	if i, ok := slices.BinarySearchFunc(rm.members, s.user.ID, compareMember); ok {
		remove(tx, &rm.members, i)
	}
	if i, ok := s.search(rm.id); ok {
		remove(tx, &s.members, i)
	}
	assign(tx, &m.live, false)
	tx.rearm(&m.timer)
	r.counters.members--
	stopped.Rooms++
	r.emit(tx, rm.app.ID, rm, s.id, MemberLeftEvent{Member: m.view(), Reason: reason, Why: why})
	if len(rm.members) == 0 {
		drop(tx, rm.app.rooms, rm.id)
		r.counters.rooms--
		r.emit(tx, rm.app.ID, rm, "", RoomClosedEvent{Reason: reason, Why: why})
	}
}

// leaveAll leaves every room of a session, in order of their ids.
func (r *Router) leaveAll(tx *transaction, s *session, reason Reason, stopped *Stopped) {
	for _, m := range slices.Clone(s.members) {
		r.leave(tx, m, reason, "", stopped)
	}
}
