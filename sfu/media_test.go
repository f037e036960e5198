// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// TestPublishOnce shows one camera in several rooms: one uplink, one keyframe request for everybody who starts at once,
// and a room that is left takes nothing from the others.
func TestPublishOnce(t *testing.T) {
	t.Parallel()
	// A long pause between requests, so that those of all rooms must have been one.
	n := startNode(t, func(c *Config) { c.Forward.KeyframeEvery = time.Minute })
	alice := newClient(t, n).join("a", "b", "c")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate().connected()
	viewers := make(map[string]*client)
	mids := make(map[string]string)
	for _, room := range []string{"a", "b", "c"} {
		alice.publish(room, "cam", nil, camera)
		viewers[room] = newClient(t, n).join(room).slots(videoKind).negotiate().connected()
		mids[room] = viewers[room].subscribe(room, "cam", false, true).VideoMid
	}
	camera.run()
	for room, v := range viewers {
		v.more(mids[room])
	}
	if plis := camera.plis.Load(); plis > 1 {
		t.Errorf("%d keyframe requests went up for three rooms at once", plis)
	}
	audio, video, err := n.StreamStats("app", "b", "cam")
	if err != nil || audio != nil || video == nil || video.Accepted == 0 {
		t.Errorf("stream statistics: %v, %v, %v", audio, video, err)
	}
	ssrc := viewers["a"].ssrc(mids["a"])
	must[router.Stopped](t, n, router.Unpublish{Session: alice.id, Room: "a", Stream: "cam"})
	gone := n.tap.count(ssrc)
	viewers["b"].more(mids["b"])
	viewers["c"].more(mids["c"])
	viewers["b"].noGap(mids["b"])
	viewers["c"].noGap(mids["c"])
	if now := n.tap.count(ssrc); now != gone || now == 0 {
		t.Errorf("%d packets after the stream was taken from the room", now-gone)
	}
}

// noGap holds a line's packets against each other: sequence numbers without a hole, frame numbers in order.
func (c *client) noGap(mid string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.received[mid] {
		if i == 0 {
			continue
		}
		before := c.received[mid][i-1]
		if p.SequenceNumber != before.SequenceNumber+1 {
			c.t.Errorf("sequence number %d follows %d", p.SequenceNumber, before.SequenceNumber)
		}
		if p.SSRC != before.SSRC {
			c.t.Errorf("SSRC %d follows %d", p.SSRC, before.SSRC)
		}
	}
}

func TestPendingBecomesActive(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	sub := bob.subscribe("r", "voice", true, false)
	if sub.State != router.SubscriptionPending {
		t.Fatalf("state %v", sub.State)
	}
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate()
	alice.publish("r", "voice", voice, nil)
	voice.run()
	n.Read(func(r *router.Router) {
		if now, err := r.Subscription(sub.ID); err != nil || now.State != router.SubscriptionActive {
			t.Errorf("after publishing: %+v, %v", now, err)
		}
	})
	bob.more(bob.answer.Lines[0].Mid)
	eventually(t, "the stream counts as live", func() (live bool) {
		n.Read(func(r *router.Router) {
			s, _ := r.Stream("app", "r", "voice")
			live = s.State == router.StreamLive
		})

		return live
	})
	eventually(t, "what was forwarded is counted", func() bool { // published by the shard's tick, 50 ms late at most
		audio, _, err := n.SubscriptionStats(sub.ID)

		return err == nil && audio != nil && audio.Forwarded > 0
	})
}

// TestLeftMeansStopped leaves rooms at random while everything runs. After each answer not one packet of the slot leaves
// the node, and the client's other room has no gap.
func TestLeftMeansStopped(t *testing.T) {
	t.Parallel()
	eachLane(t, true, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane, func(c *Config) { c.Forward.KeyframeEvery = 10 * time.Millisecond })
		alice := newClient(t, n).join("stay", "go")
		cameras := []*media{alice.source(webrtc.MimeTypeVP8), alice.source(webrtc.MimeTypeVP8)}
		alice.negotiate().connected()
		alice.publish("stay", "cam", nil, cameras[0])
		alice.publish("go", "cam", nil, cameras[1])
		for _, c := range cameras {
			c.run()
		}
		bob := newClient(t, n).join("stay").slots(videoKind, videoKind).negotiate().connected()
		stay := bob.subscribe("stay", "cam", false, true).VideoMid
		bob.more(stay)
		rounds := 200
		if testing.Short() {
			rounds = 30
		}
		for i := range rounds {
			bob.join("go")
			sub := bob.subscribe("go", "cam", false, true)
			if sub.State != router.SubscriptionActive {
				t.Fatalf("round %d: %+v", i, sub)
			}
			ssrc := bob.ssrc(sub.VideoMid)
			before := n.tap.count(ssrc)
			enough := before + 1 + rand.IntN(3)
			eventually(t, "packets before leaving", func() bool { return n.tap.count(ssrc) >= enough })
			must[router.Stopped](t, n, router.LeaveRoom{Session: bob.id, Room: "go"})
			after := n.tap.count(ssrc)
			sent := cameras[1].sent.Load()
			eventually(t, "the publisher goes on", func() bool { return cameras[1].sent.Load() >= sent+3 })
			if now := n.tap.count(ssrc); now != after {
				t.Fatalf("round %d: %d packets left after the answer", i, now-after)
			}
		}
		bob.more(stay)
		bob.noGap(stay)
	})
}

// TestSwitchInPlace switches one slot between streams of two rooms: one SSRC, no gap, no negotiation.
func TestSwitchInPlace(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane, func(c *Config) { c.Forward.KeyframeEvery = 20 * time.Millisecond })
		alice := newClient(t, n).join("a", "b")
		cameras := []*media{alice.source(webrtc.MimeTypeVP8), alice.source(webrtc.MimeTypeVP8)}
		alice.negotiate().connected()
		alice.publish("a", "cam", nil, cameras[0])
		alice.publish("b", "cam", nil, cameras[1])
		for _, c := range cameras {
			c.run()
		}
		bob := newClient(t, n).join("a", "b").slots(videoKind).negotiate().connected()
		sub := bob.subscribe("a", "cam", false, true)
		for i := range 20 {
			bob.more(sub.VideoMid)
			now := must[router.Subscription](t, n, router.SwitchSubscription{ID: sub.ID, Room: []string{"b", "a"}[i%2], Stream: "cam"})
			if now.VideoMid != sub.VideoMid || now.State != router.SubscriptionActive {
				t.Fatalf("switched to %+v", now)
			}
		}
		bob.more(sub.VideoMid)
		bob.noGap(sub.VideoMid)
	})
}

func TestPauseIsAwaited(t *testing.T) {
	t.Parallel()
	eachLane(t, true, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		voice := alice.source(webrtc.MimeTypeOpus)
		alice.negotiate().connected()
		alice.publish("r", "s", voice, nil)
		voice.run()
		bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
		sub := bob.subscribe("r", "s", true, false)
		bob.more(sub.AudioMid)
		ssrc := bob.ssrc(sub.AudioMid)
		for name, stop := range map[string]router.Command{
			"paused": router.UpdateSubscription{ID: sub.ID, Paused: new(true)},
			"muted":  router.MuteStream{App: "app", Room: "r", Stream: "s", Audio: new(true)},
		} {
			must[any](t, n, stop)
			after, sent := n.tap.count(ssrc), voice.sent.Load()
			eventually(t, "the publisher goes on", func() bool { return voice.sent.Load() >= sent+10 })
			if now := n.tap.count(ssrc); now != after {
				t.Errorf("%s: %d packets left after the answer", name, now-after)
			}
			must[any](t, n, router.UpdateSubscription{ID: sub.ID, Paused: new(false)})
			must[any](t, n, router.MuteStream{App: "app", Room: "r", Stream: "s", Audio: new(false)})
			bob.more(sub.AudioMid)
		}
	})
}

// TestDuplicateUserReplaces opens a second session of one user: the first ends, its media with it.
func TestDuplicateUserReplaces(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	user := router.User{ID: "twin", Name: "Twin"}
	create := router.CreateSession{App: "app", User: user, Mode: router.ModeMulti}
	first := newClient(t, n)
	first.id = must[router.Session](t, n, create).ID
	first.join("r")
	voice := first.source(webrtc.MimeTypeOpus)
	first.negotiate().connected()
	first.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	bob.more(bob.subscribe("r", "s", true, false).AudioMid)

	second := newClient(t, n)
	second.id = must[router.Session](t, n, create).ID
	if second.id == first.id {
		t.Fatal("the same session again")
	}
	second.join("r").slots(audioKind).negotiate().connected()
	if _, err := n.Negotiate(context.Background(), first.id, router.Fence{}, "v=0", 9); !errors.Is(err, router.ErrSessionNotFound) {
		t.Errorf("the first session still negotiates: %v", err)
	}
	eventually(t, "the first client's connection closes", func() bool {
		return first.pc.ConnectionState() == webrtc.PeerConnectionStateClosed
	})
}

// TestClientCloses has a client close its connection in due form: the session ends, the rest goes on.
func TestClientCloses(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	alice.close()
	eventually(t, "the session is gone", func() bool {
		_, err := n.find(alice.id, router.Fence{})

		return errors.Is(err, router.ErrSessionNotFound)
	})
	if bob.state() != router.ConnectionConnected {
		t.Error("the other client was touched")
	}
}

// TestManySubscribers fans one source out to many and stops them all with one command.
func TestManySubscribers(t *testing.T) {
	t.Parallel()
	eachLane(t, true, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		voice := alice.source(webrtc.MimeTypeOpus)
		alice.negotiate().connected()
		alice.publish("r", "s", voice, nil)
		voice.run()
		var all []*client
		var ssrcs []uint32
		for range 6 {
			c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
			c.more(c.subscribe("r", "s", true, false).AudioMid)
			all, ssrcs = append(all, c), append(ssrcs, c.ssrc("0"))
		}
		must[router.Stopped](t, n, router.CloseRoom{App: "app", Room: "r"})
		var after []int
		for _, s := range ssrcs {
			after = append(after, n.tap.count(s))
		}
		sent := voice.sent.Load()
		eventually(t, "the publisher goes on", func() bool { return voice.sent.Load() >= sent+10 })
		for i, s := range ssrcs {
			if now := n.tap.count(s); now != after[i] || now == 0 {
				t.Errorf("subscriber %d of %d: %d packets, %d before", i, len(all), now, after[i])
			}
		}
	})
}
