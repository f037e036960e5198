// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// snapshot collects the items of a node's state.
type snapshot struct {
	revision, epoch uint64
	sessions        map[string]*sfuv1.Session
	rooms           map[roomKey]*sfuv1.RoomSnapshot
	subscriptions   map[string]*sfuv1.Subscription
}

func (s *snapshot) add(part *sfuv1.Snapshot) {
	if s.sessions == nil {
		s.sessions, s.rooms = make(map[string]*sfuv1.Session), make(map[roomKey]*sfuv1.RoomSnapshot)
		s.subscriptions = make(map[string]*sfuv1.Subscription)
	}
	s.revision, s.epoch = part.GetRevision(), part.GetNodeEpoch()
	for _, v := range part.GetSessions() {
		s.sessions[v.GetId()] = v
	}
	for _, v := range part.GetRooms() {
		s.rooms[roomKey{v.GetRoom().GetAppId(), v.GetRoom().GetId()}] = v
	}
	for _, v := range part.GetSubscriptions() {
		s.subscriptions[v.GetId()] = v
	}
}

// member is the session's place in a room; nil when it has none.
func (s *snapshot) member(key roomKey, session string) *sfuv1.Member {
	for _, m := range s.rooms[key].GetMembers() {
		if m.GetSessionId() == session {
			return m
		}
	}
	return nil
}

// restore tells every client its rooms and subscriptions as a snapshot has them, after events were missed. What the snapshot
// does not have may be younger than it is: it is asked for.
func (n *node) restore(ctx context.Context, s *snapshot) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.epoch, n.seen, n.base = s.epoch, s.revision, s.revision
	clear(n.voices) // a snapshot does not say
	var doubtful []*client
	for _, c := range n.clients {
		session := s.sessions[c.id]
		switch {
		case c.starting: // there may be no session yet
			c.missed = true
		case session == nil:
			doubtful = append(doubtful, c)
		case !c.restore(s, session):
			doubtful = append(doubtful, c)
		}
	}
	if len(doubtful) > 0 {
		n.server.running.Go(func() { n.verify(ctx, doubtful) })
	}
	n.begun(ctx)
}

// restore tells one client its state anew. It reports false when the snapshot lacks subscriptions that the client has been
// told of. With node.mu held.
func (c *client) restore(s *snapshot, session *sfuv1.Session) bool {
	for _, m := range c.rooms {
		own := s.member(m.key, c.id)
		switch {
		case m.reading: // settle finds out that it is older
		case m.epoch == s.epoch && m.revision > s.revision:
		case own == nil:
			m.end(sfuv1.EndReason_END_REASON_UNSPECIFIED, "events were missed")
		default:
			room := s.rooms[m.key]
			state := c.roomOf(s.epoch, own, room.GetMembers(), room.GetStreams(), room.GetMetadata())
			m.set(own, state, s.epoch, s.revision)
			c.notify(&signalv1.Notice{Kind: &signalv1.Notice_Room{Room: state}})
		}
	}
	for _, room := range session.GetRoomIds() {
		if c.rooms[room] == nil {
			c.begin(&job{room: room, run: func() { c.fetch(room) }}, true)
		}
	}
	return c.restorePlaying(s)
}

func (c *client) restorePlaying(s *snapshot) (complete bool) {
	clear(c.stopping)
	complete = true
	for id := range c.playing {
		complete = complete && s.subscriptions[id] != nil
	}
	for id, sub := range s.subscriptions {
		if sub.GetSessionId() == c.id {
			now := playingOf(sub)
			c.playing[id] = now
			c.notify(&signalv1.Notice{Kind: &signalv1.Notice_Playing{Playing: now}})
		}
	}
	return complete
}

// set notes what the client is told of the room. With node.mu held.
func (m *membership) set(own *sfuv1.Member, state *signalv1.RoomState, epoch, revision uint64) {
	m.epoch, m.revision, m.incarnation, m.grants = epoch, revision, own.GetIncarnation(), own.GetGrants()
	clear(m.own)
	for _, s := range state.GetStreams() {
		if s.GetOwn() {
			m.own[s.GetStreamId()] = true
		}
	}
}

// verify asks the node about clients that a snapshot does not have, or not all of. One of which nothing can be learned has
// to come back.
func (n *node) verify(ctx context.Context, clients []*client) {
	for _, c := range clients {
		if ctx.Err() != nil {
			return
		}
		c.contain("asking about a client", c.ensure)
	}
}

// ensure asks the node for a client's session and subscriptions, and tells what is no more.
func (c *client) ensure() {
	if err := c.verify(); err != nil {
		c.readAgain("the node does not answer")
	}
}

func (c *client) verify() error {
	ctx, cancel := c.server.within()
	defer cancel()
	got, err := c.node.api.session.GetSession(ctx, &sfuv1.GetSessionRequest{SessionId: c.id})
	if err != nil && !ended(err) {
		return err
	}
	if err != nil || got.GetSession().GetEpoch() != c.epoch {
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		c.sessionOver(sfuv1.EndReason_END_REASON_UNSPECIFIED, "the node has it no more")
		return nil
	}
	c.node.mu.Lock()
	known := slices.Collect(maps.Keys(c.playing)) // of later ones the list says nothing
	c.node.mu.Unlock()
	list, err := c.subscriptions(ctx)
	if err != nil {
		return err
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	now := make(map[string]bool)
	for _, s := range list {
		now[s.GetId()] = true
	}
	for _, id := range known {
		if !now[id] {
			c.playedOut(id, sfuv1.EndReason_END_REASON_UNSPECIFIED)
		}
	}
	return nil
}

// subscriptions lists those of the session.
func (c *client) subscriptions(ctx context.Context) (all []*sfuv1.Subscription, err error) {
	request := &sfuv1.ListSubscriptionsRequest{SessionId: c.id, Page: &sfuv1.Page{Size: 1000}}
	for {
		page, err := c.node.api.subscription.ListSubscriptions(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetSubscriptions()...)
		if page.GetNextPageToken() == "" {
			return all, nil
		}
		request = proto.CloneOf(request)
		request.Page.Token = page.GetNextPageToken()
	}
}
