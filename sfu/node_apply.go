// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/switchyard-media/sfu/router"
)

// Do applies a command to the router, carries out its effects, and returns the reply, which must be of type R (any when
// the command has none). A command that stops media is answered when not one more packet of what it stopped leaves the
// node: after Config.StopTimeout without that it is ErrStopTimeout, and the stop goes on.
func Do[R any](ctx context.Context, n *Node, cmd router.Command) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, ErrDeadline
	}
	reply, effects, err := n.applyEffects(cmd, nil)
	if err != nil {
		return none, err
	}
	if err := n.waitStops(ctx, effects); err != nil {
		return none, err
	}
	typed, ok := reply.(R)
	if !ok && reply != nil {
		return none, saying(ErrInternal, fmt.Sprintf("%T answers %T", cmd, reply))
	}

	return typed, nil
}

// apply is applyEffects for who does not wait for stops.
func (n *Node) apply(cmd router.Command, under func(r *router.Router, reply any)) (any, error) {
	reply, _, err := n.applyEffects(cmd, under)

	return reply, err
}

// applyEffects applies a command and carries out its effects. under, when not nil, runs right after the command under the
// router's lock, so that it sees exactly the command's outcome.
func (n *Node) applyEffects(cmd router.Command, under func(*router.Router, any)) (any, []routed, error) {
	return n.applyPrepared(cmd, nil, under)
}

// applyPrepared is applyEffects for a Connect, whose session has been made already, and for what only that session may say.
func (n *Node) applyPrepared(cmd router.Command, prepared *session, under func(*router.Router, any)) (any, []routed, error) {
	reply, list, err := n.applyLocked(cmd, prepared, under)
	for i := range list {
		list[i].target.carryOut()
	}

	return reply, list, err
}

// tell applies what a session reports of itself. One whose id is another session's by now reports nothing.
func (s *session) tell(cmd router.Command) error {
	_, _, err := s.node.applyPrepared(cmd, s, nil)

	return err
}

// routed is an effect in its session's inbox.
type routed struct {
	target *session
	effect *effect
}

// applyLocked does what has to happen under the router's lock: the command, and putting its effects into the inboxes of
// their sessions, which makes the order of effects of each session the router's.
func (n *Node) applyLocked(
	cmd router.Command, prepared *session, under func(*router.Router, any),
) (reply any, list []routed, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			n.panics.Add(1)
			n.log.Error("panic contained", "where", "router", "command", fmt.Sprintf("%T", cmd), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = ErrInternal
		}
	}()
	if n.closed {
		return nil, nil, ErrClosed
	}
	if c, ok := cmd.(router.Connect); ok && prepared != nil && n.sessions[c.Create.ID] != nil {
		return nil, nil, router.ErrSessionExists.About(string(c.Create.ID))
	}
	if _, ok := cmd.(router.Connect); !ok && prepared != nil && n.sessions[prepared.id] != prepared {
		return nil, nil, router.ErrSessionNotFound.About(string(prepared.id))
	}
	before := n.router.Revision()
	reply, effects, err := n.router.Apply(time.Now(), cmd)
	if err != nil {
		return nil, nil, err
	}
	switch made := reply.(type) {
	case router.Session:
		n.adopt(made, nil)
	case router.ConnectReply:
		n.adopt(made.Session, prepared)
	}
	list = n.route(effects)
	if under != nil {
		under(n.router, reply)
	}

	return reply, append(list, n.noteEvents(before)...), nil
}

// route puts effects into inboxes. With mu held.
func (n *Node) route(effects []router.Effect) []routed {
	list := make([]routed, 0, len(effects))
	for _, e := range effects {
		s := n.sessions[e.Target()]
		if s == nil {
			continue
		}
		x := &effect{Effect: e}
		if bind, ok := e.(router.BindSlot); ok {
			x.source = n.sessions[bind.Source]
		}
		if _, ok := e.(router.EndSession); ok {
			delete(n.sessions, e.Target())
		}
		if !s.enqueue(x) {
			n.effectsDropped.Add(1)
			n.log.Error("session ended: its effects are not carried out", "session", string(s.id))
			s.fail()
			switch e.(type) {
			case router.DeliverMessage, router.AskKeyframe:
				continue
			}
			x.ack = s.done // whatever it was to stop, the end does
		}
		list = append(list, routed{s, x})
	}

	return list
}

// adopt makes sure that a session of the router has one here, given when a join has prepared one. With mu held.
func (n *Node) adopt(created router.Session, prepared *session) {
	if s := n.sessions[created.ID]; s != nil && s.epoch == created.Epoch {
		return
	}
	s := prepared
	if s == nil {
		s = newSession(n)
		n.came(s) // it can: Close takes mu before it lets nobody come
	}
	s.id, s.epoch, s.app = created.ID, created.Epoch, created.App
	n.sessions[created.ID] = s
}

// waitStops waits for the acknowledgements of stops.
func (n *Node) waitStops(ctx context.Context, list []routed) error {
	var timer *time.Timer
	for _, r := range list {
		if r.effect.ack == nil {
			continue
		}
		select {
		case <-r.effect.ack:
			continue
		default:
		}
		if timer == nil {
			timer = time.NewTimer(n.cfg.StopTimeout)
			defer timer.Stop()
		}
		select {
		case <-r.effect.ack:
		case <-timer.C:
			return ErrStopTimeout
		case <-ctx.Done():
			return ErrStopTimeout
		}
	}

	return nil
}

// noteEvents looks at what a command has logged, and wakes who waits for it. It returns a barrier for every session that
// has left a room. With mu held.
func (n *Node) noteEvents(before uint64) []routed {
	if n.router.Revision() == before {
		return nil
	}
	var barriers []router.Effect
	events, kept := n.router.EventsAfter(before, 0)
	if !kept {
		barriers = n.noteAll()
	}
	for _, e := range events {
		n.noteStream(e)
		if _, left := e.Payload.(router.MemberLeftEvent); left {
			barriers = append(barriers, barrier{e.Session})
		}
	}
	if n.waiting {
		close(n.changed)
		n.changed = make(chan struct{})
		n.waiting = false
	}
	n.noteDrain()

	return n.route(barriers)
}

// noteAll is for a command that has logged more events than the ring keeps: it learns all streams anew, and returns a
// barrier for every session, since any may have left a room. With mu held.
func (n *Node) noteAll() []router.Effect {
	clear(n.published)
	clear(n.shown)
	loudest := make(map[roomKey]uint32)
	for _, room := range n.router.Snapshot(nil).Rooms {
		key := roomKey{room.App, room.ID}
		loudest[key] = room.Loudest
		n.setLoudest(key, room.Loudest, true)
		for _, stream := range room.Streams {
			n.setStream(stream)
		}
	}
	n.stages.prune(loudest, n.shown)
	barriers := make([]router.Effect, 0, len(n.sessions))
	for id := range n.sessions {
		barriers = append(barriers, barrier{id})
	}

	return barriers
}
