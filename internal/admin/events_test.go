// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// message is one server-sent event.
type message struct {
	id, event, data string
	item            *sfuv1.WatchEventsResponse
}

// reader reads an event stream as a browser does.
type reader struct {
	t      *testing.T
	body   io.ReadCloser
	lines  *bufio.Scanner
	lastID string
}

func newReader(t *testing.T, body io.ReadCloser) *reader {
	r := &reader{t: t, body: body, lines: bufio.NewScanner(body)}
	r.lines.Buffer(nil, maxItem)
	return r
}

// next gives the next message that has data; ok is false at the end.
func (r *reader) next() (m message, ok bool) {
	r.t.Helper()
	for r.lines.Scan() {
		name, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch name {
		case "id":
			m.id, r.lastID = value, value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if m.data == "" {
				continue
			}
			if m.event == "" {
				m.item = &sfuv1.WatchEventsResponse{}
				if err := protojson.Unmarshal([]byte(m.data), m.item); err != nil {
					r.t.Fatalf("%s: %v", m.data, err)
				}
			}
			return m, true
		}
	}
	return m, false
}

// event reads until an event is of the kind wanted.
func (r *reader) event(match func(*sfuv1.Event) bool) *sfuv1.Event {
	r.t.Helper()
	for {
		m, ok := r.next()
		if !ok {
			r.t.Fatalf("the stream ended: %v", r.lines.Err())
		}
		if e := m.item.GetEvent(); e != nil && match(e) {
			return e
		}
	}
}

func (l *live) events(t *testing.T, query, lastID string) *reader {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", l.url+"local/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close(); http.DefaultClient.CloseIdleConnections() })
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, kind)
	}
	return newReader(t, response.Body)
}

// A reader that comes back with the id it saw last gets exactly what followed, as EventSource does it.
func TestEventsResume(t *testing.T) {
	n := startLive(t)
	alice := n.Client(t, "alice")
	opened := func(e *sfuv1.Event) bool { return e.GetRoomOpened() != nil }
	join := func(room string) {
		t.Helper()
		if _, err := alice.Join(t.Context(), room); err != nil {
			t.Fatal(err)
		}
	}
	first := n.events(t, "snapshot=none&kinds=room_opened", "")
	if m, ok := first.next(); !ok || m.item.GetHeartbeat() == nil || m.id == "" {
		t.Fatalf("the stream begins with %+v", m)
	}
	join("one")
	if e := first.event(opened); e.GetRoomId() != "one" {
		t.Errorf("first event: %v", e)
	}
	last := first.lastID
	_ = first.body.Close()
	join("two") // nobody sees it
	again := n.events(t, "snapshot=none&kinds=room_opened", last)
	join("three")
	for _, want := range []string{"two", "three"} {
		if e := again.event(opened); e.GetRoomId() != want {
			t.Errorf("after coming back: %s, want %s", e.GetRoomId(), want)
		}
	}
}

func TestEventsBeginAsAsked(t *testing.T) {
	n := startLive(t)
	alice := n.Client(t, "alice")
	for _, room := range []string{"one", "two"} {
		if _, err := alice.Join(t.Context(), room); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := func(m message) int {
		if m.item.GetSnapshot() == nil || !m.item.GetSnapshot().GetLast() || m.id == "" {
			return -1
		}
		return len(m.item.GetSnapshot().GetRooms())
	}
	for query, want := range map[string]int{"": 2, "snapshot=always": 2, "app=demo&room=two": 1, "app=other": 0, "snapshot=gap&after=1:1": -1} {
		r := n.events(t, query, "")
		m, _ := r.next()
		if m.item.GetResync() != nil { // another epoch
			if m.id != "" {
				t.Errorf("%s: a resync has the id %s, and its snapshot is still to come", query, m.id)
			}
			want = 2
			m, _ = r.next()
		}
		if got := snapshot(m); got != want {
			t.Errorf("%s: begins with %.200s, want a snapshot of %d rooms", query, m.data, want)
		}
		_ = r.body.Close()
	}
}

// memory is an HTTP server and its client in a bubble of fake time.
func memory(t *testing.T, node *fakeNode, size int) (*http.Client, func() (net.Conn, error)) {
	return memoryWith(t, node, size, nil)
}

func memoryWith(t *testing.T, node *fakeNode, size int, protocols *http.Protocols) (*http.Client, func() (net.Conn, error)) {
	listener := bufconn.Listen(size)
	server := &http.Server{Handler: localPeer(newServer(t, node)), ReadTimeout: time.Second, WriteTimeout: time.Second, Protocols: protocols}
	go func() { _ = server.Serve(listener) }()
	dial := func() (net.Conn, error) { return listener.Dial() }
	transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	t.Cleanup(func() { _ = server.Close(); transport.CloseIdleConnections() })
	return &http.Client{Transport: transport}, dial
}

// localPeer gives connections in memory an address.
func localPeer(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "127.0.0.1:1"
		h.ServeHTTP(w, r)
	})
}

// HTTP/2 keeps times for each stream of a connection, and ends one for good when its time has passed.
func TestEventsOutliveTheServersTimeouts(t *testing.T) {
	for _, major := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) { outlive(t, major) })
	}
}

func outlive(t *testing.T, major int) {
	var protocols http.Protocols
	protocols.SetHTTP1(major == 1)
	protocols.SetUnencryptedHTTP2(major == 2)
	var n uint64
	ended := make(chan struct{})
	node := &fakeNode{stream: func(ctx context.Context, _ *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
		if n++; n == 1 {
			return heartbeat(n), nil
		}
		select {
		case <-time.After(time.Hour):
			return heartbeat(n), nil
		case <-ctx.Done():
			close(ended)
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}}
	client, _ := memoryWith(t, node, 1<<16, &protocols)
	response, err := client.Get("http://localhost" + root + "local/events")
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, response.Body)
	for want := range uint64(5) {
		if m, ok := r.next(); !ok || response.ProtoMajor != major || m.item.GetHeartbeat().GetRevision() != want+1 {
			t.Fatalf("%s after %d hours: %+v, %v", response.Proto, want, m, r.lines.Err())
		}
	}
	_ = response.Body.Close() // and the stream of the node ends when the reader goes
	<-ended
}

func TestStreamsNeedAServerThatCanEndThem(t *testing.T) {
	h := newServer(t, &fakeNode{stream: func(context.Context, *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
		return heartbeat(1), nil
	}})
	if status, answer := do(h, "GET", root+"local/events", ""); status != 500 || answer["reason"] != "INTERNAL" {
		t.Errorf("without deadlines for writing: %d %v", status, answer)
	}
}

// A reader goes on after what it has whole.
func TestItemIDs(t *testing.T) {
	for want, item := range map[string]*sfuv1.WatchEventsResponse{
		"7:1": heartbeat(1),
		"7:2": {Item: &sfuv1.WatchEventsResponse_Event{Event: &sfuv1.Event{Revision: 2, NodeEpoch: 7}}},
		"7:3": {Item: &sfuv1.WatchEventsResponse_Snapshot{Snapshot: &sfuv1.Snapshot{Revision: 3, NodeEpoch: 7, Last: true}}},
	} {
		if got := itemID(item); got != want {
			t.Errorf("%v has the id %q, want %q", item, got, want)
		}
	}
	for _, item := range []*sfuv1.WatchEventsResponse{
		{Item: &sfuv1.WatchEventsResponse_Snapshot{Snapshot: &sfuv1.Snapshot{Revision: 3, NodeEpoch: 7}}},
		{Item: &sfuv1.WatchEventsResponse_Resync{Resync: &sfuv1.Resync{Revision: 3, NodeEpoch: 7}}},
		{},
	} {
		if got := itemID(item); got != "" {
			t.Errorf("%v has the id %q, and what it announces is still to come", item, got)
		}
	}
}

func TestStuckReadersAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		node := &fakeNode{stream: func(ctx context.Context, _ *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
			context.AfterFunc(ctx, func() {
				select {
				case <-ended:
				default:
					close(ended)
				}
			})
			return heartbeat(1), ctx.Err() // as fast as they are taken
		}}
		_, dial := memory(t, node, 1<<10)
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		started := time.Now()
		if _, err := io.WriteString(conn, "GET "+root+"local/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-ended // and nothing is read
		if took := time.Since(started); took != writePatience {
			t.Errorf("cut off after %v, want %v", took, writePatience)
		}
	})
}

func TestEventStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := memory(t, &fakeNode{stream: func(ctx context.Context, _ *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
			select {
			case <-time.After(time.Second):
				return heartbeat(1), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}, 1<<16)
		open := make([]*http.Response, 0, defaultMaxStreams)
		for range defaultMaxStreams {
			response, err := client.Get("http://localhost" + root + "local/events")
			if err != nil || response.StatusCode != 200 {
				t.Fatalf("%v %v", response, err)
			}
			open = append(open, response)
		}
		for _, want := range []int{429, 200} {
			response, err := client.Get("http://localhost" + root + "local/events")
			if err != nil || response.StatusCode != want {
				t.Errorf("%v %v, want %d", response, err, want)
			}
			_ = response.Body.Close()
			_ = open[0].Body.Close() // a place is free again
			synctest.Wait()
		}
		for _, response := range open[1:] {
			_ = response.Body.Close()
		}
	})
}

func TestEventsTellWhyTheyEnd(t *testing.T) {
	n := 0
	node := &fakeNode{stream: func(context.Context, *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
		if n++; n == 1 {
			return heartbeat(1), nil
		}
		return nil, status.Error(codes.Unavailable, `"closing"`)
	}}
	synctest.Test(t, func(t *testing.T) {
		client, _ := memory(t, node, 1<<16)
		response, err := client.Get("http://localhost" + root + "local/events")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		r := newReader(t, response.Body)
		r.next()
		want := `{"status":"UNAVAILABLE","reason":"NODE_UNREACHABLE","message":"\"closing\"","code":0}`
		if m, ok := r.next(); !ok || m.event != "failure" || m.data != want {
			t.Errorf("the last word is %+v", m)
		}
		if _, ok := r.next(); ok || r.lines.Err() != nil {
			t.Errorf("something follows, or the end is rough: %v", r.lines.Err())
		}
	})
	status, answer := do(newServer(t, &fakeNode{stream: func(context.Context, *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
		return nil, errors.New("no")
	}}), "GET", root+"local/events", "")
	if status != 500 || answer["status"] != "UNKNOWN" {
		t.Errorf("a stream that does not begin: %d %v", status, answer)
	}
}

func TestQuery(t *testing.T) {
	r, f := watchRequest("app=a&app=b&room=r&session=s&kinds=message,EVENT_KIND_LAYERS&kinds=room_opened&snapshot=none&after=3", "9:4")
	if f != nil {
		t.Fatal(f)
	}
	want := `filter:{apps:"a" apps:"b" rooms:"r" sessions:"s" kinds:MESSAGE kinds:LAYERS kinds:ROOM_OPENED} after:4 epoch:9 NEVER`
	got := &sfuv1.WatchEventsRequest{
		Filter: &sfuv1.EventFilter{
			Apps: []string{"a", "b"}, Rooms: []string{"r"}, Sessions: []string{"s"},
			Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_MESSAGE, sfuv1.EventKind_EVENT_KIND_LAYERS, sfuv1.EventKind_EVENT_KIND_ROOM_OPENED},
		},
	}
	if r.GetFilter().String() != got.GetFilter().String() || r.GetAfterRevision() != 4 || r.GetNodeEpoch() != 9 ||
		r.GetSnapshot() != sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER || r.GetWatcherId() == "" {
		t.Errorf("%v, want %s", r, want)
	}
	if r, f := watchRequest("after=3", ""); f != nil || r.GetAfterRevision() != 3 || r.GetNodeEpoch() != 0 {
		t.Errorf("%v, %v", r, f)
	}
	if r, f := watchRequest("", ""); f != nil || r.AfterRevision != nil {
		t.Errorf("%v, %v", r, f)
	}
}
