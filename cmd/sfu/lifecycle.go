// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Times of stopping. drainSlack is what sessions that are ended at the drain's deadline get to be gone.
const (
	drainSlack   = 3 * time.Second
	stopPatience = 5 * time.Second
	stopHurry    = 500 * time.Millisecond
)

// run carries out signals until the node has stopped: the first SIGTERM or SIGINT drains, the second ends at once, SIGHUP
// reloads. It reports whether the node ended as it should.
func (n *node) run(signals <-chan os.Signal) bool {
	var drained <-chan struct{}
	var late <-chan time.Time
	for {
		select {
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				n.reload()
			case drained != nil:
				n.log.Warn("told to stop a second time: stopping at once", "signal", s.String())
				n.shut(stopHurry)
				return false
			default:
				drained, late = n.drain(s)
			}
		case <-drained:
			n.log.Info("no session is left: stopping")
			n.shut(stopPatience)
			n.log.Info("stopped")
			return true
		case <-late:
			n.log.Info("time is up: stopping", "sessions", n.engine.Load().Counts.Sessions)
			n.shut(stopPatience)
			n.log.Info("stopped")
			return true
		case err := <-n.failed:
			n.log.Error("the control API's server ended: stopping", "error", err)
			n.shut(stopHurry)
			return false
		}
	}
}

// drain begins to drain: no new sessions and rooms from here on, /readyz 503, grpc.health.v1 NOT_SERVING. Nobody can take it
// back: an Undrain that seemed to work would bring sessions to a process that ends all the same. It gives what tells that the last session has left, and that the deadline has passed.
func (n *node) drain(s os.Signal) (drained <-chan struct{}, late <-chan time.Time) {
	deadline := n.cfg.DrainDeadline
	n.control.Ending()
	if deadline == 0 {
		n.log.Info("told to stop, without a deadline to drain: stopping", "signal", s.String())
		return make(chan struct{}), passed()
	}
	if err := n.engine.Drain(context.Background(), deadline); err != nil {
		n.log.Error("told to stop, and draining failed: stopping", "signal", s.String(), "error", err)
		return make(chan struct{}), passed()
	}
	n.log.Info("told to stop: draining", "signal", s.String(), "deadline", deadline.String(), "sessions", n.engine.Load().Counts.Sessions)
	return n.engine.Drained(), time.After(deadline + drainSlack)
}

// passed is a deadline that has passed.
func passed() <-chan time.Time {
	now := make(chan time.Time, 1)
	now <- time.Now()
	return now
}
