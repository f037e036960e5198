// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"

	"github.com/switchyard-media/sfu/router"
)

// Connect is a whole join in one call: session, offer, rooms, streams and subscriptions. All or nothing: when any part
// fails, no session is left and nobody has heard of it. A repeat with the id of the session that it made, and the same
// offer, answers the same.
func (n *Node) Connect(ctx context.Context, req ConnectRequest) (ConnectAnswer, error) {
	cmd := req.Command
	cmd.Lines = nil
	if s, err := n.find(cmd.Create.ID, router.Fence{}); err == nil {
		return n.reconnect(ctx, s, cmd, req)
	} else if errors.Is(err, ErrClosed) {
		return ConnectAnswer{}, err
	}
	s := newSession(n)
	if !n.came(s) {
		return ConnectAnswer{}, ErrClosed
	}
	var out ConnectAnswer
	var err error = ErrInternal // what the caller gets when the loop panics
	joined := false
	callErr := s.call(ctx, func() {
		if ctx.Err() != nil { // the caller will not get the answer, so it must not come to be
			err = ErrDeadline

			return
		}
		out, err = s.join(cmd, req)
		joined = err == nil
	})
	if callErr != nil {
		// The loop may still be at it. Whatever it makes of it, the caller has gone.
		s.abandon(&joined)

		return ConnectAnswer{}, callErr
	}
	if err != nil {
		s.end()
		select {
		case <-s.done:
		case <-ctx.Done():
		}

		return ConnectAnswer{}, err
	}

	return out, nil
}

// join negotiates and, with the lines of the offer, joins. On the loop of a session that nobody else knows yet.
func (s *session) join(cmd router.Connect, req ConnectRequest) (out ConnectAnswer, err error) {
	out.Answer, err = s.negotiate(req.Offer, req.OfferID, func(lines []router.Line) ([]router.Line, error) {
		cmd.Lines = lines
		reply, _, err := s.node.applyPrepared(cmd, s, nil)
		out.Reply, _ = reply.(router.ConnectReply)

		return out.Reply.Lines, err
	})

	return out, err
}

// reconnect answers a repeated Connect.
func (n *Node) reconnect(ctx context.Context, s *session, cmd router.Connect, req ConnectRequest) (out ConnectAnswer, err error) {
	callErr := s.call(ctx, func() {
		if !s.last.is(req.OfferID, req.Offer) {
			err = router.ErrSessionExists.About(string(cmd.Create.ID))

			return
		}
		cmd.Lines = routerLines(s.lines)
		var reply any
		if reply, err = n.apply(cmd, nil); err != nil {
			return
		}
		out.Reply, _ = reply.(router.ConnectReply)
		out.Answer = s.answer
	})
	if callErr != nil {
		return ConnectAnswer{}, callErr
	}

	return out, err
}

// abandon ends a session whose Connect nobody waits for any more, when its loop comes to it.
func (s *session) abandon(joined *bool) {
	s.post(func() {
		if *joined {
			s.node.later(router.CloseSession{Session: s.id, Fence: router.Fence{SessionEpoch: s.epoch}})
		} else {
			s.end()
		}
	})
}
