// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package whip_test

import (
	"context"
	_ "embed"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	"github.com/switchyard-media/sfu/internal/whip"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// page is all that a browser gets.
//
//go:embed testdata/page.html
var page string

// stage is a node with its gRPC face and WHIP and WHEP beside it. Pages come from another origin than the endpoints, as those
// of players do.
type stage struct {
	*sfutest.Node
	t     *testing.T
	keys  *auth.Keys
	face  *whip.Server
	at    string // of the endpoints, "http://127.0.0.1:1234"
	pages string
}

func start(t *testing.T) *stage {
	t.Helper()
	s := &stage{Node: sfutest.StartNode(t, nil), t: t}
	var err error
	if s.keys, err = auth.NewKeys(); err != nil {
		t.Fatal(err)
	}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(pages.Close)
	s.pages = pages.URL
	if s.face, err = whip.New(whip.Config{Node: s.SFU, Keys: s.keys, AllowedOrigins: []string{pages.URL}}); err != nil {
		t.Fatal(err)
	}
	endpoints := httptest.NewServer(s.face.Handler())
	t.Cleanup(endpoints.Close)
	s.at = endpoints.URL
	return s
}

// token lets a user do one thing in a room.
func (s *stage) token(user string, g auth.Grants) string {
	s.t.Helper()
	token, err := s.keys.Sign(&auth.Claims{
		App: "demo", UserID: user, Rooms: []auth.Room{{Room: "r1", Grants: g}}, Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *stage) publishing() []any {
	return []any{s.at + "/whip/demo/r1/cam", s.token("ada", auth.Grants{Publish: true})}
}

func (s *stage) playing(user string) []any {
	return []any{s.at + "/whep/demo/r1/cam", s.token(user, auth.Grants{Subscribe: true})}
}

// room is the room as any signaling tier sees it; nil when there is none.
func (s *stage) room() *sfuv1.GetRoomResponse {
	got, err := s.Room.GetRoom(s.t.Context(), &sfuv1.GetRoomRequest{AppId: "demo", RoomId: "r1"})
	if err != nil {
		return nil
	}
	return got
}

// until waits for a room that is as it should be.
func (s *stage) until(what string, ok func(*sfuv1.GetRoomResponse) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), chromium.Patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now := s.room()
		if ok(now) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("in vain: %s; the room is %v", what, now)
		}
	}
}

// published waits until the stream that every test publishes is there and live, by the member that it should be of.
func (s *stage) published() {
	s.t.Helper()
	s.until("a live stream of ada.whip.cam", func(r *sfuv1.GetRoomResponse) bool {
		return len(r.GetStreams()) == 1 && r.GetStreams()[0].GetId() == "cam" &&
			r.GetStreams()[0].GetUser().GetId() == "ada.whip.cam" && r.GetStreams()[0].GetState() == sfuv1.StreamState_STREAM_STATE_LIVE
	})
}

// ordinary joins as any client does, and plays the stream: it is a member's like any other.
func (s *stage) ordinary() {
	s.t.Helper()
	c := s.Client(s.t, "bob")
	joined, err := c.Join(s.t.Context(), "r1")
	if err != nil {
		s.t.Fatal(err)
	}
	seen := false
	for _, m := range joined.GetSnapshot().GetMembers() {
		seen = seen || m.GetUser().GetId() == "ada.whip.cam" && m.GetUser().GetName() == "ada"
	}
	if !seen {
		s.t.Errorf("an ordinary session sees the members %v", joined.GetSnapshot().GetMembers())
	}
	if err := c.AddSlots(1, 1); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Negotiate(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Subscribe(s.t.Context(), "r1", "cam"); err != nil {
		s.t.Fatal(err)
	}
	s.until("packets of audio and video at an ordinary session", func(*sfuv1.GetRoomResponse) bool {
		lines := map[string]bool{}
		for _, p := range c.Packets(0) {
			lines[p.Mid] = true
		}
		return len(lines) == 2
	})
	if _, err := c.Leave(s.t.Context(), "r1"); err != nil {
		s.t.Fatal(err)
	}
}
