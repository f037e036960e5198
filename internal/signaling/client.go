// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// client is one connection that has said Hello, with the session that it has. Nothing in it is lost with it: the node knows.
type client struct {
	// immutable after newClient
	conn   *connection
	node   *node
	server *Server
	app    string
	group  string
	user   string // id
	id     string // of the session

	// written before the client is answered Hello, immutable after
	epoch uint64
	mode  sfuv1.RoomMode

	// owned by the reader
	last     uint32        // id of the last request
	limit    *rate.Limiter // of requests
	refusals *rate.Limiter // of those that are refused for their rate

	turns turns // locks itself

	// guarded by node.mu
	token    *auth.Claims // of Hello, or what replaced it
	rooms    map[string]*membership
	playing  map[string]*signalv1.Playing // subscriptions, as the client was told of them
	stopping map[string]bool              // subscriptions that the client has ended, until the node has said so too
	starting bool                         // Welcome has not gone out
	missed   bool                         // events were missed meanwhile
	asking   int                          // requests about subscriptions that are under way
	held     []*news                      // what concerns the session and waits for those
	gone     bool                         // the connection is over, or another one has the session
}

// membership is a client's place in a room. Guarded by its node's mu.
type membership struct {
	client *client // immutable, as is key
	key    roomKey

	incarnation uint64
	epoch       uint64 // of the node that revision counts in
	revision    uint64 // of what the client was told: older events are in it
	grants      *sfuv1.Grants
	token       *auth.Claims // that it was entered or renewed with
	ofHello     bool         // that is the one of Hello
	own         map[string]bool

	reading bool    // what the client is to be told is being read
	held    []*news // events that came meanwhile
	leaving bool    // the client has asked to leave: its end is told by the reply
	left    sfuv1.EndReason
}

func newLimit(c Config) *rate.Limiter { return rate.NewLimiter(rate.Limit(c.Rate), c.Burst) }

func newClient(l *connection, n *node, claims *auth.Claims, session string) *client {
	s := n.server
	return &client{
		conn: l, node: n, server: s, app: claims.App, group: claims.Group, user: claims.UserID, id: session, token: claims,
		limit: newLimit(s.config), refusals: newLimit(s.config), starting: true,
		rooms: make(map[string]*membership), playing: make(map[string]*signalv1.Playing), stopping: make(map[string]bool),
	}
}

// only is the room that an empty id means: with ROOM_MODE_SINGLE the one that the session is in.
func (c *client) only(room string) string {
	if room != "" || c.mode == sfuv1.RoomMode_ROOM_MODE_MULTI {
		return room
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for id := range c.rooms {
		return id
	}
	return ""
}

// in is the membership of a room that the client has been told of.
func (c *client) in(room string) (incarnation uint64, err error) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	m := c.rooms[room]
	if m == nil || m.incarnation == 0 {
		return 0, errNotMember
	}
	return m.incarnation, nil
}

// answer sends the reply to a request.
func (c *client) answer(r *signalv1.Reply) { c.conn.put(encodeReply(r)) }

// notify sends a notice.
func (c *client) notify(n *signalv1.Notice) { c.tell(encodeNotice(n)) }

// tell sends a notice that is encoded already.
func (c *client) tell(frame []byte) {
	c.server.counts.notice()
	c.conn.put(frame)
}

// sessionOver tells the client that its session is no more, and closes the connection. With node.mu held.
func (c *client) sessionOver(reason sfuv1.EndReason, detail string) {
	if c.gone {
		return
	}
	c.node.remove(c)
	c.notify(&signalv1.Notice{Kind: &signalv1.Notice_SessionEnded{SessionEnded: &signalv1.SessionEnded{
		Reason: reason, Detail: detail, Code: codeOf(reason),
	}}})
	c.conn.finish("", closeSessionEnded, "the session is over")
}

// readAgain makes the client come back and be told everything anew.
func (c *client) readAgain(why string) { c.conn.finish("lost", closeReadAgain, why) }

// expiresIn is the time until a membership ends, in milliseconds; 0: never.
func expiresIn(m *sfuv1.Member) uint64 {
	if m.GetExpireTime() == nil {
		return 0
	}
	return uint64(max(1, time.Until(m.GetExpireTime().AsTime()).Milliseconds()))
}
