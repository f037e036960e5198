// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// granted are claims of a user for one room.
func granted(user, room string, g auth.Grants) *auth.Claims {
	c := claims(user)
	c.Rooms = []auth.Room{{Room: room, Grants: g}}
	return c
}

// scene is a room with a publisher, which others try to get at.
type scene struct {
	*tier
	node *sfutest.Node
	host *peer
	own  *signalv1.Playing // a subscription of the host's
}

// newScene makes a room "secret" with the stream "cam" and a subscription to it, that of another host.
func newScene(t *testing.T) *scene {
	t.Helper()
	node := startNode(t, nil)
	s := &scene{tier: startTier(t, newKeys(t), nil, node), node: node}
	s.host = s.user("host")
	s.host.negotiate(1, 1)
	s.host.login("secret")
	s.host.ask(publishing("secret", "cam"))
	s.own = s.host.ask(playing("secret", "later")).GetPlaying()
	return s
}

// state is everything that the node has of the room and of the host's subscriptions.
func (s *scene) state() (*sfuv1.GetRoomResponse, []*sfuv1.Subscription) {
	s.t.Helper()
	room, err := s.node.Room.GetRoom(s.t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "secret"})
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := s.node.Subscription.ListSubscriptions(s.t.Context(), &sfuv1.ListSubscriptionsRequest{SessionId: s.host.hello.GetSession().GetId()})
	if err != nil {
		s.t.Fatal(err)
	}
	room.Revision = 0
	return room, list.GetSubscriptions()
}

// hears says whether anything of the room has reached a client.
func (p *peer) heard(room string) (list []*signalv1.Notice) {
	for _, n := range p.notices() {
		if roomOfNotice(n) == room {
			list = append(list, n)
		}
	}
	return list
}

func roomOfNotice(n *signalv1.Notice) string {
	for _, r := range []interface{ GetRoomId() string }{
		n.GetRoom(), n.GetRoomEnded(), n.GetUsers(), n.GetStreams(), n.GetRoomMetadata(), n.GetMessage(), n.GetSpeakers(),
		n.GetPlaying(), n.GetTokenWillExpire(), n.GetMembership(),
	} {
		if r.GetRoomId() != "" {
			return r.GetRoomId()
		}
	}
	return ""
}

// stir makes something happen in the room that its members are told, and waits until it has been told.
func (s *scene) stir() {
	s.t.Helper()
	s.host.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SetRoomMetadata{SetRoomMetadata: &signalv1.SetRoomMetadata{
		RoomId: "secret", Key: "k", Value: new(time.Now().String()),
	}}})
	s.host.notice("what was stirred", func(n *signalv1.Notice) bool { return n.GetRoomMetadata() != nil })
}

// TestDenied tries everything that a client without a grant could: nothing comes of it, neither as a reply, nor as a notice, nor
// in what the node has.
func TestDenied(t *testing.T) {
	s := newScene(t)
	elsewhere := granted("elsewhere", "open", everything)
	for _, test := range []struct {
		name   string
		claims *auth.Claims
		room   string // that it enters first
		ask    *signalv1.ClientMessage
		status string
		reason string
		code   uint32
	}{
		{"enter a room that the token does not name", elsewhere, "open", login("secret"), "PERMISSION_DENIED", "ROOM_NOT_GRANTED", 1002033},
		{
			"switch to a room that the token does not name", elsewhere, "open",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchRoom{SwitchRoom: &signalv1.SwitchRoom{FromRoomId: "open", ToRoomId: "secret"}}},
			"PERMISSION_DENIED", "ROOM_NOT_GRANTED", 1002033,
		},
		{
			"enter by somebody else's token", elsewhere, "open",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{RoomId: "secret", Token: s.sign(claims("host"))}}},
			"PERMISSION_DENIED", "TOKEN_MISMATCH", 1002033,
		},
		{
			"enter by a token of another app", elsewhere, "open",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{RoomId: "secret", Token: s.sign(ofApp("other", "elsewhere"))}}},
			"PERMISSION_DENIED", "TOKEN_MISMATCH", 1002033,
		},
		{
			"renew by a token for a room that one is not in", elsewhere, "open",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_RenewToken{RenewToken: &signalv1.RenewToken{RoomId: "secret", Token: s.sign(claims("elsewhere"))}}},
			"NOT_FOUND", "NOT_A_MEMBER", 1002002,
		},
		{"play a stream of another room", elsewhere, "open", playing("secret", "cam"), "FAILED_PRECONDITION", "NOT_IN_ROOM", 1000002},
		{"play in a room of the same name in another app", ofApp("other", "spy"), "secret", playing("secret", "cam"), "", "", 0},
		{"publish in another room", elsewhere, "open", publishing("secret", "mine"), "FAILED_PRECONDITION", "NOT_IN_ROOM", 1000002},
		{"publish without the grant", granted("mute", "secret", auth.Grants{Subscribe: true}), "secret", publishing("secret", "mine"), "PERMISSION_DENIED", "PUBLISH_DENIED", 1003025},
		{"play without the grant", granted("blind", "secret", auth.Grants{Message: true}), "secret", playing("secret", "cam"), "PERMISSION_DENIED", "SUBSCRIBE_DENIED", 1004025},
		{"speak without the grant", granted("dumb", "secret", auth.Grants{Subscribe: true}), "secret", saying("secret", "hello"), "PERMISSION_DENIED", "MESSAGE_DENIED", 1009010},
		{"speak in another room", elsewhere, "open", saying("secret", "hello"), "NOT_FOUND", "NOT_A_MEMBER", 1002002},
		{"take down a stream of somebody else", granted("thief", "secret", everything), "secret", unpublishing("secret", "cam"), "NOT_FOUND", "STREAM_NOT_FOUND", 1004002},
		{"mute somebody without the manage grant", granted("m1", "secret", limited), "secret", muting("secret", "cam"), "PERMISSION_DENIED", "MANAGE_DENIED", 0},
		{"mute somebody in another room", elsewhere, "open", muting("secret", "cam"), "NOT_FOUND", "NOT_A_MEMBER", 1002002},
		{
			"change the text of somebody else's stream, with the manage grant", granted("m2", "secret", everything), "secret",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePublishing{UpdatePublishing: &signalv1.UpdatePublishing{RoomId: "secret", StreamId: "cam", Metadata: new("x")}}},
			"PERMISSION_DENIED", "NOT_OWN_STREAM", 0,
		},
		{"kick without the manage grant", granted("m3", "secret", limited), "secret", kicking("secret", "host", 0), "PERMISSION_DENIED", "MANAGE_DENIED", 0},
		{"kick in another room", elsewhere, "open", kicking("secret", "host", 0), "NOT_FOUND", "NOT_A_MEMBER", 1002002},
		{"close a room without the manage grant", granted("m4", "secret", limited), "secret", closing("secret"), "PERMISSION_DENIED", "MANAGE_DENIED", 0},
		{"close another room", elsewhere, "open", closing("secret"), "NOT_FOUND", "NOT_A_MEMBER", 1002002},
		{
			"set metadata without the manage grant", granted("m5", "secret", limited), "secret",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SetRoomMetadata{SetRoomMetadata: &signalv1.SetRoomMetadata{RoomId: "secret", Key: "a", Value: new("b")}}},
			"PERMISSION_DENIED", "MANAGE_DENIED", 0,
		},
		{
			"stop somebody else's subscription", granted("p1", "secret", everything), "secret",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: s.own.GetId()}}},
			"NOT_FOUND", "SUBSCRIPTION_NOT_FOUND", 0,
		},
		{
			"change somebody else's subscription", granted("p2", "secret", everything), "secret",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePlaying{UpdatePlaying: &signalv1.UpdatePlaying{Id: s.own.GetId(), Paused: new(true)}}},
			"NOT_FOUND", "SUBSCRIPTION_NOT_FOUND", 0,
		},
		{
			"switch somebody else's subscription", granted("p3", "secret", everything), "secret",
			&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchPlaying{SwitchPlaying: &signalv1.SwitchPlaying{Id: s.own.GetId(), RoomId: "secret", StreamId: "cam"}}},
			"NOT_FOUND", "SUBSCRIPTION_NOT_FOUND", 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := s.as(test.claims)
			p.t = t
			p.negotiate(1, 1)
			p.login(test.room)
			room, subscriptions := s.state()
			if test.reason != "" {
				p.refused(test.ask, test.status, test.reason, test.code)
			} else if got := p.ask(test.ask).GetPlaying(); got.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING {
				t.Errorf("it plays: %v", got)
			}
			after, subscriptionsAfter := s.state()
			if d := cmp.Diff(room, after, protocmp.Transform()); d != "" {
				t.Errorf("the room has changed:\n%s", d)
			}
			if d := cmp.Diff(subscriptions, subscriptionsAfter, protocmp.Transform()); d != "" {
				t.Errorf("the host's subscriptions have changed:\n%s", d)
			}
			s.stir()
			p.ask(ping())
			if test.room != "secret" || test.claims.App != app {
				if heard := p.heard("secret"); test.claims.App == app && len(heard) > 0 || test.claims.App != app && len(heard) > 1 {
					t.Errorf("it was told %v", heard)
				}
			}
			p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Goodbye{Goodbye: &signalv1.Goodbye{}}})
			s.wantGone(test.claims)
		})
	}
}

// limited is everything but managing.
var limited = auth.Grants{Publish: true, Subscribe: true, Message: true}

func ofApp(name, user string) *auth.Claims {
	c := claims(user)
	c.App = name
	return c
}

func saying(room, text string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_SendMessage{SendMessage: &signalv1.SendMessage{
		RoomId: room, Kind: sfuv1.MessageKind_MESSAGE_KIND_COMMAND, Text: text,
	}}}
}

func muting(room, stream string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePublishing{UpdatePublishing: &signalv1.UpdatePublishing{
		RoomId: room, StreamId: stream, AudioMuted: new(true),
	}}}
}

func kicking(room, user string, ban uint32) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_KickUser{KickUser: &signalv1.KickUser{
		RoomId: room, UserId: user, Reason: "be gone", BanSeconds: ban,
	}}}
}

func closing(room string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_CloseRoom{CloseRoom: &signalv1.CloseRoom{RoomId: room, Reason: "that was it"}}}
}

func ping() *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_Ping{Ping: &signalv1.Ping{}}}
}

// wantGone checks that the node has no session of the user any more.
func (s *scene) wantGone(c *auth.Claims) {
	s.t.Helper()
	list, err := s.node.Session.ListSessions(s.t.Context(), &sfuv1.ListSessionsRequest{Filter: &sfuv1.SessionFilter{AppId: c.App, UserId: c.UserID}})
	if err != nil || len(list.GetSessions()) != 0 {
		s.t.Errorf("sessions of %s: %v, %v", c.UserID, list.GetSessions(), err)
	}
}

// TestDeniedHello tries to get a session by what is none of one's own.
func TestDeniedHello(t *testing.T) {
	s := newScene(t)
	session := s.host.hello.GetSession()
	past := claims("late")
	past.Issued, past.Expires = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	barely := claims("barely")
	barely.Issued, barely.Expires = time.Now().Add(-time.Minute), time.Now().Add(-time.Second) // within the leeway of clocks
	foreign, err := newKeys(t).Sign(claims("host"))
	if err != nil {
		t.Fatal(err)
	}
	admin := claims("")
	admin.Admin = true
	resume := &signalv1.Resume{SessionId: session.GetId(), SessionEpoch: session.GetEpoch()}
	for _, test := range []struct {
		name   string
		hello  *signalv1.Hello
		status string
		reason string
		code   uint32
		closed int
	}{
		{"no token", &signalv1.Hello{}, "UNAUTHENTICATED", "BAD_TOKEN", 1002033, int(closeToken)},
		{"no JWT", &signalv1.Hello{Token: "x"}, "UNAUTHENTICATED", "BAD_TOKEN", 1002033, int(closeToken)},
		{"somebody's own key", &signalv1.Hello{Token: foreign}, "UNAUTHENTICATED", "BAD_TOKEN", 1002033, int(closeToken)},
		{"expired", &signalv1.Hello{Token: s.sign(past)}, "UNAUTHENTICATED", "TOKEN_EXPIRED", 1002033, int(closeToken)},
		{"just expired", &signalv1.Hello{Token: s.sign(barely)}, "UNAUTHENTICATED", "TOKEN_EXPIRED", 1002033, int(closeToken)},
		{"expired, to resume", &signalv1.Hello{Token: s.sign(past), Resume: resume}, "UNAUTHENTICATED", "TOKEN_EXPIRED", 1002033, int(closeToken)},
		{"admin without a user", &signalv1.Hello{Token: s.sign(admin)}, "UNAUTHENTICATED", "BAD_TOKEN", 1002033, int(closeToken)},
		{"resume somebody else's session", &signalv1.Hello{Token: s.sign(claims("eve")), Resume: resume}, "NOT_FOUND", "SESSION_NOT_FOUND", 0, 0},
		{"resume as the same user of another app", &signalv1.Hello{Token: s.sign(ofApp("other", "host")), Resume: resume}, "NOT_FOUND", "SESSION_NOT_FOUND", 0, 0},
		{
			"resume an earlier life",
			&signalv1.Hello{Token: s.sign(claims("host")), Resume: &signalv1.Resume{SessionId: session.GetId(), SessionEpoch: session.GetEpoch() - 1}},
			"NOT_FOUND", "SESSION_NOT_FOUND", 0, 0,
		},
		{
			"resume without saying which life", &signalv1.Hello{Token: s.sign(claims("host")), Resume: &signalv1.Resume{SessionId: session.GetId()}},
			"NOT_FOUND", "SESSION_NOT_FOUND", 0, 0,
		},
		{
			"resume in another room mode",
			&signalv1.Hello{Token: s.sign(claims("host")), Resume: resume, RoomMode: sfuv1.RoomMode_ROOM_MODE_SINGLE},
			"FAILED_PRECONDITION", "ROOM_MODE_FIXED", 1001020, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := s.connect()
			p.t = t
			f := p.refused(hello(test.hello), test.status, test.reason, test.code)
			if f.GetMessage() == "" {
				t.Error("the failure has no text")
			}
			if test.closed != 0 {
				if code := p.closed(); int(code) != test.closed {
					t.Errorf("closed with %d, want %d", code, test.closed)
				}
			}
			if n := p.notices(); len(n) > 0 {
				t.Errorf("it was told %v", n)
			}
		})
	}
	s.stir() // the host's connection is as it was
	s.host.ask(ping())
}
