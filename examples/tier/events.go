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

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// news is what pages are told.
type news struct {
	Kind     string // added, removed, or again: events were missed, load the page anew
	Stream   string
	Session  string // its publisher's
	Revision uint64
}

// watch is the one event stream of the tier. After a break it goes on where it was: the node keeps what was missed, or says
// that it no longer has it.
func (t *tier) watch(ctx context.Context) {
	var seen *uint64
	var epoch uint64
	for ctx.Err() == nil {
		stream, err := t.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{
			WatcherId: fmt.Sprintf("tier-%d", os.Getpid()), AfterRevision: seen, NodeEpoch: epoch,
			Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP,
			Filter: &sfuv1.EventFilter{Apps: []string{app}, Kinds: []sfuv1.EventKind{
				sfuv1.EventKind_EVENT_KIND_STREAM_ADDED, sfuv1.EventKind_EVENT_KIND_STREAM_REMOVED,
			}},
		})
		for err == nil {
			var item *sfuv1.WatchEventsResponse
			if item, err = stream.Recv(); err != nil {
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
			t.pages.tell(e.GetRoomId(), news{"added", s.GetId(), s.GetSessionId(), e.GetRevision()})
		}
		if s := e.GetStreamRemoved().GetStream(); s != nil {
			t.pages.tell(e.GetRoomId(), news{"removed", s.GetId(), s.GetSessionId(), e.GetRevision()})
		}
		return e.GetRevision(), e.GetNodeEpoch()
	case *sfuv1.WatchEventsResponse_Heartbeat:
		return it.Heartbeat.GetRevision(), it.Heartbeat.GetNodeEpoch()
	case *sfuv1.WatchEventsResponse_Resync:
		t.pages.tell("", news{Kind: "again"})
	case *sfuv1.WatchEventsResponse_Snapshot:
		if it.Snapshot.GetLast() {
			return it.Snapshot.GetRevision(), it.Snapshot.GetNodeEpoch()
		}
	}
	return 0, 0
}

// pages are those that listen, by room.
type pages struct {
	mu     sync.Mutex           // guards queues
	queues map[chan news]string // guarded by mu; the room of each page
}

func newPages() *pages { return &pages{queues: make(map[chan news]string)} }

// tell tells the pages of a room, or all. One that does not read is cut off: it loads anew.
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

// serve is one page's event stream, in the format of EventSource.
func (p *pages) serve(w http.ResponseWriter, r *http.Request) {
	queue := make(chan news, 64)
	p.mu.Lock()
	p.queues[queue] = r.URL.Query().Get("room")
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.queues, queue)
		p.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	for err := flush(); err == nil; err = flush() {
		select {
		case n, ok := <-queue:
			if !ok {
				return // EventSource comes back, and is told again what it needs by loading anew
			}
			text, _ := json.Marshal(n)
			if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
