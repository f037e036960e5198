// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Watcher is a signaling tier that watches a node: it folds what EventService.WatchEvents sends into a State, and keeps the
// events. Drop ends its stream, Start opens one again where the last ended. Its methods may be called from any goroutine,
// Start and Drop from one at a time.
type Watcher struct {
	api     *API
	request *sfuv1.WatchEventsRequest // template; Start sets where to resume

	cancel context.CancelFunc // of the stream; owned by the caller of Start and Drop
	done   chan struct{}      // closed when the reader has ended; same owner

	mu       sync.Mutex // guards all below
	changed  chan struct{}
	began    bool // something came, so that there is a revision to resume after
	complete bool // the state holds everything there is: a snapshot came
	partial  bool // in the middle of a snapshot, or before one
	state    *State
	seen     uint64 // revision up to which everything has come, by event, snapshot or heartbeat
	events   []*sfuv1.Event
	resyncs  []*sfuv1.Resync
	snaps    int
	faults   []string
	err      error // that ended the last stream, nil when Drop did
}

// NewWatcher makes a Watcher with the filter and modes of the request; nil asks for everything.
func NewWatcher(api *API, request *sfuv1.WatchEventsRequest) *Watcher {
	w := &Watcher{api: api, request: &sfuv1.WatchEventsRequest{}, changed: make(chan struct{}), state: newState()}
	if request != nil {
		w.request = proto.CloneOf(request)
	}
	if w.request.GetWatcherId() == "" {
		w.request.WatcherId = "test"
	}
	if w.request.GetHeartbeatInterval() == nil {
		w.request.HeartbeatInterval = durationpb.New(time.Second)
	}
	w.complete = w.request.GetSnapshot() == sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER && w.request.AfterRevision != nil && w.request.GetAfterRevision() == 0
	return w
}

// Start opens the stream: the first time as the request says, later after what came last.
func (w *Watcher) Start(ctx context.Context) error {
	request := proto.CloneOf(w.request)
	w.mu.Lock()
	if w.began {
		request.AfterRevision, request.NodeEpoch = new(w.seen), w.state.Epoch
	}
	// A snapshot that was cut off is no state to go on from.
	if w.partial {
		request.AfterRevision, w.partial, w.began = nil, false, false
	}
	w.err = nil
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stream, err := w.api.Event.WatchEvents(ctx, request)
	if err != nil {
		cancel()
		return err
	}
	w.cancel, w.done = cancel, make(chan struct{})
	go w.read(stream.Recv, w.done)
	return nil
}

// Drop ends the stream and waits until nothing more comes.
func (w *Watcher) Drop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	<-w.done
	w.cancel = nil
}

func (w *Watcher) read(receive func() (*sfuv1.WatchEventsResponse, error), done chan struct{}) {
	defer close(done)
	for {
		item, err := receive()
		w.mu.Lock()
		if err != nil {
			if status.Code(err) != codes.Canceled {
				w.err = err
			}
		} else {
			w.take(item)
		}
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take enters one item. Called with mu held.
func (w *Watcher) take(item *sfuv1.WatchEventsResponse) {
	if w.partial && item.GetSnapshot() == nil {
		w.faults = append(w.faults, fmt.Sprintf("%T in the middle of a snapshot", item.GetItem()))
	}
	switch v := item.GetItem().(type) {
	case *sfuv1.WatchEventsResponse_Event:
		w.event(v.Event)
	case *sfuv1.WatchEventsResponse_Heartbeat:
		if v.Heartbeat.GetRevision() < w.seen {
			w.faults = append(w.faults, fmt.Sprintf("heartbeat of revision %d after %d", v.Heartbeat.GetRevision(), w.seen))
		}
		w.seen, w.state.Epoch, w.began = v.Heartbeat.GetRevision(), v.Heartbeat.GetNodeEpoch(), true
	case *sfuv1.WatchEventsResponse_Resync:
		w.resyncs = append(w.resyncs, v.Resync)
		w.state, w.complete = newState(), false
		w.state.Epoch, w.seen, w.began = v.Resync.GetNodeEpoch(), v.Resync.GetRevision(), true
		w.partial = w.request.GetSnapshot() != sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER // the snapshot is to come
	case *sfuv1.WatchEventsResponse_Snapshot:
		if v.Snapshot.GetRevision() != w.state.Revision || !w.partial {
			w.state = newState()
		}
		w.state.add(v.Snapshot)
		w.partial = !v.Snapshot.GetLast()
		if !w.partial {
			w.seen, w.began, w.complete = v.Snapshot.GetRevision(), true, true
			w.snaps++
		}
	default:
		w.faults = append(w.faults, fmt.Sprintf("empty item %v", item))
	}
}

func (w *Watcher) event(e *sfuv1.Event) {
	w.ordered(e)
	faults := w.state.apply(e)
	f := w.request.GetFilter()
	if w.complete && len(f.GetKinds()) == 0 && len(f.GetSessions()) == 0 {
		w.faults = append(w.faults, faults...)
	}
	w.events = append(w.events, e)
	w.seen, w.began = max(w.seen, e.GetRevision()), true
}

// ordered checks that no event of a room is missing, as far as this watcher gets all of them.
func (w *Watcher) ordered(e *sfuv1.Event) {
	f := w.request.GetFilter()
	if e.GetRoomId() == "" || len(f.GetKinds()) > 0 || len(f.GetSessions()) > 0 {
		return
	}
	want := uint64(1)
	if room := w.state.Rooms[RoomKey{e.GetAppId(), e.GetRoomId()}]; room != nil {
		want = room.Room.GetRevision() + 1
	} else if !w.complete {
		return
	}
	if e.GetRoomRevision() != want {
		w.faults = append(w.faults, fmt.Sprintf("revision %d: room %s is at %d, not %d", e.GetRevision(), e.GetRoomId(), e.GetRoomRevision(), want))
	}
}

// Wait returns when the condition, called with the Watcher locked after every change, is true, or the stream has failed.
func (w *Watcher) wait(ctx context.Context, what string, condition func() bool) error {
	for {
		w.mu.Lock()
		ok, err, changed := condition(), w.err, w.changed
		w.mu.Unlock()
		switch {
		case ok:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

// Reach returns when everything up to the revision has come.
func (w *Watcher) Reach(ctx context.Context, revision uint64) error {
	return w.wait(ctx, fmt.Sprintf("revision %d", revision), func() bool { return w.seen >= revision && !w.partial })
}

// Resynced returns when n Resyncs have come, and the state after the last of them is complete.
func (w *Watcher) Resynced(ctx context.Context, n int) error {
	return w.wait(ctx, "a resync", func() bool { return len(w.resyncs) >= n && w.complete })
}

// Begun returns when the first item has come.
func (w *Watcher) Begun(ctx context.Context) error {
	return w.wait(ctx, "the first item", func() bool { return w.began && !w.partial })
}

// Event returns the first event, of those that came and those that come, that match picks.
func (w *Watcher) Event(ctx context.Context, what string, match func(*sfuv1.Event) bool) (*sfuv1.Event, error) {
	var found *sfuv1.Event
	looked := 0
	err := w.wait(ctx, what, func() bool {
		for ; looked < len(w.events); looked++ {
			if match(w.events[looked]) {
				found = w.events[looked]
				return true
			}
		}
		return false
	})
	return found, err
}

// State is a copy of the state now.
func (w *Watcher) State() *State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state.clone()
	s.Revision = w.seen
	return s
}

// Events is a copy of the list of events that came.
func (w *Watcher) Events() []*sfuv1.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*sfuv1.Event(nil), w.events...)
}

// Resyncs is a copy of the list of resyncs that came.
func (w *Watcher) Resyncs() []*sfuv1.Resync {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*sfuv1.Resync(nil), w.resyncs...)
}

// Snapshots is how many complete snapshots have come.
func (w *Watcher) Snapshots() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snaps
}

// Faults lists what the node got wrong: order, gaps, events about what is not there.
func (w *Watcher) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.faults...)
}
