// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// TestConsentLost silences the clients' checks, and only those: media stops though DTLS and SRTP would go on, and comes
// back with the checks, with an ICE restart and without one.
func TestConsentLost(t *testing.T) {
	t.Parallel()
	eachLane(t, true, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane, func(c *Config) { c.ConsentTimeout = 600 * time.Millisecond })
		often := func(s *webrtc.SettingEngine) { s.SetICETimeouts(time.Minute, time.Minute, 50*time.Millisecond) }
		alice := newClient(t, n, often).join("r")
		voice := alice.source(webrtc.MimeTypeOpus)
		alice.negotiate().connected()
		alice.publish("r", "s", voice, nil)
		voice.run()
		bob := newClient(t, n, often).join("r").slots(audioKind).negotiate().connected()
		mid := bob.subscribe("r", "s", true, false).AudioMid
		for _, restart := range []bool{false, true} {
			bob.more(mid)
			n.tap.deaf.Store(true)
			eventually(t, "disconnected", func() bool { return bob.state() == router.ConnectionDisconnected })
			ssrc := bob.ssrc(mid)
			shardDone(t, n, bob.id, mid)
			after, sent := n.tap.count(ssrc), voice.sent.Load()
			eventually(t, "the publisher goes on", func() bool { return voice.sent.Load() >= sent+20 })
			if now := n.tap.count(ssrc); now != after {
				t.Errorf("%d packets left without consent", now-after)
			}
			n.tap.deaf.Store(false)
			if restart {
				bob.offerID++
				answer, err := n.Negotiate(context.Background(), bob.id, router.Fence{}, bob.offer(&webrtc.OfferOptions{ICERestart: true}), bob.offerID)
				if err != nil {
					t.Fatal(err)
				}
				bob.take(answer)
			}
			bob.connected()
			alice.connected()
		}
		bob.more(mid)
	})
}

// shardDone waits until the shard of a slot has obeyed everything that it was told so far.
func shardDone(t *testing.T, n *testNode, id router.SessionID, mid string) {
	t.Helper()
	s, err := n.find(id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	done := s.slots[mid].down.SetPaused(false) // it is not: nothing changes
	s.mu.Unlock()
	<-done
}

// TestConsentLostForGood lets the grace period pass: the session ends.
func TestConsentLostForGood(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) {
		c.ConsentTimeout, c.TickEvery, c.Router.ReconnectGrace = time.Second, 20*time.Millisecond, 500*time.Millisecond
	})
	often := func(s *webrtc.SettingEngine) { s.SetICETimeouts(time.Minute, time.Minute, 50*time.Millisecond) }
	c := newClient(t, n, often).join("r").slots(audioKind).negotiate().connected()
	n.tap.deaf.Store(true)
	eventually(t, "the session is gone", func() bool {
		_, err := n.find(c.id, router.Fence{})

		return err != nil
	})
	var members int
	n.Read(func(r *router.Router) { members = r.Counts().Members })
	if members != 0 {
		t.Errorf("%d members are left", members)
	}
}
