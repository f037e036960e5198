// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// entry is what a token allows in a room.
type entry struct {
	room    string
	token   *auth.Claims
	ofHello bool
	grants  *sfuv1.Grants
}

// expires is when a membership by this token ends.
func (e *entry) expires() *timestamppb.Timestamp { return timestamppb.New(e.token.Expires) }

// entry checks a token for a room: the one given, or that of Hello.
func (c *client) entry(room, token string) (*entry, error) {
	e := &entry{room: room, ofHello: token == ""}
	var err error
	if token != "" {
		e.token, err = c.tokenOf(token)
	} else {
		e.token, err = c.helloToken()
	}
	if err != nil {
		return nil, err
	}
	if e.grants, err = c.grantsOf(e.token, room); err != nil {
		return nil, err
	}
	return e, nil
}

// tokenOf checks a token that has to be of this session.
func (c *client) tokenOf(token string) (*auth.Claims, error) {
	claims, err := c.server.check(token)
	if err != nil {
		return nil, err
	}
	if claims.App != c.app || claims.UserID != c.user || claims.Group != c.group {
		return nil, errTokenMismatch
	}
	return claims, nil
}

// helloToken is the token of Hello while it is good.
func (c *client) helloToken() (*auth.Claims, error) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if expired(c.token) {
		return nil, errTokenExpired
	}
	return c.token, nil
}

// grantsOf is what a token allows in a room, unless its user was put out of it after it was issued.
func (c *client) grantsOf(claims *auth.Claims, room string) (*sfuv1.Grants, error) {
	g, ok := claims.In(room)
	if !ok {
		return nil, errNotGranted
	}
	if c.kicked(claims, room) {
		return nil, errKicked
	}
	return grantsIn(g), nil
}

func grantsIn(g auth.Grants) *sfuv1.Grants {
	return &sfuv1.Grants{Publish: g.Publish, Subscribe: g.Subscribe, Message: g.Message, Manage: g.Manage}
}

func (c *client) kicked(claims *auth.Claims, room string) bool {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	return c.node.kicks.Cover(auth.KickKey{App: c.app, Room: room, User: c.user}, claims.Issued)
}

// loginRoom enters a room.
func (c *client) loginRoom(ctx context.Context, id uint32, r *signalv1.LoginRoom) error {
	e, err := c.entry(r.GetRoomId(), r.GetToken())
	if err != nil {
		return err
	}
	c.join(ctx, id, e, func(ctx context.Context) (joined, error) {
		return c.node.api.room.JoinRoom(ctx, &sfuv1.JoinRoomRequest{
			SessionId: c.id, SessionEpoch: c.epoch, RoomId: e.room, User: r.GetUser(), Grants: e.grants, ExpireTime: e.expires(),
		}, large)
	})
	return nil
}

// joined is the answer to JoinRoom or SwitchRoom.
type joined interface {
	GetMember() *sfuv1.Member
	GetSnapshot() *sfuv1.RoomSnapshot
	GetRevision() uint64
	GetNodeEpoch() uint64
}

// join makes the session a member by the call given, and answers with the room. It reports whether it did.
func (c *client) join(ctx context.Context, id uint32, e *entry, enter func(context.Context) (joined, error)) bool {
	if err := c.node.ready(ctx); err != nil {
		c.failed(id, err)
		return false
	}
	c.node.mu.Lock()
	_, was := c.rooms[e.room]
	m := c.node.enter(c, e.room)
	c.node.mu.Unlock()
	undo, err := c.tryJoin(ctx, id, m, e, enter)
	if err == nil {
		return true
	}
	undone := true
	if undo && (!was || errors.Is(err, errKicked)) {
		undone = c.takeBack(m)
	}
	c.notJoined(m, was)
	c.failed(id, err)
	if !undone {
		c.readAgain("the node does not answer")
	}
	return false
}

// tryJoin is join without what has to be done when it fails; undo says that the node may have carried it out. The events that
// follow the answer are told after it, all of them and once. It waits for those before it, so that a kick among them is known.
func (c *client) tryJoin(ctx context.Context, id uint32, m *membership, e *entry, enter func(context.Context) (joined, error)) (undo bool, err error) {
	for range maxReads {
		reply, err := enter(ctx)
		if err != nil {
			return open(err), err
		}
		if err := c.node.reach(ctx, reply.GetNodeEpoch(), reply.GetRevision()); err != nil {
			return true, err
		}
		if c.kicked(e.token, e.room) {
			return true, errKicked
		}
		if c.entered(id, m, e, reply) {
			return false, nil
		}
	}
	return true, errNode
}

// entered answers a login, unless events have been missed since: then it has to be asked for once more.
func (c *client) entered(id uint32, m *membership, e *entry, r joined) bool {
	room := r.GetSnapshot()
	state := c.roomOf(r.GetNodeEpoch(), r.GetMember(), room.GetMembers(), room.GetStreams(), room.GetMetadata())
	frame := encodeReply(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Room{Room: state}})
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if !c.node.fresh(r.GetNodeEpoch(), r.GetRevision()) {
		return false
	}
	m.set(r.GetMember(), state, r.GetNodeEpoch(), r.GetRevision())
	if m.token == nil { // else it was in the room already, by another one
		m.token, m.ofHello = e.token, e.ofHello
	}
	c.conn.put(frame)
	m.begin()
	return true
}

// takeBack leaves a room that the client is told it is not in. It reports whether that is certain.
func (c *client) takeBack(m *membership) bool {
	ctx, cancel := c.server.within()
	defer cancel()
	_, err := c.node.api.room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: c.id, SessionEpoch: c.epoch, RoomId: m.key.room})
	return err == nil || !open(err)
}

// notJoined gives a login up. was says that it was in the room before.
func (c *client) notJoined(m *membership, was bool) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if was {
		m.release()
		return
	}
	c.node.forget(m)
}

// leaving marks memberships whose end the client is told by a reply, and says which.
func (c *client) leaving(room string) []*membership {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	var marked []*membership
	for id, m := range c.rooms {
		if room == "" || id == room {
			m.leaving, m.left = true, 0
			marked = append(marked, m)
		}
	}
	return marked
}

// stayed takes leaving back, after it has failed. Rooms that were left meanwhile are told as ended.
func (c *client) stayed(marked []*membership) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, m := range marked {
		m.leaving = false
		if m.left != 0 {
			m.end(m.left, "")
		}
	}
}

// logoutRoom leaves a room, or all.
func (c *client) logoutRoom(ctx context.Context, id uint32, r *signalv1.LogoutRoom) error {
	room := r.GetRoomId()
	marked := c.leaving(room)
	var err error
	if room == "" {
		_, err = c.node.api.room.LeaveAllRooms(ctx, &sfuv1.LeaveAllRoomsRequest{SessionId: c.id, SessionEpoch: c.epoch})
	} else {
		_, err = c.node.api.room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: c.id, SessionEpoch: c.epoch, RoomId: room})
	}
	if err != nil {
		c.failed(id, err)
		c.stayed(marked)
		return nil
	}
	c.left(marked, done(id))
	return nil
}

// left forgets rooms that were left, and answers. With the answer the client hears nothing of them any more.
func (c *client) left(marked []*membership, reply *signalv1.Reply) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, m := range marked {
		c.node.forget(m)
		c.quiet(m.key.room)
	}
	c.answer(reply)
}

// switchRoom leaves a room and enters another.
func (c *client) switchRoom(ctx context.Context, id uint32, r *signalv1.SwitchRoom) error {
	from := c.only(r.GetFromRoomId())
	e, err := c.entry(r.GetToRoomId(), r.GetToken())
	if err != nil {
		return err
	}
	var marked []*membership
	if from != "" && from != e.room {
		marked = c.leaving(from)
	}
	ok := c.join(ctx, id, e, func(ctx context.Context) (joined, error) {
		reply, err := c.node.api.room.SwitchRoom(ctx, &sfuv1.SwitchRoomRequest{
			SessionId: c.id, SessionEpoch: c.epoch, From: from, To: e.room, Grants: e.grants, ExpireTime: e.expires(),
		}, large)
		if err != nil {
			return nil, err
		}
		c.moveOut(marked)
		return reply, nil
	})
	if !ok {
		c.stayed(marked)
	}
	return nil
}

// moveOut forgets the room that a switch has left.
func (c *client) moveOut(marked []*membership) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, m := range marked {
		c.node.forget(m)
		c.quiet(m.key.room)
		m.left = sfuv1.EndReason_END_REASON_MOVED
	}
}
