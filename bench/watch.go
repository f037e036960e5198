// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/bench/stats"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	resumeEvery    = 300 * time.Millisecond // a watcher is away for so long
	resumePatience = 5 * time.Second
)

var errResume = errors.New("a resumed stream has not caught up")

// watch is a watcher that is there all the time, and knows what one that comes back has to be told.
type watch struct {
	run      *run
	steering *steering
	cancel   context.CancelFunc
	done     chan struct{}

	mu        sync.Mutex // guards what follows
	epoch     uint64
	revisions []uint64 // of all events seen

	// owned by resumeUntil, and then by report
	took    stats.Sample
	resumed int
	missed  int
	resyncs int
}

func (r *run) watch(ctx context.Context, s *steering) (*watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := r.node.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{WatcherId: "bench", Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
	if err != nil {
		cancel()

		return nil, err
	}
	w := &watch{run: r, steering: s, cancel: cancel, done: make(chan struct{})}
	go w.read(stream)

	return w, nil
}

// read takes events until the stream ends.
func (w *watch) read(stream sfuv1.EventService_WatchEventsClient) {
	defer close(w.done)
	for {
		reply, err := stream.Recv()
		if err != nil {
			return
		}
		now := time.Now()
		e := reply.GetEvent()
		if e == nil {
			continue
		}
		w.mu.Lock()
		w.epoch = e.GetNodeEpoch()
		w.revisions = append(w.revisions, e.GetRevision())
		w.mu.Unlock()
		if e.GetMemberJoined() != nil && e.GetRoomId() == stage {
			w.steering.joined(e.GetSessionId(), now)
		}
	}
}

func (s *steering) joined(session string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from, ok := s.joining[session]; ok {
		s.lag = append(s.lag, at.Sub(from))
		delete(s.joining, session)
	}
}

func (w *watch) stop() {
	w.cancel()
	<-w.done
}

// resumeUntil goes away and comes back until the end.
func (w *watch) resumeUntil(ctx context.Context, end time.Time) error {
	for time.Until(end) > 2*resumeEvery {
		if err := pause(ctx, resumeEvery); err != nil {
			return err
		}
		from := w.last()
		if from == 0 {
			continue
		}
		if err := pause(ctx, resumeEvery); err != nil {
			return err
		}
		if to := w.last(); to > from {
			if err := w.resume(ctx, from, to); err != nil {
				return err
			}
		}
	}

	return nil
}

func (w *watch) last() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.revisions) == 0 {
		return 0
	}

	return w.revisions[len(w.revisions)-1]
}

// resume opens a stream after one event, and reads until another one has come.
func (w *watch) resume(ctx context.Context, from, to uint64) error {
	ctx, cancel := context.WithTimeout(ctx, resumePatience)
	defer cancel()
	w.mu.Lock()
	epoch := w.epoch
	w.mu.Unlock()
	start := time.Now()
	stream, err := w.run.node.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{
		WatcherId: "bench-resumes", AfterRevision: &from, NodeEpoch: epoch, Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER,
	})
	if err != nil {
		return err
	}
	got := make(map[uint64]bool)
	for last := from; last < to; {
		reply, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("%w: %w", errResume, err)
		}
		switch {
		case reply.GetEvent() != nil:
			last = reply.GetEvent().GetRevision()
			got[last] = true
		case reply.GetResync() != nil:
			w.resyncs++
			last = reply.GetResync().GetRevision()
		}
	}
	w.took = append(w.took, time.Since(start))
	w.compare(got, from, to)

	return nil
}

// compare counts what the other watcher has seen and the resumed one has not.
func (w *watch) compare(got map[uint64]bool, from, to uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.revisions {
		switch {
		case n <= from || n > to:
		case got[n]:
			w.resumed++
		default:
			w.missed++
		}
	}
}

func (w *watch) report(c *Control) {
	c.Resume, c.ResumedEvents, c.MissedEvents, c.Resyncs = callsOf(w.took), w.resumed, w.missed, w.resyncs
}
