// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"slices"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// news is an event on its way to clients. What all of them get the same is encoded once.
type news struct {
	*sfuv1.Event
	shared []byte // guarded by the node's mu
}

// take relays an event to the clients that may see it, and learns from it what the tier has to know.
func (n *node) take(e *sfuv1.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = max(n.seen, e.GetRevision())
	n.learn(e)
	x := &news{Event: e}
	n.listen(x)
	switch e.GetKind().(type) {
	case *sfuv1.Event_SessionState, *sfuv1.Event_NegotiationNeeded, *sfuv1.Event_SubscriptionState, *sfuv1.Event_Layers:
		n.ofSession(x)
	case *sfuv1.Event_MemberExpiring, *sfuv1.Event_MemberUpdated:
		if c := n.client(e); c != nil {
			c.inRoom(x)
		}
	case *sfuv1.Event_MemberJoined, *sfuv1.Event_MemberLeft, *sfuv1.Event_StreamAdded, *sfuv1.Event_StreamRemoved,
		*sfuv1.Event_StreamChanged, *sfuv1.Event_StreamMuted, *sfuv1.Event_ActiveSpeakers, *sfuv1.Event_Message,
		*sfuv1.Event_RoomMetadata:
		for _, m := range n.rooms[roomKey{e.GetAppId(), e.GetRoomId()}] {
			m.take(x)
		}
		if c := n.client(e); c != nil && e.GetMemberJoined() != nil {
			c.moved(x)
		}
	}
	n.touch()
}

// learn remembers kicks. With mu held.
func (n *node) learn(e *sfuv1.Event) {
	if k := e.GetMemberKicked(); k != nil {
		n.kicks.Add(auth.KickKey{App: e.GetAppId(), Room: e.GetRoomId(), User: k.GetMember().GetUser().GetId()}, e.GetTime().AsTime())
	}
}

// listen remembers who speaks in a room. With mu held.
func (n *node) listen(x *news) {
	key := roomKey{x.GetAppId(), x.GetRoomId()}
	switch {
	case len(x.GetActiveSpeakers().GetSpeakers()) > 0:
		n.voices[key] = x
	case x.GetActiveSpeakers() != nil || x.GetRoomClosed() != nil:
		delete(n.voices, key)
	}
}

// begin goes on with a room that the client has just been told: who speaks in it, then what has happened since. With node.mu
// held.
func (m *membership) begin() {
	if x := m.client.node.voices[m.key]; x != nil && x.GetIncarnation() == m.incarnation && x.GetRevision() <= m.revision {
		x.share(m.client)
	}
	m.release()
}

// client is the one whose session an event is about; nil when this tier has none. With mu held.
func (n *node) client(e *sfuv1.Event) *client {
	if c := n.clients[e.GetSessionId()]; c != nil && c.app == e.GetAppId() {
		return c
	}
	return nil
}

// ofSession relays what concerns a session and nobody else. With mu held.
func (n *node) ofSession(x *news) {
	c := n.client(x.Event)
	switch {
	case c == nil:
	case c.starting:
		c.hold(x)
	case x.GetSubscriptionState() != nil || x.GetLayers() != nil:
		if c.asking > 0 {
			c.hold(x)
			return
		}
		c.played(x)
	default:
		c.changed(x)
	}
}

// hold keeps what a client is to be told later. With node.mu held.
func (c *client) hold(x *news) {
	if len(c.held) >= c.server.config.Queue {
		c.conn.drop("slow", closeSlow, "too much has happened meanwhile")
		return
	}
	c.held = append(c.held, x)
}

// release goes on with what was held. With node.mu held.
func (c *client) release() {
	if c.starting {
		return
	}
	held := c.held
	c.held = nil
	for _, x := range held {
		if x.GetMemberJoined() != nil {
			c.moved(x)
			continue
		}
		c.node.ofSession(x)
	}
}

// changed relays what happened to the session itself. With node.mu held.
func (c *client) changed(x *news) {
	if need := x.GetNegotiationNeeded(); need != nil {
		c.notify(&signalv1.Notice{Kind: &signalv1.Notice_NegotiationNeeded{NegotiationNeeded: need}})
	}
	if s := x.GetSessionState(); s.GetSession().GetState() == sfuv1.SessionState_SESSION_STATE_CLOSED {
		c.sessionOver(s.GetReason(), s.GetDetail())
	}
}

// inRoom hands what concerns this member alone to its membership. With node.mu held.
func (c *client) inRoom(x *news) {
	if m := c.rooms[x.GetRoomId()]; m != nil {
		m.take(x)
	}
}

// moved reads a room that the session is in without its client having asked: the operator has moved it. With node.mu held.
func (c *client) moved(x *news) {
	switch {
	case c.starting:
		c.hold(x)
	case c.rooms[x.GetRoomId()] == nil:
		room := x.GetRoomId()
		c.begin(&job{room: room, run: func() { c.fetch(room) }}, true)
	}
}

// take relays one event of the room to the member. With node.mu held.
func (m *membership) take(x *news) {
	c := m.client
	switch {
	case m.reading:
		if len(m.held) >= c.server.config.Queue {
			c.conn.drop("slow", closeSlow, "too much has happened meanwhile")
			return
		}
		m.held = append(m.held, x)
	case x.GetNodeEpoch() != m.epoch || x.GetIncarnation() != m.incarnation || x.GetRevision() <= m.revision:
		// It is in what the client was told, or of another life of the room.
	default:
		m.relay(x)
	}
}

// relay tells one event of the room. With node.mu held.
func (m *membership) relay(x *news) {
	c := m.client
	own := x.GetSessionId() == c.id
	switch k := x.GetKind().(type) {
	case *sfuv1.Event_MemberJoined:
		if !own {
			x.share(c)
		}
	case *sfuv1.Event_MemberLeft:
		if own {
			m.end(k.MemberLeft.GetReason(), k.MemberLeft.GetDetail())
			return
		}
		x.share(c)
	case *sfuv1.Event_StreamAdded, *sfuv1.Event_StreamRemoved, *sfuv1.Event_StreamChanged, *sfuv1.Event_StreamMuted:
		if !own {
			x.share(c)
			return
		}
		m.publishes(x)
		c.tell(encodeNotice(x.streams(true)))
	case *sfuv1.Event_Message:
		if m.hears(k.Message) {
			x.share(c)
		}
	case *sfuv1.Event_RoomMetadata, *sfuv1.Event_ActiveSpeakers:
		x.share(c)
	case *sfuv1.Event_MemberExpiring:
		c.notify(&signalv1.Notice{Kind: &signalv1.Notice_TokenWillExpire{TokenWillExpire: &signalv1.TokenWillExpire{
			RoomId: x.GetRoomId(), ExpiresInMs: expiresIn(k.MemberExpiring.GetMember()),
		}}})
	case *sfuv1.Event_MemberUpdated:
		m.granted(k.MemberUpdated.GetMember().GetGrants())
	}
}

// hears says whether a message is for the member.
func (m *membership) hears(message *sfuv1.RoomMessage) bool {
	if message.GetAll() {
		return message.GetFrom().GetId() != m.client.user
	}
	return slices.Contains(message.GetToUsers(), m.client.user)
}

// publishes keeps count of the member's own streams. With node.mu held.
func (m *membership) publishes(x *news) {
	if s := x.GetStreamAdded().GetStream(); s != nil {
		m.own[s.GetId()] = true
	}
	if s := x.GetStreamRemoved().GetStream(); s != nil {
		delete(m.own, s.GetId())
	}
}

// granted tells grants that have changed. With node.mu held.
func (m *membership) granted(g *sfuv1.Grants) {
	if sameGrants(g, m.grants) {
		return
	}
	m.grants = g
	m.client.notify(&signalv1.Notice{Kind: &signalv1.Notice_Membership{Membership: &signalv1.MembershipChanged{RoomId: m.key.room, Grants: g}}})
}

func sameGrants(a, b *sfuv1.Grants) bool {
	return a.GetPublish() == b.GetPublish() && a.GetSubscribe() == b.GetSubscribe() && a.GetMessage() == b.GetMessage() &&
		a.GetManage() == b.GetManage()
}

// end ends a membership that the node has ended. A client that has asked for it is told by the reply. With node.mu held.
func (m *membership) end(reason sfuv1.EndReason, detail string) {
	m.client.node.forget(m)
	switch reason {
	case sfuv1.EndReason_END_REASON_LEFT, sfuv1.EndReason_END_REASON_MOVED, sfuv1.EndReason_END_REASON_UNSPECIFIED:
		if !m.leaving {
			break
		}
		m.left = reason
		return
	default:
	}
	m.client.quiet(m.key.room)
	m.client.notify(&signalv1.Notice{Kind: &signalv1.Notice_RoomEnded{RoomEnded: &signalv1.RoomEnded{
		RoomId: m.key.room, Reason: reason, Detail: detail, Code: codeOf(reason),
	}}})
}

// quiet ends what the client has been told of its subscriptions in a room that it is no longer in. With node.mu held.
func (c *client) quiet(room string) {
	for id, p := range c.playing {
		if p.GetRoomId() == room {
			c.playedOut(id, sfuv1.EndReason_END_REASON_LEFT)
		}
	}
}

// share sends a client what every member gets the same. With node.mu held.
func (x *news) share(c *client) {
	if x.shared == nil {
		x.shared = encodeNotice(x.notice())
	}
	c.tell(x.shared)
}

// notice is the event as those see it who have not caused it.
func (x *news) notice() *signalv1.Notice {
	room := x.GetRoomId()
	switch k := x.GetKind().(type) {
	case *sfuv1.Event_MemberJoined:
		return usersChanged(&signalv1.UsersChanged{RoomId: room, Added: []*sfuv1.User{k.MemberJoined.GetMember().GetUser()}})
	case *sfuv1.Event_MemberLeft:
		return usersChanged(&signalv1.UsersChanged{RoomId: room, Removed: []*sfuv1.User{k.MemberLeft.GetMember().GetUser()}})
	case *sfuv1.Event_Message:
		return &signalv1.Notice{Kind: &signalv1.Notice_Message{Message: messageOf(room, k.Message)}}
	case *sfuv1.Event_ActiveSpeakers:
		return &signalv1.Notice{Kind: &signalv1.Notice_Speakers{Speakers: speakersOf(room, k.ActiveSpeakers)}}
	case *sfuv1.Event_RoomMetadata:
		changed := &signalv1.RoomMetadataChanged{RoomId: room, Key: k.RoomMetadata.GetMetadata().GetKey()}
		if !k.RoomMetadata.GetRemoved() {
			changed.Value = new(k.RoomMetadata.GetMetadata().GetValue())
		}
		if id := k.RoomMetadata.GetUserId(); id != "" {
			changed.User = &sfuv1.User{Id: id}
		}
		return &signalv1.Notice{Kind: &signalv1.Notice_RoomMetadata{RoomMetadata: changed}}
	}
	return x.streams(false)
}

func usersChanged(u *signalv1.UsersChanged) *signalv1.Notice {
	return &signalv1.Notice{Kind: &signalv1.Notice_Users{Users: u}}
}

// streams is an event about a stream, as its publisher or the others see it.
func (x *news) streams(own bool) *signalv1.Notice {
	out := &signalv1.StreamsChanged{RoomId: x.GetRoomId()}
	switch k := x.GetKind().(type) {
	case *sfuv1.Event_StreamAdded:
		out.Added = []*signalv1.StreamInfo{streamOf(k.StreamAdded.GetStream(), own)}
	case *sfuv1.Event_StreamRemoved:
		removed := streamOf(k.StreamRemoved.GetStream(), own)
		removed.Reason = k.StreamRemoved.GetReason()
		out.Removed = []*signalv1.StreamInfo{removed}
	case *sfuv1.Event_StreamChanged:
		out.Updated = []*signalv1.StreamInfo{streamOf(k.StreamChanged.GetStream(), own)}
	case *sfuv1.Event_StreamMuted:
		out.Updated = []*signalv1.StreamInfo{streamOf(k.StreamMuted.GetStream(), own)}
	}
	return &signalv1.Notice{Kind: &signalv1.Notice_Streams{Streams: out}}
}
