// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// RoomKey names a room on a node.
type RoomKey struct{ App, Room string }

// RoomState is what a signaling tier knows of one room.
type RoomState struct {
	Room     *sfuv1.Room // without counts, which the lists tell
	Members  map[string]*sfuv1.Member
	Streams  map[string]*sfuv1.Stream
	Metadata map[string]*sfuv1.RoomMetadata
}

// State is what a signaling tier that watches a node knows of it: the fold of a snapshot and events. Two states of the same
// revision are equal, whatever of it came by snapshot and whatever by events. Compare with cmp.Diff and protocmp.Transform.
//
// What other parts of the state tell is left out of sessions, since their events do not repeat it: rooms (members tell), what
// slots are bound to (subscriptions tell), and limits (of the app).
type State struct {
	Revision      uint64
	Epoch         uint64
	Node          *sfuv1.NodeStateChanged
	Sessions      map[string]*sfuv1.Session
	Rooms         map[RoomKey]*RoomState
	Subscriptions map[string]*sfuv1.Subscription
}

func newState() *State {
	return &State{
		Node:     &sfuv1.NodeStateChanged{},
		Sessions: make(map[string]*sfuv1.Session), Rooms: make(map[RoomKey]*RoomState), Subscriptions: make(map[string]*sfuv1.Subscription),
	}
}

// clone copies the maps; what is in them is never changed once it is there.
func (s *State) clone() *State {
	c := *s
	c.Sessions, c.Subscriptions = maps.Clone(s.Sessions), maps.Clone(s.Subscriptions)
	c.Rooms = make(map[RoomKey]*RoomState, len(s.Rooms))
	for key, r := range s.Rooms {
		c.Rooms[key] = &RoomState{Room: r.Room, Members: maps.Clone(r.Members), Streams: maps.Clone(r.Streams), Metadata: maps.Clone(r.Metadata)}
	}
	return &c
}

// RoomsOf lists the ids of the rooms that a user of an app is in, sorted.
func (s *State) RoomsOf(app, user string) []string {
	var rooms []string
	for key, r := range s.Rooms {
		if key.App == app && r.Members[user] != nil {
			rooms = append(rooms, key.Room)
		}
	}
	slices.Sort(rooms)
	return rooms
}

func plainSession(s *sfuv1.Session) *sfuv1.Session {
	c := proto.CloneOf(s)
	c.RoomIds, c.Limits = nil, nil
	for _, l := range c.GetMedia() {
		l.RoomId, l.StreamId, l.SubscriptionId, l.Streams = "", "", "", nil
	}
	return c
}

func newRoomState(r *sfuv1.Room) *RoomState {
	room := proto.CloneOf(r)
	room.MemberCount, room.StreamCount = 0, 0
	return &RoomState{
		Room: room, Members: make(map[string]*sfuv1.Member), Streams: make(map[string]*sfuv1.Stream), Metadata: make(map[string]*sfuv1.RoomMetadata),
	}
}

// add enters one item of a snapshot.
func (s *State) add(part *sfuv1.Snapshot) {
	s.Revision, s.Epoch = part.GetRevision(), part.GetNodeEpoch()
	for _, session := range part.GetSessions() {
		s.Sessions[session.GetId()] = plainSession(session)
	}
	for _, r := range part.GetRooms() {
		room := newRoomState(r.GetRoom())
		for _, m := range r.GetMembers() {
			room.Members[m.GetUser().GetId()] = m
		}
		for _, st := range r.GetStreams() {
			room.Streams[st.GetId()] = st
		}
		for _, m := range r.GetMetadata() {
			room.Metadata[m.GetKey()] = m
		}
		s.Rooms[RoomKey{r.GetRoom().GetAppId(), r.GetRoom().GetId()}] = room
	}
	for _, sub := range part.GetSubscriptions() {
		s.Subscriptions[sub.GetId()] = sub
	}
	if part.GetLast() {
		s.Node = part.GetNodeState()
	}
}

// apply enters one event, and lists what is wrong about it where the state was complete before.
func (s *State) apply(e *sfuv1.Event) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("revision %d: %s", e.GetRevision(), fmt.Sprintf(format, args...)))
	}
	if e.GetRevision() <= s.Revision {
		fault("comes after %d", s.Revision)
	}
	s.Revision, s.Epoch = e.GetRevision(), e.GetNodeEpoch()
	switch k := e.GetKind().(type) {
	case *sfuv1.Event_SessionState:
		s.applySession(k.SessionState.GetSession(), fault)
	case *sfuv1.Event_SubscriptionState:
		sub := k.SubscriptionState.GetSubscription()
		s.Subscriptions[sub.GetId()] = sub
		if sub.GetState() == sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ENDED {
			delete(s.Subscriptions, sub.GetId())
		}
	case *sfuv1.Event_Layers:
		s.applyLayers(k.Layers, fault)
	case *sfuv1.Event_NodeState:
		s.Node = k.NodeState
	}
	if e.GetRoomId() != "" {
		s.applyRoom(e, fault)
	}
	return faults
}

// applyLayers enters what a subscriber gets.
func (s *State) applyLayers(e *sfuv1.LayersChanged, fault func(string, ...any)) {
	sub := s.Subscriptions[e.GetSubscriptionId()]
	if sub == nil || sub.GetStreamId() != e.GetStreamId() {
		fault("layers of subscription %s to %s, which is not there", e.GetSubscriptionId(), e.GetStreamId())
		return
	}
	sub = proto.CloneOf(sub)
	sub.SpatialLayer, sub.TemporalLayer, sub.TargetSpatialLayer = nil, nil, nil
	if !e.GetNoLayer() {
		sub.SpatialLayer, sub.TemporalLayer = new(e.GetSpatial()), new(e.GetTemporal())
	}
	if !e.GetNoTarget() {
		sub.TargetSpatialLayer = new(e.GetTargetSpatial())
	}
	s.Subscriptions[sub.GetId()] = sub
}

func (s *State) applySession(session *sfuv1.Session, fault func(string, ...any)) {
	s.Sessions[session.GetId()] = plainSession(session)
	if session.GetState() != sfuv1.SessionState_SESSION_STATE_CLOSED {
		return
	}
	delete(s.Sessions, session.GetId())
	if rooms := s.RoomsOf(session.GetAppId(), session.GetUser().GetId()); len(rooms) > 0 {
		fault("session of %s closed while in %q", session.GetUser().GetId(), rooms)
	}
}

func (s *State) applyRoom(e *sfuv1.Event, fault func(string, ...any)) {
	key := RoomKey{e.GetAppId(), e.GetRoomId()}
	if k, ok := e.GetKind().(*sfuv1.Event_RoomOpened); ok {
		if s.Rooms[key] != nil {
			fault("room %s opened twice", key.Room)
		}
		s.Rooms[key] = newRoomState(k.RoomOpened.GetRoom())
	}
	room := s.Rooms[key]
	if room == nil {
		fault("event of room %s, which is not there", key.Room)
		return
	}
	if room.Room.GetIncarnation() != e.GetIncarnation() {
		fault("room %s: incarnation %d became %d", key.Room, room.Room.GetIncarnation(), e.GetIncarnation())
	}
	room.Room = proto.CloneOf(room.Room)
	room.Room.Revision = e.GetRoomRevision()
	if _, ok := e.GetKind().(*sfuv1.Event_RoomClosed); ok {
		if len(room.Members)+len(room.Streams) > 0 {
			fault("room %s closed with %d members and %d streams", key.Room, len(room.Members), len(room.Streams))
		}
		delete(s.Rooms, key)
		return
	}
	room.apply(e, fault)
	if k, ok := e.GetKind().(*sfuv1.Event_MemberLeft); ok {
		for _, sub := range s.Subscriptions {
			if sub.GetSessionId() == k.MemberLeft.GetMember().GetSessionId() && sub.GetAppId() == key.App && sub.GetRoomId() == key.Room {
				fault("%s left %s with its subscription %s", k.MemberLeft.GetMember().GetUser().GetId(), key.Room, sub.GetId())
			}
		}
	}
}

// apply enters what happened in the room.
func (r *RoomState) apply(e *sfuv1.Event, fault func(string, ...any)) {
	switch k := e.GetKind().(type) {
	case *sfuv1.Event_MemberJoined:
		r.Members[k.MemberJoined.GetMember().GetUser().GetId()] = k.MemberJoined.GetMember()
	case *sfuv1.Event_MemberUpdated:
		r.Members[k.MemberUpdated.GetMember().GetUser().GetId()] = k.MemberUpdated.GetMember()
	case *sfuv1.Event_MemberLeft:
		m := k.MemberLeft.GetMember()
		delete(r.Members, m.GetUser().GetId())
		for id, st := range r.Streams {
			if st.GetSessionId() == m.GetSessionId() {
				fault("%s left %s before its stream %s was removed", m.GetUser().GetId(), m.GetRoomId(), id)
			}
		}
	case *sfuv1.Event_StreamAdded:
		r.Streams[k.StreamAdded.GetStream().GetId()] = k.StreamAdded.GetStream()
	case *sfuv1.Event_StreamChanged:
		r.Streams[k.StreamChanged.GetStream().GetId()] = k.StreamChanged.GetStream()
	case *sfuv1.Event_StreamMuted:
		r.Streams[k.StreamMuted.GetStream().GetId()] = k.StreamMuted.GetStream()
	case *sfuv1.Event_StreamRemoved:
		delete(r.Streams, k.StreamRemoved.GetStream().GetId())
	case *sfuv1.Event_PublisherLayers:
		r.applyLayers(k.PublisherLayers, fault)
	case *sfuv1.Event_RoomAudio:
		r.Room.LoudestAudio = k.RoomAudio.GetLoudestAudio()
	case *sfuv1.Event_RoomMetadata:
		m := k.RoomMetadata.GetMetadata()
		r.Metadata[m.GetKey()] = m
		if k.RoomMetadata.GetRemoved() {
			delete(r.Metadata, m.GetKey())
		}
	}
}

// applyLayers enters what a publisher sends.
func (r *RoomState) applyLayers(e *sfuv1.PublisherLayersChanged, fault func(string, ...any)) {
	st := r.Streams[e.GetStreamId()]
	if st == nil {
		fault("layers of stream %s, which is not there", e.GetStreamId())
		return
	}
	st = proto.CloneOf(st)
	st.Layers = nil
	for _, l := range e.GetLayers() {
		st.Layers = append(st.Layers, &sfuv1.StreamLayer{
			Spatial: l.GetSpatial(), Rid: l.GetRid(), Width: l.GetWidth(), Height: l.GetHeight(), TemporalLayers: l.GetTemporalLayers(),
			Bitrate: l.GetBitrate(), Live: l.GetLive(), Wanted: l.GetWanted(),
		})
	}
	r.Streams[st.GetId()] = st
}
