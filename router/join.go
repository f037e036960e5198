// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "slices"

func (c JoinRoom) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, Fence{SessionEpoch: c.Fence.SessionEpoch})
	if err != nil {
		return nil, err
	}

	return r.joinReply(r.join(tx, s, c))
}

// joinReply tells the member and its room as of now.
func (r *Router) joinReply(m *member, repeated bool, err error) (any, error) {
	if err != nil {
		return nil, err
	}

	return JoinReply{Member: m.view(), Room: m.room.view(), Revision: r.counters.revision, Repeated: repeated}, nil
}

// join makes the session a member of the room, or answers the member that it is.
func (r *Router) join(tx *transaction, s *session, c JoinRoom) (m *member, repeated bool, err error) {
	if err := c.check(s); err != nil {
		return nil, false, err
	}
	if m := s.member(c.Room); m != nil {
		return m, true, nil
	}
	if !c.Expires.IsZero() && !c.Expires.After(tx.now) {
		return nil, false, ErrArgument.In("expire_time")
	}
	if err := r.admit(tx, s, c.Room); err != nil {
		return nil, false, err
	}
	rm := s.app.rooms[c.Room]
	if rm != nil && len(rm.members) >= s.app.Limits.MembersPerRoom {
		return nil, false, ErrRoomFull.About(c.Room)
	}
	if rm == nil {
		if rm, err = r.openRoom(tx, s.app, c.Room); err != nil {
			return nil, false, err
		}
	}

	return r.addMember(tx, s, rm, c), false, nil
}

func (c JoinRoom) check(s *session) error {
	if err := checkRoomID(c.Room); err != nil {
		return err
	}
	if c.User != nil && *c.User != s.user {
		return ErrUserMismatch.About(c.User.ID)
	}
	if len(c.Metadata) > s.app.Limits.MetadataBytes {
		return ErrMetadataTooLong
	}

	return checkWeight(c.Weight)
}

// admit checks what depends on the session and not on the room.
func (r *Router) admit(tx *transaction, s *session, room string) error {
	if s.mode == ModeSingle && len(s.members) > 0 {
		return ErrSingleRoomMode.About(s.members[0].room.id)
	}
	if s.mode == ModeMulti && !s.app.MultiRoom {
		return ErrMultiRoomDisabled.About(s.app.ID)
	}
	if b := r.bans[banKey{s.app.ID, room, s.user.ID}]; b != nil && b.until.After(tx.now) {
		return ErrBanned.About(s.user.ID).After(b.until.Sub(tx.now))
	}
	if len(s.members) >= s.app.Limits.RoomsPerUser {
		return ErrUserRoomLimit.About(s.user.ID)
	}

	return nil
}

func (r *Router) addMember(tx *transaction, s *session, rm *room, c JoinRoom) *member {
	m := &member{
		session: s, room: rm, grants: DefaultGrants(), metadata: c.Metadata, weight: max(1, c.Weight), joined: tx.now,
		expires: c.Expires,
	}
	if c.Grants != nil {
		m.grants = *c.Grants
	}
	m.timer = r.newTimer(m)
	i, _ := slices.BinarySearchFunc(rm.members, s.user.ID, compareMember)
	insert(tx, &rm.members, i, m)
	i, _ = s.search(rm.id)
	insert(tx, &s.members, i, m)
	assign(tx, &m.live, true)
	tx.rearm(&m.timer)
	r.counters.members++
	r.emit(tx, rm.app.ID, rm, s.id, MemberJoinedEvent{Member: m.view()})

	return m
}

func (c LeaveRoom) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	if c.Room == "" && s.mode == ModeMulti {
		return nil, checkRoomID(c.Room)
	}
	m := s.member(s.only(c.Room))
	if m == nil {
		return nil, ErrNotAMember.About(c.Room)
	}
	if err := m.room.fits(c.Fence); err != nil {
		return nil, err
	}
	var stopped Stopped
	r.leave(tx, m, ReasonLeft, "", &stopped)

	return stopped, nil
}

func (c LeaveAllRooms) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, Fence{SessionEpoch: c.Fence.SessionEpoch})
	if err != nil {
		return nil, err
	}
	var stopped Stopped
	r.leaveAll(tx, s, ReasonLeft, &stopped)

	return stopped, nil
}

func (c SwitchRoom) apply(r *Router, tx *transaction) (any, error) {
	tx.recording()
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}

	return r.joinReply(r.move(tx, s, c))
}

// move leaves one room and joins another. A repeat of a move that was done answers the member it made.
func (r *Router) move(tx *transaction, s *session, c SwitchRoom) (m *member, repeated bool, err error) {
	if err := checkRoomID(c.To); err != nil {
		return nil, false, err
	}
	from, to := s.member(s.only(c.From)), s.member(c.To)
	switch {
	case from == nil && to != nil:
		return to, true, nil
	case from == nil:
		return nil, false, ErrNotAMember.About(c.From)
	}
	if err := from.room.fits(c.Fence); err != nil {
		return nil, false, err
	}
	if from == to {
		return to, true, nil
	}
	grants := from.grants
	if c.Grants != nil {
		grants = *c.Grants
	}
	if c.Expires.IsZero() {
		c.Expires = from.expires
	}
	if c.Weight == 0 {
		c.Weight = from.weight
	}
	r.leave(tx, from, ReasonMoved, "", &Stopped{})

	return r.join(tx, s, JoinRoom{
		Room: c.To, Grants: &grants, Expires: c.Expires, Metadata: from.metadata, Weight: c.Weight,
	})
}

func (c MoveMembers) apply(r *Router, tx *transaction) (any, error) {
	tx.recording()
	if err := checkAppID(c.App); err != nil {
		return nil, err
	}
	results := make([]MoveResult, len(c.Items))
	for i, item := range c.Items {
		before := r.savepoint(tx)
		m, err := r.moveItem(tx, c.App, item)
		if err != nil {
			r.rollback(tx, before)
			results[i].Err = err

			continue
		}
		results[i].Member = m.view()
	}

	return results, nil
}

func (r *Router) moveItem(tx *transaction, app string, item Move) (*member, error) {
	id, ok := r.SessionOfUser(app, item.User)
	if !ok {
		return nil, ErrSessionNotFound.About(item.User)
	}
	s := r.sessions[id]
	if item.From == "" {
		m, _, err := r.join(tx, s, JoinRoom{Room: item.To, Grants: item.Grants, Weight: item.Weight})

		return m, err
	}
	m, _, err := r.move(tx, s, SwitchRoom{From: item.From, To: item.To, Grants: item.Grants, Weight: item.Weight})

	return m, err
}
