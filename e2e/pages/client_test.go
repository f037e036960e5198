// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// Codes of the seed and its like.
const (
	codeRoomModeFixed    = 1001020
	codeSingleRoomMode   = 1002001
	codeUserMismatch     = 1002018
	codeBadToken         = 1002033
	codeMultiDisabled    = 1002036
	codeRoomLimit        = 1002037
	codeElsewhere        = 1002050
	codeKicked           = 1002055
	codeTokenExpired     = 1002056
	codePublishDenied    = 1003025
	codePublishRoom      = 1003070
	codePublishRoomEmpty = 1003071
	codePlayDenied       = 1004025
	codePlayRoom         = 1004070
	codePlayRoomEmpty    = 1004071
)

// client is a page with an engine.
type client struct {
	*chromium.Tab
	t     *testing.T
	stage *stage
	user  string
}

// user is how the SDK names one.
type user struct {
	UserID   string `json:"userID"`
	UserName string `json:"userName,omitempty"`
}

// named is somebody whose name is not its id.
func named(id string) user { return user{id, strings.ToUpper(id)} }

// in is a room where something is.
type in struct {
	RoomID string `json:"roomID"`
}

// open opens a bare page; scripts run in it first. It is checked when the test ends.
func (s *stage) open(who string, scripts ...string) *client {
	s.t.Helper()
	c := &client{Tab: s.browser.Open(s.t, s.pages, append([]string{peers}, scripts...)...), t: s.t, stage: s, user: who}
	chromium.Until(c.Tab, "the SDK", "'page' in window", func(there bool) bool { return there })
	s.t.Cleanup(func() {
		troubles := slices.DeleteFunc(c.Troubles(), func(text string) bool { return s.excused != "" && strings.Contains(text, s.excused) })
		if len(troubles) > 0 {
			s.t.Errorf("%s: the page's console has %q", who, troubles)
		}
		if s.t.Failed() {
			c.explain()
		}
	})
	return c
}

// engine opens a page with an engine of mode multi and a token for every room, or the tokens given.
func (s *stage) engine(who string, tokens ...string) *client {
	s.t.Helper()
	c := s.open(who)
	c.create("multi", tokens...)
	return c
}

// create sets the mode and creates the engine.
func (c *client) create(mode string, tokens ...string) {
	c.t.Helper()
	if len(tokens) == 0 {
		tokens = []string{c.stage.sign(claimsOf(c.user))}
	}
	c.must("mode", mode)
	c.must("create", c.stage.signal, tokens, map[string]any{})
}

// explain says what happened in a page whose test has failed.
func (c *client) explain() {
	const ask = `(async () => ({
		report: page.engine && await page.report(),
		log: page.log.filter((e) => !e.name.includes('Quality') && e.name !== 'activeSpeakers').slice(-40),
	}))()`
	state, err := chromium.TryEval[struct {
		Report report
		Log    []event
	}](c.Tab, ask)
	c.t.Logf("%s, %v: %+v", c.user, err, state.Report)
	for _, e := range state.Log {
		c.t.Logf("  %.3f %s", e.At/1000, e)
	}
}

// result is what came of a call.
type result struct {
	OK, Ours bool
	Value    string
	Name     string
	Code     int
	Reason   string
	Message  string
}

// String implements fmt.Stringer.
func (r result) String() string {
	if r.OK {
		return fmt.Sprintf("ok %q", r.Value)
	}
	return fmt.Sprintf("%s %d %s: %s", r.Name, r.Code, r.Reason, r.Message)
}

// attempt calls a method of the engine or the page.
func (c *client) attempt(method string, args ...any) result {
	c.t.Helper()
	return chromium.Call[result](c.Tab, "page.attempt", append([]any{method}, args...)...)
}

// must is attempt of what has to work.
func (c *client) must(method string, args ...any) string {
	c.t.Helper()
	r := c.attempt(method, args...)
	if !r.OK {
		c.t.Fatalf("%s: %s: %s", c.user, chromium.Expression(c.t, method, args...), r)
	}
	return r.Value
}

// refused is attempt of what has to be refused with a code, as an error of the SDK's.
func (c *client) refused(code int, method string, args ...any) {
	c.t.Helper()
	r := c.attempt(method, args...)
	if r.OK || !r.Ours || r.Code != code {
		c.t.Errorf("%s: %s: %s, want code %d", c.user, chromium.Expression(c.t, method, args...), r, code)
		return
	}
	c.t.Logf("%s: %s", chromium.Expression(c.t, method, args...), r)
}

func (c *client) login(rooms ...string) {
	c.t.Helper()
	for _, room := range rooms {
		c.must("loginRoom", room, named(c.user))
	}
}

// films captures the browser's camera, and publishes it as the user's stream in some rooms.
func (c *client) films(rooms ...string) {
	c.t.Helper()
	c.must("camera", "camera")
	for _, room := range rooms {
		c.must("publish", c.user, "camera", in{room})
	}
}

func (c *client) play(room, stream string) {
	c.t.Helper()
	c.must("play", stream, in{room})
}

// tell calls a method of the page that answers nothing and has to work.
func (c *client) tell(method string, args ...any) {
	c.t.Helper()
	_ = chromium.Call[chromedp.Void](c.Tab, "page."+method, args...)
}

// event is one of the engine's.
type event struct {
	At   float64 // ms since 1970
	Name string
	Args []json.RawMessage
}

// String implements fmt.Stringer.
func (e event) String() string {
	words := make([]string, len(e.Args))
	for i, arg := range e.Args {
		words[i] = string(arg)
	}
	return fmt.Sprintf("%s(%s)", e.Name, strings.Join(words, ", "))
}

// argument reads an argument; what is not of the type is its zero value.
func argument[T any](e event, i int) T {
	var v T
	if i < len(e.Args) {
		_ = json.Unmarshal(e.Args[i], &v)
	}
	return v
}

// message is what message events have.
type message struct {
	RoomID, MessageID, Text string
	From                    user
	SentAt                  float64 // ms since 1970
}

func (c *client) events() []event {
	c.t.Helper()
	return chromium.Call[[]event](c.Tab, "page.events", 0)
}

// eventually waits for an event, also one that was there already, and answers it.
func (c *client) eventually(what string, wanted func(event) bool) event {
	c.t.Helper()
	var found event
	chromium.Until(c.Tab, c.user+": "+what, chromium.Expression(c.t, "page.events", 0), func(all []event) bool {
		i := slices.IndexFunc(all, wanted)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// kinds of messages: the event of each, by the call that sends it.
var kinds = map[string]string{
	"sendBroadcastMessage": "broadcastMessage", "sendBarrageMessage": "barrageMessage", "sendCustomCommand": "customCommand",
}

// hears waits for a message of a kind in a room.
func (c *client) hears(kind, room, from, text string) message {
	c.t.Helper()
	e := c.eventually(fmt.Sprintf("%s %q in %s", kind, text, room), func(e event) bool {
		m := argument[message](e, 0)
		return e.Name == kind && m.RoomID == room && m.Text == text && m.From == named(from)
	})
	return argument[message](e, 0)
}

// messages are all that a page has got, as "room: text".
func (c *client) messages() []string {
	c.t.Helper()
	found := []string{}
	for _, e := range c.events() {
		if m := argument[message](e, 0); strings.HasSuffix(e.Name, "Message") || e.Name == "customCommand" {
			found = append(found, m.RoomID+": "+m.Text)
		}
	}
	slices.Sort(found)
	return found
}

// state waits for a state of a room, and answers its code.
func (c *client) state(room, state string) int {
	c.t.Helper()
	e := c.eventually(room+" "+state, func(e event) bool {
		return e.Name == "roomStateChanged" && argument[string](e, 0) == room && argument[string](e, 1) == state
	})
	return argument[int](e, 2)
}

// rooms checks which rooms the engine says it is in.
func (c *client) rooms(want ...string) {
	c.t.Helper()
	got := c.report().Rooms
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.t.Errorf("%s: in rooms %q, want %q", c.user, got, want)
	}
}

// known is what an engine says of a room.
type known struct {
	Users, Streams []string
	ExtraInfo      map[string]string
}

// knows waits until the engine knows exactly these others and their streams in a room.
func (c *client) knows(room string, users, streams []string) {
	c.t.Helper()
	last := chromium.Until(c.Tab, fmt.Sprintf("%s to know of %q and %q in %s", c.user, users, streams, room), chromium.Expression(c.t, "page.known", room),
		func(now known) bool { return slices.Equal(now.Users, users) && slices.Equal(now.Streams, streams) })
	if diff := cmp.Diff(known{users, streams, map[string]string{}}, last); diff != "" {
		c.t.Errorf("%s: what is known of %s (-want +got):\n%s", c.user, room, diff)
	}
}
