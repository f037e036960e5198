// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// idle is how often follow looks up when nothing happens.
const idle = 5 * time.Second

// reserve keeps a place for a session that is about to be made, until release.
func (s *Server) reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.resources)+s.opening >= s.cfg.MaxSessions {
		return errFull
	}
	s.opening++
	return nil
}

// watch begins to watch what follow has to know.
func (s *Server) watch() (*sfu.Watcher, error) {
	return s.cfg.Node.Watch(sfu.WatchRequest{
		ID: "whip", FromNow: true, Snapshot: sfu.SnapshotNever,
		Kinds: []string{
			router.SessionEvent{}.Kind(), router.MemberLeftEvent{}.Kind(), router.MemberKickedEvent{}.Kind(),
			router.StreamRemovedEvent{}.Kind(), router.SubscriptionEvent{}.Kind(),
		},
	})
}

func (s *Server) release() {
	s.mu.Lock()
	s.opening--
	s.mu.Unlock()
}

// register makes a resource known, unless its session has ended or left its room meanwhile: follow may have seen that, and not
// known whose it was.
func (s *Server) register(res *resource) bool {
	s.mu.Lock()
	s.resources[res.id], s.sessions[res.session] = res, res
	s.mu.Unlock()
	return s.look(res)
}

func (s *Server) forget(res *resource) {
	s.mu.Lock()
	delete(s.resources, res.id)
	delete(s.sessions, res.session)
	s.mu.Unlock()
}

// alive says whether a resource's session is there. It costs the node less than a look at the whole session.
func (s *Server) alive(res *resource) (alive bool) {
	s.cfg.Node.Read(func(r *router.Router) {
		id, ok := r.SessionOfUser(res.app, res.user)
		alive = ok && id == res.session
	})
	return alive
}

// follow keeps resources in step with the node: those whose session has ended are forgotten, and a session that has lost what it
// is for is ended, since it can do nothing else: its membership, because it was removed or its token has expired, its stream, or
// its subscription. A viewer whose stream has ended stays, and waits for it to come back.
func (s *Server) follow(watcher *sfu.Watcher) {
	defer watcher.Close()
	for {
		batch, err := watcher.Next(context.Background(), idle, 0)
		if err != nil { // the node is closed, and all sessions with it
			s.clear()
			return
		}
		if err := s.kicks.catchUp(); err != nil && !errors.Is(err, sfu.ErrClosed) { // before they are more than the node keeps
			s.cfg.Logger.Warn("kicks cannot be followed", "error", err)
		}
		if batch.Resync {
			s.lookAtAll()
		}
		for _, e := range batch.Events {
			s.see(e)
		}
	}
}

func (s *Server) see(e *router.Event) {
	defer func() {
		if r := recover(); r != nil { // the node's media is not to end with one resource
			s.cfg.Logger.Error("contained a panic", "in", "an event", "event", e.Payload.Kind(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	switch p := e.Payload.(type) {
	case router.SessionEvent:
		if res := s.of(p.Session.ID); res != nil && p.Session.Connection == router.ConnectionClosed {
			s.forget(res)
		}
	case router.MemberLeftEvent:
		if res := s.of(p.Member.Session); res != nil {
			s.lost(res, p.Reason)
		}
	case router.StreamRemovedEvent:
		if res := s.of(p.Stream.Session); res != nil {
			s.lost(res, p.Reason)
		}
	case router.SubscriptionEvent:
		res := s.of(p.Subscription.Session)
		switch {
		case res == nil || p.Subscription.State != router.SubscriptionEnded:
		case p.Reason == router.ReasonStreamRemoved:
			s.await(res)
		default:
			s.lost(res, p.Reason)
		}
	}
}

func (s *Server) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.resources)
	clear(s.sessions)
}

func (s *Server) of(session router.SessionID) *resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[session]
}

// lost ends a session that has lost what it is for.
func (s *Server) lost(res *resource, reason router.Reason) {
	s.forget(res)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := router.CloseSession{Session: res.session, Fence: res.fence(), Reason: reason, Why: "the session can do nothing else"}
	if _, err := sfu.Do[router.Stopped](ctx, s.cfg.Node, command); err != nil && !errors.Is(err, router.ErrSessionNotFound) {
		s.cfg.Logger.Warn("session by HTTP outlives what it was for", "session", res.session, "error", err)
	}
}

// await has a viewer wait for its stream.
func (s *Server) await(res *resource) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := res.wish
	command.Session, command.Fence = res.session, res.fence()
	if _, err := sfu.Do[router.Subscription](ctx, s.cfg.Node, command); err != nil && !errors.Is(err, router.ErrSessionNotFound) {
		s.lost(res, router.ReasonStreamRemoved)
	}
}

// lookAtAll is for when events were missed.
func (s *Server) lookAtAll() {
	s.mu.Lock()
	all := make([]*resource, 0, len(s.resources))
	for _, res := range s.resources {
		all = append(all, res)
	}
	s.mu.Unlock()
	for _, res := range all {
		s.look(res)
	}
}

// look makes sure of one resource, and says whether its session is there and has what it is for.
func (s *Server) look(res *resource) bool {
	var session router.Session
	var err error
	published, played := 0, 0
	s.cfg.Node.Read(func(r *router.Router) {
		if session, err = r.Session(res.session); err == nil {
			published = len(r.SessionStreams(res.session))
			list, _ := r.Subscriptions(res.session, "") // the session is there
			played = len(list)
		}
	})
	switch {
	case err != nil || session.Epoch != res.epoch:
		s.forget(res)
		return false
	case len(session.Rooms) == 0, res.protocol == whip && published == 0:
		s.lost(res, router.ReasonRequested)
		return false
	case res.protocol == whep && played == 0:
		s.await(res)
	}
	return true
}
