// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// gate is a packet connection that can hold up packets of one SSRC, and with them the shard that sends them.
type gate struct {
	net.PacketConn
	mu   sync.Mutex    // held: nothing of ssrc leaves
	held chan struct{} // capacity 1: a packet waits for mu
	ssrc atomic.Uint32 // atomic: written by the test, read by the shard; 0: none
}

func (g *gate) WriteTo(b []byte, to net.Addr) (int, error) {
	if ssrc := g.ssrc.Load(); ssrc != 0 && len(b) >= 12 && (b[1] < 192 || b[1] > 223) && binary.BigEndian.Uint32(b[8:]) == ssrc {
		select {
		case g.held <- struct{}{}:
		default:
		}
		g.mu.Lock()
		defer g.mu.Unlock()
	}

	return g.PacketConn.WriteTo(b, to)
}

// stuckSlot has bob watch a/cam over the one shard, which then hangs in sending him a packet of it until open is called.
func stuckSlot(t *testing.T) (n *testNode, alice, bob *client, sub router.Subscription, open func()) {
	t.Helper()
	g := &gate{held: make(chan struct{}, 1)}
	n = startNode(t, func(c *Config) {
		g.PacketConn = c.PacketConn
		c.PacketConn, c.Forward.Shards, c.StopTimeout = g, 1, 50*time.Millisecond
		c.Forward.KeyframeEvery = 20 * time.Millisecond
	})
	alice = newClient(t, n).join("a", "b")
	cameras := []*media{alice.source(webrtc.MimeTypeVP8), alice.source(webrtc.MimeTypeVP8)}
	alice.negotiate().connected()
	alice.publish("a", "cam", nil, cameras[0])
	alice.publish("b", "cam", nil, cameras[1])
	for _, c := range cameras {
		c.run()
	}
	bob = newClient(t, n).join("a", "b").slots(videoKind).negotiate().connected()
	sub = bob.subscribe("a", "cam", false, true)
	bob.more(sub.VideoMid)
	g.mu.Lock()
	g.ssrc.Store(bob.ssrc(sub.VideoMid))
	open = sync.OnceFunc(g.mu.Unlock)
	t.Cleanup(open)
	<-g.held

	return n, alice, bob, sub, open
}

// TestSwitchStopsToo switches a slot away from a room and leaves that: neither is answered while packets of the room may
// still leave.
func TestSwitchStopsToo(t *testing.T) {
	t.Parallel()
	n, _, bob, sub, open := stuckSlot(t)
	ctx := context.Background()
	if _, err := Do[router.Subscription](ctx, n.Node, router.SwitchSubscription{ID: sub.ID, Room: "b", Stream: "cam"}); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("the switch was answered while a packet of the former stream was under way: %v", err)
	}
	if _, err := Do[router.Stopped](ctx, n.Node, router.LeaveRoom{Session: bob.id, Room: "a"}); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("the leave was answered while a packet of the room was under way: %v", err)
	}
	open()
	bob.more(sub.VideoMid)
	bob.noGap(sub.VideoMid)
}

// TestLeaveWaitsForOthersStops leaves a room whose stream somebody else has just taken away: its answer waits for that stop
// too, though another call is to carry it out.
func TestLeaveWaitsForOthersStops(t *testing.T) {
	t.Parallel()
	n, alice, bob, _, open := stuckSlot(t)
	_, effects, err := n.applyLocked(router.Unpublish{Session: alice.id, Room: "a", Stream: "cam"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Do[router.Stopped](context.Background(), n.Node, router.LeaveRoom{Session: bob.id, Room: "a"}); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("the leave was answered while packets of the room were under way: %v", err)
	}
	open()
	for _, e := range effects {
		e.target.carryOut()
	}
	eventually(t, "the stop is confirmed", func() bool { return n.waitStops(context.Background(), effects) == nil })
}

// TestStopIsNotAnsweredUncarried has a session whose inbox is full leave: the answer is the session's end, not a success.
func TestStopIsNotAnsweredUncarried(t *testing.T) {
	t.Parallel()
	n, _, bob, _, open := stuckSlot(t)
	s, err := n.find(bob.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock() // nobody empties the inbox
	s.inboxMu.Lock()
	for range maxInbox {
		s.inbox = append(s.inbox, &effect{Effect: router.AskKeyframe{Session: bob.id, Mid: "none"}})
	}
	s.inboxMu.Unlock()
	_, effects, err := n.applyLocked(router.LeaveRoom{Session: bob.id, Room: "a"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.waitStops(context.Background(), effects); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("the leave was answered though nobody will unbind the slot: %v", err)
	}
	s.mu.Unlock()
	open()
	<-s.done
	if err := n.waitStops(context.Background(), effects); err != nil {
		t.Error(err)
	}
}

// TestMoreEventsThanTheRing closes a room with more events than are kept: what the node knows of streams is right still, and
// everybody in the room is waited for.
func TestMoreEventsThanTheRing(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Router.EventRingCount = 4 })
	alice := newClient(t, n).join("r", "other")
	voices := []*media{alice.source(webrtc.MimeTypeOpus), alice.source(webrtc.MimeTypeOpus)}
	alice.negotiate()
	alice.publish("r", "s", voices[0], nil)
	alice.publish("other", "s", voices[1], nil)
	clients := map[router.SessionID]bool{alice.id: true}
	for range 6 {
		clients[newClient(t, n).join("r").id] = true
	}
	_, effects, err := n.applyLocked(router.CloseRoom{App: "app", Room: "r"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range effects {
		if _, ok := e.effect.Effect.(barrier); ok {
			delete(clients, e.target.id)
		}
		e.target.carryOut()
	}
	if len(clients) > 0 {
		t.Errorf("%d members are not waited for", len(clients))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, kept := n.published[sourceKey{alice.id, voices[1].mid()}]; len(n.published) != 1 || !kept {
		t.Errorf("streams of sources: %v", n.published)
	}
}
