// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChromium runs everything in one browser, one node each.
func TestChromium(t *testing.T) {
	browser := startChromium(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *pages, *sfutest.Node)
	}{
		{"two rooms", testTwoRooms},
		{"switching", testSwitching},
		{"codecs", testCodecs},
		{"simulcast", testSimulcast},
		{"loss", testLoss},
		{"room message", testRoomMessage},
		{"call with ICE restarts", testRestart},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, browser, startNode(t)) })
	}
}

// camera makes a page that sends its camera and microphone, and publishes them in some rooms under the user's name.
func camera(t *testing.T, browser *pages, node *sfutest.Node, user string, height int, rooms ...string) *client {
	t.Helper()
	c := enter(t, browser, node, user, rooms...)
	c.film(height, rooms...)
	return c
}

// film is what makes a client a camera.
func (c *client) film(height int, rooms ...string) {
	c.t.Helper()
	c.tell("capture", 320, height)
	audio, video := ask[int](c.Tab, "send", "audio", "", []int{}), ask[int](c.Tab, "send", "video", "", []int{})
	c.negotiate(false)
	for _, room := range rooms {
		c.publish(room, c.user, c.mid(audio), c.mid(video))
	}
}

// testTwoRooms: one camera in two rooms, and a viewer who is in both over one PeerConnection and then leaves one.
func testTwoRooms(t *testing.T, browser *pages, node *sfutest.Node) {
	ann := camera(t, browser, node, "ann", 180, "a", "b")
	bob := enter(t, browser, node, "bob", "a", "b")
	bob.tell("slots", 2, 2)
	bob.negotiate(false)
	a, b := bob.subscribe("a", "ann", true, true), bob.subscribe("b", "ann", true, true)
	bob.plays(a)
	now := bob.plays(b)
	for _, sub := range []*sfuv1.Subscription{a, b} {
		if !ask[bool](bob.Tab, "together", sub.GetAudioMid(), sub.GetVideoMid()) || ask[bool](bob.Tab, "together", a.GetAudioMid(), b.GetVideoMid()) {
			t.Errorf("audio %s and video %s of %s are not the tracks of one stream", sub.GetAudioMid(), sub.GetVideoMid(), sub.GetRoomId())
		}
	}
	if now.Transport.SRTPCipher != "SRTP_AEAD_AES_128_GCM" {
		t.Errorf("SRTP cipher %q", now.Transport.SRTPCipher)
	}
	for _, mid := range []string{a.GetVideoMid(), b.GetVideoMid()} {
		if got := now.Received[mid].Codec; got != "video/VP8" {
			t.Errorf("line %s: codec %q", mid, got)
		}
	}
	understandsReports(ann, bob, b)

	// A busy machine freezes video all by itself, at times; leaving that did it would do it every time.
	const times = 3
	for attempt := 1; ; attempt++ {
		diff := leaveOne(bob, a, b)
		if diff == "" {
			return
		}
		if attempt == times {
			t.Fatalf("leaving one room shows in the other (-before +after):\n%s", diff)
		}
		t.Logf("attempt %d (-before +after):\n%s", attempt, diff)
		bob.join("a")
		a = bob.subscribe("a", "ann", true, true)
		bob.plays(a)
	}
}

// understandsReports waits until both browsers have made something of the node's RTCP: round trips measured and nothing lost
// upwards, clocks told downwards.
func understandsReports(ann, bob *client, sub *sfuv1.Subscription) {
	ann.t.Helper()
	up := ann.until("receiver reports", func(now report) bool {
		for _, s := range now.Sent {
			if s.Node.RoundTripTimeMeasurements == 0 {
				return false
			}
		}
		return len(now.Sent) == 2
	})
	bob.until("sender reports", func(now report) bool {
		return now.Received[sub.GetAudioMid()].Node.ReportsSent > 0 && now.Received[sub.GetVideoMid()].Node.ReportsSent > 0
	})
	ann.t.Logf("uplink: %+v, %+v", up.Sent, up.Pair)
}

// leaveOne leaves a's room, checks that exactly it falls silent, and says what of it was seen in b.
func leaveOne(bob *client, a, b *sfuv1.Subscription) string {
	bob.t.Helper()
	// The codec's keyframes may come at any time, and so may what the machine does; lost packets and frozen video may not.
	trouble := func(r report) [3]int {
		in := r.Received[b.GetVideoMid()]
		return [3]int{in.PacketsLost, in.FreezeCount, in.PLICount}
	}
	before := bob.report()
	bob.leave("a")
	// What was on its way comes before the packets that b gets later: both use one connection.
	left := bob.plays(b)
	now := bob.plays(b)
	for _, mid := range []string{a.GetAudioMid(), a.GetVideoMid()} {
		was, is := left.Received[mid].PacketsReceived, now.Received[mid].PacketsReceived
		if was == 0 || is != was {
			bob.t.Errorf("line %s of the room that was left: %d packets, then %d", mid, was, is)
		}
	}
	return cmp.Diff(trouble(before), trouble(now))
}

// testSwitching: one slot goes to and fro between a browser's camera in one room and another sender's clip in the other.
func testSwitching(t *testing.T, browser *pages, node *sfutest.Node) {
	const switches, cameraHeight, clipHeight = 20, 240, 180
	camera(t, browser, node, "ann", cameraHeight, "a")
	cem := node.Client(t, "cem")
	audio, video, err := cem.Media()
	must(t, err)
	_, err = cem.Join(t.Context(), "b")
	must(t, err)
	_, err = cem.Negotiate(t.Context())
	must(t, err)
	_, err = cem.Publish(t.Context(), "b", "clip", audio, video)
	must(t, err)
	audio.Play()
	video.Play()

	bob := enter(t, browser, node, "bob", "a", "b")
	bob.tell("slots", 1, 1)
	bob.negotiate(false)
	sub := bob.subscribe("a", "ann", true, true)
	before := bob.plays(sub)
	descriptions := ask[[]string](bob.Tab, "descriptions")
	for i := range switches {
		room, stream, height := "b", "clip", clipHeight
		if i%2 == 1 {
			room, stream, height = "a", "ann", cameraHeight
		}
		reply, err := node.Subscription.SwitchSubscription(t.Context(), &sfuv1.SwitchSubscriptionRequest{
			SubscriptionId: sub.GetId(), RoomId: room, StreamId: stream,
		})
		must(t, err)
		if got := reply.GetSubscription(); got.GetAudioMid() != sub.GetAudioMid() || got.GetVideoMid() != sub.GetVideoMid() {
			t.Fatalf("switch %d moved the subscription to other lines: %v", i, got)
		}
		since := bob.until(fmt.Sprintf("switch %d to %s", i, stream), func(now report) bool {
			return now.Received[sub.GetVideoMid()].FrameHeight == height
		})
		bob.until("frames after it", func(now report) bool {
			return sees(since, now, sub.GetVideoMid(), 3) && hears(since, now, sub.GetAudioMid())
		})
	}
	now := bob.report()
	if now.Needed != before.Needed {
		t.Errorf("%d negotiationneeded events", now.Needed-before.Needed)
	}
	if diff := cmp.Diff(descriptions, ask[[]string](bob.Tab, "descriptions")); diff != "" {
		t.Errorf("descriptions changed:\n%s", diff)
	}
	was, is := before.Received[sub.GetVideoMid()], now.Received[sub.GetVideoMid()]
	t.Logf("before %+v, after %d switches %+v", was, switches, is)
	// A decoder that cannot go on asks for a keyframe; what it gets after a switch begins with one.
	if is.PLICount-was.PLICount >= switches/2 {
		t.Errorf("the decoder asked for %d keyframes in %d switches", is.PLICount-was.PLICount, switches)
	}
}

// testCodecs: one slot plays each codec in turn, as one after the other is published on a new line.
func testCodecs(t *testing.T, browser *pages, node *sfutest.Node) {
	ann := enter(t, browser, node, "ann", "room")
	ann.tell("capture", 320, 180)
	bob := enter(t, browser, node, "bob", "room")
	bob.tell("slots", 0, 1)
	bob.negotiate(false)
	played := 0
	for _, codec := range []string{"video/VP8", "video/VP9", "video/H264", "video/H265", "video/AV1"} {
		if !ask[bool](ann.Tab, "sends", codec) {
			t.Logf("this browser does not encode %s", codec)
			continue
		}
		line := ask[int](ann.Tab, "send", "video", codec, []int{})
		ann.negotiate(false)
		stream := strings.TrimPrefix(codec, "video/")
		ann.publish("room", stream, "", ann.mid(line))
		sub := bob.subscribe("room", stream, false, true)
		bob.until(codec, func(now report) bool { return now.Received[sub.GetVideoMid()].Codec == codec })
		now := bob.plays(sub).Received[sub.GetVideoMid()]
		t.Logf("%s: %d frames, %d lost, %d PLIs", codec, now.FramesDecoded, now.PacketsLost, now.PLICount)
		_, err := node.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: sub.GetId()})
		must(t, err)
		ann.tell("silence", line)
		played++
	}
	if played < 3 { // VP8, VP9 and AV1 are in every build
		t.Errorf("%d codecs played", played)
	}
}

// testSimulcast: an offer of three layers is taken, several come, and the viewer sees one of them.
func testSimulcast(t *testing.T, browser *pages, node *sfutest.Node) {
	ann := enter(t, browser, node, "ann", "room")
	ann.tell("capture", 640, 360)
	line := ask[int](ann.Tab, "send", "video", "video/VP8", []int{4, 2, 1})
	ann.negotiate(false)
	ann.publish("room", "layers", "", ann.mid(line))
	bob := enter(t, browser, node, "bob", "room")
	bob.tell("slots", 0, 1)
	bob.negotiate(false)
	sub := bob.subscribe("room", "layers", false, true)
	bob.plays(sub)
	up := ann.until("two layers", func(now report) bool {
		active := 0
		for _, s := range now.Sent {
			if s.RID != "" && s.PacketsSent > 0 {
				active++
			}
		}
		return active >= 2
	})
	t.Logf("layers: %+v", up.Sent)
	if len(up.Sent) != 3 {
		t.Errorf("%d layers negotiated, want 3", len(up.Sent))
	}
	bob.plays(sub)
}

// testLoss: with packets lost on the way up and on the way down, browser and node ask each other for them, and get them.
func testLoss(t *testing.T, browser *pages, node *sfutest.Node) {
	const enough = 3
	ann, bob := enter(t, browser, node, "ann", "room"), enter(t, browser, node, "bob", "room")
	ann.behindLink()
	bob.behindLink()
	ann.film(180, "room")
	bob.tell("slots", 1, 1)
	bob.negotiate(false)
	sub := bob.subscribe("room", "ann", true, true)
	before := bob.plays(sub)
	bad := sfutest.Shape{Loss: 0.05, Delay: 10 * time.Millisecond}
	ann.link.Set(bad, sfutest.Shape{})
	bob.link.Set(sfutest.Shape{}, bad)
	up := ann.until("retransmissions by the browser", func(now report) bool {
		return slices.ContainsFunc(now.Sent, func(s sent) bool { return s.NACKCount > 0 && s.RetransmittedPacketsSent >= enough })
	})
	down := bob.until("retransmissions by the node", func(now report) bool {
		got := now.Received[sub.GetVideoMid()]
		return got.NACKCount > 0 && got.RetransmittedPacketsReceived >= enough && sees(before, now, sub.GetVideoMid(), 30)
	})
	t.Logf("up %+v, down %+v", up.Sent, down.Received[sub.GetVideoMid()])
	ann.link.Set(sfutest.Shape{}, sfutest.Shape{})
	bob.link.Set(sfutest.Shape{}, sfutest.Shape{})
	bob.plays(sub)
}

// testRoomMessage: a room's message arrives on the page's data channel.
func testRoomMessage(t *testing.T, browser *pages, node *sfutest.Node) {
	bob := enter(t, browser, node, "bob", "room")
	bob.tell("channel", false)
	bob.tell("slots", 1, 1)
	bob.negotiate(false)
	told := func(kind string) map[string]any {
		var found map[string]any
		bob.until(kind, func(report) bool {
			for _, text := range ask[[]string](bob.Tab, "messages.slice") {
				var m map[string]any
				must(t, json.Unmarshal([]byte(text), &m))
				if m["type"] == kind {
					found = m
				}
			}
			return found != nil
		})
		return found
	}
	if lines, _ := told("lines")["lines"].([]any); len(lines) != 2 {
		t.Errorf("lines %v", lines)
	}
	told("slots")
	_, err := node.Message.SendRoomMessage(t.Context(), &sfuv1.SendRoomMessageRequest{
		AppId: app, RoomId: "room", FromUser: "server", FromServer: true, Kind: sfuv1.MessageKind_MESSAGE_KIND_BROADCAST, Payload: []byte("grüß dich"),
	})
	must(t, err)
	if m := told("message"); m["room"] != "room" || m["text"] != "grüß dich" || m["from"] != "server" {
		t.Errorf("message %v", m)
	}
}

// testRestart: two who send and see each other, over one PeerConnection each that gets its slots when they are missing. Both
// restart ICE in turn, and media goes on.
func testRestart(t *testing.T, browser *pages, node *sfutest.Node) {
	people := []*client{camera(t, browser, node, "ann", 180, "room"), camera(t, browser, node, "bob", 180, "room")}
	sees := make([]*sfuv1.Subscription, len(people))
	for i, c := range people {
		other := people[1-i].user
		wish := c.wish("room", other, true, true)
		if wish.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_NEEDS_NEGOTIATION {
			t.Errorf("%s, who has no slots, subscribing to %s: %v", c.user, other, wish.GetState())
		}
		c.tell("slots", 1, 1)
		c.negotiate(false)
		sees[i] = c.subscribe("room", other, true, true)
		if sees[i].GetId() != wish.GetId() {
			t.Errorf("%s: subscription %s became %s", c.user, wish.GetId(), sees[i].GetId())
		}
		c.plays(sees[i])
	}
	for _, c := range people {
		old := c.report().Transport.Ufrag
		c.negotiate(true)
		now := c.until("new credentials in use", func(now report) bool {
			return now.Transport.Ufrag != old && (now.ICE == "connected" || now.ICE == "completed")
		})
		if !strings.Contains(ask[[]string](c.Tab, "descriptions")[0], "a=ice-ufrag:"+now.Transport.Ufrag) {
			t.Errorf("%s uses %q, which is not in its offer", c.user, now.Transport.Ufrag)
		}
		for i := range people {
			people[i].plays(sees[i])
		}
	}
}
