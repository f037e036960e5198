// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// keyFile makes a file with a key for every app.
func keyFile(t *testing.T) (path string, keys *auth.Keys) {
	t.Helper()
	line, err := auth.NewLine("*", "")
	must(t, err)
	path = filepath.Join(t.TempDir(), "keys")
	must(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
	keys, err = auth.LoadKeys(path)
	must(t, err)
	return path, keys
}

// TestTierKilled: the tier, a process of its own in front of a node, is killed during a call, and started again after a while.
// Pictures come all the time; afterwards everything is as before, over the same PeerConnection and in the same session.
func TestTierKilled(t *testing.T) {
	path, keys := keyFile(t)
	node := start(t, slices.Concat(anyPorts, []string{"--set=tokens.key_file=" + path})...)
	api := dial(t, node.address("grpc"))
	tier := func(address string) *process {
		return start(t, "signal", "--listen="+address, "--node="+node.address("grpc"), "--set=tokens.key_file="+path)
	}
	first := tier("127.0.0.1:0")
	server := httptest.NewServer(barePage())
	t.Cleanup(server.Close)
	s := &stage{
		t: t, browser: chromium.Start(t, chromium.Config{}), keys: keys,
		pages: server.URL, signal: "http://" + first.address("http") + "/signal",
		excused: "WebSocket connection to", // failed, which is what the test is about
	}
	ann, bob := s.engine("ann"), s.engine("bob")
	ann.login("a", "b")
	bob.login("a", "b")
	ann.films("a")
	bob.play("a", "ann")
	bob.plays("a", "ann")
	sessions := sessionsOf(t, api)

	first.kill()
	bob.flows("a/ann", 7*time.Second, func(now report) bool { return true })
	began := time.Now()
	second := tier(first.address("http"))
	bob.flows("a/ann", 0, func(report) bool { return ann.reconnected("a", "b") && bob.reconnected("a", "b") })
	t.Logf("everything as before %.1f s after the tier was started again", time.Since(began).Seconds())

	ann.must("sendBroadcastMessage", "b", "still there?")
	bob.hears("broadcastMessage", "b", "ann", "still there?")
	ann.must("publish", "ann", "camera", in{"b"})
	bob.knows("b", []string{"ann"}, []string{"ann"})
	bob.play("b", "ann")
	bob.plays("b", "ann")
	bob.plays("a", "ann")
	bob.rooms("a", "b")
	for _, c := range []*client{ann, bob} {
		c.onePeer()
	}
	if diff := cmp.Diff(sessions, sessionsOf(t, api)); diff != "" {
		t.Errorf("sessions (-before +after):\n%s", diff)
	}
	bob.must("logoutRoom")
	ann.must("logoutRoom")
	for _, c := range []*client{ann, bob} {
		c.must("destroy")
	}
	node.balanced()
	second.stop()
	node.stop()
}

// flows looks at a player every two seconds for a while at least and until enough says so: there are more pictures each time.
func (c *client) flows(key string, least time.Duration, enough func(report) bool) {
	c.t.Helper()
	begin, last := time.Now(), c.report()
	c.until("pictures of "+key+" all the time", func(now report) bool {
		if now.At-last.At < 2000 {
			return false
		}
		if is, was := now.video(key).FramesDecoded, last.video(key).FramesDecoded; is <= was {
			c.t.Errorf("%s: %d pictures decoded, and %d some %.1f s later", c.user, was, is, (now.At-last.At)/1000)
		}
		last = now
		return time.Since(begin) >= least && enough(now)
	})
}

// reconnected says that the engine has told so of rooms.
func (c *client) reconnected(rooms ...string) bool {
	c.t.Helper()
	all := c.events()
	for _, room := range rooms {
		if !slices.ContainsFunc(all, func(e event) bool {
			return e.Name == "roomStateChanged" && argument[string](e, 0) == room && argument[string](e, 1) == "reconnected"
		}) {
			return false
		}
	}
	return true
}

// sessionsOf are a node's sessions: user, id and epoch, state and rooms.
func sessionsOf(t *testing.T, api *sfutest.API) []string {
	t.Helper()
	reply, err := api.Session.ListSessions(t.Context(), &sfuv1.ListSessionsRequest{})
	must(t, err)
	var all []string
	for _, s := range reply.GetSessions() {
		rooms := slices.Sorted(slices.Values(s.GetRoomIds()))
		all = append(all, strings.Join(append([]string{s.GetUser().GetId(), s.GetId(), s.GetState().String()}, rooms...), " "))
	}
	slices.Sort(all)
	return all
}
