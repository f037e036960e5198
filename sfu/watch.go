// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/router"
)

// maxBatch is how many events are read under the router's lock at once.
const maxBatch = 512

// Watcher follows the node's events. It is a cursor into the router's ring and nothing more: no queue, no goroutine; one
// that is not read costs nothing and holds nobody back. Next is for one goroutine at a time.
type Watcher struct {
	node *Node
	req  WatchRequest

	cursor uint64 // revision of the last event seen
	resync bool   // events were missed: the next batch says so
}

// Watch starts watching. The position is as WatchRequest says; a gap at the start shows as the first batch.
func (n *Node) Watch(req WatchRequest) (*Watcher, error) {
	w := &Watcher{node: n, req: req}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if int(n.watchers.Load()) >= n.cfg.MaxWatchers {
		return nil, ErrWatcherLimit
	}
	now := n.router.Revision()
	known := req.Epoch == n.epoch && n.epoch != 0
	switch {
	case req.FromNow:
		w.cursor = now
		w.resync = req.Snapshot == SnapshotAlways
	case req.Snapshot == SnapshotAlways:
		w.resync = true
	case req.After == 0 && req.Snapshot == SnapshotNever && (known || req.Epoch == 0):
		w.cursor = n.oldest(now)
	case known:
		w.cursor = req.After
		_, kept := n.router.EventsAfter(req.After, 1)
		w.resync = !kept
	default:
		w.resync = true
	}
	n.watchers.Add(1)

	return w, nil
}

// oldest is the revision before the oldest event that is still kept. With mu held.
func (n *Node) oldest(now uint64) uint64 {
	low, high := uint64(0), now
	for low < high {
		middle := low + (high-low)/2
		if _, kept := n.router.EventsAfter(middle, 1); kept {
			high = middle
		} else {
			low = middle + 1
		}
	}

	return low
}

// Close ends the watcher.
func (w *Watcher) Close() {
	if w.node != nil {
		w.node.watchers.Add(-1)
	}
	w.node = nil
}

// Next returns what happened since the last batch: up to most events (0: as many as are read at once), waiting for the
// first one up to idle (0: as long as ctx lasts) and then returning none, as a heartbeat. Revision of every batch is where
// to resume.
func (w *Watcher) Next(ctx context.Context, idle time.Duration, most int) (Batch, error) {
	if w.node == nil {
		return Batch{}, ErrClosed
	}
	var silence <-chan time.Time
	if idle > 0 {
		timer := time.NewTimer(idle)
		defer timer.Stop()
		silence = timer.C
	}
	if most <= 0 || most > maxBatch {
		most = maxBatch
	}
	for {
		batch, wait, err := w.read(most)
		if err != nil || batch.Resync || len(batch.Events) > 0 {
			return batch, err
		}
		if wait == nil {
			continue // the filter has left nothing, there is more
		}
		select {
		case <-wait:
		case <-silence:
			return batch, nil
		case <-ctx.Done():
			return Batch{}, ErrDeadline
		}
	}
}

// read takes what there is. With nothing left to read, wait is closed when there is more.
func (w *Watcher) read(most int) (Batch, <-chan struct{}, error) {
	n := w.node
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()

		return Batch{}, nil, ErrClosed
	}
	var events []*router.Event
	if !w.resync {
		var kept bool
		if events, kept = n.router.EventsAfter(w.cursor, most); !kept {
			w.resync = true
		}
	}
	if w.resync {
		batch := w.startAgain()
		n.mu.Unlock()

		return batch, nil, nil
	}
	var wait <-chan struct{}
	if len(events) == 0 {
		n.waiting = true
		wait = n.changed
	}
	n.mu.Unlock()
	if len(events) > 0 {
		w.cursor = events[len(events)-1].Revision
	}
	kept := slices.DeleteFunc(events, func(e *router.Event) bool { return !w.req.wants(e) })

	return Batch{Events: kept, Revision: w.cursor}, wait, nil
}

// startAgain makes a Resync: the snapshot is of the very revision that the events after it begin at. With Node.mu held.
func (w *Watcher) startAgain() Batch {
	n := w.node
	n.resyncs.Add(1)
	w.resync = false
	w.cursor = n.router.Revision()
	batch := Batch{Revision: w.cursor, Resync: true}
	if w.req.Snapshot != SnapshotNever {
		snapshot := n.router.Snapshot(w.req.covers)
		batch.Snapshot = &snapshot
	}

	return batch
}

func listed[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// wants applies the filter to an event. Apps and kinds must match; rooms and sessions are alternatives, so that one may
// watch some rooms and some sessions. What concerns the whole node or app passes.
func (r *WatchRequest) wants(e *router.Event) bool {
	if !listed(r.Kinds, e.Payload.Kind()) || e.App != "" && !listed(r.Apps, e.App) {
		return false
	}
	if len(r.Rooms) == 0 && len(r.Sessions) == 0 || e.Room == "" && e.Session == "" {
		return true
	}

	return e.Room != "" && slices.Contains(r.Rooms, e.Room) || e.Session != "" && slices.Contains(r.Sessions, e.Session)
}

// covers applies the same filter to the parts of a snapshot.
func (r *WatchRequest) covers(app, room string, session router.SessionID) bool {
	if !listed(r.Apps, app) {
		return false
	}
	if len(r.Rooms) == 0 && len(r.Sessions) == 0 {
		return true
	}

	return room != "" && slices.Contains(r.Rooms, room) || session != "" && slices.Contains(r.Sessions, session)
}
