// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func equal(t *testing.T, what string, got, want proto.Message) {
	t.Helper()
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("%s: -want +got\n%s", what, d)
	}
}

func TestSubscriptionStates(t *testing.T) {
	for state, want := range map[router.SubscriptionState]sfuv1.SubscriptionState{
		router.SubscriptionActive:            sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
		router.SubscriptionPending:           sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING,
		router.SubscriptionNeedsNegotiation:  sfuv1.SubscriptionState_SUBSCRIPTION_STATE_NEEDS_NEGOTIATION,
		router.SubscriptionPausedByBandwidth: sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PAUSED_BY_BANDWIDTH,
		router.SubscriptionEnded:             sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ENDED,
	} {
		if got := subscriptionOf(router.Subscription{State: state}).GetState(); got != want {
			t.Errorf("%d: %v, want %v", state, got, want)
		}
	}
	two, one, zero := uint32(2), uint32(1), uint32(0)
	equal(t, "layers", subscriptionOf(router.Subscription{ID: "u", Spatial: 2, Temporal: 0, TargetSpatial: 1}), &sfuv1.Subscription{
		Id: "u", User: &sfuv1.User{}, SpatialLayer: &two, TemporalLayer: &zero, TargetSpatialLayer: &one,
	})
	equal(t, "no layers", subscriptionOf(router.Subscription{ID: "u", Spatial: -1, Temporal: -1, TargetSpatial: -1}), &sfuv1.Subscription{
		Id: "u", User: &sfuv1.User{},
	})
}

var twoLayers = []router.VideoLayer{
	{RID: "q", Width: 320, Height: 180, TemporalLayers: 2, Bitrate: 150_000, Live: true, Wanted: true},
	{Spatial: 1, RID: "h", Width: 640, Height: 360, TemporalLayers: 3, Bitrate: 500_000, Live: true},
}

func TestLayerEvents(t *testing.T) {
	var s eventService
	kind := func(p router.Payload) *sfuv1.Event {
		return s.event(&router.Event{App: "a", Room: "r", Session: "s", Payload: p}, 1)
	}
	equal(t, "layers", kind(router.LayersEvent{Subscription: "u", Stream: "cam", Spatial: 1, Temporal: 2, TargetSpatial: 2}).GetLayers(), &sfuv1.LayersChanged{
		SubscriptionId: "u", StreamId: "cam", Spatial: 1, Temporal: 2, TargetSpatial: 2,
	})
	equal(t, "no layers", kind(router.LayersEvent{Subscription: "u", Stream: "cam", Spatial: -1, Temporal: -1, TargetSpatial: -1}).GetLayers(), &sfuv1.LayersChanged{
		SubscriptionId: "u", StreamId: "cam", NoLayer: true, NoTarget: true,
	})
	equal(t, "publisher layers", kind(router.PublisherLayersEvent{Stream: "cam", Layers: twoLayers}).GetPublisherLayers(), &sfuv1.PublisherLayersChanged{
		StreamId: "cam", Layers: []*sfuv1.VideoLayer{
			{Rid: "q", Width: 320, Height: 180, TemporalLayers: 2, Bitrate: 150_000, Live: true, Wanted: true},
			{Spatial: 1, Rid: "h", Width: 640, Height: 360, TemporalLayers: 3, Bitrate: 500_000, Live: true},
		},
	})
	equal(t, "room audio", kind(router.RoomAudioEvent{Loudest: 3}).GetRoomAudio(), &sfuv1.RoomAudioChanged{LoudestAudio: 3})
	if got := kind(router.RoomOpenedEvent{Loudest: 4}).GetRoomOpened().GetRoom().GetLoudestAudio(); got != 4 {
		t.Errorf("a room opened with %d", got)
	}
	for _, p := range []router.Payload{router.LayersEvent{}, router.PublisherLayersEvent{}, router.RoomAudioEvent{}} {
		name := string(kind(p).ProtoReflect().WhichOneof(kind(p).ProtoReflect().Descriptor().Oneofs().ByName("kind")).Name())
		if name != p.Kind() {
			t.Errorf("%T is %s in the API and %s in filters", p, name, p.Kind())
		}
	}
}

func TestLayersOfAStream(t *testing.T) {
	got := streamOf(router.Stream{ID: "cam", Layers: twoLayers}).GetLayers()
	if len(got) != 2 {
		t.Fatalf("%d layers", len(got))
	}
	equal(t, "layer", got[1], &sfuv1.StreamLayer{Spatial: 1, Rid: "h", Width: 640, Height: 360, TemporalLayers: 3, Bitrate: 500_000, Live: true})
	equal(t, "layer", got[0], &sfuv1.StreamLayer{Rid: "q", Width: 320, Height: 180, TemporalLayers: 2, Bitrate: 150_000, Live: true, Wanted: true})
}

func TestStatsOfLayers(t *testing.T) {
	whole := &sfu.TrackStats{Accepted: 7, Bitrate: 650_000, FrameRate: 30}
	got := videoStatsOf("1", whole, []sfu.LayerStats{
		{Layer: sfu.Layer{Spatial: 0, Temporal: 1}, RID: "q", Width: 320, Height: 180, FrameRate: 15, Bitrate: 150_000, TemporalLayers: 2, Live: true, Wanted: true},
		{Layer: sfu.Layer{Spatial: 1, Temporal: 2}, RID: "h", Width: 640, Height: 360, FrameRate: 30, Bitrate: 500_000, TemporalLayers: 3, Live: true},
	})
	if len(got) != 3 || got[0].GetPackets() != 7 || got[0].SpatialLayer != nil || got[0].GetWidth() != 640 || got[0].GetHeight() != 360 {
		t.Fatalf("stats %v", got)
	}
	one := uint32(1)
	equal(t, "layer", got[2], &sfuv1.TrackStats{
		Kind: sfuv1.MediaKind_MEDIA_KIND_VIDEO, Mime: got[0].GetMime(), Mid: "1", Rid: "h", Width: 640, Height: 360, Fps: 30, Bitrate: 500_000,
		TemporalLayers: 3, Live: true, SpatialLayer: &one,
	})
	if got := videoStatsOf("1", whole, nil); len(got) != 1 || got[0].GetBitrate() != 650_000 {
		t.Errorf("without layers: %v", got)
	}
}

func TestStatsOfASubscription(t *testing.T) {
	out := &sfuv1.SubscriptionStats{}
	setLayers(out, &sfu.DownTrackStats{
		Current: sfu.Layer{Spatial: 1, Temporal: 2}, Target: sfu.Layer{Spatial: 2, Temporal: 0}, Limit: sfu.LimitBandwidth,
		LayerSwitches: 3, Freezes: 4, FrozenFor: 5 * time.Second,
	})
	setLink(out, sfu.LinkStats{
		Controlled: true, Target: 1_000_000, Acknowledged: 900_000, Sending: 950_000, Loss: 0.25, Queue: time.Millisecond, RTT: 2 * time.Millisecond,
		Backlog: 6, Probes: 7, ProbeBytes: 8, Paused: 9,
	})
	two, zero := uint32(2), uint32(0)
	want := &sfuv1.SubscriptionStats{
		SpatialLayer: 1, TemporalLayer: 2, TargetSpatialLayer: &two, TargetTemporalLayer: &zero, Limit: sfuv1.LayerLimit_LAYER_LIMIT_BANDWIDTH,
		LayerSwitches: 3, Freezes: 4, Frozen: durationpb.New(5 * time.Second), EstimatedBitrate: 1_000_000,
		Link: &sfuv1.LinkStats{
			Controlled: true, TargetBitrate: 1_000_000, AcknowledgedBitrate: 900_000, SendingBitrate: 950_000, Loss: 0.25,
			Queue: durationpb.New(time.Millisecond), Rtt: durationpb.New(2 * time.Millisecond), Backlog: 6, Probes: 7, ProbeBytes: 8, Paused: 9,
		},
	}
	equal(t, "stats", out, want)
	out = &sfuv1.SubscriptionStats{}
	setLayers(out, &sfu.DownTrackStats{Current: sfu.Layer{Spatial: -1, Temporal: -1}, Target: sfu.Layer{Spatial: -1, Temporal: -1}, Limit: sfu.LimitPaused})
	setLink(out, sfu.LinkStats{Target: 5, Backlog: -1})
	if !out.GetNoLayer() || out.TargetSpatialLayer != nil || out.GetLimit() != sfuv1.LayerLimit_LAYER_LIMIT_PAUSED ||
		out.GetEstimatedBitrate() != 0 || out.GetLink().GetRtt() != nil || out.GetLink().GetBacklog() != 0 {
		t.Errorf("of nothing: %v", out)
	}
	for l := sfu.LimitNone; l.String() != "unknown"; l++ {
		if got := sfuv1.LayerLimit_name[int32(layerLimits[l])]; layerLimits[l] == 0 || got == "" {
			t.Errorf("limit %s is %q in the API", l, got)
		}
	}
}

// refusedField is the field that an INVALID_ARGUMENT names.
func refusedField(t *testing.T, err error) string {
	t.Helper()
	bad, _ := detail[*errdetails.BadRequest](t, err)
	if status.Code(err) != codes.InvalidArgument || len(bad.GetFieldViolations()) != 1 {
		t.Errorf("%v names no field", err)
		return ""
	}
	return bad.GetFieldViolations()[0].GetField()
}

func TestWeightsOverTheAPI(t *testing.T) {
	_, target := start(t, Config{})
	conn := dial(t, target, nil)
	made, err := sfuv1.NewSessionServiceClient(conn).CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	id, rooms := made.GetSession().GetId(), sfuv1.NewRoomServiceClient(conn)
	_, err = rooms.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: id, RoomId: "r", Weight: 1001})
	if field := refusedField(t, err); field != "weight" {
		t.Errorf("a weight of 1001: %v", err)
	}
	joined, err := rooms.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: id, RoomId: "r", Weight: 20})
	if err != nil || joined.GetMember().GetWeight() != 20 {
		t.Fatalf("%v: %v", joined.GetMember(), err)
	}
	moved, err := rooms.SwitchRoom(t.Context(), &sfuv1.SwitchRoomRequest{SessionId: id, From: "r", To: "r2"})
	if err != nil || moved.GetMember().GetWeight() != 20 {
		t.Fatalf("%v: %v", moved.GetMember(), err)
	}
	batch := []*sfuv1.Move{{UserId: "u", From: "r2", To: "r", Weight: 3}}
	results, err := rooms.MoveMembers(t.Context(), &sfuv1.MoveMembersRequest{AppId: "a", Batch: batch})
	if err != nil || results.GetResults()[0].GetMember().GetWeight() != 3 {
		t.Fatalf("%v: %v", results, err)
	}
	for _, weight := range []uint32{1, 1000, 0} {
		updated, err := rooms.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{SessionId: id, RoomId: "r", Weight: &weight})
		if err != nil || updated.GetMember().GetWeight() != max(1, weight) {
			t.Errorf("weight %d: %v %v", weight, updated.GetMember(), err)
		}
	}
	heavy := uint32(1001)
	_, err = rooms.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{SessionId: id, RoomId: "r", Weight: &heavy})
	if field := refusedField(t, err); field != "weight" {
		t.Errorf("a weight of 1001: %v", err)
	}
}

func TestLoudestOverTheAPI(t *testing.T) {
	_, target := start(t, Config{})
	conn := dial(t, target, nil)
	rooms, nodes := sfuv1.NewRoomServiceClient(conn), sfuv1.NewNodeServiceClient(conn)
	five, many := uint32(5), uint32(65)
	_, err := nodes.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: "a", Limits: &sfuv1.Limits{LoudestAudio: &many}})
	if field := refusedField(t, err); field != "limits.loudest_audio" {
		t.Errorf("65 of an app: %v", err)
	}
	limits, err := nodes.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: "a", Limits: &sfuv1.Limits{LoudestAudio: &five}})
	if err != nil || limits.GetLimits().GetLoudestAudio() != 5 {
		t.Fatalf("%v: %v", limits, err)
	}
	made, err := sfuv1.NewSessionServiceClient(conn).CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	joined, err := rooms.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: made.GetSession().GetId(), RoomId: "r"})
	if err != nil || joined.GetSnapshot().GetRoom().GetLoudestAudio() != 5 {
		t.Fatalf("%v: %v", joined.GetSnapshot(), err)
	}
	_, err = rooms.SetRoomAudio(t.Context(), &sfuv1.SetRoomAudioRequest{AppId: "a", RoomId: "r", LoudestAudio: &many})
	if field := refusedField(t, err); field != "loudest_audio" {
		t.Errorf("65 of a room: %v", err)
	}
	zero := uint32(0)
	reply, err := rooms.SetRoomAudio(t.Context(), &sfuv1.SetRoomAudioRequest{AppId: "a", RoomId: "r", LoudestAudio: &zero})
	if err != nil || reply.GetRoom().GetLoudestAudio() != 0 || reply.GetRoom().GetMemberCount() != 1 {
		t.Errorf("%v: %v", reply, err)
	}
	_, err = rooms.SetRoomAudio(t.Context(), &sfuv1.SetRoomAudioRequest{AppId: "a", RoomId: "r", LoudestAudio: &five, Incarnation: joined.GetIncarnation() + 1})
	if status.Code(err) != codes.Aborted {
		t.Errorf("another life of the room: %v", err)
	}
	if _, err = rooms.SetRoomAudio(t.Context(), &sfuv1.SetRoomAudioRequest{AppId: "a", RoomId: "r", LoudestAudio: &five}); err != nil {
		t.Error(err)
	}
	list, err := rooms.ListRooms(t.Context(), &sfuv1.ListRoomsRequest{})
	if err != nil || len(list.GetRooms()) != 1 || list.GetRooms()[0].GetLoudestAudio() != 5 {
		t.Errorf("%v: %v", list, err)
	}
	_, err = rooms.SetRoomAudio(t.Context(), &sfuv1.SetRoomAudioRequest{AppId: "a", RoomId: "none"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("no such room: %v", err)
	}
}

func TestAdaptiveLoad(t *testing.T) {
	got := adaptiveOf(sfu.AdaptiveLoad{
		Controlled: 1, Limits: map[string]uint64{"none": 2}, LayerSwitches: 3, Freezes: 4, Probes: 5, ProbeBytes: 6, Backlog: 7, PausedByBandwidth: 8,
		Estimates: []int64{9},
	})
	equal(t, "load", got, &sfuv1.AdaptiveLoad{
		ControlledSessions: 1, VideoSlots: map[string]uint64{"none": 2}, LayerSwitches: 3, Freezes: 4, Probes: 5, ProbeBytes: 6, Backlog: 7,
		PausedByBandwidth: 8,
	})
	_, target := start(t, Config{})
	load, err := sfuv1.NewNodeServiceClient(dial(t, target, nil)).GetLoad(t.Context(), &sfuv1.GetLoadRequest{})
	if err != nil || load.GetLoad().GetAdaptive() == nil {
		t.Errorf("%v: %v", load, err)
	}
}
