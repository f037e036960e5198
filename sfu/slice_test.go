// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

const (
	audioKind = webrtc.RTPCodecTypeAudio
	videoKind = webrtc.RTPCodecTypeVideo
)

// TestVerticalSlice goes all the way once: join, negotiate, publish, subscribe, packets, leave.
func TestVerticalSlice(t *testing.T) {
	t.Parallel()
	eachLane(t, true, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r1")
		voice, camera := alice.source(webrtc.MimeTypeOpus), alice.source(webrtc.MimeTypeVP8)
		alice.negotiate().connected()
		alice.publish("r1", "cam", voice, camera)
		voice.run()
		camera.run()

		bob := newClient(t, n).join("r1").slots(audioKind, videoKind).negotiate().connected()
		sub := bob.subscribe("r1", "cam", true, true)
		if sub.State != router.SubscriptionActive {
			t.Fatalf("subscription is %v: %+v", sub.State, sub)
		}
		bob.more(sub.AudioMid)
		bob.more(sub.VideoMid)

		ssrc := bob.ssrc(sub.VideoMid)
		stopped := must[router.Stopped](t, n, router.LeaveRoom{Session: bob.id, Room: "r1"})
		after := n.tap.count(ssrc)
		if stopped.Subscriptions != 1 {
			t.Errorf("left %+v", stopped)
		}
		sent := camera.sent.Load()
		eventually(t, "the publisher goes on", func() bool { return camera.sent.Load() > sent+20 })
		if now := n.tap.count(ssrc); now != after {
			t.Errorf("%d packets left the node after LeaveRoom had answered", now-after)
		}
		if after == 0 {
			t.Error("the tap saw nothing at all")
		}
	})
}
