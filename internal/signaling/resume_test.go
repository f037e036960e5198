// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// resume goes on with a peer's session on a new connection, perhaps of another tier.
func (x *tier) resume(p *peer) *peer {
	x.t.Helper()
	q := x.connect()
	s := p.hello.GetSession()
	q.hello = q.ask(hello(&signalv1.Hello{
		Token: x.sign(claims(p.userID())), RoomMode: multi, Resume: &signalv1.Resume{SessionId: s.GetId(), SessionEpoch: s.GetEpoch()},
	})).GetWelcome()
	if !q.hello.GetResumed() {
		x.t.Error("the session is not the one that was asked for")
	}
	return q
}

// joins waits until a user is told to have come.
func (p *peer) joins(user string) {
	p.t.Helper()
	p.notice(user+" joining", func(n *signalv1.Notice) bool {
		return len(n.GetUsers().GetAdded()) == 1 && n.GetUsers().GetAdded()[0].GetId() == user
	})
}

// TestResume breaks connections: the session goes on, and its client is told everything as it is.
func TestResume(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	host, guest := x.user("host"), x.user("guest")
	host.negotiate(1, 0)
	guest.negotiate(0, 2)
	host.login("r1")
	host.ask(publishing("r1", "cam"))
	guest.login("r1")
	guest.login("r2")
	played := guest.ask(playing("r1", "cam")).GetPlaying()
	_ = guest.socket.CloseNow()

	back := x.resume(guest)
	w := back.hello
	if w.GetSession().GetOfferId() != 1 || w.GetSession().GetId() != guest.hello.GetSession().GetId() {
		t.Errorf("session %v", w.GetSession())
	}
	all := &sfuv1.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}
	diff(t, "rooms", []*signalv1.RoomState{
		{
			RoomId: "r1", Users: []*sfuv1.User{userOf("host")}, Grants: all,
			Streams: []*signalv1.StreamInfo{{RoomId: "r1", StreamId: "cam", User: userOf("host"), Audio: true, Video: true}},
		},
		{RoomId: "r2", Grants: all},
	}, w.GetRooms())
	diff(t, "subscriptions", []*signalv1.Playing{played}, w.GetPlaying())

	// The newest connection has the session.
	newest := x.resume(back)
	if code := back.closed(); code != closeReplaced {
		t.Errorf("the older connection was closed with %d, want %d", code, closeReplaced)
	}
	x.user("late").login("r2")
	newest.joins("late")
	newest.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: played.GetId()}}})
	// Its own stream is known as such.
	again := x.resume(host)
	if s := again.hello.GetRooms()[0].GetStreams()[0]; !s.GetOwn() || s.GetVideoMid() != "1" {
		t.Errorf("its own stream is told as %v", s)
	}
	again.ask(muting("r1", "cam"))
	if got := x.Stats(); got.Dropped["replaced"] != 2 || got.Accepted != 6 {
		t.Errorf("stats %+v", got)
	}
}

// TestTierRestarts ends the tier while clients are in rooms: they come back to another one, which knows nothing, and all is as
// it was. Nothing is told twice, and nothing of what happened meanwhile is missing.
func TestTierRestarts(t *testing.T) {
	node := startNode(t, nil)
	keys := newKeys(t)
	x := startTier(t, keys, nil, node)
	a, b := x.user("a"), x.user("b")
	a.negotiate(1, 0)
	a.login("r1")
	b.login("r1")
	x.end()
	if code := a.closed(); code != websocket.StatusGoingAway {
		t.Errorf("closed with %d, want %d", code, websocket.StatusGoingAway)
	}
	last := a.notices()
	if len(last) == 0 || last[len(last)-1].GetGoingAway().GetRetryAfterMs() == 0 {
		t.Errorf("the last notice is not about going away: %v", last)
	}
	y := startTier(t, keys, nil, node)
	a2 := y.resume(a)
	y.user("c").login("r1")
	b2 := y.resume(b)
	diff(t, "what b sees", []*sfuv1.User{userOf("a"), userOf("c")}, b2.hello.GetRooms()[0].GetUsers())
	a2.joins("c")
	a2.ask(publishing("r1", "cam"))
	b2.notice("a's stream", func(n *signalv1.Notice) bool { return len(n.GetStreams().GetAdded()) == 1 })
	for _, n := range b2.notices() {
		if n.GetUsers() != nil {
			t.Errorf("b was told of users again: %v", n)
		}
	}
}

// TestTwoTiers has two tiers on one node: events flow to whichever has the client.
func TestTwoTiers(t *testing.T) {
	node := startNode(t, nil)
	keys := newKeys(t)
	x, y := startTier(t, keys, nil, node), startTier(t, keys, nil, node)
	a, b := x.user("a"), y.user("b")
	a.login("r1")
	b.login("r1")
	a.joins("b")
	b.ask(saying("r1", "from the other tier"))
	if m := a.notice("the message", func(n *signalv1.Notice) bool { return n.GetMessage() != nil }).GetMessage(); m.GetText() != "from the other tier" {
		t.Errorf("message %v", m)
	}
	_ = a.socket.CloseNow()
	a = y.resume(a)
	x.user("c").login("r1")
	a.joins("c")
	b.joins("c")
}

// TestGoodbye ends the session with all its rooms; the client is answered, and told nothing more.
func TestGoodbye(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	a, b := x.user("a"), x.user("b")
	a.login("r1")
	b.login("r1")
	b.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Goodbye{Goodbye: &signalv1.Goodbye{}}})
	if code := b.closed(); code != websocket.StatusNormalClosure {
		t.Errorf("closed with %d", code)
	}
	if n := b.notices(); len(n) != 0 {
		t.Errorf("it was told %v", n)
	}
	a.notice("b leaving", func(n *signalv1.Notice) bool { return len(n.GetUsers().GetRemoved()) == 1 })
	p := x.connect()
	p.refused(hello(&signalv1.Hello{Token: x.sign(claims("b")), Resume: &signalv1.Resume{
		SessionId: b.hello.GetSession().GetId(), SessionEpoch: b.hello.GetSession().GetEpoch(),
	}}), "NOT_FOUND", "SESSION_NOT_FOUND", 0)
	// The connection goes on, for a Hello without resume.
	p.ask(hello(&signalv1.Hello{Token: x.sign(claims("b")), RoomMode: multi}))
}

// TestSessionEnds takes sessions away: their clients are told why.
func TestSessionEnds(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	first := x.user("twin")
	first.login("r1")
	x.user("twin")
	over := first.notice("the end", func(n *signalv1.Notice) bool { return n.GetSessionEnded() != nil }).GetSessionEnded()
	diff(t, "the end", &signalv1.SessionEnded{Reason: sfuv1.EndReason_END_REASON_DUPLICATE_USER, Code: 1002050}, over)
	if code := first.closed(); code != closeSessionEnded {
		t.Errorf("closed with %d, want %d", code, closeSessionEnded)
	}
	p := x.user("victim")
	_, err := node.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: p.hello.GetSession().GetId(), Reason: "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	over = p.notice("the end", func(n *signalv1.Notice) bool { return n.GetSessionEnded() != nil }).GetSessionEnded()
	diff(t, "the end by hand", &signalv1.SessionEnded{Reason: sfuv1.EndReason_END_REASON_SESSION_CLOSED, Detail: "by hand"}, over)
}

// gap breaks the event stream, and lets no other one be opened while more happens than the node keeps, until end is called.
func (x *tier) gap(node *sfutest.Node, way *steered) (end func()) {
	x.t.Helper()
	hold := make(chan struct{})
	way.set(func() {
		was := way.before
		way.before = func(method string) error {
			if method == "WatchEvents" {
				<-hold
			}
			if was != nil {
				return was(method)
			}
			return nil
		}
	})
	x.nodes[0].mu.Lock()
	x.nodes[0].restart()
	x.nodes[0].mu.Unlock()
	for i := range 20 {
		_, err := node.Room.SetRoomMetadata(x.t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "r1", Key: "k", Value: new(string(rune('a' + i)))})
		if err != nil {
			x.t.Fatal(err)
		}
	}
	return func() { close(hold) }
}

// TestGapMeanwhile makes the tier miss events while a client enters a room or comes back: what it is told is not older than they
// are.
func TestGapMeanwhile(t *testing.T) {
	for _, method := range []string{"JoinRoom", "GetRoom", "ListSubscriptions"} {
		t.Run(method, func(t *testing.T) {
			node := startNode(t, func(c *sfu.Config) { c.Router.EventRingCount = 8 })
			way := steer(t, node.Target)
			x := startTier(t, newKeys(t), through(way), node)
			host, p := x.user("host"), x.user("p")
			host.login("r1")
			if method != "JoinRoom" {
				p.login("r1")
			}
			arrived, hold := make(chan struct{}), make(chan struct{})
			once := sync.OnceFunc(func() { close(arrived) })
			way.set(func() {
				way.after = func(m string) error {
					if m == method {
						once()
						<-hold
					}
					return nil
				}
			})
			ask := login("r1")
			if method != "JoinRoom" {
				s := p.hello.GetSession()
				p = x.connect()
				ask = hello(&signalv1.Hello{Token: x.sign(claims("p")), Resume: &signalv1.Resume{SessionId: s.GetId(), SessionEpoch: s.GetEpoch()}})
			}
			id := p.send(ask)
			<-arrived
			end := x.gap(node, way)
			end()
			host.notice("the room again", func(n *signalv1.Notice) bool { return n.GetRoom() != nil })
			close(hold)
			reply := p.reply(id)
			if reply.GetFailure().GetReason() == "NODE_UNAVAILABLE" && method == "ListSubscriptions" {
				reply = p.ask(ask) // it has to try again
			}
			states := append(reply.GetWelcome().GetRooms(), reply.GetRoom())
			if got := states[0].GetMetadata()["k"]; got != "t" {
				t.Errorf("it is told of %q: %v", got, reply)
			}
			x.user("late").login("r1")
			p.joins("late")
		})
	}
}

// TestGap makes the tier miss events: every client is told its rooms anew, what is no longer is ended, and then it goes on.
func TestGap(t *testing.T) {
	node := startNode(t, func(c *sfu.Config) { c.Router.EventRingCount = 8 })
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	a, b, gone := x.user("a"), x.user("b"), x.user("gone")
	a.negotiate(1, 1)
	a.login("r1")
	a.login("r2")
	b.login("r1")
	gone.login("r1")
	played := a.ask(playing("r1", "x")).GetPlaying()
	over := a.ask(playing("r1", "y")).GetPlaying()

	api, end := node.API, x.gap(node, way)
	leave := func(p *peer, room string) {
		_, err := api.Room.LeaveRoom(t.Context(), &sfuv1.LeaveRoomRequest{SessionId: p.hello.GetSession().GetId(), RoomId: room})
		if err != nil {
			t.Fatal(err)
		}
	}
	leave(a, "r2")
	if _, err := api.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: b.hello.GetSession().GetId(), RoomId: "r3"}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: over.GetId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: gone.hello.GetSession().GetId()}); err != nil {
		t.Fatal(err)
	}
	end()

	room := a.notice("the room again", func(n *signalv1.Notice) bool { return n.GetRoom() != nil }).GetRoom()
	if room.GetRoomId() != "r1" || room.GetMetadata()["k"] != "t" || len(room.GetUsers()) != 1 {
		t.Errorf("room %v", room)
	}
	if ended := a.notice("r2 ending", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded(); ended.GetRoomId() != "r2" {
		t.Errorf("ended %v", ended)
	}
	a.notice("what it plays", func(n *signalv1.Notice) bool { return n.GetPlaying().GetId() == played.GetId() })
	a.notice("what it plays no more", func(n *signalv1.Notice) bool {
		return n.GetPlaying().GetId() == over.GetId() && n.GetPlaying().GetState() == playingEnded
	})
	b.notice("the room that it was put into", func(n *signalv1.Notice) bool { return n.GetRoom().GetRoomId() == "r3" })
	gone.notice("its end", func(n *signalv1.Notice) bool { return n.GetSessionEnded() != nil })
	x.user("c").login("r1")
	a.joins("c")
	b.joins("c")
	if got := x.Stats().Resyncs; got == 0 {
		t.Error("no resync was counted")
	}
}

// TestNodeRestarts puts another process in place of the node: sessions are gone, and their clients are told so.
func TestNodeRestarts(t *testing.T) {
	first, second := startNode(t, nil), startNode(t, nil)
	way := steer(t, first.Target)
	x := startTier(t, newKeys(t), through(way), first)
	a := x.user("a")
	a.login("r1")
	conn := dial(t, second.Target)
	way.set(func() { way.conn = conn })
	first.StopFace()
	a.notice("the end", func(n *signalv1.Notice) bool { return n.GetSessionEnded() != nil })
	if code := a.closed(); code != closeSessionEnded {
		t.Errorf("closed with %d", code)
	}
	p := x.connect()
	p.refused(hello(&signalv1.Hello{Token: x.sign(claims("a")), Resume: &signalv1.Resume{
		SessionId: a.hello.GetSession().GetId(), SessionEpoch: a.hello.GetSession().GetEpoch(),
	}}), "NOT_FOUND", "SESSION_NOT_FOUND", 0)
	p.ask(hello(&signalv1.Hello{Token: x.sign(claims("a")), RoomMode: multi}))
	p.login("r1")
}

// TestNodeAway says so at once when the node does not answer, and goes on when it does.
func TestNodeAway(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	away := func(string) error { return status.Error(codes.Unavailable, "dial tcp 10.1.2.3:4: connection refused") }
	way.before = away
	x := startTier(t, newKeys(t), through(way), node)
	p := x.connect()
	f := p.refused(hello(&signalv1.Hello{Token: x.sign(claims("a")), RoomMode: multi}), "UNAVAILABLE", "NODE_UNAVAILABLE", 0)
	if f.GetRetryAfterMs() == 0 || f.GetMessage() != errNode.text {
		t.Errorf("failure %v", f)
	}
	way.set(func() { way.before = nil })
	n := x.nodes[0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.wait(ctx, func() (bool, error) { return n.live && n.learned, nil }); err != nil {
		t.Fatal(err)
	}
	p.ask(hello(&signalv1.Hello{Token: x.sign(claims("a")), RoomMode: multi}))
	way.set(func() { way.before = away })
	f = p.refused(login("r1"), "UNAVAILABLE", "NODE_UNAVAILABLE", 0)
	if f.GetMessage() != errNode.text {
		t.Errorf("it is told of the way to the node: %q", f.GetMessage())
	}
}

// TestLostAnswer loses the answer to a login that the node has carried out: the client is told that it failed, so it is taken
// back, and nothing of the room is told.
func TestLostAnswer(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	a, other := x.user("a"), x.user("other")
	other.login("r1")
	lose := func(method string) error {
		if method == "JoinRoom" || method == "SwitchRoom" {
			return status.Error(codes.DeadlineExceeded, "too late")
		}
		return nil
	}
	way.set(func() { way.after = lose })
	a.refused(login("r1"), "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 0)
	other.notice("a coming and going", func(n *signalv1.Notice) bool { return len(n.GetUsers().GetRemoved()) == 1 })
	way.set(func() { way.after = nil })
	a.login("r2")
	way.set(func() { way.after = lose })
	a.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchRoom{SwitchRoom: &signalv1.SwitchRoom{FromRoomId: "r2", ToRoomId: "r1"}}},
		"DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 0)
	// What it has left it has left: it is told.
	ended := a.notice("the end of r2", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded()
	if ended.GetRoomId() != "r2" || ended.GetReason() != sfuv1.EndReason_END_REASON_MOVED {
		t.Errorf("ended %v", ended)
	}
	got, err := node.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: a.hello.GetSession().GetId()})
	if err != nil || len(got.GetSession().GetRoomIds()) != 0 {
		t.Errorf("rooms %v, %v", got.GetSession().GetRoomIds(), err)
	}
	if heard := a.heard("r1"); len(heard) != 0 {
		t.Errorf("it was told %v", heard)
	}
}
