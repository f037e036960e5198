// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestMessages sends messages: they reach those they are for, in their room and app, and nobody else.
func TestMessages(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	a, b, c, d := x.user("a"), x.user("b"), x.user("c"), x.user("d")
	stranger := x.as(ofApp("other", "a"))
	for _, p := range []*peer{a, b, c, stranger} {
		p.login("r1")
	}
	d.login("r2")
	a.login("r2")
	send := func(kind sfuv1.MessageKind, text string, to ...string) {
		t.Helper()
		a.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SendMessage{SendMessage: &signalv1.SendMessage{
			RoomId: "r1", Kind: kind, Text: text, ToUsers: to, ClientMessageId: text,
		}}})
	}
	send(sfuv1.MessageKind_MESSAGE_KIND_BROADCAST, "to all")
	send(sfuv1.MessageKind_MESSAGE_KIND_COMMAND, "to c", "c", "d", "a")
	send(sfuv1.MessageKind_MESSAGE_KIND_COMMAND, "to c", "c", "d", "a") // a repeat
	send(sfuv1.MessageKind_MESSAGE_KIND_BARRAGE, "the end, ö")
	raw := []byte{0xff, 0xfe}
	_, err := dialedMessages(t, x).SendRoomMessage(t.Context(), &sfuv1.SendRoomMessageRequest{
		AppId: app, RoomId: "r1", FromServer: true, Kind: sfuv1.MessageKind_MESSAGE_KIND_COMMAND, Payload: raw,
	})
	if err != nil {
		t.Fatal(err)
	}
	stranger.ask(saying("r1", "elsewhere"))
	for _, p := range []*peer{a, b, c} {
		m := p.notice("the bytes", func(n *signalv1.Notice) bool { return len(n.GetMessage().GetData()) > 0 }).GetMessage()
		if !slices.Equal(m.GetData(), raw) || m.GetText() != "" {
			t.Errorf("message %v", m)
		}
	}
	d.ask(ping())
	want := map[*peer][]string{b: {"to all", "the end, ö", ""}, c: {"to all", "to c", "the end, ö", ""}, a: {""}, d: nil, stranger: nil}
	for p, texts := range want {
		var got []string
		for _, n := range p.notices() {
			if m := n.GetMessage(); m != nil {
				got = append(got, m.GetText())
				if m.GetText() != "" && (m.GetFrom().GetName() != "name of a" || m.GetRoomId() != "r1" || m.GetSentMs() == 0) {
					t.Errorf("message %v", m)
				}
			}
		}
		if !slices.Equal(got, texts) {
			t.Errorf("%s of %s got %q, want %q", p.userID(), p.hello.GetSession().GetAppId(), got, texts)
		}
	}
}

func dialedMessages(t *testing.T, x *tier) sfuv1.MessageServiceClient {
	t.Helper()
	return x.nodes[0].api.message
}

// view is a room as a client has it from what it was told: the state, and every notice after it.
type view struct {
	users   map[string]bool
	streams map[string]bool
	faults  []string
}

// fold applies a peer's frames to a room.
func (p *peer) fold(room string) view {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := view{users: map[string]bool{}, streams: map[string]bool{}}
	in := false
	begin := func(s *signalv1.RoomState) {
		in = true
		clear(v.users)
		clear(v.streams)
		for _, u := range s.GetUsers() {
			v.users[u.GetId()] = true
		}
		for _, st := range s.GetStreams() {
			v.streams[st.GetStreamId()] = true
		}
	}
	for _, f := range p.frames {
		if s := f.GetReply().GetRoom(); s.GetRoomId() == room && s != nil {
			begin(s)
		}
		n := f.GetNotice()
		if s := n.GetRoom(); s.GetRoomId() == room && s != nil {
			begin(s)
		}
		if n == nil || roomOfNotice(n) != room {
			continue
		}
		if !in {
			v.faults = append(v.faults, fmt.Sprintf("before the room: %v", n))
		}
		v.apply(n)
	}
	return v
}

func (v *view) apply(n *signalv1.Notice) {
	change := func(set map[string]bool, id string, there bool) {
		if set[id] == there {
			v.faults = append(v.faults, fmt.Sprintf("told twice, or missed: %v", n))
		}
		if there {
			set[id] = true
		} else {
			delete(set, id)
		}
	}
	for _, u := range n.GetUsers().GetAdded() {
		change(v.users, u.GetId(), true)
	}
	for _, u := range n.GetUsers().GetRemoved() {
		change(v.users, u.GetId(), false)
	}
	for _, s := range n.GetStreams().GetAdded() {
		change(v.streams, s.GetStreamId(), true)
	}
	for _, s := range n.GetStreams().GetRemoved() {
		change(v.streams, s.GetStreamId(), false)
	}
}

// TestNoGapNoDuplicate lets clients join a room in which users and streams come and go all the time, and resume in it. Whatever
// each has been told, in its order, gives the room as the node has it.
func TestNoGapNoDuplicate(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	stop, ended := make(chan struct{}), make(chan struct{})
	busy := x.user("busy")
	busy.negotiate(1, 0)
	busy.login("r1")
	go func() { // churn, by the API: it is not what is tested
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			churn(t, node.API.Room, node.API.Session, node.API.Stream, busy.hello.GetSession().GetId(), i)
		}
	}()
	var peers []*peer
	for i := range 20 {
		p := x.user(fmt.Sprint("p", i))
		p.login("r1")
		if i%3 == 0 {
			p.ask(logout("r1"))
			p.login("r1")
		}
		if i%4 == 1 {
			p = x.resume(p)
			p.adopt()
		}
		peers = append(peers, p)
	}
	close(stop)
	<-ended
	busy.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SetRoomMetadata{SetRoomMetadata: &signalv1.SetRoomMetadata{RoomId: "r1", Key: "end", Value: new("")}}})
	room, err := node.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.notice("the end", func(n *signalv1.Notice) bool { return n.GetRoomMetadata().GetKey() == "end" })
		want := view{users: map[string]bool{}, streams: map[string]bool{}}
		for _, m := range room.GetMembers() {
			want.users[m.GetUser().GetId()] = m.GetUser().GetId() != p.userID()
		}
		maps.DeleteFunc(want.users, func(_ string, there bool) bool { return !there })
		for _, s := range room.GetStreams() {
			want.streams[s.GetId()] = true
		}
		got := p.fold("r1")
		if d := cmp.Diff(want, got, cmp.AllowUnexported(view{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", p.userID(), d)
		}
	}
}

// adopt makes the rooms of Welcome look like replies, for fold.
func (p *peer) adopt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames[:1:1]
	for _, s := range p.hello.GetRooms() {
		frames = append(frames, &signalv1.ServerMessage{Message: &signalv1.ServerMessage_Reply{Reply: &signalv1.Reply{Result: &signalv1.Reply_Room{Room: s}}}})
	}
	p.frames = append(frames, p.frames[1:]...)
}

// churn brings a user into the room or out of it, and a stream of the busy one.
func churn(t *testing.T, rooms sfuv1.RoomServiceClient, sessions sfuv1.SessionServiceClient, streams sfuv1.StreamServiceClient, busy string, i int) {
	ctx := t.Context()
	id := fmt.Sprint("churn-", i%7)
	_, err := sessions.CreateSession(ctx, &sfuv1.CreateSessionRequest{AppId: app, SessionId: id, User: userOf(id), RoomMode: multi})
	if err == nil && i/7%2 == 0 {
		_, err = rooms.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: id, RoomId: "r1"})
	} else if err == nil {
		_, err = rooms.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: id, RoomId: "r1"})
	}
	stream := fmt.Sprint("s", i%3)
	if err == nil && i/3%2 == 0 {
		_, err = streams.Publish(ctx, &sfuv1.PublishRequest{SessionId: busy, RoomId: "r1", StreamId: stream, AudioMid: "0"})
	} else if err == nil {
		_, err = streams.Unpublish(ctx, &sfuv1.UnpublishRequest{SessionId: busy, RoomId: "r1", StreamId: stream})
	}
	if err != nil {
		t.Error(err)
	}
}

// TestOperator has the node's operator change what clients are in: they are told, and what they may do is what the node says
// now.
func TestOperator(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	a, b := x.user("a"), x.user("b")
	a.negotiate(1, 0)
	a.login("r1")
	b.login("r1")
	a.ask(publishing("r1", "cam"))
	_, err := node.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{
		AppId: app, RoomId: "r1", UserId: "a", Grants: &sfuv1.Grants{Subscribe: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.refused(kicking("r1", "b", 0), "PERMISSION_DENIED", "MANAGE_DENIED", 0)
	a.refused(publishing("r1", "cam2"), "PERMISSION_DENIED", "PUBLISH_DENIED", 1003025)
	changed := a.notice("its grants", func(n *signalv1.Notice) bool { return n.GetMembership() != nil }).GetMembership()
	diff(t, "its grants", &signalv1.MembershipChanged{RoomId: "r1", Grants: &sfuv1.Grants{Subscribe: true}}, changed)
	a.notice("its stream ending", func(n *signalv1.Notice) bool {
		return len(n.GetStreams().GetRemoved()) == 1 && n.GetStreams().GetRemoved()[0].GetReason() == sfuv1.EndReason_END_REASON_GRANTS_CHANGED
	})
	_, err = node.Room.MoveMembers(t.Context(), &sfuv1.MoveMembersRequest{AppId: app, Batch: []*sfuv1.Move{{UserId: "b", From: "r1", To: "r9"}}})
	if err != nil {
		t.Fatal(err)
	}
	if over := b.notice("the room it left", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded(); over.GetReason() != sfuv1.EndReason_END_REASON_MOVED {
		t.Errorf("ended %v", over)
	}
	if room := b.notice("the room it came to", func(n *signalv1.Notice) bool { return n.GetRoom() != nil }).GetRoom(); room.GetRoomId() != "r9" {
		t.Errorf("room %v", room)
	}
	x.user("c").login("r9")
	b.joins("c")
	b.ask(closing("r9"))
	over := b.notice("the end of the room", func(n *signalv1.Notice) bool { return n.GetRoomEnded().GetRoomId() == "r9" }).GetRoomEnded()
	if over.GetReason() != sfuv1.EndReason_END_REASON_ROOM_CLOSED || over.GetDetail() != "that was it" {
		t.Errorf("ended %v", over)
	}
	b.login("r9") // closing a room is no ban
}

// TestManage does what the manage grant is for.
func TestManage(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	teacher, pupil := x.user("teacher"), x.as(granted("pupil", "r1", limited))
	pupil.negotiate(1, 0)
	teacher.login("r1")
	pupil.login("r1")
	pupil.ask(publishing("r1", "cam"))
	got := teacher.ask(muting("r1", "cam")).GetStream()
	if !got.GetAudioMuted() || got.GetOwn() || got.GetAudioMid() != "" {
		t.Errorf("stream %v", got)
	}
	told := pupil.notice("the muting", func(n *signalv1.Notice) bool { return len(n.GetStreams().GetUpdated()) == 1 }).GetStreams().GetUpdated()[0]
	if !told.GetAudioMuted() || !told.GetOwn() || told.GetAudioMid() != "0" {
		t.Errorf("stream %v", told)
	}
	update := &signalv1.UpdatePublishing{RoomId: "r1", StreamId: "cam", Metadata: new("hi"), AudioMuted: new(false)}
	got = pupil.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePublishing{UpdatePublishing: update}}).GetStream()
	if got.GetAudioMuted() || got.GetMetadata() != "hi" {
		t.Errorf("stream %v", got)
	}
	set := &signalv1.SetRoomMetadata{RoomId: "r1", Key: "topic", Value: new("fish")}
	teacher.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SetRoomMetadata{SetRoomMetadata: set}})
	set.Value = nil
	teacher.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SetRoomMetadata{SetRoomMetadata: set}})
	changed := pupil.notice("the topic", func(n *signalv1.Notice) bool { return n.GetRoomMetadata() != nil }).GetRoomMetadata()
	diff(t, "the topic", &signalv1.RoomMetadataChanged{RoomId: "r1", Key: "topic", Value: new("fish")}, changed)
	changed = pupil.notice("the topic", func(n *signalv1.Notice) bool { return n.GetRoomMetadata() != nil }).GetRoomMetadata()
	diff(t, "no topic", &signalv1.RoomMetadataChanged{RoomId: "r1", Key: "topic"}, changed)
}

// TestSingleMode leaves out the room, which is the one that the session is in.
func TestSingleMode(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	p := x.connect()
	p.hello = p.ask(hello(&signalv1.Hello{Token: x.sign(claims("a"))})).GetWelcome()
	if p.hello.GetSession().GetMaxRooms() != 1 {
		t.Errorf("session %v", p.hello.GetSession())
	}
	p.negotiate(1, 1)
	p.login("r1")
	p.refused(login("r2"), "FAILED_PRECONDITION", "SINGLE_ROOM_MODE", 1002001)
	if s := p.ask(publishing("", "cam")).GetStream(); s.GetRoomId() != "r1" {
		t.Errorf("stream %v", s)
	}
	p.ask(saying("", "hello"))
	p.ask(muting("", "cam"))
	played := p.ask(playing("", "cam")).GetPlaying()
	switching := &signalv1.SwitchPlaying{Id: played.GetId(), StreamId: "other"}
	if now := p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchPlaying{SwitchPlaying: switching}}).GetPlaying(); now.GetRoomId() != "r1" || now.GetStreamId() != "other" {
		t.Errorf("playing %v", now)
	}
	room := p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchRoom{SwitchRoom: &signalv1.SwitchRoom{ToRoomId: "r2"}}}).GetRoom()
	if room.GetRoomId() != "r2" {
		t.Errorf("room %v", room)
	}
	p.ask(publishing("", "cam"))
	p.ask(logout(""))
	p.login("r3")
	for _, n := range p.notices() {
		if n.GetRoomEnded() != nil {
			t.Errorf("it was told of what it has asked for: %v", n)
		}
	}
}

// TestCodes asks for what the seed says fails, in its numbers.
func TestCodes(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	p := x.user("a")
	p.negotiate(1, 1)
	for i := range 5 {
		p.login(fmt.Sprint("r", i))
	}
	p.refused(login("r5"), "RESOURCE_EXHAUSTED", "USER_ROOM_LIMIT", 1002037)
	p.refused(login(""), "INVALID_ARGUMENT", "ROOM_ID_INVALID", 1002011)
	p.refused(logout("r7"), "NOT_FOUND", "NOT_A_MEMBER", 1002002)
	p.refused(publishing("", "cam"), "INVALID_ARGUMENT", "ROOM_ID_REQUIRED", 1003070)
	p.refused(playing("", "cam"), "INVALID_ARGUMENT", "ROOM_ID_REQUIRED", 1004070)
	played := p.ask(playing("r1", "cam")).GetPlaying()
	p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchPlaying{SwitchPlaying: &signalv1.SwitchPlaying{
		Id: played.GetId(), StreamId: "other",
	}}}, "INVALID_ARGUMENT", "ROOM_ID_REQUIRED", 1004070)
	p.ask(logout("r0"))
	p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{
		RoomId: "r6", User: &sfuv1.User{Id: "a", Name: "another name"},
	}}}, "FAILED_PRECONDITION", "USER_MISMATCH", 1002018)
	p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SendMessage{SendMessage: &signalv1.SendMessage{
		RoomId: "r1", Kind: sfuv1.MessageKind_MESSAGE_KIND_BROADCAST,
	}}}, "INVALID_ARGUMENT", "MESSAGE_EMPTY", 1009001)
	p.refused(hello(&signalv1.Hello{Token: x.sign(claims("a"))}), "INVALID_ARGUMENT", "PROTOCOL", 0)
}

// TestPlaying changes a subscription: the client is told each state once, and in order.
func TestPlaying(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	host, p := x.user("host"), x.user("p")
	host.negotiate(1, 0)
	p.negotiate(0, 1)
	for _, room := range []string{"r1", "r2"} {
		host.login(room)
		p.login(room)
	}
	played := p.ask(playing("r1", "cam")).GetPlaying()
	if played.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING {
		t.Errorf("playing %v", played)
	}
	host.ask(publishing("r1", "cam"))
	p.notice("the picture", func(n *signalv1.Notice) bool {
		return n.GetPlaying().GetState() == sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE
	})
	host.ask(publishing("r2", "cam"))
	switching := &signalv1.SwitchPlaying{Id: played.GetId(), RoomId: "r2", StreamId: "cam"}
	now := p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchPlaying{SwitchPlaying: switching}}).GetPlaying()
	diff(t, "after the switch", &signalv1.Playing{
		Id: played.GetId(), RoomId: "r2", StreamId: "cam", State: sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
		Audio: true, Video: true, AudioMid: "0", VideoMid: "1",
	}, now)
	// The event of the switch comes before that of a message that is sent after it. One that comes after the reply to the next
	// request is older than what the client knows by then, and is told all the same.
	host.ask(said("r2"))
	p.notice("that the switch has come", func(n *signalv1.Notice) bool { return n.GetMessage().GetRoomId() == "r2" })
	paused := p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_UpdatePlaying{UpdatePlaying: &signalv1.UpdatePlaying{
		Id: played.GetId(), Paused: new(true),
	}}}).GetPlaying()
	if !paused.GetPaused() {
		t.Errorf("playing %v", paused)
	}
	needs := p.ask(playing("r1", "cam")).GetPlaying()
	if needs.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_NEEDS_NEGOTIATION {
		t.Errorf("playing %v", needs)
	}
	need := p.notice("that lines are needed", func(n *signalv1.Notice) bool { return n.GetNegotiationNeeded() != nil }).GetNegotiationNeeded()
	if need.GetAudio() != 1 || need.GetVideo() != 1 {
		t.Errorf("needed %v", need)
	}
	p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: needs.GetId()}}})
	p.ask(logout("r2"))
	p.ask(ping())
	states := map[string][]sfuv1.SubscriptionState{}
	for _, n := range p.notices() {
		if s := n.GetPlaying(); s != nil {
			states[s.GetId()] = append(states[s.GetId()], s.GetState())
		}
	}
	want := map[string][]sfuv1.SubscriptionState{played.GetId(): {sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE, playingEnded}}
	if d := cmp.Diff(want, states); d != "" {
		t.Errorf("states told (-want +got):\n%s", d)
	}
}

// TestExpiry lets memberships expire and renews them.
func TestExpiry(t *testing.T) {
	node := startNode(t, nil)
	x := startTier(t, newKeys(t), nil, node)
	short := func(user string, d time.Duration) *auth.Claims {
		c := claims(user)
		c.Expires = time.Now().Add(d)
		return c
	}
	renew := func(room string, c *auth.Claims) *signalv1.ClientMessage {
		return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_RenewToken{RenewToken: &signalv1.RenewToken{RoomId: room, Token: x.sign(c)}}}
	}
	p := x.as(short("p", 29*time.Second)) // below the node's warning time
	p.login("r1")
	p.login("r2")
	told := p.notice("the warning", func(n *signalv1.Notice) bool { return n.GetTokenWillExpire() != nil }).GetTokenWillExpire()
	if told.GetExpiresInMs() == 0 || told.GetExpiresInMs() > 29_000 {
		t.Errorf("warning %v", told)
	}
	// Tokens that cannot be it.
	p.refused(renew("", claims("q")), "PERMISSION_DENIED", "TOKEN_MISMATCH", 1002033)
	p.refused(renew("r1", ofApp("other", "p")), "PERMISSION_DENIED", "TOKEN_MISMATCH", 1002033)
	p.refused(renew("r1", granted("p", "r2", everything)), "PERMISSION_DENIED", "ROOM_NOT_GRANTED", 1002033)
	p.refused(renew("r3", claims("p")), "NOT_FOUND", "NOT_A_MEMBER", 1002002)
	older := claims("p")
	older.Issued = time.Now().Add(-time.Hour)
	p.refused(renew("r1", older), "FAILED_PRECONDITION", "TOKEN_OLDER", 0)
	p.refused(renew("", older), "FAILED_PRECONDITION", "TOKEN_OLDER", 0)
	// A newer one that allows less.
	less := granted("p", "r1", auth.Grants{Subscribe: true})
	less.Issued = time.Now().Add(3 * time.Second)
	p.ask(renew("r1", less))
	p.ask(renew("", claims("p")))
	room, err := node.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	m := room.GetMembers()[0]
	if g := m.GetGrants(); g.GetPublish() || g.GetManage() || !g.GetSubscribe() {
		t.Errorf("grants %v", g)
	}
	for _, id := range []string{"r1", "r2"} {
		got, err := node.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: id})
		if err != nil || time.Until(got.GetMembers()[0].GetExpireTime().AsTime()) < 30*time.Minute {
			t.Errorf("%s: %v, %v", id, got.GetMembers(), err)
		}
	}
	changed := p.notice("its new grants", func(n *signalv1.Notice) bool { return n.GetMembership() != nil }).GetMembership()
	diff(t, "its new grants", &signalv1.MembershipChanged{RoomId: "r1", Grants: &sfuv1.Grants{Subscribe: true}}, changed)

	q := x.user("q")
	q.login("r1")
	_, err = node.Room.RenewMember(t.Context(), &sfuv1.RenewMemberRequest{AppId: app, RoomId: "r1", UserId: "q", ExpireTime: timestamppb.New(time.Now().Add(500 * time.Millisecond))})
	if err != nil {
		t.Fatal(err)
	}
	c := x.nodes[0].clientOf(q)
	c.node.mu.Lock()
	c.token.Expires = time.Now()
	c.node.mu.Unlock()
	over := q.notice("the end", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded()
	diff(t, "the end", &signalv1.RoomEnded{RoomId: "r1", Reason: sfuv1.EndReason_END_REASON_EXPIRED, Code: 1002056}, over)
	q.refused(login("r1"), "UNAUTHENTICATED", "TOKEN_EXPIRED", 1002033)
	q.ask(renew("", claims("q")))
	q.login("r1")
}
