// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// heardIn lists the streams of a room that have a place, and false when the room is no stage.
func (n *testNode) heardIn(room string) (list []string, is bool) {
	n.stages.mu.Lock()
	defer n.stages.mu.Unlock()
	st := n.stages.rooms[roomKey{"app", room}]
	if st == nil {
		return nil, false
	}
	for stream, v := range st.voices {
		if v.place {
			list = append(list, stream)
		}
	}
	slices.Sort(list)

	return list, true
}

func (n *testNode) hears(t *testing.T, room string, streams ...string) {
	t.Helper()
	eventually(t, "in "+room+" only "+strings.Join(streams, " and ")+" are heard", func() bool {
		list, is := n.heardIn(room)

		return is && slices.Equal(list, streams)
	})
}

// gate is what a slot heeds.
func (c *client) gate(mid string) *rtpforward.Gate {
	c.t.Helper()
	s := c.session()
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.slots[mid].gate
}

func (n *testNode) gateOf(room, stream string) *rtpforward.Gate {
	n.stages.mu.Lock()
	defer n.stages.mu.Unlock()
	if st := n.stages.rooms[roomKey{"app", room}]; st != nil && st.voices[stream] != nil {
		return st.voices[stream].gate
	}

	return nil
}

// voice is a client that speaks at a level, in some rooms under its name.
func (n *testNode) voice(t *testing.T, name string, level uint8, rooms ...string) (*client, *media) {
	t.Helper()
	c := newClient(t, n).join(rooms...)
	m := c.source(webrtc.MimeTypeOpus)
	m.level = level
	c.negotiate().connected()
	for _, room := range rooms {
		c.publish(room, name, m, nil)
	}
	m.run()

	return c, m
}

// TestLoudest limits one of two rooms to its loudest, with slots bound before and after, and lifts the limit.
func TestLoudest(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.voice(t, "loud", 10, "limited", "free")
	n.voice(t, "mid", 35, "limited", "free")
	n.voice(t, "low", 100, "limited")
	bob := newClient(t, n).join("limited", "free").slots(audioKind, audioKind, audioKind, videoKind).negotiate().connected()
	before := bob.subscribe("limited", "mid", true, false).AudioMid
	if bob.gate(before) != nil {
		t.Error("a gate in a room that forwards all")
	}
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(1))})
	n.hears(t, "limited", "loud")
	eventually(t, "the slot that was bound before has the gate", func() bool {
		gate := bob.gate(before)

		return gate != nil && gate == n.gateOf("limited", "mid")
	})
	after := bob.subscribe("limited", "loud", true, false).AudioMid
	if gate := bob.gate(after); gate == nil || gate != n.gateOf("limited", "loud") {
		t.Error("a slot that is bound now has no gate, or another's")
	}
	free := bob.subscribe("free", "mid", true, false)
	if bob.gate(free.AudioMid) != nil {
		t.Error("the same source has a gate in the other room")
	}
	now := must[router.Subscription](t, n, router.SwitchSubscription{ID: free.ID, Room: "limited", Stream: "low"})
	if gate := bob.gate(now.AudioMid); gate == nil || gate != n.gateOf("limited", "low") {
		t.Error("a slot that was switched into the room has no gate, or another's")
	}
	must[router.Subscription](t, n, router.SwitchSubscription{ID: free.ID, Room: "free", Stream: "mid"})
	if bob.gate(now.AudioMid) != nil {
		t.Error("a slot that was switched out of the room keeps the gate")
	}
	must[any](t, n, router.MuteStream{App: "app", Room: "limited", Stream: "loud", Audio: new(true)})
	n.hears(t, "limited", "mid")
	must[any](t, n, router.MuteStream{App: "app", Room: "limited", Stream: "loud", Audio: new(false)})
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(2))})
	n.hears(t, "limited", "loud", "mid")
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(0))})
	if _, is := n.heardIn("limited"); is {
		t.Error("the room is limited still")
	}
	bob.more(before)
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(1))})
	n.hears(t, "limited", "loud")
	eventually(t, "a gate for the second time", func() bool { return bob.gate(before) == n.gateOf("limited", "mid") })
	must[router.Stopped](t, n, router.CloseRoom{App: "app", Room: "limited"})
	if _, is := n.heardIn("limited"); is {
		t.Error("a room that is closed is still looked at")
	}
}

// TestLoudestByDefault has all rooms of an app limited, from their first moment on; a stream that goes makes room for another.
func TestLoudestByDefault(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Router.DefaultApp.Loudest, c.Router.EventRingCount = 1, 8 })
	bob := newClient(t, n).join("r").slots(audioKind, audioKind).negotiate().connected()
	first, second := bob.subscribe("r", "loud", true, false), bob.subscribe("r", "low", true, false)
	alice, _ := n.voice(t, "loud", 10, "r")
	n.voice(t, "low", 40, "r")
	n.hears(t, "r", "loud")
	for _, sub := range []router.Subscription{first, second} {
		n.Read(func(r *router.Router) { sub, _ = r.Subscription(sub.ID) })
		if gate := bob.gate(sub.AudioMid); gate == nil || gate != n.gateOf("r", sub.Stream) {
			t.Errorf("the slot of %s has no gate, or another's", sub.Stream)
		}
	}
	must[router.Stopped](t, n, router.Unpublish{Session: alice.id, Room: "r", Stream: "loud"})
	n.hears(t, "r", "low")
	// More events at once than the ring keeps: everything is learned anew.
	var moves []router.Move
	for i := range 12 {
		id := router.SessionID(strings.Repeat("x", i+1))
		must[router.Session](t, n, router.CreateSession{App: "app", ID: id, User: router.User{ID: string(id), Name: "X"}, Mode: router.ModeMulti})
		moves = append(moves, router.Move{User: string(id), To: string(id)})
	}
	must[[]router.MoveResult](t, n, router.MoveMembers{App: "app", Items: moves})
	if _, is := n.heardIn("xxx"); !is {
		t.Error("a room that was opened with many others is not limited")
	}
	n.hears(t, "r", "low")
	must[router.Stopped](t, n, router.CloseRoom{App: "app", Room: "r"})
	if _, is := n.heardIn("r"); is {
		t.Error("a room that is closed is still looked at")
	}
}

// TestAdaptiveNumbers asks for what there is to know of links and layers.
func TestAdaptiveNumbers(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	camera := alice.source(webrtc.MimeTypeVP8)
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate().connected()
	alice.publish("r", "cam", nil, camera)
	alice.publish("r", "voice", voice, nil)
	camera.run()
	bob := newClient(t, n).join("r").slots(videoKind, videoKind).negotiate().connected()
	bob.more(bob.subscribe("r", "cam", false, true).VideoMid)
	if _, err := n.Link("nobody"); !errors.Is(err, router.ErrSessionNotFound) {
		t.Errorf("the link of nobody: %v", err)
	}
	if link, err := n.Link(alice.id); err != nil || link != (rtpforward.LinkStats{}) {
		t.Errorf("the link of who receives nothing: %+v, %v", link, err)
	}
	if _, err := n.Link(bob.id); err != nil {
		t.Error(err)
	}
	if _, err := n.StreamLayers("app", "r", "nothing"); !errors.Is(err, router.ErrStreamNotFound) {
		t.Errorf("layers of nothing: %v", err)
	}
	if list, err := n.StreamLayers("app", "r", "voice"); err != nil || list != nil {
		t.Errorf("layers of audio: %+v, %v", list, err)
	}
	if _, err := n.StreamLayers("app", "r", "cam"); err != nil {
		t.Error(err)
	}
	load := n.Load().Adaptive
	sum := uint64(0)
	for _, slots := range load.Limits {
		sum += slots
	}
	if sum != 1 || len(load.Estimates) != load.Controlled {
		t.Errorf("%+v", load)
	}
	text, err := json.Marshal(n.Dump())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"Adaptive":{`, `"Link":{`, `"Shows":{`, `"Limit":"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the dump has no %s", part)
		}
	}
}

// TestTotalsOutliveSessions: what only grows does not shrink when who it is about goes.
func TestTotalsOutliveSessions(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := newSession(n.Node)
	if !n.came(s) {
		t.Fatal("the node is closed")
	}
	n.aliveMu.Lock()
	n.past.add(adaptiveTotals{switches: 1, freezes: 2, probes: 3, probeBytes: 4})
	n.aliveMu.Unlock()
	s.end()
	<-s.done
	if l := n.Load().Adaptive; l.LayerSwitches != 1 || l.Freezes != 2 || l.Probes != 3 || l.ProbeBytes != 4 {
		t.Errorf("%+v", l)
	}
}
