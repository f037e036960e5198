// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func TestConfigIsChecked(t *testing.T) {
	keys, node := newKeys(t), Node{ID: "n", Conn: &fakeNode{}}
	for name, c := range map[string]Config{
		"no keys":     {Nodes: []Node{node}},
		"no nodes":    {Keys: keys},
		"no id":       {Keys: keys, Nodes: []Node{{Conn: &fakeNode{}}}},
		"no conn":     {Keys: keys, Nodes: []Node{{ID: "n"}}},
		"named twice": {Keys: keys, Nodes: []Node{node, node}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Whatever is asked for in a wrong way is answered in JSON, and no node hears of it.
func TestRequestsAreChecked(t *testing.T) {
	node := &fakeNode{invoke: func(method string, _, _ proto.Message) error {
		t.Errorf("%s reached the node", method)
		return nil
	}}
	h := newServer(t, node)
	long := `{"id":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		reason                   string
	}{
		{"the root", "GET", "", "", 404, "PATH_NOT_FOUND"},
		{"a node alone", "GET", "local", "", 404, "PATH_NOT_FOUND"},
		{"a service alone", "POST", "local/NodeService", "", 404, "PATH_NOT_FOUND"},
		{"a longer path", "POST", "local/NodeService/GetNode/x", "{}", 404, "PATH_NOT_FOUND"},
		{"an empty part", "POST", "local//GetNode", "{}", 404, "PATH_NOT_FOUND"},
		{"an end too many", "POST", "local/NodeService/GetNode/", "{}", 404, "PATH_NOT_FOUND"},
		{"another node", "POST", "other/NodeService/GetNode", "{}", 404, "NODE_NOT_FOUND"},
		{"events of another node", "GET", "other/events", "", 404, "NODE_NOT_FOUND"},
		{"a call by GET", "GET", "local/NodeService/GetNode", "", 405, "METHOD_NOT_ALLOWED"},
		{"a call by PUT", "PUT", "local/NodeService/GetNode", "{}", 405, "METHOD_NOT_ALLOWED"},
		{"events by POST", "POST", "local/events", "{}", 405, "METHOD_NOT_ALLOWED"},
		{"nodes by POST", "POST", "nodes", "{}", 405, "METHOD_NOT_ALLOWED"},
		{"a method not offered", "POST", "local/SessionService/CreateSession", "{}", 404, "METHOD_NOT_OFFERED"},
		{"the stream as a call", "POST", "local/EventService/WatchEvents", "{}", 404, "METHOD_NOT_OFFERED"},
		{"a service in full", "POST", "local/sfu.v1.NodeService/GetNode", "{}", 404, "METHOD_NOT_OFFERED"},
		{"another's service", "POST", "local/grpc.health.v1.Health/Check", "{}", 404, "METHOD_NOT_OFFERED"},
		{"no JSON", "POST", "local/RoomService/GetRoom", "x", 400, "BODY_INVALID"},
		{"no object", "POST", "local/RoomService/GetRoom", "[]", 400, "BODY_INVALID"},
		{"an unknown field", "POST", "local/RoomService/GetRoom", `{"appId":"a","rooom":"r"}`, 400, "BODY_INVALID"},
		{"two objects", "POST", "local/RoomService/GetRoom", `{}{}`, 400, "BODY_INVALID"},
		{"a number for a text", "POST", "local/RoomService/GetRoom", `{"appId":1}`, 400, "BODY_INVALID"},
		{"a bad timestamp", "POST", "local/NodeService/Drain", `{"deadline":"soon"}`, 400, "BODY_INVALID"},
		{"too long", "POST", "local/RoomService/GetRoom", long, 413, "BODY_TOO_LONG"},
		{"as a member", "POST", "local/MessageService/SendRoomMessage", `{"fromUser":"u"}`, 400, "INVALID_ARGUMENT"},
		{"a bad query", "GET", "local/events?kind=x", "", 400, "INVALID_ARGUMENT"},
		{"a bad kind", "GET", "local/events?kinds=weather", "", 400, "INVALID_ARGUMENT"},
		{"no kind", "GET", "local/events?kinds=unspecified", "", 400, "INVALID_ARGUMENT"},
		{"a bad place", "GET", "local/events?after=-1", "", 400, "INVALID_ARGUMENT"},
		{"a bad mode", "GET", "local/events?snapshot=never", "", 400, "INVALID_ARGUMENT"},
	} {
		got, answer := do(h, c.method, root+c.path, c.body)
		if got != c.status || answer["reason"] != c.reason || answer["message"] == "" || answer["status"] == "" {
			t.Errorf("%s: %d %v, want %d %s", c.name, got, answer, c.status, c.reason)
		}
	}
	_, answer := do(h, "POST", root+"local/RoomService/GetRoom", `{"appId":"a","rooom":"r"}`)
	if text, _ := answer["message"].(string); !strings.Contains(text, `unknown field "rooom"`) || !strings.Contains(text, "GetRoomRequest") {
		t.Errorf("an unknown field is told as %q", text)
	}
}

func TestOnlyJSONIsTaken(t *testing.T) {
	h := newServer(t, &fakeNode{})
	for kind, want := range map[string]int{
		"application/json": 200, "Application/JSON; charset=utf-8": 200, "": 415, "text/plain": 415,
		"application/x-www-form-urlencoded": 415, "application/json, text/plain": 415, "multipart/form-data; boundary=x": 415,
	} {
		r := httptest.NewRequest("POST", root+"local/NodeService/GetNode", strings.NewReader("{}"))
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", kind, w.Code, want)
		}
	}
}

// Without leave to change, every method that looks is passed on and none that changes.
func TestReadOnly(t *testing.T) {
	var called []string
	node := &fakeNode{invoke: func(method string, _, _ proto.Message) error { called = append(called, method); return nil }}
	for _, mutation := range []bool{false, true} {
		called = nil
		h, err := New(Config{Nodes: []Node{{ID: "local", Conn: node}}, Keys: newKeys(t), AllowMutation: mutation})
		if err != nil {
			t.Fatal(err)
		}
		if _, answer := do(h, "GET", root+"nodes", ""); answer["mutation"] != mutation {
			t.Errorf("nodes: %v, want mutation %v", answer, mutation)
		}
		checkMethods(t, h, reading, true, &called)
		checkMethods(t, h, changing, mutation, &called)
	}
}

func checkMethods(t *testing.T, h http.Handler, list map[string][]string, want bool, called *[]string) {
	t.Helper()
	for service, names := range list {
		for _, name := range names {
			status, answer := do(h, "POST", root+"local/"+service+"/"+name, `{}`)
			if name == "SendRoomMessage" {
				status, answer = do(h, "POST", root+"local/"+service+"/"+name, `{"fromServer":true}`)
			}
			passed := slices.Contains(*called, "/sfu.v1."+service+"/"+name)
			if passed != want || want != (status == 200) || !want && (status != 403 || answer["reason"] != "READ_ONLY") {
				t.Errorf("%s/%s: %d %v, passed on %v; want %v", service, name, status, answer, passed, want)
			}
		}
	}
}

func TestErrorsOfTheNode(t *testing.T) {
	detailed, err := status.New(codes.ResourceExhausted, "too fast").WithDetails(
		&errdetails.ErrorInfo{Reason: "MESSAGE_RATE", Domain: "sfu", Metadata: map[string]string{"zego_code": "1009015"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "payload"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err    error
		status int
		want   failure
	}{
		{detailed.Err(), 429, failure{Status: "RESOURCE_EXHAUSTED", Reason: "MESSAGE_RATE", Message: "too fast", Code: 1009015, Field: "payload"}},
		{status.Error(codes.NotFound, "gone"), 404, failure{Status: "NOT_FOUND", Reason: "NOT_FOUND", Message: "gone"}},
		{status.Error(codes.InvalidArgument, ""), 400, failure{Status: "INVALID_ARGUMENT", Reason: "INVALID_ARGUMENT"}},
		{status.Error(codes.FailedPrecondition, ""), 400, failure{Status: "FAILED_PRECONDITION", Reason: "FAILED_PRECONDITION"}},
		{status.Error(codes.AlreadyExists, ""), 409, failure{Status: "ALREADY_EXISTS", Reason: "ALREADY_EXISTS"}},
		{status.Error(codes.Aborted, ""), 409, failure{Status: "ABORTED", Reason: "ABORTED"}},
		{status.Error(codes.PermissionDenied, ""), 403, failure{Status: "PERMISSION_DENIED", Reason: "PERMISSION_DENIED"}},
		{status.Error(codes.Unavailable, ""), 503, failure{Status: "UNAVAILABLE", Reason: "NODE_UNREACHABLE"}},
		{status.Error(codes.Unimplemented, ""), 501, failure{Status: "UNIMPLEMENTED", Reason: "UNIMPLEMENTED"}},
		{status.Error(codes.DeadlineExceeded, ""), 504, failure{Status: "DEADLINE_EXCEEDED", Reason: "DEADLINE_EXCEEDED"}},
		{status.Error(codes.Internal, ""), 500, failure{Status: "INTERNAL", Reason: "INTERNAL"}},
		{errors.New("odd"), 500, failure{Status: "UNKNOWN", Reason: "UNKNOWN", Message: "odd"}},
		// Not 401: the page would ask its user for a token that helps nobody.
		{status.Error(codes.Unauthenticated, ""), 502, failure{Status: "UNAUTHENTICATED", Reason: "UNAUTHENTICATED"}},
	} {
		h := newServer(t, &fakeNode{invoke: func(string, proto.Message, proto.Message) error { return c.err }})
		r := httptest.NewRequest("POST", root+"local/NodeService/GetNode", strings.NewReader("{}"))
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var got failure
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got != c.want || w.Code != c.status {
			t.Errorf("%v: %d %+v (%v), want %d %+v", c.err, w.Code, got, err, c.status, c.want)
		}
		if c.want.Field != "" && w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}

func TestCallsAreBounded(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	h := newServer(t, &fakeNode{invoke: func(string, proto.Message, proto.Message) error {
		busy <- struct{}{}
		<-release
		return nil
	}})
	done := make(chan int)
	for range maxCalls {
		go func() {
			status, _ := do(h, "POST", root+"local/NodeService/GetNode", "{}")
			done <- status
		}()
		<-busy
	}
	if status, answer := do(h, "POST", root+"local/NodeService/GetNode", "{}"); status != 429 || answer["reason"] != "TOO_MANY_CALLS" {
		t.Errorf("one call too many: %d %v", status, answer)
	}
	close(release)
	for range maxCalls {
		if status := <-done; status != 200 {
			t.Errorf("a call that ran: %d", status)
		}
	}
}

// What is asked over HTTP is what the node says and does.
func TestCallsOnARealNode(t *testing.T) {
	n := startLive(t)
	alice := n.Client(t, "alice")
	if _, err := alice.Join(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	code, text := n.post(t, "RoomService/ListRooms", `{"filter":{"prefix":"r"},"page":{"size":5}}`)
	var rooms struct {
		Rooms []struct {
			AppID, ID   string
			MemberCount int
		}
	}
	if err := json.Unmarshal([]byte(text), &rooms); err != nil || code != 200 || len(rooms.Rooms) != 1 || rooms.Rooms[0].ID != "r" || rooms.Rooms[0].MemberCount != 1 {
		t.Errorf("rooms: %d %s (%v)", code, text, err)
	}
	for _, c := range []struct {
		call, body string
		status     int
		want       string
	}{
		{"NodeService/GetLoad", "", 200, `"cpuTime"`}, // an empty body is an empty request
		{"NodeService/GetNode", "{}", 200, `"capabilities"`},
		{"NodeService/GetLimits", `{"appId":"demo"}`, 200, `"maxRoomsPerUser"`},
		{"NodeService/DumpState", `{"app_id":"demo"}`, 200, `"internals"`}, // names of the .proto will do
		{"SessionService/ListSessions", `{"filter":{"appId":"demo","roomId":"r"}}`, 200, `"alice"`},
		{"RoomService/GetRoom", `{"appId":"demo","roomId":"nowhere"}`, 404, `"reason":"ROOM_NOT_FOUND"`},
		{"RoomService/SetRoomMetadata", `{"appId":"demo","roomId":"r","value":"x"}`, 400, `"code":1002014`},
		{"RoomService/KickUser", `{"appId":"demo","roomId":"r","userId":"bob"}`, 404, `"code":1002002`},
		{"RoomService/KickUser", `{"appId":"demo","roomId":"r","userId":"alice","reason":"why","banFor":"60s"}`, 200, `"rooms":`},
		{"RoomService/GetRoom", `{"appId":"demo","roomId":"r"}`, 404, `"reason":"ROOM_NOT_FOUND"`},
		{"NodeService/Drain", `{}`, 200, `"draining":`},
		{"NodeService/Undrain", `{}`, 200, `"state"`},
	} {
		code, text := n.post(t, c.call, c.body)
		if code != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %s; want %d %s", c.call, c.body, code, text, c.status, c.want)
		}
	}
	if _, err := alice.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: alice.ID, RoomId: "r"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("joining while banned: %v", err)
	}
}
