// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// The node says at least every heartbeat that its events come; after three times as long without a word the stream is
// taken for dead.
const (
	heartbeat    = 2 * time.Second
	watchSilence = 3*heartbeat + 4*time.Second
	leastWait    = 100 * time.Millisecond // between two tries to watch
	mostWait     = 5 * time.Second
)

// errGap is an event stream that goes on after a gap.
var errGap = errors.New("events were missed")

// errSilent is an event stream that has gone silent.
var errSilent = errors.New("the node's events stopped coming")

// watch follows the node's events until ctx ends. One stream serves all clients.
func (n *node) watch(ctx context.Context) {
	pause := leastWait
	for ctx.Err() == nil {
		began := time.Now()
		var err error
		if n.server.contain("following events", func() { err = n.follow(ctx) }) != nil {
			n.doubt()
			err = errPanic
		}
		if ctx.Err() != nil {
			return
		}
		n.server.log.Warn("events of a node do not come", "node", n.id, "error", err)
		n.lost()
		if time.Since(began) > mostWait {
			pause = leastWait
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, mostWait)
	}
}

// lost says that events do not come.
func (n *node) lost() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live, n.failed = false, true
	n.touch()
}

// follow reads one event stream to its end.
func (n *node) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request := n.where()
	stream, err := n.api.event.WatchEvents(ctx, request, large)
	if err != nil {
		return err
	}
	silence := time.AfterFunc(watchSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	n.mu.Lock()
	n.restart = func() { cancel(errLearn) }
	n.mu.Unlock()
	var state *snapshot
	for {
		item, err := stream.Recv()
		if err != nil {
			return causeOf(ctx, err)
		}
		silence.Reset(watchSilence)
		switch v := item.GetItem().(type) {
		case *sfuv1.WatchEventsResponse_Event:
			n.take(v.Event)
		case *sfuv1.WatchEventsResponse_Heartbeat:
			n.beat(ctx, v.Heartbeat.GetNodeEpoch(), v.Heartbeat.GetRevision())
		case *sfuv1.WatchEventsResponse_Resync:
			n.server.log.Warn("events of a node were missed", "node", n.id, "reason", v.Resync.GetReason())
			n.server.counts.resync()
			n.gap()
			if request.AfterRevision == nil {
				return errGap // no snapshot was asked for: it comes with the next stream
			}
			state = &snapshot{}
		case *sfuv1.WatchEventsResponse_Snapshot:
			if state == nil {
				state = &snapshot{}
			}
			if state.add(v.Snapshot); v.Snapshot.GetLast() {
				n.restore(ctx, state)
				state = nil
			}
		}
	}
}

// causeOf is why a stream ended: what its context says, if that.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// doubt has the next event stream begin with a snapshot: some clients may have been told of an event and others not.
func (n *node) doubt() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doubtful = n.epoch != 0
}

// where asks for what follows the last event, or at first for what happens from now on.
func (n *node) where() *sfuv1.WatchEventsRequest {
	n.mu.Lock()
	defer n.mu.Unlock()
	request := &sfuv1.WatchEventsRequest{WatcherId: n.watcher, HeartbeatInterval: durationpb.New(heartbeat)}
	if n.epoch == 0 {
		request.Snapshot = sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER
		return request
	}
	request.AfterRevision, request.NodeEpoch = new(n.seen), n.epoch
	if n.doubtful {
		n.doubtful = false
		request.NodeEpoch++ // of another epoch than the node's: a gap
	}
	return request
}

// gap says that events are missing, until restore.
func (n *node) gap() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live, n.learned = false, false
}

// beat notes how far the events have come. The first one of all says where they begin.
func (n *node) beat(ctx context.Context, epoch, revision uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch == 0 {
		n.base = revision
	}
	n.epoch, n.seen = epoch, max(n.seen, revision)
	n.begun(ctx)
}

// begun says that events come. With mu held.
func (n *node) begun(ctx context.Context) {
	if !n.live && !n.learned {
		epoch, until := n.epoch, n.seen
		n.server.running.Go(func() { n.remember(ctx, epoch, until) })
	}
	n.live, n.failed = true, false
	n.touch()
}

// errLearn is an event stream that is given up because the node's kicks could not be read.
var errLearn = errors.New("the node's kicks could not be read")

// remember reads the kicks that the node still knows of, up to a revision. Before that nobody is let into a room, or one who
// was put out while no tier ran could come back.
func (n *node) remember(ctx context.Context, epoch, until uint64) {
	ctx, cancel := context.WithTimeout(ctx, watchSilence)
	defer cancel()
	stream, err := n.api.event.WatchEvents(ctx, &sfuv1.WatchEventsRequest{
		WatcherId: n.watcher, AfterRevision: new(uint64(0)), NodeEpoch: epoch, Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER,
		Filter:            &sfuv1.EventFilter{Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_MEMBER_KICKED}},
		HeartbeatInterval: durationpb.New(time.Second),
	})
	if err == nil {
		if panicked := n.server.contain("remembering kicks", func() { err = n.rememberFrom(stream, until) }); panicked != nil {
			err = panicked
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.learned = n.learned || n.epoch == epoch
		n.touch()
		return
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		n.restart()
	}
}

func (n *node) learnLater(e *sfuv1.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learn(e)
}

func (n *node) rememberFrom(stream grpc.ServerStreamingClient[sfuv1.WatchEventsResponse], until uint64) error {
	for {
		item, err := stream.Recv()
		if err != nil {
			return err // io.EOF too: a watch has no end
		}
		if e := item.GetEvent(); e != nil {
			n.learnLater(e)
		}
		if item.GetHeartbeat().GetRevision() >= until && item.GetHeartbeat() != nil || item.GetEvent().GetRevision() > until {
			return nil
		}
	}
}
