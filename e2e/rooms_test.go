// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestIsolation lets things happen in rooms a and b, and looks for any of it at watchers of c, of an outsider, and of another app.
func TestIsolation(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob, cem := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi), signIn(t, n.API, "cem", multi)
	cem.join("c")
	filters := map[string]*sfuv1.EventFilter{
		"room": {Rooms: []string{"c"}}, "session": {Sessions: []string{cem.id}}, "app": {Apps: []string{"other"}},
	}
	watchers := make(map[string]*sfutest.Watcher)
	for name, filter := range filters {
		watchers[name] = watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: filter})
	}
	inRooms(t, ann, bob, "a", "b")
	send(t, n.API, message("a", "ann", broadcast, "only in a"))
	ann.leave("a")
	if _, err := n.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "b", Key: "k", Value: new("v")}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Room.CloseRoom(t.Context(), &sfuv1.CloseRoomRequest{AppId: app, RoomId: "b"}); err != nil {
		t.Fatal(err)
	}
	send(t, n.API, serverCommand("c", "in c"))
	for name, w := range watchers {
		reach(t, w, n.API)
		messages := 0
		for _, e := range w.Events() {
			if e.GetRoomId() != "" && (e.GetRoomId() != "c" || name == "app") {
				t.Errorf("the %s watcher got %v", name, e)
			}
			if e.GetMessage() != nil {
				messages++
			}
		}
		if want := map[string]int{"room": 1, "session": 0, "app": 0}[name]; messages != want {
			t.Errorf("the %s watcher got %d messages, want %d", name, messages, want)
		}
	}
}

func TestKickAndBan(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	w := watch(t, n.API, nil)
	kick := &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: "ann", Reason: "noise", BanFor: durationpb.New(time.Hour)}
	reply, err := n.Room.KickUser(t.Context(), kick)
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 1, 1, 2)
	ann.wantRooms("b")
	wantIntact(t, ann, bob, "b")
	reach(t, w, n.API)
	var order []string
	for _, e := range w.Events() {
		switch {
		case e.GetLayers() != nil: // of what slots show: it comes when it comes
		case e.GetRoomId() == "b":
			t.Errorf("kicking from a made %v", e)
		case e.GetMemberKicked() != nil:
			order = append(order, "kicked")
			if k := e.GetMemberKicked(); k.GetDetail() != "noise" || k.GetReason() != sfuv1.EndReason_END_REASON_KICKED || k.GetBanUntil() == nil {
				t.Errorf("kicked: %v", k)
			}
		case e.GetStreamRemoved() != nil:
			order = append(order, "stream")
		case e.GetMemberLeft() != nil:
			order = append(order, "left")
		}
	}
	if want := []string{"kicked", "stream", "left"}; !slices.Equal(order, want) {
		t.Errorf("order of events %q, want %q", order, want)
	}
	join := func() error {
		_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "a"})
		return err
	}
	wantRetry(t, wantError(t, join(), codes.PermissionDenied, "BANNED", "1002066"))
	ann.leave("b")
	ann.join("b")                                       // a ban is of one room
	kick.BanFor = durationpb.New(20 * time.Millisecond) // instead of the hour
	if _, err := n.Room.KickUser(t.Context(), kick); err != nil {
		t.Fatal(err)
	}
	if !sfutest.Eventually(deadline(t), func() bool { return join() == nil }) {
		t.Error("the ban does not end")
	}
	_, err = n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: "zoe"})
	wantError(t, err, codes.NotFound, "NOT_A_MEMBER", "1002002")
	_, err = n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "zzz", UserId: "ann"})
	wantError(t, err, codes.NotFound, "ROOM_NOT_FOUND", "")
	_, err = n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: "ann", BanFor: durationpb.New(-time.Second)})
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
}

// TestBanOfSomebodyAbsent bans who has left a moment ago.
func TestBanOfSomebodyAbsent(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	fullRoom(t, n.API, "a", "bob")
	ann := signIn(t, n.API, "ann", multi)
	kick := &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: "ann", BanFor: durationpb.New(time.Hour), Incarnation: 1}
	_, err := n.Room.KickUser(t.Context(), kick)
	wantError(t, err, codes.Aborted, "STALE_INCARNATION", "")
	kick.Incarnation = 0
	reply, err := n.Room.KickUser(t.Context(), kick)
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 0, 0, 0)
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "a"})
	wantRetry(t, wantError(t, err, codes.PermissionDenied, "BANNED", "1002066"))
}

func TestCloseRoom(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	w := watch(t, n.API, nil)
	reply, err := n.Room.CloseRoom(t.Context(), &sfuv1.CloseRoomRequest{AppId: app, RoomId: "a", Reason: "end of lesson"})
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 2, 2, 2) // rooms counts memberships
	_, err = n.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "a"})
	wantError(t, err, codes.NotFound, "ROOM_NOT_FOUND", "")
	_, err = n.Room.CloseRoom(t.Context(), &sfuv1.CloseRoomRequest{AppId: app, RoomId: "a"})
	wantError(t, err, codes.NotFound, "ROOM_NOT_FOUND", "")
	for _, s := range []*signaler{ann, bob} {
		s.wantRooms("b")
	}
	wantIntact(t, ann, bob, "b")
	e := await(t, w, "room closed", func(e *sfuv1.Event) bool { return e.GetRoomClosed() != nil })
	if c := e.GetRoomClosed(); e.GetRoomId() != "a" || c.GetReason() != sfuv1.EndReason_END_REASON_ROOM_CLOSED || c.GetDetail() != "end of lesson" {
		t.Errorf("%v", e)
	}
}

// TestIncarnationFences makes a room again under its id, after which commands meant for the first one must not hit the second.
func TestIncarnationFences(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, 1)
	old := ann.join("a").GetIncarnation()
	ann.leave("a")
	now := ann.join("a").GetIncarnation()
	if now <= old {
		t.Fatalf("incarnation %d after %d, want a larger one", now, old)
	}
	ann.publish("a", "cam", 0)
	ctx := t.Context()
	calls := map[string]func(incarnation uint64) error{
		"LeaveRoom": func(i uint64) error {
			_, err := n.Room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: ann.id, RoomId: "a", Incarnation: i})
			return err
		},
		"SwitchRoom": func(i uint64) error {
			_, err := n.Room.SwitchRoom(ctx, &sfuv1.SwitchRoomRequest{SessionId: ann.id, From: "a", To: "b", Incarnation: i})
			return err
		},
		"KickUser": func(i uint64) error {
			_, err := n.Room.KickUser(ctx, &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: "ann", Incarnation: i})
			return err
		},
		"CloseRoom": func(i uint64) error {
			_, err := n.Room.CloseRoom(ctx, &sfuv1.CloseRoomRequest{AppId: app, RoomId: "a", Incarnation: i})
			return err
		},
		"UpdateMember": func(i uint64) error {
			_, err := n.Room.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{AppId: app, RoomId: "a", UserId: "ann", Incarnation: i, Metadata: new("x")})
			return err
		},
		"RenewMember": func(i uint64) error {
			_, err := n.Room.RenewMember(ctx, &sfuv1.RenewMemberRequest{AppId: app, RoomId: "a", UserId: "ann", Incarnation: i})
			return err
		},
		"SetRoomMetadata": func(i uint64) error {
			_, err := n.Room.SetRoomMetadata(ctx, &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "a", Key: "k", Value: new("x"), Incarnation: i})
			return err
		},
		"Publish": func(i uint64) error {
			request := ann.publishing("a", "screen", 0)
			request.Incarnation = i
			_, err := n.Stream.Publish(ctx, request)
			return err
		},
		"Unpublish": func(i uint64) error {
			_, err := n.Stream.Unpublish(ctx, &sfuv1.UnpublishRequest{SessionId: ann.id, RoomId: "a", StreamId: "cam", Incarnation: i})
			return err
		},
		"MuteStream": func(i uint64) error {
			_, err := n.Stream.MuteStream(ctx, &sfuv1.MuteStreamRequest{AppId: app, RoomId: "a", StreamId: "cam", AudioMuted: new(true), Incarnation: i})
			return err
		},
		"SetStreamMetadata": func(i uint64) error {
			_, err := n.Stream.SetStreamMetadata(ctx, &sfuv1.SetStreamMetadataRequest{AppId: app, RoomId: "a", StreamId: "cam", Metadata: "x", Incarnation: i})
			return err
		},
		"RequestKeyframe": func(i uint64) error {
			_, err := n.Stream.RequestKeyframe(ctx, &sfuv1.RequestKeyframeRequest{AppId: app, RoomId: "a", StreamId: "cam", Incarnation: i})
			return err
		},
		"Subscribe": func(i uint64) error {
			_, err := n.Subscription.Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: ann.id, RoomId: "a", StreamId: "cam", Audio: true, Incarnation: i})
			return err
		},
		"SetSubscriptions": func(i uint64) error {
			_, err := n.Subscription.SetSubscriptions(ctx, &sfuv1.SetSubscriptionsRequest{SessionId: ann.id, RoomId: "a", Generation: 1, Incarnation: i})
			return err
		},
		"SendRoomMessage": func(i uint64) error {
			request := message("a", "ann", command, "x")
			request.Incarnation = i
			_, err := n.Message.SendRoomMessage(ctx, request)
			return err
		},
	}
	before := revision(t, n.API)
	for name, call := range calls {
		f := wantError(t, call(old), codes.Aborted, "STALE_INCARNATION", "")
		if got := f.info.GetMetadata()["current"]; got != strconv.FormatUint(now, 10) {
			t.Errorf("%s: current incarnation %q, want %d", name, got, now)
		}
	}
	if after := revision(t, n.API); after != before {
		t.Errorf("refused calls made %d events", after-before)
	}
	for _, name := range []string{"UpdateMember", "SetRoomMetadata", "Publish", "MuteStream", "Subscribe", "SendRoomMessage", "LeaveRoom"} {
		if err := calls[name](now); err != nil {
			t.Errorf("%s with the current incarnation: %v", name, err)
		}
	}
}

func TestSessionEpochFences(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ctx := t.Context()
	create := func() *sfuv1.Session {
		reply, err := n.Session.CreateSession(ctx, &sfuv1.CreateSessionRequest{AppId: app, SessionId: "s-1", User: &sfuv1.User{Id: "ann", Name: "Ann"}, RoomMode: multi})
		if err != nil {
			t.Fatal(err)
		}
		return reply.GetSession()
	}
	closing := func(epoch uint64) error {
		_, err := n.Session.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: "s-1", SessionEpoch: epoch})
		return err
	}
	old := create().GetEpoch()
	if err := closing(old); err != nil {
		t.Fatal(err)
	}
	now := create().GetEpoch()
	if now == old {
		t.Fatal("two sessions have one epoch")
	}
	join := func(epoch uint64) error {
		_, err := n.Room.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: "s-1", RoomId: "a", SessionEpoch: epoch})
		return err
	}
	if err := join(now); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"JoinRoom":     func() error { return join(old) },
		"CloseSession": func() error { return closing(old) },
		"Negotiate": func() error {
			_, err := n.Session.Negotiate(ctx, &sfuv1.NegotiateRequest{SessionId: "s-1", SessionEpoch: old, OfferSdp: offerOf(t, 0, 1), OfferId: 1})
			return err
		},
		"AddIceCandidates": func() error {
			_, err := n.Session.AddIceCandidates(ctx, &sfuv1.AddIceCandidatesRequest{SessionId: "s-1", SessionEpoch: old, End: true})
			return err
		},
		"LeaveRoom": func() error {
			_, err := n.Room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: "s-1", RoomId: "a", SessionEpoch: old})
			return err
		},
		"LeaveAllRooms": func() error {
			_, err := n.Room.LeaveAllRooms(ctx, &sfuv1.LeaveAllRoomsRequest{SessionId: "s-1", SessionEpoch: old})
			return err
		},
		"SwitchRoom": func() error {
			_, err := n.Room.SwitchRoom(ctx, &sfuv1.SwitchRoomRequest{SessionId: "s-1", From: "a", To: "b", SessionEpoch: old})
			return err
		},
		"Publish": func() error {
			_, err := n.Stream.Publish(ctx, &sfuv1.PublishRequest{SessionId: "s-1", RoomId: "a", StreamId: "cam", AudioMid: "0", SessionEpoch: old})
			return err
		},
		"Subscribe": func() error {
			_, err := n.Subscription.Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: "s-1", RoomId: "a", StreamId: "cam", Audio: true, SessionEpoch: old})
			return err
		},
		"SetSubscriptions": func() error {
			_, err := n.Subscription.SetSubscriptions(ctx, &sfuv1.SetSubscriptionsRequest{SessionId: "s-1", RoomId: "a", SessionEpoch: old})
			return err
		},
		"UpdateMember": func() error {
			_, err := n.Room.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{SessionId: "s-1", RoomId: "a", SessionEpoch: old, Metadata: new("x")})
			return err
		},
		"RenewMember": func() error {
			_, err := n.Room.RenewMember(ctx, &sfuv1.RenewMemberRequest{SessionId: "s-1", RoomId: "a", SessionEpoch: old})
			return err
		},
	} {
		f := wantError(t, call(), codes.Aborted, "STALE_EPOCH", "")
		if got := f.info.GetMetadata()["current"]; got != strconv.FormatUint(now, 10) {
			t.Errorf("%s: current epoch %q, want %d", name, got, now)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ctx := t.Context()
	request := &sfuv1.CreateSessionRequest{RequestId: "r-1", AppId: app, User: &sfuv1.User{Id: "ann", Name: "Ann"}, RoomMode: multi}
	first, err := n.Session.CreateSession(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.Session.CreateSession(ctx, request)
	if err != nil || again.GetSession().GetId() != first.GetSession().GetId() || again.GetSession().GetEpoch() != first.GetSession().GetEpoch() {
		t.Errorf("the same request: %v, %v, want %v", again, err, first)
	}
	other := proto.CloneOf(request)
	other.User.Id = "bob"
	_, err = n.Session.CreateSession(ctx, other)
	wantError(t, err, codes.InvalidArgument, "REQUEST_ID_REUSED", "")

	// Only successes are kept: a call that failed may be made again under its id.
	join := &sfuv1.JoinRoomRequest{RequestId: "r-2", SessionId: first.GetSession().GetId(), RoomId: "a"}
	setLimits(t, n.API, &sfuv1.Limits{MultiRoomEnabled: new(false)})
	_, err = n.Room.JoinRoom(ctx, join)
	wantError(t, err, codes.PermissionDenied, "MULTI_ROOM_DISABLED", "1002036")
	setLimits(t, n.API, &sfuv1.Limits{MultiRoomEnabled: new(true)})
	joined, err := n.Room.JoinRoom(ctx, join)
	if err != nil || joined.GetRepeatedJoin() {
		t.Errorf("after a failure: %v, %v", joined, err)
	}
	if joined, err = n.Room.JoinRoom(ctx, join); err != nil || joined.GetRepeatedJoin() {
		t.Errorf("the same again: %v, %v, want the first answer", joined, err)
	}

	// A repeat of a leave is answered the same; without request_id it would be NOT_FOUND.
	leave := &sfuv1.LeaveRoomRequest{RequestId: "r-3", SessionId: first.GetSession().GetId(), RoomId: "a"}
	for range 2 {
		reply, err := n.Room.LeaveRoom(ctx, leave)
		if err != nil {
			t.Fatal(err)
		}
		wantEnded(t, reply.GetEnded(), 1, 0, 0)
	}
	long := proto.CloneOf(leave)
	long.RequestId = string(make([]byte, 65))
	_, err = n.Room.LeaveRoom(ctx, long)
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
}

func TestRoomMetadata(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	signIn(t, n.API, "ann", multi).join("a")
	w := watch(t, n.API, nil)
	set := func(key string, value *string, etag string) (*sfuv1.RoomMetadata, error) {
		reply, err := n.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "a", Key: key, Value: value, Etag: etag})
		return reply.GetMetadata(), err
	}
	first, err := set("topic", new("one"), "")
	if err != nil || first.GetEtag() == "" || first.GetValue() != "one" {
		t.Fatalf("%v, %v", first, err)
	}
	second, err := set("topic", new("two"), first.GetEtag())
	if err != nil || second.GetEtag() == first.GetEtag() {
		t.Fatalf("%v, %v", second, err)
	}
	_, err = set("topic", new("three"), first.GetEtag())
	wantError(t, err, codes.Aborted, "STALE_ETAG", "")
	_, err = set("topic", nil, first.GetEtag())
	wantError(t, err, codes.Aborted, "STALE_ETAG", "")
	if got := getRoom(t, n.API, "a").GetMetadata(); len(got) != 1 || got[0].GetValue() != "two" {
		t.Errorf("metadata %v, want the second value", got)
	}
	removed, err := set("topic", nil, second.GetEtag())
	if err != nil || removed.GetValue() != "" || removed.GetEtag() != "" {
		t.Errorf("removed: %v, %v, want an empty value and etag", removed, err)
	}
	if got := getRoom(t, n.API, "a").GetMetadata(); len(got) != 0 {
		t.Errorf("metadata %v after removing it", got)
	}
	e := await(t, w, "removal", func(e *sfuv1.Event) bool { return e.GetRoomMetadata().GetRemoved() })
	if m := e.GetRoomMetadata().GetMetadata(); m.GetKey() != "topic" || m.GetValue() != "two" {
		t.Errorf("%v, want the key as it was", m)
	}
	_, err = n.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "none", Key: "k", Value: new("v")})
	wantError(t, err, codes.NotFound, "ROOM_NOT_FOUND", "")
}

func TestSwitchRoom(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "x")
	w := watch(t, n.API, nil)
	request := &sfuv1.SwitchRoomRequest{SessionId: ann.id, From: "a", To: "b", Grants: &sfuv1.Grants{Subscribe: true}}
	reply, err := n.Room.SwitchRoom(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if reply.GetMember().GetRoomId() != "b" || !proto.Equal(reply.GetMember().GetGrants(), request.GetGrants()) || len(reply.GetSnapshot().GetMembers()) != 1 {
		t.Errorf("%v", reply)
	}
	ann.wantRooms("b", "x")
	wantIntact(t, ann, bob, "x")
	reach(t, w, n.API)
	left := -1
	for i, e := range w.Events() {
		if e.GetMemberLeft() != nil {
			left = i
			if e.GetMemberLeft().GetReason() != sfuv1.EndReason_END_REASON_MOVED {
				t.Errorf("left for %v, want MOVED", e.GetMemberLeft().GetReason())
			}
		}
		if e.GetMemberJoined() != nil && left < 0 {
			t.Error("joined the new room before it left the old one")
		}
	}
	// All or nothing: a join that fails leaves the old room as it was.
	if _, err := n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "x", UserId: "bob", BanFor: durationpb.New(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	before := revision(t, n.API)
	_, err = n.Room.SwitchRoom(t.Context(), &sfuv1.SwitchRoomRequest{SessionId: bob.id, From: "a", To: "x"})
	wantError(t, err, codes.PermissionDenied, "BANNED", "1002066")
	_, err = n.Room.SwitchRoom(t.Context(), &sfuv1.SwitchRoomRequest{SessionId: bob.id, From: "nowhere", To: "b"})
	wantError(t, err, codes.NotFound, "NOT_A_MEMBER", "1002002")
	_, err = n.Room.SwitchRoom(t.Context(), &sfuv1.SwitchRoomRequest{SessionId: bob.id, From: "a", To: "not a room"})
	wantError(t, err, codes.InvalidArgument, "ROOM_ID_INVALID", "1002012")
	bob.wantRooms("a")
	if got := revision(t, n.API); got != before {
		t.Errorf("refused switches made %d events", got-before)
	}
	// At the limit a switch is no more than one room for another.
	for _, room := range []string{"c", "d", "e"} {
		ann.join(room)
	}
	if _, err := n.Room.SwitchRoom(t.Context(), &sfuv1.SwitchRoomRequest{SessionId: ann.id, From: "e", To: "f"}); err != nil {
		t.Errorf("switching at the limit: %v", err)
	}
	ann.wantRooms("b", "c", "d", "f", "x")
}

func TestMoveMembers(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	users := fullRoom(t, n.API, "hall", "ann", "bob", "cem", "dia")
	setLimits(t, n.API, &sfuv1.Limits{MaxMembersPerRoom: proto.Uint32(4)})
	if _, err := n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "hall", UserId: "dia", BanFor: durationpb.New(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	reply, err := n.Room.MoveMembers(t.Context(), &sfuv1.MoveMembersRequest{AppId: app, Batch: []*sfuv1.Move{
		{UserId: "ann", From: "hall", To: "group1"},
		{UserId: "zoe", From: "hall", To: "group1"},
		{UserId: "bob", From: "elsewhere", To: "group1"},
		{UserId: "cem", From: "hall", To: "group2", Grants: &sfuv1.Grants{Publish: true}},
		{UserId: "dia", To: "hall"},
		{UserId: "dia", To: "group2"},
		{UserId: "bob", From: "hall", To: "bad room"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		room, reason, zego string
		code               codes.Code
	}{
		{room: "group1"},
		{reason: "SESSION_NOT_FOUND", code: codes.NotFound},
		{reason: "NOT_A_MEMBER", zego: "1002002", code: codes.NotFound},
		{room: "group2"},
		{reason: "BANNED", zego: "1002066", code: codes.PermissionDenied},
		{room: "group2"},
		{reason: "ROOM_ID_INVALID", zego: "1002012", code: codes.InvalidArgument},
	}
	if len(reply.GetResults()) != len(want) {
		t.Fatalf("%d results, want %d", len(reply.GetResults()), len(want))
	}
	for i, r := range reply.GetResults() {
		e := r.GetError()
		if r.GetMember().GetRoomId() != want[i].room || e.GetReason() != want[i].reason || codes.Code(e.GetCode()) != want[i].code || e.GetMetadata()["zego_code"] != want[i].zego {
			t.Errorf("item %d: %v, want %+v", i, r, want[i])
		}
	}
	users["ann"].wantRooms("group1")
	users["bob"].wantRooms("hall")
	users["cem"].wantRooms("group2")
	users["dia"].wantRooms("group2")
	if g := reply.GetResults()[3].GetMember().GetGrants(); !g.GetPublish() || g.GetSubscribe() {
		t.Errorf("grants %v, want publish only", g)
	}
	// And all back at the end, in one call.
	batch := []*sfuv1.Move{{UserId: "ann", From: "group1", To: "hall"}, {UserId: "cem", From: "group2", To: "hall"}}
	if reply, err = n.Room.MoveMembers(t.Context(), &sfuv1.MoveMembersRequest{AppId: app, Batch: batch}); err != nil {
		t.Fatal(err)
	}
	for i, r := range reply.GetResults() {
		if r.GetError() != nil {
			t.Errorf("back %d: %v", i, r)
		}
	}
	if got := getRoom(t, n.API, "hall"); len(got.GetMembers()) != 3 {
		t.Errorf("%d members in the hall, want 3", len(got.GetMembers()))
	}
	_, err = n.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: "group1"})
	wantError(t, err, codes.NotFound, "ROOM_NOT_FOUND", "")
}

func TestMemberExpires(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.ExpiryWarning, c.TickEvery = time.Hour, 20*time.Millisecond
	})
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	w := watch(t, n.API, nil)
	renew := func(user string, at *timestamppb.Timestamp) (*sfuv1.Member, error) {
		reply, err := n.Room.RenewMember(t.Context(), &sfuv1.RenewMemberRequest{AppId: app, RoomId: "a", UserId: user, ExpireTime: at})
		return reply.GetMember(), err
	}
	soon := timestamppb.New(time.Now().Add(time.Minute).Truncate(time.Microsecond))
	m, err := renew("ann", soon)
	if err != nil || !m.GetExpireTime().AsTime().Equal(soon.AsTime()) {
		t.Fatalf("%v, %v", m, err)
	}
	expiring := func(user string) func(e *sfuv1.Event) bool {
		return func(e *sfuv1.Event) bool { return e.GetMemberExpiring().GetMember().GetUser().GetId() == user }
	}
	if e := await(t, w, "the warning", expiring("ann")); !e.GetMemberExpiring().GetMember().GetExpireTime().AsTime().Equal(soon.AsTime()) {
		t.Errorf("%v", e)
	}
	if m, err = renew("ann", nil); err != nil || m.GetExpireTime() != nil {
		t.Errorf("renewed for ever: %v, %v", m, err)
	}
	_, err = renew("ann", timestamppb.New(time.Now().Add(-time.Hour)))
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
	_, err = renew("zoe", nil)
	wantError(t, err, codes.NotFound, "NOT_A_MEMBER", "1002002")

	if _, err = renew("bob", timestamppb.New(time.Now().Add(3*time.Second))); err != nil {
		t.Fatal(err)
	}
	await(t, w, "the warning", expiring("bob"))
	e := await(t, w, "the end", func(e *sfuv1.Event) bool { return e.GetMemberLeft().GetMember().GetUser().GetId() == "bob" })
	if e.GetMemberLeft().GetReason() != sfuv1.EndReason_END_REASON_EXPIRED {
		t.Errorf("left for %v, want EXPIRED", e.GetMemberLeft().GetReason())
	}
	bob.wantRooms("b")
	ann.wantRooms("a", "b")
	wantIntact(t, ann, bob, "b")
}

func TestUpdateMember(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	w := watch(t, n.API, nil)
	update := func(grants *sfuv1.Grants) *sfuv1.Member {
		t.Helper()
		reply, err := n.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{SessionId: ann.id, RoomId: "a", Grants: grants})
		if err != nil {
			t.Fatal(err)
		}
		return reply.GetMember()
	}
	if m := update(&sfuv1.Grants{Subscribe: true, Message: true}); m.GetGrants().GetPublish() {
		t.Errorf("%v", m)
	}
	if got := getRoom(t, n.API, "a"); len(got.GetStreams()) != 1 || got.GetStreams()[0].GetUser().GetId() != "bob" {
		t.Errorf("streams %v without the grant to publish, want bob's", got.GetStreams())
	}
	e := await(t, w, "the stream's end", func(e *sfuv1.Event) bool { return e.GetStreamRemoved() != nil })
	if e.GetStreamRemoved().GetReason() != sfuv1.EndReason_END_REASON_GRANTS_CHANGED {
		t.Errorf("removed for %v", e.GetStreamRemoved().GetReason())
	}
	_, err := n.Stream.Publish(t.Context(), ann.publishing("a", "cam", 0))
	wantError(t, err, codes.PermissionDenied, "PUBLISH_DENIED", "1003025")
	update(&sfuv1.Grants{Publish: true})
	if got := ann.subscriptions("a"); len(got) != 0 {
		t.Errorf("subscriptions %v without the grant", got)
	}
	_, err = n.Subscription.Subscribe(t.Context(), &sfuv1.SubscribeRequest{SessionId: ann.id, RoomId: "a", StreamId: "bob-cam", Audio: true})
	wantError(t, err, codes.PermissionDenied, "SUBSCRIBE_DENIED", "1004025")
	ann.publish("a", "ann-cam", 0)
	wantIntact(t, ann, bob, "b")
	_, err = n.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{AppId: app, RoomId: "a", UserId: "bob", SessionId: ann.id})
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
}

func TestListRoomsAndSessions(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	setLimits(t, n.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(30)})
	ann := signIn(t, n.API, "ann", multi)
	var want []string
	for i := range 25 {
		room := fmt.Sprintf("group-%02d", i)
		ann.join(room)
		want = append(want, room)
	}
	signIn(t, n.API, "bob", multi).join("hall")
	var got []string
	page := &sfuv1.Page{Size: 10}
	for pages := 1; ; pages++ {
		reply, err := n.Room.ListRooms(t.Context(), &sfuv1.ListRoomsRequest{Filter: &sfuv1.RoomFilter{AppId: app, Prefix: "group-"}, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reply.GetRooms() {
			got = append(got, r.GetId())
			if r.GetMemberCount() != 1 {
				t.Errorf("%v, want one member", r)
			}
		}
		if page.Token = reply.GetNextPageToken(); page.GetToken() == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("rooms %q, want %q", got, want)
	}
	reply, err := n.Session.ListSessions(t.Context(), &sfuv1.ListSessionsRequest{Filter: &sfuv1.SessionFilter{AppId: app, RoomId: "hall"}})
	if err != nil || len(reply.GetSessions()) != 1 || reply.GetSessions()[0].GetUser().GetId() != "bob" {
		t.Errorf("sessions in the hall: %v, %v, want bob's", reply, err)
	}
	_, err = n.Room.ListRooms(t.Context(), &sfuv1.ListRoomsRequest{Page: &sfuv1.Page{Token: "no such token"}})
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
}
