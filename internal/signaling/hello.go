// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// maxGreetings is how many requests a connection may come with before one of them is a Hello that is accepted.
const maxGreetings = 8

// maxGreeting is the longest frame of those who have not shown a token, in bytes: a Hello with the longest token.
const maxGreeting = 32 << 10

// maxClient is how much of what a client says it is is logged, in bytes.
const maxClient = 64

func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// greet waits for the Hello of a connection, and begins or resumes its session. Without a client the connection is to be
// closed.
func (s *Server) greet(l *connection) *client {
	last := uint32(0)
	for range maxGreetings {
		l.expect(s.config.HelloTimeout, "no_hello", closeNoHello, "no hello in time")
		frame, err := l.read()
		l.relax()
		if err != nil {
			return nil
		}
		request, id, err := decode(frame, last)
		if err == nil && request.GetHello() == nil {
			err = errProtocol.saying("the first request is hello")
		}
		if err != nil {
			s.fail(l, id, err)
			l.finish("protocol", closeProtocol, "the first request is hello")
			return nil
		}
		last = id
		s.counts.request("hello")
		c, err := s.hello(l, id, request.GetHello())
		if err == nil {
			c.last = last
			l.greeted()
			s.log.Debug("client signed in", "app", c.app, "user", c.user, "session", c.id, "client", cut(request.GetHello().GetClient(), maxClient))
			return c
		}
		s.fail(l, id, err)
		if f := failureOf(err); errors.Is(f, errBadToken) || errors.Is(f, errTokenExpired) {
			l.finish("token", closeToken, "the token is refused")
			return nil
		}
	}
	l.finish("protocol", closeProtocol, "too many hellos")
	return nil
}

// fail answers a request that was not carried out.
func (s *Server) fail(l *connection, id uint32, err error) {
	f := failureOf(err)
	s.counts.failure(f.reason)
	l.put(encodeReply(f.reply(id)))
}

// hello carries out a Hello.
func (s *Server) hello(l *connection, id uint32, h *signalv1.Hello) (*client, error) {
	claims, err := s.check(h.GetToken())
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.within()
	defer cancel()
	n := pick(s.nodes, claims.App, claims.Group)
	if err := n.ready(ctx); err != nil {
		return nil, err
	}
	if h.GetResume() != nil {
		return n.resume(ctx, l, id, claims, h)
	}
	return n.open(ctx, l, id, claims, h)
}

// check verifies a token of a user. It has to be good for some time still: what is done with it ends with it.
func (s *Server) check(token string) (*auth.Claims, error) {
	claims, err := s.config.Keys.Check(token)
	switch {
	case errors.Is(err, auth.ErrExpired):
		return nil, errTokenExpired
	case err != nil:
		return nil, errBadToken.saying(err.Error())
	case claims.UserID == "":
		return nil, errBadToken.saying("the token has no user")
	case !claims.Expires.After(time.Now()):
		return nil, errTokenExpired
	}
	return claims, nil
}

// open begins a session. Its id is chosen here, and cannot be guessed, so that no event of it is missed.
func (n *node) open(ctx context.Context, l *connection, id uint32, claims *auth.Claims, h *signalv1.Hello) (*client, error) {
	c := newClient(l, n, claims, strings.ToLower(rand.Text()))
	n.register(c)
	name := claims.UserName
	if name == "" {
		name = claims.UserID
	}
	reply, err := n.api.session.CreateSession(ctx, &sfuv1.CreateSessionRequest{
		AppId: claims.App, User: &sfuv1.User{Id: claims.UserID, Name: name}, RoomMode: h.GetRoomMode(), SessionId: c.id,
	})
	if err != nil {
		n.unregister(c)
		return nil, err
	}
	c.welcome(id, reply.GetSession(), &signalv1.Welcome{})
	return c, nil // there is no room of which events could have been missed
}

// welcome answers Hello, and begins to relay. It reports false when events have been missed since the rooms were read.
func (c *client) welcome(id uint32, session *sfuv1.Session, w *signalv1.Welcome) bool {
	c.epoch, c.mode = session.GetEpoch(), session.GetRoomMode()
	rooms := session.GetLimits().GetMaxRoomsPerUser()
	if c.mode != sfuv1.RoomMode_ROOM_MODE_MULTI {
		rooms = 1
	}
	w.PingIntervalMs = uint32(c.server.config.PingInterval.Milliseconds())
	w.Session = &signalv1.SessionInfo{
		Id: c.id, Epoch: c.epoch, AppId: session.GetAppId(), User: session.GetUser(), RoomMode: c.mode,
		IceServers: session.GetIceServers(), OfferId: session.GetOfferId(), MaxRooms: rooms,
	}
	frame := encodeReply(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Welcome{Welcome: w}})
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, m := range c.rooms {
		if !c.node.fresh(m.epoch, m.revision) {
			return false
		}
	}
	c.conn.put(frame)
	c.starting = false
	if c.missed {
		c.begin(&job{run: c.ensure}, true)
	}
	for _, m := range c.rooms {
		m.begin()
	}
	c.release()
	return true
}

// release goes on with the events that were held. With node.mu held.
func (m *membership) release() {
	m.reading = false
	held := m.held
	m.held = nil
	for _, x := range held {
		if m.client.rooms[m.key.room] != m {
			return
		}
		m.take(x)
	}
}
