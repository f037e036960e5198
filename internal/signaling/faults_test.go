// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestSessionGone asks for something in a session that the node has ended, before the tier has heard of that.
func TestSessionGone(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	p := x.user("a")
	p.login("r1")
	keeper := x.user("keeper")
	keeper.login("r1")
	end := x.gap(node, way)
	defer end()
	if _, err := node.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: p.hello.GetSession().GetId()}); err != nil {
		t.Fatal(err)
	}
	p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{
		OfferSdp: offer(t, 1, 0), OfferId: 1,
	}}}, "NOT_FOUND", "SESSION_NOT_FOUND", 0)
	p.notice("the end", func(n *signalv1.Notice) bool { return n.GetSessionEnded() != nil })
	if code := p.closed(); code != closeSessionEnded {
		t.Errorf("closed with %d", code)
	}
}

// TestDeadline has a node that does not answer: the client is told, and may go on.
func TestDeadline(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), func(c *Config) { through(way)(c); c.RequestTimeout = 1500 * time.Millisecond }, node)
	n := x.nodes[0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.ready(ctx); err != nil {
		t.Fatal(err)
	}
	p := x.user("a")
	p.negotiate(1, 0)
	way.set(func() { way.hang = "Negotiate" })
	f := p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{
		OfferSdp: offer(t, 1, 0), OfferId: 2,
	}}}, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 0)
	if f.GetRetryAfterMs() == 0 {
		t.Errorf("failure %v", f)
	}
	p.ask(ping())
}

// TestCloseGivesUp closes a tier one of whose calls is never answered: it does not wait longer than it is told to.
func TestCloseGivesUp(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	p := x.user("a")
	p.login("r1")
	way.set(func() { way.hang = "LeaveRoom" })
	p.send(logout("r1"))
	p.ask(ping())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := x.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing: %v", err)
	}
}

// TestHeldTooMuch has more happen in a room, while it is being entered, than may wait for one client.
func TestHeldTooMuch(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), func(c *Config) { through(way)(c); c.Queue = 8 }, node)
	p := x.user("a")
	arrived, hold := make(chan struct{}), make(chan struct{})
	way.set(func() {
		way.after = func(method string) error {
			if method == "JoinRoom" {
				close(arrived)
				<-hold
			}
			return nil
		}
	})
	p.send(login("r1"))
	<-arrived
	for i := range 20 {
		_, err := node.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "r1", Key: "k", Value: new(fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
	}
	if code := p.closed(); code != closeSlow {
		t.Errorf("closed with %d, want %d", code, closeSlow)
	}
	close(hold)
	way.set(func() { way.after = nil })
	if back := x.resume(p); back.hello.GetRooms()[0].GetMetadata()["k"] != "19" {
		t.Errorf("it is back in %v", back.hello.GetRooms())
	}
}

// TestCandidates hands over candidates, good and bad ones.
func TestCandidates(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	p := x.user("a")
	p.negotiate(1, 0)
	candidates := func(line string) *signalv1.ClientMessage {
		return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_AddCandidates{AddCandidates: &signalv1.AddCandidates{
			Candidates: []*signalv1.Candidate{{Candidate: line, SdpMid: "0"}}, End: true,
		}}}
	}
	p.ask(candidates("candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"))
	p.refused(candidates("candidate:what"), "INVALID_ARGUMENT", "CANDIDATE_INVALID", 0)
}

// TestOnBehalf has the operator subscribe and unsubscribe for a client: it is told what it plays.
func TestOnBehalf(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	p := x.user("a")
	p.login("r1")
	reply, err := node.Subscription.Subscribe(t.Context(), &sfuv1.SubscribeRequest{
		SessionId: p.hello.GetSession().GetId(), RoomId: "r1", StreamId: "cam", Audio: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	id := reply.GetSubscription().GetId()
	told := p.notice("what it plays", func(n *signalv1.Notice) bool { return n.GetPlaying() != nil }).GetPlaying()
	diff(t, "what it plays", &signalv1.Playing{Id: id, RoomId: "r1", StreamId: "cam", Audio: true, State: sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING}, told)
	if _, err := node.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: id}); err != nil {
		t.Fatal(err)
	}
	over := p.notice("that it plays no more", func(n *signalv1.Notice) bool { return n.GetPlaying() != nil }).GetPlaying()
	if over.GetId() != id || over.GetState() != playingEnded || over.GetReason() != sfuv1.EndReason_END_REASON_REQUESTED {
		t.Errorf("playing %v", over)
	}
	p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: id}}}, "NOT_FOUND", "SUBSCRIPTION_NOT_FOUND", 0)
}

// TestEndCodes has the numbers of the SDK for ends.
func TestEndCodes(t *testing.T) {
	for reason, want := range map[sfuv1.EndReason]uint32{
		sfuv1.EndReason_END_REASON_DUPLICATE_USER:  1002050,
		sfuv1.EndReason_END_REASON_CONNECTION_LOST: 1002052,
		sfuv1.EndReason_END_REASON_NEVER_CONNECTED: 1002052,
		sfuv1.EndReason_END_REASON_KICKED:          1002055,
		sfuv1.EndReason_END_REASON_EXPIRED:         1002056,
		sfuv1.EndReason_END_REASON_MEDIA_FAILED:    1002057,
		sfuv1.EndReason_END_REASON_ROOM_CLOSED:     0,
		sfuv1.EndReason_END_REASON_SESSION_CLOSED:  0,
	} {
		if got := codeOf(reason); got != want {
			t.Errorf("%v: %d, want %d", reason, got, want)
		}
	}
}
