// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// FuzzPath: whatever the path, its parts put together again are the path.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/admin/api/nodes", "/admin/api/a%2Fb/events", "/admin/api/n/RoomService/GetRoom", "/admin/api/%zz", "/admin/api/", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		p, ok := parsePath(escaped)
		if !ok {
			if p != (path{}) && strings.HasPrefix(escaped, root) {
				t.Errorf("refused, and still %+v", p)
			}
			return
		}
		var parts []string
		for _, part := range []string{p.node, p.service, p.method} {
			if part != "" {
				parts = append(parts, url.PathEscape(part))
			}
		}
		if again, ok := parsePath(root + strings.Join(parts, "/")); !ok || again != p {
			t.Errorf("%q is %+v, and put together again %+v", escaped, p, again)
		}
	})
}

// FuzzBody: any body is either passed on as a message that says the same in JSON, or refused with a reason.
func FuzzBody(f *testing.F) {
	for _, seed := range []struct{ call, body string }{
		{"RoomService/KickUser", `{"appId":"a","roomId":"r","userId":"u","banFor":"60s"}`},
		{"NodeService/SetLimits", `{"appId":"a","limits":{"maxRoomsPerUser":3,"messages":{"maxPayloadBytes":0}}}`},
		{"NodeService/Drain", `{"deadline":"2026-01-02T03:04:05Z"}`},
		{"StreamService/MuteStream", `{"audioMuted":null}`},
		{"MessageService/SendRoomMessage", `{"payload":"aGk=","fromServer":true}`},
		{"RoomService/GetRoom", ``},
		{"SubscriptionService/UpdateSubscription", `{"preference":{"maxSpatial":4294967296}}`},
	} {
		f.Add(seed.call, []byte(seed.body))
	}
	keys := newKeys(f)
	f.Fuzz(func(t *testing.T, call string, body []byte) {
		passed := false
		node := &fakeNode{invoke: func(_ string, request, _ proto.Message) error {
			passed = true
			if !request.ProtoReflect().IsValid() {
				t.Error("an invalid message was passed on")
			}
			return nil
		}}
		h, err := New(Config{Nodes: []Node{{ID: "n", Conn: node}}, Keys: keys, AllowMutation: true})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.URL.Path = root + "n/" + call
		r.URL.RawPath = ""
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d %q: %v", w.Code, w.Body, err)
		}
		if passed != (w.Code == 200) || !passed && (answer["reason"] == "" || w.Code >= 500) {
			t.Errorf("passed on: %v, answered %d %v", passed, w.Code, answer)
		}
	})
}

// FuzzQuery: what is taken as a query is a request that the node can read.
func FuzzQuery(f *testing.F) {
	f.Add("app=a&room=r&kinds=message,layers&snapshot=gap&after=1:2", "")
	f.Add("kinds=", "18446744073709551615:18446744073709551615")
	f.Add("after=%zz", ":")
	f.Fuzz(func(t *testing.T, query, lastID string) {
		request, refused := watchRequest(query, lastID)
		if (request == nil) == (refused == nil) {
			t.Fatalf("%v and %v", request, refused)
		}
		if refused == nil && lastID != "" && request.AfterRevision == nil {
			t.Errorf("the id %q is lost", lastID)
		}
	})
}
