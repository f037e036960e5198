// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// history makes items of a stream, numbered as a node would.
type history struct {
	revision, room uint64
}

func (h *history) event(kind any) *sfuv1.WatchEventsResponse {
	h.revision++
	e := &sfuv1.Event{Revision: h.revision, NodeEpoch: 7, AppId: "app"}
	session := func(s *sfuv1.Session) {
		e.SessionId, e.Kind = s.GetId(), &sfuv1.Event_SessionState{SessionState: &sfuv1.SessionStateChanged{Session: s}}
	}
	switch k := kind.(type) {
	case *sfuv1.Session:
		session(k)
		return &sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Event{Event: e}}
	case *sfuv1.RoomOpened:
		e.Kind = &sfuv1.Event_RoomOpened{RoomOpened: k}
	case *sfuv1.RoomClosed:
		e.Kind = &sfuv1.Event_RoomClosed{RoomClosed: k}
	case *sfuv1.MemberJoined:
		e.Kind = &sfuv1.Event_MemberJoined{MemberJoined: k}
	case *sfuv1.MemberLeft:
		e.Kind = &sfuv1.Event_MemberLeft{MemberLeft: k}
	case *sfuv1.StreamAdded:
		e.Kind = &sfuv1.Event_StreamAdded{StreamAdded: k}
	case *sfuv1.StreamRemoved:
		e.Kind = &sfuv1.Event_StreamRemoved{StreamRemoved: k}
	case *sfuv1.RoomMetadataChanged:
		e.Kind = &sfuv1.Event_RoomMetadata{RoomMetadata: k}
	case *sfuv1.SubscriptionStateChanged:
		e.Kind = &sfuv1.Event_SubscriptionState{SubscriptionState: k}
	case *sfuv1.LayersChanged:
		e.Kind = &sfuv1.Event_Layers{Layers: k}
	case *sfuv1.PublisherLayersChanged:
		e.Kind = &sfuv1.Event_PublisherLayers{PublisherLayers: k}
	case *sfuv1.RoomAudioChanged:
		e.Kind = &sfuv1.Event_RoomAudio{RoomAudio: k}
	}
	h.room++
	e.RoomId, e.RoomRevision, e.Incarnation = "r", h.room, 3
	return &sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Event{Event: e}}
}

func beat(revision uint64) *sfuv1.WatchEventsResponse {
	return &sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Heartbeat{Heartbeat: &sfuv1.Heartbeat{Revision: revision, NodeEpoch: 7}}}
}

func part(s *sfuv1.Snapshot) *sfuv1.WatchEventsResponse {
	s.NodeEpoch = 7
	return &sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Snapshot{Snapshot: s}}
}

var (
	ann    = &sfuv1.Session{Id: "s-1", AppId: "app", User: &sfuv1.User{Id: "ann", Name: "Ann"}, State: sfuv1.SessionState_SESSION_STATE_NEW}
	opened = &sfuv1.RoomOpened{Room: &sfuv1.Room{AppId: "app", Id: "r", Incarnation: 3, Revision: 1}}
	member = &sfuv1.Member{AppId: "app", RoomId: "r", Incarnation: 3, SessionId: "s-1", User: ann.GetUser()}
	stream = &sfuv1.Stream{AppId: "app", RoomId: "r", Id: "cam", SessionId: "s-1", User: ann.GetUser()}
	topic  = &sfuv1.RoomMetadata{Key: "topic", Value: "x", Etag: "1"}
	wish   = &sfuv1.Subscription{Id: "u-1", AppId: "app", SessionId: "s-1", RoomId: "r", StreamId: "cam"}
)

// everything is what happened, from the first event on.
func everything() []*sfuv1.WatchEventsResponse {
	var h history
	return []*sfuv1.WatchEventsResponse{
		h.event(ann), h.event(opened), h.event(&sfuv1.MemberJoined{Member: member}), h.event(&sfuv1.StreamAdded{Stream: stream}),
		h.event(&sfuv1.RoomMetadataChanged{Metadata: topic}), h.event(&sfuv1.SubscriptionStateChanged{Subscription: wish}),
	}
}

func follow(request *sfuv1.WatchEventsRequest, items ...*sfuv1.WatchEventsResponse) *Watcher {
	w := NewWatcher(nil, request)
	for _, item := range items {
		w.take(item)
	}
	return w
}

func fromStart() *sfuv1.WatchEventsRequest {
	return &sfuv1.WatchEventsRequest{Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER, AfterRevision: proto.Uint64(0)}
}

func TestSnapshotAndEventsGiveOneState(t *testing.T) {
	told := follow(fromStart(), everything()...)
	session := proto.CloneOf(ann)
	session.RoomIds, session.Limits = []string{"r"}, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(5)}
	room := proto.CloneOf(opened.GetRoom())
	room.Revision, room.MemberCount, room.StreamCount = 5, 1, 1
	shown := follow(nil,
		part(&sfuv1.Snapshot{Revision: 6, Sessions: []*sfuv1.Session{session}}),
		part(&sfuv1.Snapshot{Revision: 6, Rooms: []*sfuv1.RoomSnapshot{{
			Room: room, Members: []*sfuv1.Member{member}, Streams: []*sfuv1.Stream{stream}, Metadata: []*sfuv1.RoomMetadata{topic},
		}}}),
		part(&sfuv1.Snapshot{Revision: 6, Subscriptions: []*sfuv1.Subscription{wish}, NodeState: &sfuv1.NodeStateChanged{}, Last: true}),
	)
	if diff := cmp.Diff(told.State(), shown.State(), protocmp.Transform()); diff != "" {
		t.Errorf("events and snapshot differ (-events +snapshot):\n%s", diff)
	}
	for _, w := range []*Watcher{told, shown} {
		if f := w.Faults(); len(f) != 0 {
			t.Errorf("faults %q", f)
		}
		if rooms := w.State().RoomsOf("app", "ann"); len(rooms) != 1 || rooms[0] != "r" {
			t.Errorf("ann is in %q", rooms)
		}
	}
}

// TestLayersAreFollowed holds what events of adaptive media leave behind against what the API says in full.
func TestLayersAreFollowed(t *testing.T) {
	h := history{revision: 6, room: 5}
	w := follow(fromStart(), append(everything(),
		h.event(&sfuv1.LayersChanged{SubscriptionId: "u-1", StreamId: "cam", Spatial: 1, TargetSpatial: 2}),
		h.event(&sfuv1.PublisherLayersChanged{StreamId: "cam", Layers: []*sfuv1.VideoLayer{{Rid: "q", Width: 320, TemporalLayers: 1, Live: true}}}),
		h.event(&sfuv1.RoomAudioChanged{LoudestAudio: 3}),
	)...)
	s := w.State()
	sub := proto.CloneOf(wish)
	sub.SpatialLayer, sub.TemporalLayer, sub.TargetSpatialLayer = proto.Uint32(1), proto.Uint32(0), proto.Uint32(2)
	cam := proto.CloneOf(stream)
	cam.Layers = []*sfuv1.StreamLayer{{Rid: "q", Width: 320, TemporalLayers: 1, Live: true}}
	room := s.Rooms[RoomKey{"app", "r"}]
	if diff := cmp.Diff([]proto.Message{sub, cam}, []proto.Message{s.Subscriptions["u-1"], room.Streams["cam"]}, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if room.Room.GetLoudestAudio() != 3 || len(w.Faults()) != 0 {
		t.Errorf("room %v, faults %q", room.Room, w.Faults())
	}
	w.take(h.event(&sfuv1.LayersChanged{SubscriptionId: "u-1", StreamId: "cam", NoLayer: true, NoTarget: true}))
	if diff := cmp.Diff(wish, w.State().Subscriptions["u-1"], protocmp.Transform()); diff != "" {
		t.Errorf("without a layer, -want +got:\n%s", diff)
	}
}

func TestEverythingEnds(t *testing.T) {
	items := everything()
	h := history{revision: 6, room: 5}
	closed := proto.CloneOf(ann)
	closed.State = sfuv1.SessionState_SESSION_STATE_CLOSED
	over := proto.CloneOf(wish)
	over.State = sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ENDED
	items = append(items,
		h.event(&sfuv1.StreamRemoved{Stream: stream}), h.event(&sfuv1.SubscriptionStateChanged{Subscription: over}),
		h.event(&sfuv1.RoomMetadataChanged{Metadata: topic, Removed: true}),
		h.event(&sfuv1.MemberLeft{Member: member}), h.event(&sfuv1.RoomClosed{}), h.event(closed), beat(12),
	)
	w := follow(fromStart(), items...)
	s := w.State()
	if len(s.Sessions)+len(s.Rooms)+len(s.Subscriptions) != 0 || s.Revision != 12 || len(w.Faults()) != 0 {
		t.Errorf("state %+v, faults %q", s, w.Faults())
	}
}

// TestFaults breaks the order of events in one way each.
func TestFaults(t *testing.T) {
	h := func() *history { return &history{revision: 6, room: 5} }
	gap := h()
	gap.room++
	back := &history{revision: 4, room: 5}
	closed := proto.CloneOf(ann)
	closed.State = sfuv1.SessionState_SESSION_STATE_CLOSED
	for name, row := range map[string]struct {
		item *sfuv1.WatchEventsResponse
		want string
	}{
		"a gap in the room":            {gap.event(&sfuv1.RoomMetadataChanged{Metadata: topic}), "is at 7, not 6"},
		"going back":                   {back.event(&sfuv1.RoomMetadataChanged{Metadata: topic}), "comes after 6"},
		"left before its stream":       {h().event(&sfuv1.MemberLeft{Member: member}), "before its stream cam"},
		"left before its subscription": {h().event(&sfuv1.MemberLeft{Member: member}), "with its subscription u-1"},
		"a room closed with somebody":  {h().event(&sfuv1.RoomClosed{}), "closed with 1 members"},
		"a session closed in a room":   {h().event(closed), "closed while in"},
		"opened twice":                 {h().event(opened), "opened twice"},
		"layers of nobody":             {h().event(&sfuv1.LayersChanged{SubscriptionId: "u-2"}), "subscription u-2"},
		"layers of another stream":     {h().event(&sfuv1.LayersChanged{SubscriptionId: "u-1", StreamId: "x"}), "subscription u-1 to x"},
		"layers of no stream":          {h().event(&sfuv1.PublisherLayersChanged{StreamId: "x"}), "layers of stream x"},
		"a heartbeat of the past":      {beat(2), "heartbeat of revision 2"},
		"an item that says nothing":    {&sfuv1.WatchEventsResponse{}, "empty item"},
		"a resync, then no snapshot":   {&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Resync{Resync: &sfuv1.Resync{Revision: 9, NodeEpoch: 7}}}, "in the middle of a snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			w := follow(&sfuv1.WatchEventsRequest{AfterRevision: proto.Uint64(0)}, part(&sfuv1.Snapshot{Last: true}))
			for _, item := range everything() {
				w.take(item)
			}
			if f := w.Faults(); len(f) != 0 {
				t.Fatalf("faults %q before", f)
			}
			w.take(row.item)
			if row.item.GetResync() != nil {
				w.take(beat(20))
			}
			if f := strings.Join(w.Faults(), "; "); !strings.Contains(f, row.want) {
				t.Errorf("faults %q, want %q", f, row.want)
			}
		})
	}
}

func TestResyncForgets(t *testing.T) {
	w := follow(fromStart(), everything()...)
	w.take(&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Resync{Resync: &sfuv1.Resync{Revision: 50, NodeEpoch: 8}}})
	s := w.State()
	if len(s.Sessions)+len(s.Rooms)+len(s.Subscriptions) != 0 || s.Revision != 50 || s.Epoch != 8 || len(w.Resyncs()) != 1 {
		t.Errorf("after a resync: %+v", s)
	}
}
