// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/auth"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// watch holds one event stream of a node open for one reader. Nothing queues here: a reader that is slow holds up its own
// stream, for which the node keeps no queue either, and is told what it missed by a resync; one that stands still for
// writePatience is cut off. The stream ends with the token that it was asked for with.
func (h *handler) watch(w http.ResponseWriter, r *http.Request, conn grpc.ClientConnInterface, who caller) *failure {
	request, f := watchRequest(r.URL.RawQuery, r.Header.Get("Last-Event-ID"))
	if f != nil {
		return f
	}
	if !h.streams.take() {
		return failf(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "EVENT_STREAM_LIMIT", "%d event streams are open already", cap(h.streams))
	}
	defer h.streams.leave()
	ctx, cancel := who.context(r.Context())
	defer cancel()
	stream, err := sfuv1.NewEventServiceClient(conn).WatchEvents(ctx, request, grpc.MaxCallRecvMsgSize(maxItem))
	var item *sfuv1.WatchEventsResponse
	if err == nil {
		item, err = stream.Recv() // the node says at once what there is, or what is wrong: in time for the status
	}
	if err != nil {
		return failureOf(err)
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	if err := out.begin(); err != nil {
		return failf(http.StatusInternalServerError, "INTERNAL", "INTERNAL", "this server cannot stream")
	}
	for err == nil {
		if writeErr := out.item(item); writeErr != nil {
			h.log.Debug("event stream cut off", "from", r.RemoteAddr, "error", writeErr)
			return nil
		}
		item, err = stream.Recv()
	}
	switch {
	case r.Context().Err() != nil || errors.Is(err, io.EOF):
	case errors.Is(context.Cause(ctx), auth.ErrExpired):
		_ = out.failure(failf(http.StatusUnauthorized, "UNAUTHENTICATED", "TOKEN_EXPIRED", "%v", auth.ErrExpired))
	default:
		_ = out.failure(failureOf(err)) // the last word, if anybody hears it
	}
	return nil
}

// context ends with what the caller was let in by.
func (c caller) context(of context.Context) (context.Context, context.CancelFunc) {
	if c.expires.IsZero() {
		return context.WithCancel(of)
	}
	return context.WithDeadlineCause(of, c.expires, auth.ErrExpired)
}

// eventWriter writes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// begin sends the header. The server's time for writing is for short answers and would end this one; where it cannot be changed
// there is no stream, because nothing would end one whose reader stands still.
func (e *eventWriter) begin() error {
	if err := e.control.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	e.w.Header().Set("Content-Type", "text/event-stream")
	e.w.Header().Set("X-Accel-Buffering", "no") // proxies must pass on what there is
	e.w.WriteHeader(http.StatusOK)
	e.buf.WriteString("retry: 2000\n\n")
	return e.flush()
}

func (e *eventWriter) item(item *sfuv1.WatchEventsResponse) error {
	data, err := encode(item)
	if err != nil {
		return err
	}
	if id := itemID(item); id != "" {
		e.buf.WriteString("id: " + id + "\n")
	}
	e.data(data)
	return e.flush()
}

// failure says why the stream ends: an event of another name, so that readers of items do not take it for one.
func (e *eventWriter) failure(f *failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	e.buf.WriteString("event: failure\n")
	e.data(data)
	return e.flush()
}

func (e *eventWriter) data(data []byte) {
	e.buf.WriteString("data: ")
	e.buf.Write(data) // one line, as encode makes it
	e.buf.WriteString("\n\n")
}

// flush writes what was put together, within writePatience. Between writes there is no deadline: one that passes while nothing
// is written would end the stream too.
func (e *eventWriter) flush() error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
		return err
	}
	if _, err := e.buf.WriteTo(e.w); err != nil {
		return err
	}
	if err := e.control.Flush(); err != nil {
		return err
	}
	e.buf.Reset()
	return e.control.SetWriteDeadline(time.Time{})
}

// itemID is what a reader gives back to go on after an item: epoch and revision. The parts of a snapshot but the last have none:
// who has half of one has to begin again.
func itemID(item *sfuv1.WatchEventsResponse) string {
	var at interface {
		GetRevision() uint64
		GetNodeEpoch() uint64
	}
	switch it := item.GetItem().(type) {
	case *sfuv1.WatchEventsResponse_Event:
		at = it.Event
	case *sfuv1.WatchEventsResponse_Heartbeat:
		at = it.Heartbeat
	case *sfuv1.WatchEventsResponse_Snapshot:
		if !it.Snapshot.GetLast() {
			return ""
		}
		at = it.Snapshot
	default: // a resync: what it announces is still to come
		return ""
	}
	return strconv.FormatUint(at.GetNodeEpoch(), 10) + ":" + strconv.FormatUint(at.GetRevision(), 10)
}
