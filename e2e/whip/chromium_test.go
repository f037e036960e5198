// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package whip_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// seen is what a page says of its session.
type seen struct {
	State, ICE   string
	Frames, Sent int
	Energy       float64
	Local        string // user name fragment of the transport
	Pairs        int    // how often another candidate pair was selected
	Patched      []int  // statuses of PATCH
	Streams      []string
}

// plays waits until much more has been decoded and heard than so far.
func plays(p *chromium.Tab, what string) {
	now := chromium.Eval[seen](p, "stats()")
	chromium.Until(p, what, "stats()", func(s seen) bool { return s.Frames > now.Frames+20 && s.Energy > now.Energy })
}

// TestChromium publishes by WHIP and plays by WHEP with bare pages, restarts ICE at both ends, and stops.
func TestChromium(t *testing.T) {
	s := start(t)
	browser := chromium.Start(t, chromium.Config{})
	sender, player := browser.Open(t, s.pages), browser.Open(t, s.pages)
	at := chromium.Call[string](sender, "publish", s.publishing()...)
	s.published()
	s.ordinary()
	if early := chromium.Call[string](player, "play", s.playing("eve")...); !strings.HasPrefix(early, s.at+"/whep/demo/r1/cam/") {
		t.Errorf("the resource of the player is %s", early)
	}
	plays(player, "pictures and sound")
	if got := chromium.Eval[seen](player, "stats()"); len(got.Streams) != 2 || got.Streams[0] != got.Streams[1] {
		t.Errorf("audio and video come in the MediaStreams %v, want both in one", got.Streams)
	}

	restarts(t, player)
	plays(player, "pictures and sound after the player's ICE restart")
	restarts(t, sender)
	plays(player, "pictures and sound after the publisher's ICE restart")

	if status := chromium.Call[int](sender, "stop"); status != http.StatusOK {
		t.Errorf("DELETE by the publisher: %d", status)
	}
	s.until("no publisher and no stream", func(r *sfuv1.GetRoomResponse) bool { return len(r.GetStreams()) == 0 && len(r.GetMembers()) == 1 })
	chromium.Until(sender, "the end of the publisher's connection", "stats()", func(s seen) bool { return s.State == "closed" || s.State == "failed" || s.State == "disconnected" })
	if status := chromium.Call[int](sender, "stop"); status != http.StatusNotFound {
		t.Errorf("DELETE again: %d", status)
	}

	// Another publisher of the stream: the player has stayed, and goes on.
	again := browser.Open(t, s.pages)
	if now := chromium.Call[string](again, "publish", s.publishing()...); now == at {
		t.Errorf("two sessions have the one resource %s", at)
	}
	plays(player, "pictures and sound of the publisher that has come back")
	if status := chromium.Call[int](player, "stop"); status != http.StatusOK {
		t.Errorf("DELETE by the player: %d", status)
	}
	if status := chromium.Call[int](again, "stop"); status != http.StatusOK {
		t.Errorf("DELETE by the second publisher: %d", status)
	}
	s.until("an empty room", func(r *sfuv1.GetRoomResponse) bool { return r == nil })
	for _, p := range []*chromium.Tab{sender, player} {
		for _, status := range chromium.Eval[seen](p, "stats()").Patched {
			if status != http.StatusNoContent && status != http.StatusOK {
				t.Errorf("a PATCH was answered %d", status)
			}
		}
	}
}

// restarts restarts a page's ICE by PATCH and waits until its transport uses the new user name fragment.
func restarts(t *testing.T, p *chromium.Tab) {
	t.Helper()
	type names struct {
		Before, After []string // the page's and the node's
		ETags         []string
		Late          int
	}
	before := chromium.Eval[seen](p, "stats()")
	got := chromium.Call[names](p, "restart")
	if got.Before[0] == got.After[0] || got.Before[1] == got.After[1] || got.ETags[0] == got.ETags[1] {
		t.Errorf("nothing new after the restart: %+v", got)
	}
	if got.Late != http.StatusPreconditionFailed {
		t.Errorf("a candidate of the ICE session before is answered %d", got.Late)
	}
	name := strings.TrimPrefix(got.After[0], "a=ice-ufrag:")
	chromium.Until(p, "a candidate pair with the new user name fragment", "stats()", func(s seen) bool {
		return s.Local == name && s.State == "connected" && s.Pairs > before.Pairs
	})
}

// TestChromiumTooEarly is told to come again when nobody publishes, and what it may not is refused in words that a script of
// another origin can read.
func TestChromiumTooEarly(t *testing.T) {
	s := start(t)
	p := chromium.Start(t, chromium.Config{}).Open(t, s.pages)
	for call, want := range map[string]string{
		chromium.Expression(t, "play", s.playing("eve")...):                              "409",
		chromium.Expression(t, "play", s.publishing()[0], s.playing("eve")[1]):           "403",
		chromium.Expression(t, "play", s.playing("eve")[0], "nonsense"):                  "401",
		chromium.Expression(t, "play", s.at+"/whip/demo/r1/cam", s.publishing()[1]):      "422",
		chromium.Expression(t, "publish", s.at+"/whep/demo/r1/cam", s.playing("eve")[1]): "422",
	} {
		if got := chromium.Eval[string](p, call+".then(() => 'done', error => error.message)"); !strings.HasPrefix(got, want) || !strings.Contains(got, `"reason"`) {
			t.Errorf("%s: %q, want %s", call, got, want)
		}
	}
	if s.room() != nil {
		t.Errorf("somebody has opened the room: %v", s.room())
	}
}
