// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// signaling gives a client that is connected to the node a place at the tier.
func (x *tier) signaling(c *sfutest.Client) *peer {
	x.t.Helper()
	p := x.connect()
	who := claims(c.User)
	p.hello = p.ask(hello(&signalv1.Hello{Token: x.sign(who), Resume: &signalv1.Resume{SessionId: c.ID, SessionEpoch: c.Epoch}})).GetWelcome()
	return p
}

// TestMediaGoesOn ends the connection and then the tier under a session that plays: its media goes on, and so does the session
// at another tier, which ends it in the end.
func TestMediaGoesOn(t *testing.T) {
	node := startNode(t, func(c *sfu.Config) { c.Forward.LeastBitrate = 1_000_000_000 })
	keys := newKeys(t)
	x := startTier(t, keys, nil, node)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	host, guest := node.Client(t, "host"), node.Client(t, "guest")
	audio, video, err := host.Media()
	must(err)
	must(guest.AddSlots(1, 1))
	for _, c := range []*sfutest.Client{host, guest} {
		_, err := c.Negotiate(ctx)
		must(err)
	}
	h, g := x.signaling(host), x.signaling(guest)
	h.login("r1")
	stream := h.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StartPublishing{StartPublishing: &signalv1.StartPublishing{
		RoomId: "r1", StreamId: "cam", AudioMid: audio.Mid(), VideoMid: video.Mid(),
	}}}).GetStream()
	g.login("r1")
	played := g.ask(playing("r1", "cam")).GetPlaying()
	if stream.GetLive() || played.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		t.Errorf("stream %v, playing %v", stream, played)
	}
	audio.Loudness(20)
	audio.Play()
	video.Play()
	more := func() {
		t.Helper()
		must(guest.WaitFrom(ctx, video, 10))
		must(guest.WaitFrom(ctx, audio, 10))
	}
	more()
	g.notice("that the stream is live", func(n *signalv1.Notice) bool {
		u := n.GetStreams().GetUpdated()
		return len(u) == 1 && u[0].GetLive()
	})

	loud := g.notice("who speaks", func(n *signalv1.Notice) bool { return len(n.GetSpeakers().GetSpeakers()) > 0 }).GetSpeakers()
	if s := loud.GetSpeakers()[0]; s.GetUserId() != "host" || s.GetStreamId() != "cam" || s.GetLevel() < 90 || s.GetLevel() > 127 {
		t.Errorf("speakers %v", loud)
	}
	// Who comes while somebody speaks hears who.
	late := x.user("late")
	late.login("r1")
	late.notice("who speaks", func(n *signalv1.Notice) bool { return len(n.GetSpeakers().GetSpeakers()) > 0 })

	_ = g.socket.CloseNow()
	more()
	x.end()
	more()
	y := startTier(t, keys, nil, node)
	g = y.signaling(guest)
	if p := g.hello.GetPlaying(); len(p) != 1 || p[0].GetId() != played.GetId() || p[0].GetState() != played.GetState() || p[0].GetVideoMid() != played.GetVideoMid() {
		t.Errorf("it plays %v", p)
	}
	if r := g.hello.GetRooms(); len(r) != 1 || !r[0].GetStreams()[0].GetLive() {
		t.Errorf("it is in %v", r)
	}
	more()
	paused := g.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePlaying{UpdatePlaying: &signalv1.UpdatePlaying{
		Id: played.GetId(), Paused: new(true),
	}}}).GetPlaying()
	if !paused.GetPaused() {
		t.Errorf("playing %v", paused)
	}
	g.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePlaying{UpdatePlaying: &signalv1.UpdatePlaying{Id: played.GetId(), Paused: new(false)}}})
	more()

	// Put out of the room, it gets no more of it, and nothing brings it back.
	boss := y.user("boss")
	boss.login("r1")
	boss.ask(kicking("r1", "guest", 0))
	g.notice("the end of the room", func(n *signalv1.Notice) bool { return n.GetRoomEnded().GetCode() == 1002055 })
	g.refused(login("r1"), "PERMISSION_DENIED", "KICKED", 1002055)
	g.refused(playing("r1", "cam"), "FAILED_PRECONDITION", "NOT_IN_ROOM", 1000002)
	lines, err := node.Session.GetSession(ctx, &sfuv1.GetSessionRequest{SessionId: guest.ID})
	must(err)
	for _, l := range lines.GetSession().GetMedia() {
		if l.GetStreamId() != "" || l.GetSubscriptionId() != "" {
			t.Errorf("line %v is still bound", l)
		}
	}
	video.Stop()
	audio.Stop()
}

// TestKickedWhileEntering kicks somebody between what the tier asks the node and its answer: that login does not succeed either,
// and leaves nothing behind.
func TestKickedWhileEntering(t *testing.T) {
	for _, when := range []string{"before the node", "after the node"} {
		t.Run(when, func(t *testing.T) {
			node := startNode(t, nil)
			way := steer(t, node.Target)
			x := startTier(t, newKeys(t), through(way), node)
			host := x.user("host")
			host.login("r1")
			old := claims("bad")
			old.Issued = time.Now().Add(-time.Minute)
			bad := x.as(old)
			bad.login("r1")

			arrived, hold := make(chan struct{}), make(chan struct{})
			wait := func(method string) error {
				if method == "JoinRoom" {
					close(arrived)
					<-hold
				}
				return nil
			}
			way.set(func() {
				if when == "before the node" {
					way.before = wait
				} else {
					way.after = wait
				}
			})
			again := bad.send(login("r1"))
			<-arrived
			host.ask(kicking("r1", "bad", 0))
			host.notice("the leaving", func(n *signalv1.Notice) bool { return len(n.GetUsers().GetRemoved()) == 1 })
			close(hold)
			if f := bad.reply(again).GetFailure(); f.GetReason() != "KICKED" {
				t.Errorf("the login ended with %v", f)
			}
			over := bad.notice("the end of the room", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded()
			if over.GetReason() != sfuv1.EndReason_END_REASON_KICKED {
				t.Errorf("ended %v", over)
			}
			got, err := node.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: bad.hello.GetSession().GetId()})
			if err != nil || len(got.GetSession().GetRoomIds()) != 0 {
				t.Errorf("it is in %v, %v", got.GetSession().GetRoomIds(), err)
			}
		})
	}
}
