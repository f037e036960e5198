// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// news is what pages are told of a room: all its streams now, or one that was added or removed.
type news struct {
	Kind     string // now, added, removed
	Streams  []stream
	revision uint64 // of the node; 0 for now: events were missed, ask the node
}

type stream struct{ ID, Session string }

// watch is the one event stream of the tier. After a break it goes on where it was: the node keeps what was missed, or says
// that it no longer has it.
func (t *tier) watch(ctx context.Context) {
	var seen *uint64
	var epoch uint64
	for ctx.Err() == nil {
		events, err := t.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{
			WatcherId: fmt.Sprintf("tier-%d", os.Getpid()), AfterRevision: seen, NodeEpoch: epoch,
			Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP,
			Filter: &sfuv1.EventFilter{Apps: []string{app}, Kinds: []sfuv1.EventKind{
				sfuv1.EventKind_EVENT_KIND_STREAM_ADDED, sfuv1.EventKind_EVENT_KIND_STREAM_REMOVED,
			}},
		})
		for err == nil {
			var item *sfuv1.WatchEventsResponse
			if item, err = events.Recv(); err != nil {
				break
			}
			if revision, of := t.handle(item); of != 0 {
				seen, epoch = &revision, of
			}
		}
		select { // the node is away: media may well go on, try again
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// handle passes one item on and returns the revision that is seen with it, and the epoch of the node.
func (t *tier) handle(item *sfuv1.WatchEventsResponse) (revision, epoch uint64) {
	switch it := item.GetItem().(type) {
	case *sfuv1.WatchEventsResponse_Event:
		e := it.Event
		if s := e.GetStreamAdded().GetStream(); s != nil {
			t.pages.tell(e.GetRoomId(), news{"added", []stream{{s.GetId(), s.GetSessionId()}}, e.GetRevision()})
		}
		if s := e.GetStreamRemoved().GetStream(); s != nil {
			t.pages.tell(e.GetRoomId(), news{"removed", []stream{{s.GetId(), s.GetSessionId()}}, e.GetRevision()})
		}
		return e.GetRevision(), e.GetNodeEpoch()
	case *sfuv1.WatchEventsResponse_Heartbeat:
		return it.Heartbeat.GetRevision(), it.Heartbeat.GetNodeEpoch()
	case *sfuv1.WatchEventsResponse_Snapshot: // the first thing that is ever told, and what follows a gap
		if it.Snapshot.GetLast() {
			t.pages.tell("", news{Kind: "now"})
			t.once.Do(func() { close(t.watching) })
			return it.Snapshot.GetRevision(), it.Snapshot.GetNodeEpoch()
		}
	}
	return 0, 0
}

// list reads a room's streams, and as of which revision.
func (t *tier) list(ctx context.Context, room string) (news, error) {
	reply, err := t.rooms.GetRoom(ctx, &sfuv1.GetRoomRequest{AppId: app, RoomId: room})
	now := news{Kind: "now", Streams: []stream{}, revision: reply.GetRevision()}
	for _, s := range reply.GetStreams() {
		now.Streams = append(now.Streams, stream{s.GetId(), s.GetSessionId()})
	}
	if status.Code(err) == codes.NotFound {
		return now, nil // nobody is in it
	}
	return now, err
}

// tellPage is one page's event stream, in the format of EventSource. It begins with what is there, so that a page that was
// cut off, by a new start of the tier for example, needs to know nothing.
func (t *tier) tellPage(w http.ResponseWriter, r *http.Request) {
	select {
	case <-t.watching: // else what happens between the list and the first event would be lost
	case <-r.Context().Done():
		return
	}
	room := r.URL.Query().Get("room")
	queue := t.pages.open(room)
	defer t.pages.close(queue)
	w.Header().Set("Content-Type", "text/event-stream")
	var seen uint64
	for n := (news{Kind: "now"}); ; {
		if n.Kind == "now" {
			var err error
			if n, err = t.list(r.Context(), room); err != nil {
				return // EventSource comes back
			}
			seen = n.revision
		} else if n.revision <= seen {
			n.Kind = "" // it is in the list
		}
		if n.Kind != "" {
			text, _ := json.Marshal(n)
			_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
			if http.NewResponseController(w).Flush() != nil {
				return
			}
		}
		var ok bool
		select {
		case n, ok = <-queue:
			if !ok {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// pages are those that listen, by room.
type pages struct {
	mu     sync.Mutex           // guards queues
	queues map[chan news]string // guarded by mu; the room of each page
}

func (p *pages) open(room string) chan news {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := make(chan news, 64)
	p.queues[queue] = room
	return queue
}

func (p *pages) close(queue chan news) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.queues, queue)
}

// tell tells the pages of a room, or all. One that does not read is cut off: it comes back and begins with the list.
func (p *pages) tell(room string, n news) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for queue, of := range p.queues {
		if room != "" && room != of {
			continue
		}
		select {
		case queue <- n:
		default:
			close(queue)
			delete(p.queues, queue)
		}
	}
}
