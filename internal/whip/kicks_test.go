// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// issued is a token of ada's from a while ago, or one that is a moment younger than now.
func (s *stage) issued(ago time.Duration) string {
	return bearer(s.token(auth.Claims{Issued: time.Now().Add(-ago), Expires: time.Now().Add(time.Hour)}))
}

// TestKickedUser puts a user out of a room: the tokens of before are of no use there at either endpoint, and of use everywhere
// else; a newer one is of use.
func TestKickedUser(t *testing.T) {
	t.Parallel()
	s := start(t, func(n *sfu.Config, _ *Config) { n.Router.EventRingCount = 16 })
	offer := offerFile(t, "rfc9725")
	s.open("/whip/demo/r1/cam", offer, s.token(authAs("bob")))
	// As the signaling tier does for somebody who is in the room by a browser.
	session, err := sfu.Do[router.Session](t.Context(), s.node, router.CreateSession{
		App: "demo", User: router.User{ID: "ada", Name: "Ada"}, Mode: router.ModeSingle,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.apply(router.JoinRoom{Session: session.ID, Room: "r1"})
	s.apply(router.KickUser{App: "demo", Room: "r1", User: "ada"})
	replayed := s.issued(time.Minute)
	refused := []refusal{
		{"replayed by a publisher", http.MethodPost, "/whip/demo/r1/cam2", offer, []string{sdp, replayed}, 403, "KICKED", ""},
		{"replayed by a viewer", http.MethodPost, "/whep/demo/r1/cam", player(offer), []string{sdp, replayed}, 403, "KICKED", ""},
	}
	s.refuse(refused)
	for i := range 64 { // more than the node keeps
		s.apply(router.SetRoomMetadata{App: "demo", Room: "r1", Key: "k", Value: new(fmt.Sprint(i))})
	}
	s.refuse(refused)
	s.open("/whip/demo/r2/cam", offer, s.token(auth.Claims{Issued: time.Now().Add(-time.Minute)}))
	s.open("/whep/demo/r1/cam", player(offer), s.token(auth.Claims{Issued: time.Now().Add(2 * time.Second)}))
}

// TestKickedPublisher puts an encoder out: it does not come back by itself with the token that it has.
func TestKickedPublisher(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	offer := offerFile(t, "rfc9725")
	token := s.token(auth.Claims{Issued: time.Now().Add(-time.Minute)})
	s.open("/whip/demo/r1/cam", offer, token)
	s.apply(router.KickUser{App: "demo", Room: "r1", User: "ada.whip.cam"})
	s.until("it is gone", func() bool { return s.server.Stats().Sessions[whip] == 0 })
	s.refuse([]refusal{{"the encoder again", http.MethodPost, "/whip/demo/r1/cam", offer, []string{sdp, bearer(token)}, 403, "KICKED", ""}})
	s.open("/whip/demo/r1/screen", offer, token) // that one was not put out
	s.open("/whip/demo/r1/cam", offer, s.token(auth.Claims{Issued: time.Now().Add(2 * time.Second)}))
}

// TestDeleteByOneWhoIsGone ends a session whose client has gone away as soon as it had asked for that, as pages do that are being
// closed.
func TestDeleteByOneWhoIsGone(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	token := s.token(auth.Claims{})
	a := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), token)
	ctx, gone := context.WithCancel(t.Context())
	gone()
	r := httptest.NewRequestWithContext(ctx, http.MethodDelete, a.header.Get("Location"), http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	s.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if got := len(s.room("r1").Members); got != 0 {
		t.Errorf("%d members are in the room, and nothing is left to end them by", got)
	}
}

// TestNewOfANodeThatCannotBeFollowed makes no server that would let in everybody who was kicked.
func TestNewOfANodeThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	s := start(t, func(n *sfu.Config, _ *Config) { n.MaxWatchers = 3 })
	if _, err := New(Config{Node: s.node, Keys: s.keys}); !errors.Is(err, errNotFollowing) || !errors.Is(err, sfu.ErrWatcherLimit) {
		t.Errorf("with places for less than it needs: %v", err)
	}
	w, err := s.node.Watch(sfu.WatchRequest{Snapshot: sfu.SnapshotNever})
	if err != nil {
		t.Fatalf("it has kept what it had: %v", err)
	}
	w.Close()
}
