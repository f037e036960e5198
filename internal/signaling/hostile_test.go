// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

func renewing(room, token string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_RenewToken{RenewToken: &signalv1.RenewToken{RoomId: room, Token: token}}}
}

// of makes a token of a user's, issued so many seconds ago, for one room.
func (x *tier) of(user string, ago time.Duration, g auth.Grants) string {
	x.t.Helper()
	c := granted(user, "r1", g)
	c.Issued = c.Issued.Add(-ago)
	return x.sign(c)
}

// resumeWith goes on with a peer's session by a token of its own.
func (x *tier) resumeWith(p *peer, token string) *peer {
	x.t.Helper()
	_ = p.socket.CloseNow()
	q, s := x.connect(), p.hello.GetSession()
	q.hello = q.ask(hello(&signalv1.Hello{
		Token: token, Resume: &signalv1.Resume{SessionId: s.GetId(), SessionEpoch: s.GetEpoch()},
	})).GetWelcome()
	return q
}

// grantsOn is what the node lets a user do in r1.
func grantsOn(t *testing.T, node *sfutest.Node, user string) *sfuv1.Grants {
	t.Helper()
	room, err := node.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range room.GetMembers() {
		if m.GetUser().GetId() == user {
			return m.GetGrants()
		}
	}
	t.Fatalf("%s is not in the room", user)
	return nil
}

// TestRenewalTakesAway comes back with the very token that takes grants away, and then has it renew the membership: the grants
// of the old one must not live on with the new one's time. What the operator has taken away does not come back by a token that
// is not newer either.
func TestRenewalTakesAway(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	listen := auth.Grants{Subscribe: true}
	before, after := x.of("p", time.Minute, everything), x.of("p", 30*time.Second, listen)
	p := x.connect()
	p.hello = p.ask(hello(&signalv1.Hello{Token: before, RoomMode: multi})).GetWelcome()
	p.login("r1")
	p = x.resumeWith(p, after)
	p.ask(renewing("r1", after))
	diff(t, "grants after coming back", &sfuv1.Grants{Subscribe: true}, grantsOn(t, node, "p"))

	p.ask(renewing("r1", x.of("p", 20*time.Second, everything))) // a newer one gives
	all := &sfuv1.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}
	diff(t, "grants by a newer token", all, grantsOn(t, node, "p"))
	_, err := node.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{AppId: app, RoomId: "r1", UserId: "p", Grants: &sfuv1.Grants{Subscribe: true}})
	if err != nil {
		t.Fatal(err)
	}
	p.notice("what the operator has done", func(n *signalv1.Notice) bool {
		return n.GetMembership() != nil && !n.GetMembership().GetGrants().GetManage()
	})
	p = x.resumeWith(p, x.of("p", 10*time.Second, everything))
	p.ask(renewing("r1", x.of("p", 10*time.Second, everything)))
	diff(t, "grants that the operator has left", &sfuv1.Grants{Subscribe: true}, grantsOn(t, node, "p"))
}

// TestVerifyKnowsNothingOfLater starts to play while the tier asks the node, after a gap, for the subscriptions of the same client:
// the list is older, and says nothing of this one.
func TestVerifyKnowsNothingOfLater(t *testing.T) {
	node := startNode(t, func(c *sfu.Config) { c.Router.EventRingCount = 8 })
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	p := x.user("p")
	p.login("r1")
	over := p.ask(playing("r1", "over")).GetPlaying()
	listed, hold := make(chan struct{}), make(chan struct{})
	way.set(func() {
		way.after = func(method string) error {
			if method == "ListSubscriptions" {
				close(listed)
				<-hold
			}
			return nil
		}
	})
	end := x.gap(node, way)
	if _, err := node.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: over.GetId()}); err != nil {
		t.Fatal(err)
	}
	end()
	<-listed
	later := p.ask(playing("r1", "later")).GetPlaying()
	close(hold)
	p.notice("the end of the one that is over", func(n *signalv1.Notice) bool {
		return n.GetPlaying().GetId() == over.GetId() && n.GetPlaying().GetState() == playingEnded
	})
	p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: later.GetId()}}})
	for _, n := range p.notices() {
		if n.GetPlaying().GetId() == later.GetId() && n.GetPlaying().GetState() == playingEnded {
			t.Errorf("it is told that what it has just begun has ended: %v", n)
		}
	}
}

// TestStopWhatEnds stops a subscription that ends by itself at that moment: the client hears of the end, in one way or the other.
func TestStopWhatEnds(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	p := x.user("p")
	p.login("r1")
	id := p.ask(playing("r1", "cam")).GetPlaying().GetId()
	n, c := x.nodes[0], x.nodes[0].clientOf(p)
	way.set(func() {
		way.before = func(method string) error {
			if method != "Unsubscribe" {
				return nil
			}
			if _, err := node.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: id}); err != nil {
				t.Error(err)
			}
			return n.wait(t.Context(), func() (bool, error) { return c.playing[id] == nil, nil })
		}
	})
	p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: id}}})
}

// numb is a connection of a client that reads what it waits for and nothing more, as one does whose network has gone.
type numb struct {
	t      testing.TB
	socket *websocket.Conn
	id     uint32
}

func (x *tier) numb() *numb {
	x.t.Helper()
	socket, _, err := websocket.Dial(x.t.Context(), x.url, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = socket.CloseNow() })
	return &numb{t: x.t, socket: socket}
}

func (n *numb) send(m *signalv1.ClientMessage) {
	n.t.Helper()
	n.id++
	m.Id = n.id
	frame, err := protojson.Marshal(m)
	if err == nil {
		err = n.socket.Write(n.t.Context(), websocket.MessageText, frame)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *numb) ask(m *signalv1.ClientMessage) *signalv1.Reply {
	n.t.Helper()
	for n.send(m); ; {
		_, frame, err := n.socket.Read(n.t.Context())
		got := &signalv1.ServerMessage{}
		if err == nil {
			err = protojson.Unmarshal(frame, got)
		}
		if err != nil {
			n.t.Fatal(err)
		}
		if got.GetReply().GetId() == m.GetId() {
			return got.GetReply()
		}
	}
}

// TestReplacedAsksNoMore comes back on another connection while requests wait on the one before, which nobody has told yet that it
// is over: they must not be carried out behind the back of the newer one.
func TestReplacedAsksNoMore(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	before := x.numb()
	p := &peer{t: t, hello: before.ask(hello(&signalv1.Hello{Token: x.sign(claims("p")), RoomMode: multi})).GetWelcome()}
	before.ask(login("r1"))
	began, hold := make(chan struct{}), make(chan struct{})
	way.set(func() {
		way.before = func(method string) error {
			if method == "LeaveAllRooms" {
				close(began)
				<-hold
			}
			return nil
		}
	})
	before.send(logout(""))
	before.send(login("r9"))
	<-began
	before.ask(ping()) // all before it has been read
	old := x.nodes[0].clientOf(p)
	q := x.resume(p)
	close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for old.busy() && ctx.Err() == nil {
		q.ask(ping())
	}
	session, err := node.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: q.hello.GetSession().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if got := session.GetSession().GetRoomIds(); len(got) != 0 {
		t.Errorf("it is in %v", got)
	}
}

// busy says whether requests run or wait.
func (c *client) busy() bool {
	c.turns.mu.Lock()
	defer c.turns.mu.Unlock()
	return len(c.turns.running)+len(c.turns.waiting) > 0
}

// TestAddressOf counts those who show no token by what one customer has: of IPv6 that is a /64, which has more addresses than the
// tier has places.
func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7/32", "[::ffff:192.0.2.7]:2": "192.0.2.7/32", "[2001:db8:0:1::5]:3": "2001:db8:0:1::/64",
		"[2001:db8:0:1:ffff::9]:4": "2001:db8:0:1::/64", "[fe80::1%eth0]:5": "fe80::/64", "[::1]:6": "::/64",
	} {
		if got := addressOf(remote); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: %v, want %s", remote, got, want)
		}
	}
	if got := addressOf("pipe"); got != (netip.Prefix{}) {
		t.Errorf("what is no address: %v", got)
	}
}

// TestSteadyFlood asks twenty times as much as it may, evenly, so that one request of twenty is carried out: refusals cost
// something too, so it is cut off.
func TestSteadyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{config: Config{}.withDefaults(), counts: newCounters()}
		for _, test := range []struct {
			each time.Duration
			cut  bool
		}{{time.Millisecond, true}, {15 * time.Millisecond, false}} { // of 20 ms
			c := newClient(&connection{out: newOutbox(10_000, 1<<30), server: s}, &node{server: s}, claims("p"), "s")
			for range 8000 {
				c.allowed(1, 1)
				time.Sleep(test.each)
			}
			if code, _ := c.conn.out.reason(); (code == closeRate) != test.cut {
				t.Errorf("a request every %v: closed with %d", test.each, code)
			}
		}
	})
}

// TestLargeFrames takes frames by their size: what is allowed of small ones would be tens of megabytes a second of large ones.
func TestLargeFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{config: Config{}.withDefaults(), counts: newCounters()}
		c := newClient(&connection{out: newOutbox(10_000, 1<<30), server: s}, &node{server: s}, claims("p"), "s")
		if !c.allowed(1, costOf(nil, 256<<10)) || !c.allowed(2, costOf(nil, 256<<10)) {
			t.Error("offers of the largest size are refused")
		}
		taken := 0
		for range 100 {
			if c.allowed(3, costOf(nil, 512<<10)) {
				taken++
			}
		}
		if taken == 0 || taken > 10 {
			t.Errorf("%d of 100 frames of 512 KiB are taken at once", taken)
		}
	})
}

// TestToldToAll: who mutes and unmutes as often as may be asked for something would have a thousand others read it.
func TestToldToAll(t *testing.T) {
	for _, m := range []*signalv1.ClientMessage{login("r1"), logout("r1"), publishing("r1", "cam"), unpublishing("r1", "cam"), muting("r1", "cam")} {
		if got := costOf(m, 100); got != toldToAll {
			t.Errorf("%T costs %d", m.GetRequest(), got)
		}
	}
	for _, m := range []*signalv1.ClientMessage{ping(), playing("r1", "cam"), saying("r1", "hello"), renewing("r1", ""), {}} {
		if got := costOf(m, 100); got != 1 {
			t.Errorf("%T costs %d", m.GetRequest(), got)
		}
	}
}

// TestLongGreeting sends much before it has shown a token: nobody's memory is kept for those that nobody knows.
func TestLongGreeting(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	p := x.connect()
	p.write([]byte(`{"id":1,"hello":{"client":"` + strings.Repeat("x", 100<<10) + `"}}`))
	if code := p.closed(); code != websocket.StatusMessageTooBig {
		t.Errorf("closed with %d, want %d", code, websocket.StatusMessageTooBig)
	}
	q := x.user("q")
	q.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{
		OfferSdp: strings.Repeat("x", 100<<10), OfferId: 1,
	}}}, "INVALID_ARGUMENT", "SDP_INVALID", 0)
}
