// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// resume goes on with a session that the node has, if it is the token's user's. What the client had been told before does not
// matter: it is told everything as it is now.
func (n *node) resume(ctx context.Context, l *connection, id uint32, claims *auth.Claims, h *signalv1.Hello) (*client, error) {
	want := h.GetResume()
	session, err := n.owned(ctx, claims, want)
	if err != nil {
		return nil, err
	}
	if h.GetRoomMode() != sfuv1.RoomMode_ROOM_MODE_UNSPECIFIED && h.GetRoomMode() != session.GetRoomMode() {
		return nil, errModeFixed
	}
	c := newClient(l, n, claims, want.GetSessionId())
	if before := n.register(c); before != nil {
		before.turns.close() // the client does not know what of it was carried out, and asks anew
		before.conn.drop("replaced", closeReplaced, "another connection has the session")
	}
	// Once more, now that nothing of it is missed.
	session, err = n.owned(ctx, claims, want)
	w := &signalv1.Welcome{Resumed: true}
	if err == nil {
		w.Rooms, err = c.readRooms(ctx, session.GetRoomIds())
	}
	if err == nil {
		w.Playing, err = c.readPlaying(ctx)
	}
	if err != nil {
		n.unregister(c)
		return nil, err
	}
	if !c.welcome(id, session, w) {
		n.unregister(c)
		return nil, errNode.saying("events of the node were missed")
	}
	return c, nil
}

// owned is the session, if it is the user's that the token names. Of others' nothing is said, not even that they are there.
func (n *node) owned(ctx context.Context, claims *auth.Claims, want *signalv1.Resume) (*sfuv1.Session, error) {
	got, err := n.api.session.GetSession(ctx, &sfuv1.GetSessionRequest{SessionId: want.GetSessionId()})
	if err != nil {
		if failureOf(err).status == errNoSession.status {
			return nil, errNoSession
		}
		return nil, err
	}
	s := got.GetSession()
	if s.GetAppId() != claims.App || s.GetUser().GetId() != claims.UserID || s.GetEpoch() != want.GetSessionEpoch() {
		return nil, errNoSession
	}
	return s, nil
}

func (c *client) readRooms(ctx context.Context, rooms []string) (states []*signalv1.RoomState, err error) {
	for _, room := range rooms {
		state, err := c.read(ctx, room)
		if err != nil {
			return nil, err
		}
		if state != nil {
			states = append(states, state)
		}
	}
	return states, nil
}

func (c *client) readPlaying(ctx context.Context) (playing []*signalv1.Playing, err error) {
	list, err := c.subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, s := range list {
		p := playingOf(s)
		c.playing[p.GetId()] = p
		playing = append(playing, p)
	}
	return playing, nil
}

// maxReads is how often a room is read again because events were missed meanwhile.
const maxReads = 3

// read makes the session's membership of a room one that events are held for, and reads the room. Nobody is let into a room
// by this: without a member there is no state.
func (c *client) read(ctx context.Context, room string) (*signalv1.RoomState, error) {
	n := c.node
	n.mu.Lock()
	m := n.enter(c, room)
	m.token, m.ofHello = c.token, true
	n.mu.Unlock()
	for range maxReads {
		epoch, err := n.awake(ctx)
		if err != nil {
			return nil, err
		}
		got, err := n.api.room.GetRoom(ctx, &sfuv1.GetRoomRequest{AppId: c.app, RoomId: room}, large)
		if err != nil && failureOf(err).reason != "ROOM_NOT_FOUND" {
			return nil, err
		}
		own := memberIn(got.GetMembers(), c.id)
		if own == nil {
			n.mu.Lock()
			n.forget(m)
			n.mu.Unlock()
			return nil, nil
		}
		state := c.roomOf(epoch, own, got.GetMembers(), got.GetStreams(), got.GetMetadata())
		if n.current(m, own, state, epoch, got.GetRevision()) {
			return state, nil
		}
	}
	return nil, errNode
}

func memberIn(members []*sfuv1.Member, session string) *sfuv1.Member {
	for _, m := range members {
		if m.GetSessionId() == session {
			return m
		}
	}
	return nil
}

// current notes what was read of a room, unless events have been missed since: then it has to be read again.
func (n *node) current(m *membership, own *sfuv1.Member, state *signalv1.RoomState, epoch, revision uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fresh(epoch, revision) {
		return false
	}
	m.set(own, state, epoch, revision)
	return true
}

// fresh says whether all events after a revision have come or will come. With mu held.
func (n *node) fresh(epoch, revision uint64) bool {
	return n.live && n.epoch == epoch && revision >= n.base
}

// fetch reads a room that the operator has put the session into, and tells the client of it.
func (c *client) fetch(room string) {
	ctx, cancel := c.server.within()
	defer cancel()
	c.node.mu.Lock()
	known := c.gone || c.rooms[room] != nil
	c.node.mu.Unlock()
	if known {
		return
	}
	state, err := c.read(ctx, room)
	if err != nil {
		c.readAgain("the node does not answer")
		return
	}
	if state == nil {
		return
	}
	frame := encodeNotice(&signalv1.Notice{Kind: &signalv1.Notice_Room{Room: state}})
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	m := c.rooms[room]
	switch {
	case m == nil || c.gone:
	case !c.node.fresh(m.epoch, m.revision):
		c.readAgain("events of the node were missed")
	default:
		c.tell(frame)
		m.begin()
	}
}
