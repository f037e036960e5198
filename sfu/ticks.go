// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/router"
)

// commandQueue holds commands that come from where nobody may wait for the router: media goroutines, panics, places that
// hold a session's lock. It is bounded by what puts into it: a few commands a session.
type commandQueue struct {
	wake chan struct{} // capacity 1

	mu       sync.Mutex // guards commands
	commands []router.Command
}

func newCommandQueue() *commandQueue { return &commandQueue{wake: make(chan struct{}, 1)} }

// later applies a command soon. Any goroutine; never waits.
func (n *Node) later(cmd router.Command) {
	n.queue.mu.Lock()
	n.queue.commands = append(n.queue.commands, cmd)
	n.queue.mu.Unlock()
	select {
	case n.queue.wake <- struct{}{}:
	default:
	}
}

func (n *Node) runQueue() {
	defer n.own.Done()
	for {
		select {
		case <-n.queue.wake:
		case <-n.stop:
			return
		}
		n.queue.mu.Lock()
		commands := n.queue.commands
		n.queue.commands = nil
		n.queue.mu.Unlock()
		for _, cmd := range commands {
			// What it was about may be gone by now.
			if _, err := n.apply(cmd, nil); err != nil && !errors.Is(err, router.ErrSessionNotFound) && !errors.Is(err, router.ErrStaleEpoch) {
				n.log.Debug("a command of the engine's own failed", "error", err)
			}
		}
	}
}

// runTicks lets time pass in the router, when it has something to do.
func (n *Node) runTicks() {
	defer n.own.Done()
	ticker := time.NewTicker(n.cfg.TickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-n.stop:
			return
		}
		due := false
		n.Read(func(r *router.Router) {
			at := r.NextTick()
			due = !at.IsZero() && !at.After(time.Now())
		})
		if due {
			if _, err := n.apply(router.Tick{}, nil); err != nil {
				n.log.Error("tick failed", "error", err)
			}
		}
		n.checkDrain()
	}
}

// runLooks has sessions look at what nothing tells them of. One ticker serves all.
func (n *Node) runLooks() {
	defer n.own.Done()
	ticker := time.NewTicker(n.cfg.ConsentTimeout / 5)
	defer ticker.Stop()
	var sessions []*session
	for {
		select {
		case <-ticker.C:
		case <-n.stop:
			return
		}
		n.aliveMu.Lock()
		for s := range n.alive {
			sessions = append(sessions, s)
		}
		n.aliveMu.Unlock()
		for _, s := range sessions {
			if s.overdue() {
				s.poke()
			}
		}
		clear(sessions)
		sessions = sessions[:0]
	}
}

// drainState is guarded by Node.mu.
type drainState struct {
	deadline time.Time     // zero: not draining
	drained  chan struct{} // closed when no session is left while draining
	done     bool          // drained is closed
}

// Drain stops taking new sessions and rooms, and returns. At the deadline, from now, sessions that are left end with
// ReasonDrained. A later call sets a new deadline.
func (n *Node) Drain(_ context.Context, deadline time.Duration) error {
	at := time.Now().Add(max(deadline, 0))
	_, err := n.apply(router.SetDraining{Draining: true, Deadline: at}, func(*router.Router, any) {
		n.drain.deadline = at
		n.noteDrain()
	})
	if err == nil {
		n.checkDrain()
	}

	return err
}

// Undrain takes new sessions and rooms again. Sessions that have ended stay ended.
func (n *Node) Undrain(context.Context) error {
	_, err := n.apply(router.SetDraining{}, func(*router.Router, any) {
		n.drain.deadline = time.Time{}
		if n.drain.done {
			n.drain.drained, n.drain.done = make(chan struct{}), false
		}
	})

	return err
}

// Drained returns a channel that is closed when the node drains and has no session left. After Undrain ask again.
func (n *Node) Drained() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.drain.drained
}

// noteDrain looks whether the last session has gone. With mu held.
func (n *Node) noteDrain() {
	if n.drain.deadline.IsZero() || n.drain.done || n.router.Counts().Sessions > 0 {
		return
	}
	close(n.drain.drained)
	n.drain.done = true
}

// checkDrain ends what is left at the deadline.
func (n *Node) checkDrain() {
	n.mu.Lock()
	late := !n.drain.deadline.IsZero() && !time.Now().Before(n.drain.deadline)
	var left []*session
	if late {
		for _, s := range n.sessions {
			left = append(left, s)
		}
	}
	n.mu.Unlock()
	for _, s := range left {
		cmd := router.CloseSession{Session: s.id, Fence: router.Fence{SessionEpoch: s.epoch}, Reason: router.ReasonDrained}
		if _, err := n.apply(cmd, nil); err != nil && !errors.Is(err, router.ErrSessionNotFound) {
			n.log.Warn("session did not end with the drain", "session", string(s.id), "error", err)
		}
	}
}
