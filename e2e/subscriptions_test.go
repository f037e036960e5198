// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	active           = sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE
	pending          = sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING
	needsNegotiation = sfuv1.SubscriptionState_SUBSCRIPTION_STATE_NEEDS_NEGOTIATION
)

func wantState(t *testing.T, sub *sfuv1.Subscription, state sfuv1.SubscriptionState) {
	t.Helper()
	if sub.GetState() != state {
		t.Errorf("subscription to %s/%s is %v, want %v", sub.GetRoomId(), sub.GetStreamId(), sub.GetState(), state)
	}
	if bound := sub.GetAudioMid() != "" || sub.GetVideoMid() != ""; bound != (state == active) {
		t.Errorf("subscription to %s/%s is %v with slots %q and %q", sub.GetRoomId(), sub.GetStreamId(), sub.GetState(), sub.GetAudioMid(), sub.GetVideoMid())
	}
}

func TestPendingSubscriptionStarts(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.join("a")
	bob.join("a")
	bob.negotiate(0, 1)
	w := watch(t, n.API, nil)
	sub := bob.subscribe("a", "ann-cam").GetSubscription()
	wantState(t, sub, pending)
	if again := bob.subscribe("a", "ann-cam").GetSubscription(); again.GetId() != sub.GetId() {
		t.Errorf("the same call makes another subscription: %v", again)
	}
	ann.negotiate(1, 0)
	if st := ann.publish("a", "ann-cam", 0); st.GetState() != sfuv1.StreamState_STREAM_STATE_WAITING {
		t.Errorf("stream without media is %v, want WAITING", st.GetState())
	}
	e := await(t, w, "the start", func(e *sfuv1.Event) bool { return e.GetSubscriptionState().GetSubscription().GetState() == active })
	if got := e.GetSubscriptionState().GetSubscription(); got.GetId() != sub.GetId() || e.GetSessionId() != bob.id || e.GetRoomId() != "a" {
		t.Errorf("%v", e)
	}
	wantState(t, bob.subscriptions("a")[0], active)
	reply, err := n.Stream.Unpublish(t.Context(), &sfuv1.UnpublishRequest{SessionId: ann.id, RoomId: "a", StreamId: "ann-cam"})
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 0, 1, 1)
	_, err = n.Stream.Unpublish(t.Context(), &sfuv1.UnpublishRequest{SessionId: ann.id, RoomId: "a", StreamId: "ann-cam"})
	wantError(t, err, codes.NotFound, "STREAM_NOT_FOUND", "1004002")
}

func TestSubscriptionNeedsSlots(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.negotiate(1, 0)
	ann.join("a")
	bob.join("a")
	for i := range 3 {
		ann.publish("a", fmt.Sprint("cam", i), 0)
	}
	w := watch(t, n.API, nil)
	var last *sfuv1.SubscribeResponse
	for i := range 3 {
		last = bob.subscribe("a", fmt.Sprint("cam", i))
		wantState(t, last.GetSubscription(), needsNegotiation)
	}
	if m := last.GetNegotiationNeeded(); m.GetAudio() != 3 || m.GetVideo() != 3 {
		t.Errorf("slots missing: %v, want 3 and 3", m)
	}
	await(t, w, "negotiation needed", func(e *sfuv1.Event) bool {
		return e.GetSessionId() == bob.id && e.GetNegotiationNeeded().GetAudio() == 3 && e.GetNegotiationNeeded().GetVideo() == 3
	})
	reply := bob.negotiate(0, 2)
	if m := reply.GetNegotiationNeeded(); m.GetAudio() != 1 || m.GetVideo() != 1 {
		t.Errorf("still missing: %v, want 1 and 1", m)
	}
	bound := make(map[string]bool)
	for _, line := range reply.GetMedia() {
		if line.GetDirection() != sfuv1.MediaDirection_MEDIA_DIRECTION_DOWN || line.GetSlot() == "" || line.GetRoomId() != "a" || line.GetSubscriptionId() == "" {
			t.Errorf("line %v, want a slot with a stream of a", line)
		}
		bound[line.GetStreamId()+line.GetKind().String()] = true
	}
	if len(bound) != 4 {
		t.Errorf("slots carry %v, want audio and video of two streams", bound)
	}
	got := bob.subscriptions("a")
	for i, state := range []sfuv1.SubscriptionState{active, active, needsNegotiation} { // the oldest first
		wantState(t, got[i], state)
	}
	ended, err := n.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: got[0].GetId()})
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, ended.GetEnded(), 0, 0, 1)
	for _, sub := range bob.subscriptions("a") { // its slots went to the one that waited
		wantState(t, sub, active)
	}
	_, err = n.Subscription.Unsubscribe(t.Context(), &sfuv1.UnsubscribeRequest{SubscriptionId: got[0].GetId()})
	wantError(t, err, codes.NotFound, "SUBSCRIPTION_NOT_FOUND", "")
}

func TestPublishInSeveralRooms(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.negotiate(1, 0)
	rooms := []string{"a", "b", "c", "d", "e"}
	for _, room := range rooms {
		ann.join(room)
		if st := ann.publish(room, "cam", 0); st.GetRoomId() != room || st.GetAudioMid() != "0" || st.GetVideoMid() != "1" {
			t.Errorf("%v", st)
		}
	}
	again := ann.publish("a", "cam", 0)
	if list, err := n.Stream.ListStreams(t.Context(), &sfuv1.ListStreamsRequest{AppId: app, RoomId: "a"}); err != nil || len(list.GetStreams()) != 1 ||
		!proto.Equal(list.GetStreams()[0].GetPublishTime(), again.GetPublishTime()) {
		t.Errorf("published again: %v, %v, want the same stream", list, err)
	}
	other := ann.publishing("a", "cam", 0)
	other.AudioMid = ""
	_, err := n.Stream.Publish(t.Context(), other)
	wantError(t, err, codes.AlreadyExists, "STREAM_EXISTS", "1003028")
	bob.join("a")
	bob.negotiate(1, 0)
	_, err = n.Stream.Publish(t.Context(), bob.publishing("a", "cam", 0))
	wantError(t, err, codes.AlreadyExists, "STREAM_EXISTS", "1003028")
	for name, request := range map[string]*sfuv1.PublishRequest{
		"no such line":      ann.publishing("a", "cam2", 7),
		"audio is no video": {SessionId: ann.id, RoomId: "a", StreamId: "cam2", VideoMid: "0"},
	} {
		if _, err = n.Stream.Publish(t.Context(), request); err == nil {
			t.Errorf("%s: published", name)
		}
		wantError(t, err, codes.FailedPrecondition, "UNKNOWN_MID", "")
	}
	_, err = n.Stream.Publish(t.Context(), &sfuv1.PublishRequest{SessionId: ann.id, RoomId: "a", StreamId: "cam2"})
	wantError(t, err, codes.InvalidArgument, "MEDIA_REQUIRED", "")
	for _, line := range ann.session().GetMedia() {
		if len(line.GetStreams()) > 0 && len(line.GetStreams()) != len(rooms) {
			t.Errorf("line %v backs %d streams, want %d", line.GetMid(), len(line.GetStreams()), len(rooms))
		}
	}
	ann.leave("c")
	for _, room := range []string{"a", "b", "d", "e"} {
		if got := getRoom(t, n.API, room).GetStreams(); len(got) != 1 {
			t.Errorf("room %s has streams %v after leaving c", room, got)
		}
	}
}

func TestMuteAndStreamMetadata(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, 0)
	for _, room := range []string{"a", "b"} {
		ann.join(room)
		ann.publish(room, "cam", 0)
	}
	w := watch(t, n.API, nil)
	reply, err := n.Stream.MuteStream(t.Context(), &sfuv1.MuteStreamRequest{AppId: app, RoomId: "a", StreamId: "cam", VideoMuted: new(true)})
	if err != nil || reply.GetStream().GetAudioMuted() || !reply.GetStream().GetVideoMuted() {
		t.Errorf("%v, %v, want the video muted", reply, err)
	}
	if _, err := n.Stream.SetStreamMetadata(t.Context(), &sfuv1.SetStreamMetadataRequest{SessionId: ann.id, RoomId: "a", StreamId: "cam", Metadata: "slides"}); err != nil {
		t.Error(err)
	}
	await(t, w, "mute", func(e *sfuv1.Event) bool {
		return e.GetStreamMuted().GetStream().GetVideoMuted() && e.GetRoomId() == "a"
	})
	await(t, w, "metadata", func(e *sfuv1.Event) bool { return e.GetStreamChanged().GetStream().GetMetadata() == "slides" })
	if st := getRoom(t, n.API, "b").GetStreams()[0]; st.GetVideoMuted() || st.GetMetadata() != "" {
		t.Errorf("the same source in another room: %v", st)
	}
	if _, err := n.Stream.RequestKeyframe(t.Context(), &sfuv1.RequestKeyframeRequest{AppId: app, RoomId: "a", StreamId: "cam"}); err != nil {
		t.Error(err)
	}
	stats, err := n.Stream.GetStreamStats(t.Context(), &sfuv1.GetStreamStatsRequest{AppId: app, RoomId: "a", StreamId: "cam"})
	if err != nil || stats.GetStats().GetAudio() == nil || len(stats.GetStats().GetVideo()) != 1 || stats.GetStats().GetAudio().GetPackets() != 0 {
		t.Errorf("stats %v, %v, want an audio and a video track that have carried nothing", stats, err)
	}
	for name, call := range map[string]func() error{
		"MuteStream": func() error {
			_, err := n.Stream.MuteStream(t.Context(), &sfuv1.MuteStreamRequest{AppId: app, RoomId: "a", StreamId: "none"})
			return err
		},
		"GetStreamStats": func() error {
			_, err := n.Stream.GetStreamStats(t.Context(), &sfuv1.GetStreamStatsRequest{AppId: app, RoomId: "a", StreamId: "none"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(), codes.NotFound, "STREAM_NOT_FOUND", "1004002") })
	}
}

func TestSetSubscriptions(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.negotiate(1, 0)
	bob.negotiate(0, 3)
	for _, room := range []string{"a", "b"} {
		ann.join(room)
		bob.join(room)
		for i := range 4 {
			ann.publish(room, fmt.Sprint("cam", i), 0)
		}
	}
	bob.subscribe("b", "cam0")
	set := func(generation uint64, streams ...string) (*sfuv1.SetSubscriptionsResponse, error) {
		request := &sfuv1.SetSubscriptionsRequest{SessionId: bob.id, RoomId: "a", Generation: generation}
		for _, stream := range streams {
			request.Desired = append(request.Desired, &sfuv1.SubscriptionSpec{StreamId: stream, Audio: true, Video: true})
		}
		return n.Subscription.SetSubscriptions(t.Context(), request)
	}
	first, err := set(5, "cam0", "cam1")
	if err != nil || len(first.GetSubscriptions()) != 2 || first.GetGeneration() != 5 {
		t.Fatalf("%v, %v", first, err)
	}
	second, err := set(6, "cam2", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	if got := second.GetSubscriptions(); got[0].GetStreamId() != "cam2" || got[1].GetId() != first.GetSubscriptions()[1].GetId() {
		t.Errorf("%v, want cam2 new and cam1 as before", got)
	}
	for _, sub := range second.GetSubscriptions() {
		wantState(t, sub, active)
	}
	_, err = set(5, "cam3")
	f := wantError(t, err, codes.Aborted, "STALE_GENERATION", "")
	if f.info.GetMetadata()["current"] != "6" {
		t.Errorf("current generation %q, want 6", f.info.GetMetadata()["current"])
	}
	if _, err = set(6, "cam2", "cam1"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	_, err = set(7, "cam0", "not a stream")
	wantError(t, err, codes.InvalidArgument, "STREAM_ID_INVALID", "1000016")
	_, err = set(7, "cam0", "cam0")
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
	if got := bob.subscriptions("a"); len(got) != 2 {
		t.Errorf("%d subscriptions after refused calls, want 2", len(got))
	}
	if _, err = set(7); err != nil {
		t.Fatal(err)
	}
	if a, b := bob.subscriptions("a"), bob.subscriptions("b"); len(a) != 0 || len(b) != 1 {
		t.Errorf("%d and %d subscriptions, want none in a and the one in b", len(a), len(b))
	}
}

func TestSwitchAndUpdateSubscription(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.negotiate(1, 0)
	bob.negotiate(0, 1)
	for _, room := range []string{"a", "b", "c"} {
		ann.join(room)
		ann.publish(room, "cam", 0)
	}
	bob.join("a")
	bob.join("b")
	first := bob.subscribe("a", "cam").GetSubscription()
	wantState(t, first, active)
	reply, err := n.Subscription.SwitchSubscription(t.Context(), &sfuv1.SwitchSubscriptionRequest{SubscriptionId: first.GetId(), RoomId: "b", StreamId: "cam"})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.GetSubscription()
	wantState(t, got, active)
	if got.GetId() != first.GetId() || got.GetRoomId() != "b" || got.GetAudioMid() != first.GetAudioMid() || got.GetVideoMid() != first.GetVideoMid() {
		t.Errorf("switched %v to %v, want the same id and slots", first, got)
	}
	// The room may be left out: it stays.
	if reply, err = n.Subscription.SwitchSubscription(t.Context(), &sfuv1.SwitchSubscriptionRequest{SubscriptionId: first.GetId(), StreamId: "later"}); err != nil {
		t.Errorf("switching within the room: %v", err)
	} else {
		wantState(t, reply.GetSubscription(), pending)
	}
	_, err = n.Subscription.SwitchSubscription(t.Context(), &sfuv1.SwitchSubscriptionRequest{SubscriptionId: first.GetId(), RoomId: "c", StreamId: "cam"})
	wantError(t, err, codes.FailedPrecondition, "NOT_IN_ROOM", "1000002")
	_, err = n.Subscription.SwitchSubscription(t.Context(), &sfuv1.SwitchSubscriptionRequest{SubscriptionId: "none", RoomId: "a", StreamId: "cam"})
	wantError(t, err, codes.NotFound, "SUBSCRIPTION_NOT_FOUND", "")

	preference := &sfuv1.Preference{MaxSpatial: proto.Uint32(1), Width: 640, Height: 360, Fps: 15}
	updated, err := n.Subscription.UpdateSubscription(t.Context(), &sfuv1.UpdateSubscriptionRequest{
		SubscriptionId: first.GetId(), Preference: preference, Priority: proto.Uint32(200), Paused: new(true),
	})
	if s := updated.GetSubscription(); err != nil || !proto.Equal(s.GetPreference(), preference) || s.GetPriority() != 200 || !s.GetPaused() {
		t.Errorf("%v, %v", updated, err)
	}
	for name, request := range map[string]*sfuv1.UpdateSubscriptionRequest{
		"priority": {SubscriptionId: first.GetId(), Priority: proto.Uint32(256)},
		"layer":    {SubscriptionId: first.GetId(), Preference: &sfuv1.Preference{MaxSpatial: proto.Uint32(8)}},
		"width":    {SubscriptionId: first.GetId(), Preference: &sfuv1.Preference{Width: 1 << 20}},
		"fps":      {SubscriptionId: first.GetId(), Preference: &sfuv1.Preference{Fps: 241}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Subscription.UpdateSubscription(t.Context(), request)
			wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
		})
	}
	if _, err := n.Subscription.GetSubscriptionStats(t.Context(), &sfuv1.GetSubscriptionStatsRequest{SubscriptionId: first.GetId()}); err != nil {
		t.Error(err)
	}
	_, err = n.Subscription.GetSubscriptionStats(t.Context(), &sfuv1.GetSubscriptionStatsRequest{SubscriptionId: "none"})
	wantError(t, err, codes.NotFound, "SUBSCRIPTION_NOT_FOUND", "")
}

// TestConnect makes a whole join in one call, and checks that one bad part takes all of it back.
func TestConnect(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, 0)
	ann.join("a")
	ann.publish("a", "ann-cam", 0)
	request := &sfuv1.ConnectRequest{
		AppId: app, User: &sfuv1.User{Id: "bob", Name: "Bob"}, RoomMode: multi, SessionId: "bob-1", OfferSdp: offerOf(t, 1, 1), OfferId: 1,
		Joins:         []*sfuv1.JoinSpec{{RoomId: "a"}, {RoomId: "b"}},
		Publishes:     []*sfuv1.PublishSpec{{RoomId: "a", StreamId: "bob-cam", AudioMid: "0", VideoMid: "1"}, {RoomId: "b", StreamId: "bob-cam", AudioMid: "0"}},
		Subscriptions: []*sfuv1.SubscriptionSpec{{RoomId: "a", StreamId: "ann-cam", Audio: true, Video: true}, {RoomId: "b", StreamId: "later", Audio: true}},
	}
	_, err := n.Room.KickUser(t.Context(), &sfuv1.KickUserRequest{AppId: app, RoomId: "closed-to-zoe", UserId: "zoe", BanFor: durationpb.New(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, n.API, nil)
	before := revision(t, n.API)
	for name, row := range map[string]struct {
		spoil        func(*sfuv1.ConnectRequest)
		code         codes.Code
		reason, zego string
		field        string
	}{
		"room":   {func(r *sfuv1.ConnectRequest) { r.Joins[1].RoomId = "" }, codes.InvalidArgument, "ROOM_ID_INVALID", "1002011", "joins[1].room_id"},
		"limit":  {func(r *sfuv1.ConnectRequest) { r.Joins = append(r.Joins, specs(5)...) }, codes.ResourceExhausted, "USER_ROOM_LIMIT", "1002037", ""},
		"stream": {func(r *sfuv1.ConnectRequest) { r.Publishes[0].StreamId = "ann-cam" }, codes.AlreadyExists, "STREAM_EXISTS", "1003028", ""},
		"media":  {func(r *sfuv1.ConnectRequest) { r.Subscriptions[1].Audio = false }, codes.InvalidArgument, "MEDIA_REQUIRED", "", ""},
		"user":   {func(r *sfuv1.ConnectRequest) { r.Joins[0].User = &sfuv1.User{Id: "bob", Name: "Rob"} }, codes.FailedPrecondition, "USER_MISMATCH", "1002018", ""},
		"instead of another session": {func(r *sfuv1.ConnectRequest) {
			r.User, r.Subscriptions[1].Audio = ann.user, false
		}, codes.InvalidArgument, "MEDIA_REQUIRED", "", "subscriptions[1]"},
		"banned": {func(r *sfuv1.ConnectRequest) {
			r.User, r.Joins[1].RoomId = &sfuv1.User{Id: "zoe", Name: "Zoe"}, "closed-to-zoe"
		}, codes.PermissionDenied, "BANNED", "1002066", "joins[1]"},
		"sdp": {func(r *sfuv1.ConnectRequest) { r.OfferSdp = "v=0" }, codes.InvalidArgument, "SDP_INVALID", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := proto.CloneOf(request)
			row.spoil(spoilt)
			_, err := n.Session.Connect(t.Context(), spoilt)
			f := wantError(t, err, row.code, row.reason, row.zego)
			if row.field != "" && (len(f.bad.GetFieldViolations()) != 1 || f.bad.GetFieldViolations()[0].GetField() != row.field) {
				t.Errorf("BadRequest %v, want %s", f.bad, row.field)
			}
			_, err = n.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: "bob-1"})
			wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
			if got := revision(t, n.API); got != before {
				t.Errorf("a refused Connect made %d events", got-before)
			}
		})
	}
	ann.wantRooms("a") // a Connect that failed has not replaced her session
	reply, err := n.Session.Connect(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.GetMembers()) != 2 || len(reply.GetStreams()) != 2 || len(reply.GetSubscriptions()) != 2 || len(reply.GetMedia()) != 4 ||
		reply.GetAnswerSdp() == "" || reply.GetOfferId() != 1 || len(reply.GetSnapshots()) != 2 {
		t.Errorf("%v", reply)
	}
	wantState(t, reply.GetSubscriptions()[0], active)
	wantState(t, reply.GetSubscriptions()[1], pending)
	for i, want := range []struct {
		room             string
		members, streams int
	}{{"a", 2, 2}, {"b", 1, 1}} {
		got := reply.GetSnapshots()[i]
		if reply.GetMembers()[i].GetRoomId() != want.room || reply.GetStreams()[i].GetRoomId() != want.room || got.GetRoom().GetId() != want.room ||
			len(got.GetMembers()) != want.members || len(got.GetStreams()) != want.streams {
			t.Errorf("part %d: %v, want room %s with %d members and %d streams", i, got, want.room, want.members, want.streams)
		}
	}
	reach(t, w, n.API)
	for _, e := range w.Events() {
		if e.GetRevision() > reply.GetRevision() && e.GetSessionId() == "bob-1" && e.GetLayers() == nil { // what slots show is told later
			t.Errorf("event %v is later than the answer's revision %d", e, reply.GetRevision())
		}
	}
}

func specs(n int) (list []*sfuv1.JoinSpec) {
	for i := range n {
		list = append(list, &sfuv1.JoinSpec{RoomId: fmt.Sprint("more", i)})
	}
	return list
}
