// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestSDK runs everything about the SDK alone in one browser, one node each.
func TestSDK(t *testing.T) {
	browser := chromium.Start(t, chromium.Config{Flags: map[string]any{"use-fake-device-for-media-stream": "device-count=3"}})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *stage)
	}{
		{"steps of the seed", testSteps},
		{"mode single", testSingle},
		{"wrong calls", testWrongCalls},
		{"kicked out", testKicked},
		{"logged in elsewhere", testElsewhere},
		{"token", testTokens},
		{"no grant", testNoGrant},
		{"publishing", testPublishing},
		{"sources", testSources},
		{"rooms", testRooms},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStage(t, browser)) })
	}
}

// testSteps goes through the seed's steps with a user in two rooms: ann publishes in a, and later in b too; bob is in both as
// well, cem in a only, dee in b only.
func testSteps(t *testing.T, s *stage) {
	ann, bob, cem, dee := s.open("ann"), s.engine("bob"), s.engine("cem"), s.engine("dee")
	ann.must("mode", "multi") // before the engine
	ann.create("multi")
	ann.refused(codeRoomModeFixed, "mode", "single")
	ann.login("a", "b")
	bob.login("a", "b")
	cem.login("a")
	dee.login("b")
	ann.rooms("a", "b")

	ann.films("a")
	bob.knows("a", []string{"ann", "cem"}, []string{"ann"})
	bob.knows("b", []string{"ann", "dee"}, []string{})
	dee.knows("b", []string{"ann", "bob"}, []string{})
	bob.play("a", "ann")
	cem.play("a", "ann")
	bob.plays("a", "ann")
	cem.plays("a", "ann")
	messagesStay(t, ann, bob, cem, dee)

	ann.must("publish", "ann", "camera", in{"b"})
	dee.knows("b", []string{"ann", "bob"}, []string{"ann"})
	bob.play("b", "ann")
	bob.plays("b", "ann")
	dee.play("b", "ann")
	dee.plays("b", "ann")

	left := bob.report().Players["a/ann"]
	bob.must("logoutRoom", "a")
	bob.rooms("b")
	bob.silent("b", "ann", left)
	ann.knows("a", []string{"cem"}, []string{})
	ann.knows("b", []string{"bob", "dee"}, []string{})
	bob.state("a", "logged-out")
	bob.must("logoutRoom", "a") // again: nothing to do

	ann.must("logoutRoom", "b")
	ann.rooms("a")
	dee.knows("b", []string{"bob"}, []string{})
	cem.plays("a", "ann")
	ann.onePeer()

	bob.login("a") // and back
	bob.play("a", "ann")
	bob.plays("a", "ann")
	bob.must("logoutRoom")
	bob.rooms()
	ann.must("logoutRoom")
	ann.rooms()
	cem.knows("a", []string{}, []string{})
	for _, c := range []*client{ann, bob, cem, dee} {
		c.onePeer()
		c.must("destroy")
	}
}

// messagesStay sends messages of all kinds in both rooms, and checks that they are heard there and nowhere else.
func messagesStay(t *testing.T, ann, bob, cem, dee *client) {
	t.Helper()
	var inA, inB []string
	for _, send := range []string{"sendBroadcastMessage", "sendBarrageMessage", "sendCustomCommand"} {
		for _, room := range []string{"a", "b"} {
			text := send + " in " + room
			id := ann.must(send, room, text)
			other := cem
			if room == "a" {
				inA = append(inA, "a: "+text)
			} else {
				other, inB = dee, append(inB, "b: "+text)
			}
			for _, c := range []*client{bob, other} {
				if m := c.hears(kinds[send], room, "ann", text); m.MessageID != id || m.SentAt == 0 {
					t.Errorf("%s: message %+v, sent as %s", c.user, m, id)
				}
			}
		}
	}
	ann.must("sendCustomCommand", "a", "for cem", []string{"cem"})
	cem.hears("customCommand", "a", "ann", "for cem")
	slices.Sort(inA)
	slices.Sort(inB)
	both := slices.Concat(inA, inB)
	for _, want := range []struct {
		c    *client
		text []string
	}{{ann, []string{}}, {bob, both}, {cem, append([]string{"a: for cem"}, inA...)}, {dee, inB}} {
		if diff := cmp.Diff(want.text, want.c.messages()); diff != "" {
			t.Errorf("messages of %s (-want +got):\n%s", want.c.user, diff)
		}
	}
}

// testSingle: in mode single there is one room at a time, which need not be named, and leaving it stops everything.
func testSingle(t *testing.T, s *stage) {
	ann, bob := s.open("ann"), s.open("bob")
	for _, c := range []*client{ann, bob} {
		c.create("single")
		c.login("a")
	}
	ann.refused(codeSingleRoomMode, "loginRoom", "b", named("ann"))
	ann.must("camera", "camera")
	ann.must("publish", "ann", "camera", map[string]any{})
	bob.must("play", "ann", map[string]any{})
	bob.plays("", "ann")
	bob.must("logoutRoom")
	bob.rooms()
	ann.knows("a", []string{}, []string{})
	bob.login("b") // free again
	bob.rooms("b")
	bob.onePeer()
}

// testWrongCalls: every error of the seed, and that nothing came of the call.
func testWrongCalls(t *testing.T, s *stage) {
	ann := s.engine("ann")
	ann.refused(codeRoomModeFixed, "mode", "multi")
	ann.login("a")
	ann.refused(codeUserMismatch, "loginRoom", "b", user{"ann", "Somebody Else"})
	ann.refused(codeUserMismatch, "loginRoom", "b", user{"bea", "ANN"})
	ann.rooms("a")

	ann.must("camera", "camera")
	ann.refused(codePublishRoom, "startPublishingStream", "ann")
	ann.refused(codePublishRoom, "publish", "ann", "camera", map[string]any{})
	ann.refused(codePublishRoomEmpty, "publish", "ann", "camera", in{""})
	ann.refused(codePlayRoom, "startPlayingStream", "ann")
	ann.refused(codePlayRoom, "play", "ann", map[string]any{})
	ann.refused(codePlayRoomEmpty, "play", "ann", in{""})

	ann.login("b", "c", "d", "e")
	ann.refused(codeRoomLimit, "loginRoom", "f", named("ann"))
	ann.rooms("a", "b", "c", "d", "e")
	ann.must("logoutRoom", "c")
	ann.login("f")
	ann.rooms("a", "b", "d", "e", "f")
	ann.films("f") // nothing of the above is in the way
	reply, err := s.node.Stream.ListStreams(t.Context(), &sfuv1.ListStreamsRequest{AppId: app, RoomId: "f"})
	must(t, err)
	if streams := reply.GetStreams(); len(streams) != 1 || streams[0].GetId() != "ann" {
		t.Errorf("streams of f: %v", streams)
	}

	plain := claimsOf("bob")
	plain.App = singleApp
	bob := s.engine("bob", s.sign(plain))
	bob.refused(codeMultiDisabled, "loginRoom", "a", named("bob"))
	bob.rooms()

	cem := s.engine("cem", "not a token")
	cem.refused(codeBadToken, "loginRoom", "a", named("cem"))
}

// testKicked: who is put out of one room is told so, and stays in the other, playing.
func testKicked(t *testing.T, s *stage) {
	ann, bob := s.engine("ann"), s.engine("bob")
	ann.login("a", "b")
	bob.login("a", "b")
	ann.films("a", "b")
	for _, room := range []string{"a", "b"} {
		bob.play(room, "ann")
		bob.plays(room, "ann")
	}
	left := bob.report().Players["a/ann"]
	ann.must("kickUser", "a", "bob", map[string]any{"reason": "enough"})
	e := bob.eventually("to be told", func(e event) bool { return e.Name == "kickedOut" })
	if got := e.String(); got != `kickedOut("a", 1002055, "enough")` {
		t.Errorf("told %s", got)
	}
	if code := bob.state("a", "kicked-out"); code != codeKicked {
		t.Errorf("state with code %d", code)
	}
	bob.rooms("b")
	bob.silent("b", "ann", left)
	ann.knows("a", []string{}, []string{})
	ann.knows("b", []string{"bob"}, []string{})
	bob.refused(codeKicked, "loginRoom", "a", named("bob")) // with the token of before
	bob.must("loginRoom", "a", named("bob"), map[string]any{"token": s.later("bob")})
	bob.rooms("a", "b")
	bob.onePeer()
}

// later makes a token that was issued after those before, whose times have whole seconds.
func (s *stage) later(who string) string {
	claims := claimsOf(who)
	claims.Issued = time.Now().Add(2 * time.Second)
	return s.sign(claims)
}

// testElsewhere: the same user in another page ends the first one's session.
func testElsewhere(t *testing.T, s *stage) {
	first := s.engine("ann")
	first.login("a", "b")
	second := s.engine("ann")
	second.login("a")
	e := first.eventually("to be told", func(e event) bool { return e.Name == "kickedOut" })
	if code := argument[int](e, 1); code != codeElsewhere {
		t.Errorf("told %s", e)
	}
	for _, room := range []string{"a", "b"} {
		if code := first.state(room, "kicked-out"); code != codeElsewhere {
			t.Errorf("state of %s with code %d", room, code)
		}
	}
	first.rooms()
	second.rooms("a")
}

// testTokens: a token that runs out ends the membership, and one that is renewed does not.
func testTokens(t *testing.T, s *stage) {
	const short = 6 * time.Second
	brief := func(who string) string {
		claims := claimsOf(who)
		claims.Expires = time.Now().Add(short)
		return s.sign(claims)
	}
	bob := s.engine("bob")
	bob.login("a")
	ann, cem, dee := s.open("ann"), s.open("cem"), s.open("dee")
	ann.create("multi", brief("ann"), s.token("ann", all)) // a function that has a better one when asked again
	ann.login("a")
	cem.create("multi", brief("cem"))
	cem.login("a")
	warning := cem.eventually("a warning", func(e event) bool { return e.Name == "tokenWillExpire" })
	if in := argument[float64](warning, 1); argument[string](warning, 0) != "a" || in <= 0 || in > ms(short) {
		t.Errorf("warned %s", warning)
	}
	if code := cem.state("a", "kicked-out"); code != codeTokenExpired {
		t.Errorf("state with code %d", code)
	}
	cem.rooms()
	bob.knows("a", []string{"ann"}, []string{})
	if asked := chromium.Eval[[]string](ann.Tab, "page.asked"); !slices.Contains(asked, "expiring") {
		t.Errorf("the token was asked for because %q", asked)
	}

	dee.create("multi", brief("dee"))
	dee.login("a")
	dee.must("renewToken", s.token("dee", all))
	expires := func(who string) time.Duration {
		reply, err := s.node.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "a"})
		must(t, err)
		for _, m := range reply.GetMembers() {
			if m.GetUser().GetId() == who {
				return time.Until(m.GetExpireTime().AsTime())
			}
		}
		t.Fatalf("%s is not in the room", who)
		return 0
	}
	for _, who := range []string{"ann", "dee"} {
		if left := expires(who); left < time.Minute {
			t.Errorf("%s may stay for %v", who, left)
		}
	}
	old := claimsOf("eve")
	old.Issued, old.Expires = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	eve := s.engine("eve", s.sign(old))
	eve.refused(codeBadToken, "loginRoom", "a", named("eve"))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// testNoGrant: what a token does not grant is refused, and nothing comes of it.
func testNoGrant(t *testing.T, s *stage) {
	ann := s.engine("ann")
	ann.login("a", "b")
	ann.films("a", "b")
	bob := s.engine("bob", s.token("bob", watcher, "a"))
	bob.login("a")
	bob.play("a", "ann")
	bob.plays("a", "ann")

	if r := bob.attempt("loginRoom", "b", named("bob")); r.OK || !r.Ours {
		t.Errorf("a room that the token does not name: %s", r)
	} else {
		t.Logf("a room that the token does not name: %s", r)
	}
	if r := bob.attempt("play", "ann", in{"b"}); r.OK || !r.Ours {
		t.Errorf("a stream of a room that one is not in: %s", r)
	}
	bob.must("camera", "camera")
	bob.refused(codePublishDenied, "publish", "bob", "camera", in{"a"})
	for _, attempt := range [][]any{
		{"kickUser", "a", "ann"},
		{"closeRoom", "a"},
		{"muteStreamOf", "a", "ann", map[string]any{"video": true}},
		{"setRoomExtraInfo", "a", "key", "value"},
		{"sendBroadcastMessage", "b", "text"},
	} {
		if r := bob.attempt(attempt[0].(string), attempt[1:]...); r.OK || !r.Ours || r.Code == 0 && r.Reason == "" {
			t.Errorf("%v: %s", attempt, r)
		} else {
			t.Logf("%v: %s", attempt, r)
		}
	}
	deaf := s.engine("deaf", s.token("deaf", talker, "a"))
	deaf.login("a")
	deaf.refused(codePlayDenied, "play", "ann", in{"a"})
	other := claimsOf("cem")
	other.App = singleApp
	cem := s.open("cem") // in a room of another app
	cem.create("single", s.sign(other))
	cem.login("a")
	cem.must("play", "ann", in{"a"})
	cem.streamState("playerStateUpdate", "ann", "a", "pending")
	cem.knows("a", []string{}, []string{})
	bob.plays("a", "ann")
	for mid, line := range cem.report().Received {
		if line.PacketsReceived > 0 {
			t.Errorf("line %s in another app's room of the same name has got %d packets", mid, line.PacketsReceived)
		}
	}
	now := bob.report()
	for mid, line := range now.Received {
		if used := now.Players["a/ann"]; mid != used.Audio && mid != used.Video && line.PacketsReceived > 0 {
			t.Errorf("line %s has got %d packets", mid, line.PacketsReceived)
		}
	}
	ann.knows("a", []string{"bob", "deaf"}, []string{})
	ann.knows("b", []string{}, []string{})
	if got := ann.messages(); len(got) != 0 {
		t.Errorf("messages %q", got)
	}
}
