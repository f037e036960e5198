// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// quality is the part of the engine's that the tests look at.
type quality struct {
	RoomID, StreamID, VideoCodec string
	VideoBitrate, AudioBitrate   float64
	VideoFPS                     float64
	Width, Height, Layers        int
	SpatialLayer                 *int
	RTT, Jitter, Delay           float64
	AudioLevel                   float64
}

// streamState waits until a publication or player has been in a state.
func (c *client) streamState(name, stream, room, state string) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%s of %s in %s: %s", name, stream, room, state), func(e event) bool {
		return e.Name == name && argument[string](e, 0) == stream && argument[string](e, 1) == room && argument[string](e, 2) == state
	})
}

// testPublishing: a player that waits for its stream, layers that stop when nobody takes them, muting, and another track in the
// place of one.
func testPublishing(t *testing.T, s *stage) {
	const rate = 15
	ann, bob := s.engine("ann"), s.engine("bob")
	ann.login("a")
	bob.login("a")
	bob.play("a", "ann") // before there is one
	bob.streamState("playerStateUpdate", "ann", "a", "pending")
	ann.must("paint", "picture", 960, 540, rate, margin, rangeOfOne-2*margin)
	ann.must("publish", "ann", "picture", map[string]any{"roomID": "a", "simulcast": true, "videoCodec": "video/VP8", "extraInfo": "painted"})
	ann.streamState("publisherStateUpdate", "ann", "a", "publishing")
	bob.plays("a", "ann")
	bob.streamState("playerStateUpdate", "ann", "a", "playing")
	bob.until("the largest layer", func(now report) bool { return now.video("a/ann").FrameHeight == 540 })
	bob.eventually("a player's quality", func(e event) bool {
		q := argument[quality](e, 0)
		return e.Name == "playerQualityUpdate" && q.RoomID == "a" && q.StreamID == "ann" && q.VideoBitrate > 0 && q.AudioBitrate > 0 &&
			q.VideoFPS > 0 && q.Width == 960 && q.Height == 540 && q.VideoCodec == "video/VP8" && q.SpatialLayer != nil && *q.SpatialLayer == 2
	})
	ann.eventually("a publisher's quality", func(e event) bool {
		q := argument[quality](e, 0)
		return e.Name == "publisherQualityUpdate" && q.RoomID == "a" && q.StreamID == "ann" && q.VideoBitrate > 0 && q.Layers >= 1
	})
	before := ann.report()
	bob.must("updatePlayingStream", "ann", map[string]any{"maxSpatial": 0}, in{"a"})
	bob.until("the smallest layer", func(now report) bool { return now.video("a/ann").FrameHeight == 135 })
	ann.until("the other layers to stop", func(now report) bool {
		active := 0
		for _, line := range now.Sent {
			if line.Kind == "video" && line.Active {
				active++
			}
		}
		return active == 1
	})
	bob.must("updatePlayingStream", "ann", map[string]any{}, in{"a"})
	bob.until("the largest layer again", func(now report) bool { return now.video("a/ann").FrameHeight == 540 })

	ann.must("mutePublishStream", "ann", map[string]any{"video": true}, in{"a"})
	bob.eventually("to be told of muting", func(e event) bool {
		return e.Name == "roomStreamChanged" && argument[[]struct{ VideoMuted bool }](e, 1)[0].VideoMuted
	})
	bob.standstill("a/ann")
	ann.must("mutePublishStream", "ann", map[string]any{"video": false}, in{"a"})
	bob.plays("a", "ann")

	seen := bob.count("a", "ann")
	ann.must("repaint", "picture", 960, 540, rate, 5*rangeOfOne+margin, rangeOfOne-2*margin)
	chromium.Until(bob.Tab, "other pictures", chromium.Expression(t, "page.seen", "a/ann", seen), func(now []picture) bool {
		return slices.ContainsFunc(now, func(p picture) bool { return p.right() && p.of() == 5 })
	})
	if now := ann.onePeer(); now.Negotiations != before.Negotiations {
		t.Errorf("%d negotiations", now.Negotiations-before.Negotiations)
	}
	ann.must("stopPublishingStream", "ann", in{"a"})
	bob.eventually("the stream to go", func(e event) bool { return e.Name == "roomStreamUpdate" && argument[string](e, 1) == "DELETE" })
	bob.must("stop", "ann", in{"a"})
	bob.onePeer()
}

// standstill checks that a player's sound goes on while its picture stands.
func (c *client) standstill(key string) {
	c.t.Helper()
	hears := func(from report) report {
		return c.until("sound of "+key, func(now report) bool { return now.audio(key).PacketsReceived >= from.audio(key).PacketsReceived+25 })
	}
	// What was on its way comes before the sound that comes later.
	begin := hears(c.report())
	if end := hears(begin); end.video(key).FramesDecoded != begin.video(key).FramesDecoded {
		c.t.Errorf("%s: %d pictures of %s, which is muted", c.user, end.video(key).FramesDecoded-begin.video(key).FramesDecoded, key)
	}
}

// testSources: the screen as a second stream, and another camera in the place of one, over the same PeerConnections. The camera
// is another page's: the browser's fake ones stop while it captures its fake screen.
func testSources(t *testing.T, s *stage) {
	ann, bob, cem := s.engine("ann"), s.engine("bob"), s.engine("cem")
	for _, c := range []*client{ann, bob, cem} {
		c.login("a")
	}
	cem.films("a")
	bob.play("a", "cem")
	bob.plays("a", "cem")
	offers := cem.report().Negotiations
	cem.must("lastCamera", "camera")
	bob.plays("a", "cem")
	if now := cem.onePeer(); now.Negotiations != offers {
		t.Errorf("another camera took %d negotiations", now.Negotiations-offers)
	}
	cem.must("logoutRoom")

	ann.paints(0, "a")
	ann.must("screen", "screen")
	ann.must("publish", "ann-screen", "screen", map[string]any{"roomID": "a", "contentHint": "detail"})
	bob.play("a", "ann")
	bob.play("a", "ann-screen")
	bob.plays("a", "ann")
	before := bob.report()
	bob.until("the screen", func(now report) bool {
		return now.video("a/ann-screen").FramesDecoded > before.video("a/ann-screen").FramesDecoded
	})
	bob.knows("a", []string{"ann"}, []string{"ann", "ann-screen"})
	ann.onePeer()
	bob.onePeer()
}

// testRooms: one room in the place of another, and what is said of rooms and streams.
func testRooms(t *testing.T, s *stage) {
	ann, bob := s.engine("ann"), s.engine("bob")
	ann.login("a", "b")
	bob.login("a")
	ann.films("a", "b")
	ann.must("setRoomExtraInfo", "b", "topic", "trains")
	ann.must("setStreamExtraInfo", "ann", "from the left", in{"a"})
	bob.eventually("what is said of the stream", func(e event) bool {
		return e.Name == "roomStreamChanged" && argument[[]struct{ ExtraInfo string }](e, 1)[0].ExtraInfo == "from the left"
	})
	bob.play("a", "ann")
	bob.plays("a", "ann")
	bob.must("switchRoom", "a", "b")
	bob.rooms("b")
	bob.play("b", "ann")
	bob.plays("b", "ann")
	ann.knows("a", []string{}, []string{})
	chromium.Until(bob.Tab, "what is said of the room", chromium.Expression(t, "page.known", "b"), func(now known) bool { return now.ExtraInfo["topic"] == "trains" })
	ann.must("setRoomExtraInfo", "b", "topic", "stations")
	bob.eventually("a new topic", func(e event) bool { return e.String() == `roomExtraInfoUpdate("b", "topic", "stations")` })
	speaks := bob.eventually("who speaks", func(e event) bool {
		return e.Name == "activeSpeakers" && argument[string](e, 0) == "b" && len(argument[[]any](e, 1)) > 0
	})
	t.Logf("%s", speaks)
	ann.must("closeRoom", "b", "good night")
	for _, c := range []*client{ann, bob} {
		c.eventually("the end of the room", func(e event) bool { return e.Name == "kickedOut" && argument[string](e, 0) == "b" })
	}
	bob.rooms()
	ann.rooms("a")
	ann.onePeer()
	bob.onePeer()
}
