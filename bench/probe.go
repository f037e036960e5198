// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	probePatience = 5 * time.Second // for the first packets
	probeSilence  = 250 * time.Millisecond
	// probeApart, doubled at most, and probeSilence are more than the node takes to ask a publisher for another keyframe:
	// what is timed is a join, not the rest of the one before.
	probeApart = 300 * time.Millisecond
)

// joinAndLeave is one listener: it joins, plays until everything has begun and for stay longer, and leaves.
func (r *run) joinAndLeave(ctx context.Context, user string, stay time.Duration) error {
	cfg := r.plan.probe
	cfg.User = user
	c, err := load.Join(ctx, r.poller, r.node.sessions, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	for deadline := time.Now().Add(probePatience); !r.begun(c) && time.Now().Before(deadline); {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	if err := pause(ctx, stay); err != nil {
		return err
	}
	c.Leaving()
	called := time.Now()
	if _, err := r.node.rooms.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: c.Session, RoomId: cfg.Rooms[0]}); err != nil {
		return err
	}
	answered := time.Now()
	if err := pause(ctx, probeSilence); err != nil {
		return err
	}
	r.joins.add(r.poller, c, called, answered, c.Silent(cfg.Rooms[0], answered))

	return c.Leave(ctx)
}

func (r *run) begun(c *load.Client) bool {
	all := true
	r.poller.Locked(func() {
		for _, t := range c.Received() {
			all = all && !t.First.IsZero() && (!t.Track.Video || !t.FirstKeyframe.IsZero())
		}
	})

	return all
}

// add takes the times of one client that has left a room.
func (j *joinTimes) add(p *load.Poller, c *load.Client, called, answered time.Time, s load.Silence) {
	var first, keyframe time.Time
	p.Locked(func() {
		for _, t := range c.Received() {
			first = earlier(first, t.First)
			keyframe = earlier(keyframe, t.FirstKeyframe)
		}
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.joins++
	start := c.Timeline.Start
	j.answered = append(j.answered, c.Timeline.Answered.Sub(start))
	j.connected = append(j.connected, c.Timeline.Secured.Sub(start))
	if first.IsZero() {
		j.never++

		return
	}
	j.firstPacket = append(j.firstPacket, first.Sub(start))
	if !keyframe.IsZero() {
		j.keyframe = append(j.keyframe, keyframe.Sub(start))
	}
	j.leave(called, answered, s)
}

// leave takes one leave of a room that something has come of. Called with mu held.
func (j *joinTimes) leave(called, answered time.Time, s load.Silence) {
	j.left = append(j.left, answered.Sub(called))
	if !s.Packets {
		return
	}
	j.silence = append(j.silence, max(answered.Sub(called)+s.Last, 0))
	j.quiet = append(j.quiet, s.Last)
	j.late += s.Arrived
	j.later += s.SentLater
}

// earlier is the earlier of two times, of which either may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}

	return a
}

// churn joins at a rate until the end, and lets each leave after a second.
func (r *run) churn(ctx context.Context, end time.Time) error {
	var wait sync.WaitGroup
	every := time.Duration(float64(time.Second) / r.o.rate)
	n := int(time.Until(end) / every)
	errs := make(chan error, n+1)
	for i := range n {
		wait.Go(func() { errs <- r.joinAndLeave(ctx, churner(i), time.Second) })
		if err := pause(ctx, every); err != nil {
			break
		}
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	r.report.Churn = n

	return nil
}
