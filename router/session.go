// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// session is one client transport, with the rooms it is in.
type session struct {
	id      SessionID
	app     *app
	user    User
	mode    RoomMode
	epoch   uint64
	labels  map[string]string // never changed after creation
	ttl     time.Duration
	created time.Time

	live          bool // false before creation and after the end
	connection    ConnectionState
	wasConnected  bool
	disconnected  time.Time
	timer         timer
	members       []*member // sorted by room id
	streams       int       // over all rooms
	subscriptions int       // over all rooms

	lines   []*line
	slots   [kinds][]*line  // by kind and pair number, from 1; nil for one that is of another m-line now
	pairs   []*line         // audio slots of idle pairs, in order: see pairs.go
	lone    [kinds][]*line  // the other idle slots
	waiting []*subscription // in state NeedsNegotiation, oldest first
	missing NegotiationNeededEvent
	touched uint64 // serial of the last transaction that touched it
}

// due implements timed.
func (s *session) due(r *Router) time.Time {
	switch {
	case !s.live || s.connection == ConnectionConnected:
		return time.Time{}
	case s.wasConnected:
		return s.disconnected.Add(r.cfg.ReconnectGrace)
	default:
		return s.created.Add(s.ttl)
	}
}

// expire implements timed.
func (s *session) expire(r *Router, tx *transaction) {
	if at := s.due(r); at.IsZero() || at.After(tx.now) {
		return
	}
	reason := ReasonNeverConnected
	if s.wasConnected {
		reason = ReasonConnectionLost
	}
	r.endSession(tx, s, reason, "", &Stopped{})
}

// find returns the session if the fence fits.
func (r *Router) find(id SessionID, fence Fence) (*session, error) {
	s := r.sessions[id]
	if s == nil {
		return nil, ErrSessionNotFound.About(string(id))
	}
	if err := s.fits(fence); err != nil {
		return nil, err
	}

	return s, nil
}

func (s *session) fits(fence Fence) error {
	if fence.SessionEpoch != 0 && fence.SessionEpoch != s.epoch {
		return ErrStaleEpoch.About(string(s.id)).Now(s.epoch)
	}

	return nil
}

func (c CreateSession) check() error {
	if err := checkAppID(c.App); err != nil {
		return err
	}
	if c.ID != "" && !nameChars.valid(string(c.ID), maxSessionID) {
		return ErrSessionID
	}
	if err := checkUser(c.User); err != nil {
		return err
	}
	if c.Mode != ModeSingle && c.Mode != ModeMulti {
		return ErrArgument.In("room_mode")
	}
	if c.TTL < 0 {
		return ErrArgument.In("ttl")
	}

	return nil
}

func (c CreateSession) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.createSession(tx, c)
	if err != nil {
		return nil, err
	}

	return s.view(), nil
}

// createSession answers a repeat with the session that is there, and otherwise makes one.
func (r *Router) createSession(tx *transaction, c CreateSession) (*session, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s := r.sessions[c.ID]; s != nil {
		return s, s.same(c)
	}
	if r.draining {
		return nil, ErrDraining
	}
	settings, err := r.App(c.App)
	if err != nil {
		return nil, err
	}
	earlier, node, own := r.counted(c)
	if earlier != nil && settings.DuplicateUser == DuplicateReject {
		return nil, ErrUserExists.About(c.User.ID)
	}
	if node >= r.cfg.NodeSessions || own >= settings.Limits.Sessions {
		return nil, ErrNodeSessionLimit
	}
	if earlier != nil {
		r.endSession(tx, earlier, ReasonDuplicateUser, "", &Stopped{})
	}

	return r.addSession(tx, r.enterApp(tx, settings), c), nil
}

// counted returns the user's earlier session, and how many sessions the node and the app have without it.
func (r *Router) counted(c CreateSession) (earlier *session, node, own int) {
	node = len(r.sessions)
	if a := r.apps[c.App]; a != nil {
		earlier, own = a.users[c.User.ID], a.sessions
	}
	if earlier != nil {
		node, own = node-1, own-1
	}

	return earlier, node, own
}

// same says whether a CreateSession that names an existing session is a repeat of the one that made it.
func (s *session) same(c CreateSession) error {
	switch {
	case s.app.ID != c.App:
		return ErrSessionExists.About(string(c.ID))
	case s.user != c.User:
		return ErrUserMismatch.About(c.User.ID)
	case s.mode != c.Mode:
		return ErrRoomModeFixed.About(string(c.ID))
	case !maps.Equal(s.labels, c.Labels):
		return ErrSessionExists.About(string(c.ID))
	}

	return nil
}

func (r *Router) addSession(tx *transaction, a *app, c CreateSession) *session {
	r.counters.sessionEpoch++
	s := &session{
		id: c.ID, app: a, user: c.User, mode: c.Mode, epoch: r.counters.sessionEpoch,
		labels: maps.Clone(c.Labels), ttl: orDuration(c.TTL, r.cfg.SessionTTL), created: tx.now,
		connection: ConnectionNew,
	}
	for n := s.epoch; s.id == ""; n++ {
		// A caller may have chosen an id that looks like ours; the epoch of the next session will differ anyway.
		if id := SessionID(r.name("s", n)); r.sessions[id] == nil {
			s.id = id
		}
	}
	s.timer = r.newTimer(s)
	put(tx, r.sessions, s.id, s)
	put(tx, a.users, s.user.ID, s)
	assign(tx, &a.sessions, a.sessions+1)
	assign(tx, &s.live, true)
	tx.rearm(&s.timer)
	r.emit(tx, a.ID, nil, s.id, SessionEvent{Session: s.view()})

	return s
}

func (c CloseSession) apply(r *Router, tx *transaction) (any, error) {
	if err := checkText(c.Why, maxWhy, "reason"); err != nil {
		return nil, err
	}
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	if c.Reason == "" {
		c.Reason = ReasonSessionClosed
	}
	var stopped Stopped
	r.endSession(tx, s, c.Reason, c.Why, &stopped)

	return stopped, nil
}

// endSession leaves all rooms and forgets the session.
func (r *Router) endSession(tx *transaction, s *session, reason Reason, why string, stopped *Stopped) {
	r.leaveAll(tx, s, reason, stopped)
	a := s.app
	assign(tx, &s.live, false)
	assign(tx, &s.connection, ConnectionClosed)
	tx.rearm(&s.timer)
	drop(tx, r.sessions, s.id)
	drop(tx, a.users, s.user.ID)
	assign(tx, &a.sessions, a.sessions-1)
	if a.sessions == 0 && !a.named {
		drop(tx, r.apps, a.ID)
	}
	r.emit(tx, a.ID, nil, s.id, SessionEvent{Session: s.view(), Reason: reason, Why: why})
	tx.effect(EndSession{Session: s.id, Reason: reason})
}

func (c SetConnection) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, Fence{})
	if err != nil {
		return nil, err
	}
	switch c.State {
	case ConnectionConnected, ConnectionDisconnected:
	case ConnectionClosed:
		r.endSession(tx, s, ReasonConnectionLost, "", &Stopped{})

		return nil, nil
	case ConnectionNew:
		fallthrough
	default:
		return nil, ErrArgument.In("state")
	}
	if s.connection == c.State {
		return nil, nil
	}
	assign(tx, &s.connection, c.State)
	if c.State == ConnectionConnected {
		assign(tx, &s.wasConnected, true)
	} else {
		assign(tx, &s.disconnected, tx.now)
	}
	tx.rearm(&s.timer)
	r.emit(tx, s.app.ID, nil, s.id, SessionEvent{Session: s.view()})

	return nil, nil
}

// member returns the session's membership of a room; nil when it has none.
func (s *session) member(room string) *member {
	if i, ok := s.search(room); ok {
		return s.members[i]
	}

	return nil
}

func (s *session) search(room string) (int, bool) {
	return slices.BinarySearchFunc(s.members, room, func(m *member, room string) int { return strings.Compare(m.room.id, room) })
}

// only returns the id of the one room of a SINGLE session, when the caller left it out.
func (s *session) only(room string) string {
	if room == "" && s.mode == ModeSingle && len(s.members) == 1 {
		return s.members[0].room.id
	}

	return room
}

func (s *session) view() Session {
	v := Session{
		ID: s.id, App: s.app.ID, User: s.user, Mode: s.mode, Epoch: s.epoch, Connection: s.connection,
		Labels: s.labels, TTL: s.ttl, Created: s.created, Lines: s.lineViews(), Limits: s.app.Limits,
	}
	if len(s.members) > 0 {
		v.Rooms = make([]string, len(s.members))
		for i, m := range s.members {
			v.Rooms[i] = m.room.id
		}
	}

	return v
}
