// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchyard-media/sfu/internal/control"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func TestLimitsAreAnsweredAndChanged(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	reply, err := n.Node.GetLimits(t.Context(), &sfuv1.GetLimitsRequest{AppId: app})
	if err != nil {
		t.Fatal(err)
	}
	l := reply.GetLimits()
	for name, got := range map[string][2]uint32{
		"rooms per user": {l.GetMaxRoomsPerUser(), 5}, "members per room": {l.GetMaxMembersPerRoom(), 1000},
		"rooms": {l.GetMaxRoomsPerNode(), 10000}, "sessions": {l.GetMaxSessionsPerNode(), 10000},
		"streams": {l.GetMaxStreamsPerUser(), 32}, "subscriptions": {l.GetMaxSubscriptionsPerUser(), 256},
		"payload": {l.GetMessages().GetMaxPayloadBytes(), 1024}, "broadcasts": {l.GetMessages().GetBroadcastPerSecond(), 10},
		"own broadcasts": {l.GetMessages().GetBroadcastPerUserPerSecond(), 2}, "barrage": {l.GetMessages().GetBarragePerSecond(), 20},
		"commands": {l.GetMessages().GetCommandToOnePerSecond(), 200}, "commands to many": {l.GetMessages().GetCommandToManyPerSecond(), 10},
		"metadata": {l.GetMaxMetadataBytes(), 1024}, "metadata keys": {l.GetMaxMetadataKeys(), 32},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
	if !l.GetMultiRoomEnabled() || l.GetDuplicateUserPolicy() != sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REPLACE ||
		l.GetStreamIdScope() != sfuv1.StreamIdScope_STREAM_ID_SCOPE_ROOM {
		t.Errorf("policies: %v", l)
	}

	w := watch(t, n.API, nil)
	ann := signIn(t, n.API, "ann", multi)
	if got := setLimits(t, n.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(7)}); got.GetMaxRoomsPerUser() != 7 || got.GetMaxStreamsPerUser() != 32 {
		t.Errorf("after raising one: %v", got)
	}
	e := await(t, w, "limits", func(e *sfuv1.Event) bool { return e.GetLimits() != nil })
	if e.GetLimits().GetAppId() != app || e.GetLimits().GetLimits().GetMaxRoomsPerUser() != 7 {
		t.Errorf("event %v", e)
	}
	for i := range 7 {
		ann.join(fmt.Sprint("room", i))
	}
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "room7"})
	wantError(t, err, codes.ResourceExhausted, "USER_ROOM_LIMIT", "1002037")
	setLimits(t, n.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(2)})
	if got := ann.session(); len(got.GetRoomIds()) != 7 || got.GetLimits().GetMaxRoomsPerUser() != 2 {
		t.Errorf("over a lowered limit: %d rooms, limit %d, want 7 and 2", len(got.GetRoomIds()), got.GetLimits().GetMaxRoomsPerUser())
	}
	if got := setLimits(t, n.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(0)}); got.GetMaxRoomsPerUser() != 5 {
		t.Errorf("0 brings back %d, want the default of 5", got.GetMaxRoomsPerUser())
	}
	for _, id := range []string{"", "a b", strings.Repeat("a", 64)} {
		_, err = n.Node.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: id, Limits: &sfuv1.Limits{}})
		wantError(t, err, codes.InvalidArgument, "APP_ID_INVALID", "")
	}
	_, err = n.Node.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: app, Limits: &sfuv1.Limits{DuplicateUserPolicy: 99}})
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
}

func TestLimitOfMembersRoomsAndSessions(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob, cem := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi), signIn(t, n.API, "cem", multi)
	setLimits(t, n.API, &sfuv1.Limits{MaxMembersPerRoom: proto.Uint32(2), MaxRoomsPerNode: proto.Uint32(2), MaxSessionsPerNode: proto.Uint32(3)})
	ann.join("a")
	bob.join("a")
	_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: cem.id, RoomId: "a"})
	wantRetry(t, wantError(t, err, codes.ResourceExhausted, "ROOM_FULL", "1002034"))
	cem.join("b")
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: cem.id, RoomId: "c"})
	wantRetry(t, wantError(t, err, codes.ResourceExhausted, "NODE_ROOM_LIMIT", "1002035"))
	_, err = n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: &sfuv1.User{Id: "dia", Name: "Dia"}})
	wantRetry(t, wantError(t, err, codes.ResourceExhausted, "NODE_SESSION_LIMIT", ""))
	bob.leave("a")
	cem.join("a")
	cem.wantRooms("a", "b")
}

func TestLimitOfNode(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) { c.Router.NodeRooms, c.Router.NodeSessions = 1, 2 })
	ann := signIn(t, n.API, "ann", multi)
	other, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "other", User: &sfuv1.User{Id: "ann", Name: "Ann"}})
	if err != nil {
		t.Fatal(err)
	}
	ann.join("a")
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: other.GetSession().GetId(), RoomId: "a"})
	wantRetry(t, wantError(t, err, codes.ResourceExhausted, "NODE_ROOM_LIMIT", "1002035"))
	_, err = n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "third", User: &sfuv1.User{Id: "ann", Name: "Ann"}})
	wantRetry(t, wantError(t, err, codes.ResourceExhausted, "NODE_SESSION_LIMIT", ""))
}

func TestLimitOfStreamsAndSubscriptions(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	setLimits(t, n.API, &sfuv1.Limits{MaxStreamsPerUser: proto.Uint32(2), MaxSubscriptionsPerUser: proto.Uint32(2)})
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, 1)
	ann.join("a")
	ann.join("b")
	ann.publish("a", "one", 0)
	ann.publish("b", "one", 0)
	_, err := n.Stream.Publish(t.Context(), ann.publishing("a", "two", 0))
	wantError(t, err, codes.ResourceExhausted, "STREAM_LIMIT", "")
	ann.subscribe("a", "x")
	ann.subscribe("b", "x")
	_, err = n.Subscription.Subscribe(t.Context(), &sfuv1.SubscribeRequest{SessionId: ann.id, RoomId: "a", StreamId: "y", Audio: true})
	wantError(t, err, codes.ResourceExhausted, "SUBSCRIPTION_LIMIT", "1004010")
	_, err = n.Subscription.SetSubscriptions(t.Context(), &sfuv1.SetSubscriptionsRequest{
		SessionId: ann.id, RoomId: "a", Generation: 1, Desired: []*sfuv1.SubscriptionSpec{{StreamId: "x", Audio: true}, {StreamId: "y", Audio: true}},
	})
	wantError(t, err, codes.ResourceExhausted, "SUBSCRIPTION_LIMIT", "1004010")
	if got := ann.subscriptions(""); len(got) != 2 {
		t.Errorf("%d subscriptions after refused calls, want 2", len(got))
	}
}

func TestLimitOfMetadata(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	setLimits(t, n.API, &sfuv1.Limits{MaxMetadataKeys: proto.Uint32(2)})
	ann := signIn(t, n.API, "ann", multi)
	ann.join("a")
	ann.negotiate(1, 0)
	ann.publish("a", "cam", 0)
	set := func(key, value string) error {
		_, err := n.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "a", Key: key, Value: &value})
		return err
	}
	for _, key := range []string{"one", "two", "one"} {
		if err := set(key, strings.Repeat("v", 1024)); err != nil {
			t.Error(err)
		}
	}
	wantError(t, set("three", "v"), codes.ResourceExhausted, "METADATA_LIMIT", "1002017")
	wantError(t, set("one", strings.Repeat("v", 1025)), codes.InvalidArgument, "METADATA_TOO_LONG", "1003051")
	wantError(t, set("", "v"), codes.InvalidArgument, "METADATA_KEY_INVALID", "1002014")
	wantError(t, set(strings.Repeat("k", 128), "v"), codes.InvalidArgument, "METADATA_KEY_INVALID", "1002014")
	long := strings.Repeat("m", 1025)
	_, err := n.Stream.SetStreamMetadata(t.Context(), &sfuv1.SetStreamMetadataRequest{AppId: app, RoomId: "a", StreamId: "cam", Metadata: long})
	wantError(t, err, codes.InvalidArgument, "METADATA_TOO_LONG", "1003051")
	_, err = n.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{AppId: app, RoomId: "a", UserId: "ann", Metadata: &long})
	wantError(t, err, codes.InvalidArgument, "METADATA_TOO_LONG", "1003051")
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "b", Metadata: long})
	wantError(t, err, codes.InvalidArgument, "METADATA_TOO_LONG", "1003051")
}

func TestLimitOfBans(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) { c.Router.Bans = 1 })
	for _, user := range []string{"ann", "bob"} {
		signIn(t, n.API, user, multi).join("a")
	}
	kick := func(user string) error {
		_, err := n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "a", UserId: user, BanFor: durationpb.New(time.Hour)})
		return err
	}
	if err := kick("ann"); err != nil {
		t.Fatal(err)
	}
	wantError(t, kick("bob"), codes.ResourceExhausted, "BAN_LIMIT", "")
	if got := getRoom(t, n.API, "a").GetMembers(); len(got) != 1 {
		t.Errorf("members %v after a refused kick, want bob", got)
	}
}

func TestDuplicateUser(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	w := watch(t, n.API, nil)
	first := signIn(t, n.API, "ann", multi)
	first.join("a")
	second := signIn(t, n.API, "ann", multi) // REPLACE is the default
	e := await(t, w, "end of the first session", func(e *sfuv1.Event) bool {
		return e.GetSessionId() == first.id && e.GetSessionState().GetSession().GetState() == sfuv1.SessionState_SESSION_STATE_CLOSED
	})
	if e.GetSessionState().GetReason() != sfuv1.EndReason_END_REASON_DUPLICATE_USER {
		t.Errorf("closed for %v, want DUPLICATE_USER", e.GetSessionState().GetReason())
	}
	_, err := n.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: first.id})
	wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
	second.wantRooms()

	setLimits(t, n.API, &sfuv1.Limits{DuplicateUserPolicy: sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REJECT})
	_, err = n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: second.user, RoomMode: multi})
	wantError(t, err, codes.AlreadyExists, "USER_EXISTS", "1002050")
	second.join("a")
	if _, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "other", User: second.user}); err != nil {
		t.Errorf("the same user id in another app: %v", err)
	}
}

func TestStreamIDScope(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	for _, s := range []*signaler{ann, bob} {
		s.negotiate(1, 0)
		s.join("a")
		s.join("b")
	}
	ann.publish("a", "cam", 0)
	_, err := n.Stream.Publish(t.Context(), bob.publishing("a", "cam", 0))
	wantError(t, err, codes.AlreadyExists, "STREAM_EXISTS", "1003028")
	bob.publish("b", "cam", 0) // by default only the room counts
	if _, err := n.Stream.Unpublish(t.Context(), &sfuv1.UnpublishRequest{SessionId: bob.id, RoomId: "b", StreamId: "cam"}); err != nil {
		t.Fatal(err)
	}
	setLimits(t, n.API, &sfuv1.Limits{StreamIdScope: sfuv1.StreamIdScope_STREAM_ID_SCOPE_NODE})
	_, err = n.Stream.Publish(t.Context(), bob.publishing("b", "cam", 0))
	wantError(t, err, codes.AlreadyExists, "STREAM_EXISTS", "1003028")
	if st := ann.publish("b", "cam", 0); st.GetRoomId() != "b" { // the owner may, says the API
		t.Errorf("published %v", st)
	}
}

func TestUnknownApp(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.OnlyNamedApps = true
		c.Router.Apps = map[string]router.App{app: {MultiRoom: true}}
	})
	signIn(t, n.API, "ann", multi).join("a")
	_, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "other", User: &sfuv1.User{Id: "ann", Name: "Ann"}})
	wantError(t, err, codes.PermissionDenied, "UNKNOWN_APP", "")
	_, err = n.Node.GetLimits(t.Context(), &sfuv1.GetLimitsRequest{AppId: "other"})
	wantError(t, err, codes.PermissionDenied, "UNKNOWN_APP", "")
}
