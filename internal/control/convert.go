// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
)

// each converts a list.
func each[A, B any](list []A, f func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func userOf(u router.User) *sfuv1.User { return &sfuv1.User{Id: u.ID, Name: u.Name} }

func iceServerOf(s ICEServer) *sfuv1.IceServer {
	return &sfuv1.IceServer{Urls: s.URLs, Username: s.Username, Credential: s.Credential}
}

func grantsOf(g router.Grants) *sfuv1.Grants {
	return &sfuv1.Grants{Publish: g.Publish, Subscribe: g.Subscribe, Message: g.Message, Manage: g.Manage}
}

func sessionOf(s router.Session, limits *sfuv1.Limits) *sfuv1.Session {
	out := &sfuv1.Session{
		Id: string(s.ID), AppId: s.App, User: userOf(s.User), RoomMode: modeOf(s.Mode), Epoch: s.Epoch,
		State: sessionStates[s.Connection], Limits: limits, Labels: s.Labels, CreateTime: stamp(s.Created),
		RoomIds: s.Rooms, Media: each(s.Lines, lineOf),
	}
	if s.TTL > 0 {
		out.Ttl = durationpb.New(s.TTL)
	}
	return out
}

func modeOf(m router.RoomMode) sfuv1.RoomMode {
	if m == router.ModeMulti {
		return sfuv1.RoomMode_ROOM_MODE_MULTI
	}
	return sfuv1.RoomMode_ROOM_MODE_SINGLE
}

var sessionStates = map[router.ConnectionState]sfuv1.SessionState{
	router.ConnectionNew:          sfuv1.SessionState_SESSION_STATE_NEW,
	router.ConnectionConnected:    sfuv1.SessionState_SESSION_STATE_CONNECTED,
	router.ConnectionDisconnected: sfuv1.SessionState_SESSION_STATE_DISCONNECTED,
	router.ConnectionClosed:       sfuv1.SessionState_SESSION_STATE_CLOSED,
}

func kindOf(k router.Kind) sfuv1.MediaKind {
	switch k {
	case router.Audio:
		return sfuv1.MediaKind_MEDIA_KIND_AUDIO
	case router.Video:
		return sfuv1.MediaKind_MEDIA_KIND_VIDEO
	}
	return sfuv1.MediaKind_MEDIA_KIND_UNSPECIFIED
}

func lineOf(l router.Line) *sfuv1.MediaLine {
	out := &sfuv1.MediaLine{Mid: l.Mid, Kind: kindOf(l.Kind), Direction: sfuv1.MediaDirection_MEDIA_DIRECTION_INACTIVE}
	switch l.Direction {
	case router.LineUp:
		out.Direction = sfuv1.MediaDirection_MEDIA_DIRECTION_UP
		out.Endpoint = &sfuv1.MediaLine_Source{Source: l.Mid}
		out.Live = l.Live
	case router.LineDown:
		out.Direction = sfuv1.MediaDirection_MEDIA_DIRECTION_DOWN
		out.Endpoint = &sfuv1.MediaLine_Slot{Slot: l.Mid}
		out.RoomId, out.StreamId, out.SubscriptionId = l.Room, l.Stream, string(l.Subscription)
	case router.LineInactive:
	}
	return out
}

// linesWithStreams is lines with what each source backs, which the rooms' streams tell.
func linesWithStreams(lines []router.Line, streams []router.Stream) []*sfuv1.MediaLine {
	out := each(lines, lineOf)
	for i, l := range lines {
		if l.Direction != router.LineUp {
			continue
		}
		for _, s := range streams {
			if s.AudioMid != l.Mid && s.VideoMid != l.Mid {
				continue
			}
			if out[i].GetRoomId() == "" {
				out[i].RoomId, out[i].StreamId = s.Room, s.ID
			}
			out[i].Streams = append(out[i].Streams, &sfuv1.StreamRef{RoomId: s.Room, StreamId: s.ID})
		}
	}
	return out
}

func roomOf(r router.Room) *sfuv1.Room {
	return &sfuv1.Room{
		AppId: r.App, Id: r.ID, Incarnation: r.Incarnation, Revision: r.Revision, CreateTime: stamp(r.Opened),
		MemberCount: uint32(len(r.Members)), StreamCount: uint32(len(r.Streams)), LoudestAudio: r.Loudest,
	}
}

func summaryOf(r router.RoomSummary) *sfuv1.Room {
	return &sfuv1.Room{
		AppId: r.App, Id: r.ID, Incarnation: r.Incarnation, Revision: r.Revision, CreateTime: stamp(r.Opened),
		MemberCount: uint32(r.Members), StreamCount: uint32(r.Streams), LoudestAudio: r.Loudest,
	}
}

func roomSnapshotOf(r router.Room) *sfuv1.RoomSnapshot {
	return &sfuv1.RoomSnapshot{
		Room: roomOf(r), Members: each(r.Members, memberOf), Streams: each(r.Streams, streamOf), Metadata: each(r.Metadata, metadataEntry),
	}
}

func metadataEntry(m router.Metadata) *sfuv1.RoomMetadata {
	return &sfuv1.RoomMetadata{Key: m.Key, Value: m.Value, Etag: m.ETag}
}

func memberOf(m router.Member) *sfuv1.Member {
	return &sfuv1.Member{
		AppId: m.App, RoomId: m.Room, Incarnation: m.Incarnation, SessionId: string(m.Session), User: userOf(m.User),
		Grants: grantsOf(m.Grants), Metadata: m.Metadata, JoinTime: stamp(m.Joined), ExpireTime: stamp(m.Expires),
		Weight: m.Weight,
	}
}

func streamOf(s router.Stream) *sfuv1.Stream {
	out := &sfuv1.Stream{
		AppId: s.App, RoomId: s.Room, Id: s.ID, SessionId: string(s.Session), User: userOf(s.User),
		State: sfuv1.StreamState_STREAM_STATE_WAITING, AudioMid: s.AudioMid, VideoMid: s.VideoMid,
		AudioMuted: s.AudioMuted, VideoMuted: s.VideoMuted, Metadata: s.Metadata, PublishTime: stamp(s.Published), Incarnation: s.Incarnation,
		AudioCodec: s.AudioCodec, VideoCodec: s.VideoCodec, Layers: each(s.Layers, streamLayerOf),
	}
	if s.State == router.StreamLive {
		out.State = sfuv1.StreamState_STREAM_STATE_LIVE
	}
	return out
}

var subscriptionStates = map[router.SubscriptionState]sfuv1.SubscriptionState{
	router.SubscriptionActive:            sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
	router.SubscriptionPending:           sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING,
	router.SubscriptionNeedsNegotiation:  sfuv1.SubscriptionState_SUBSCRIPTION_STATE_NEEDS_NEGOTIATION,
	router.SubscriptionEnded:             sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ENDED,
	router.SubscriptionPausedByBandwidth: sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PAUSED_BY_BANDWIDTH,
}

func subscriptionOf(s router.Subscription) *sfuv1.Subscription {
	return &sfuv1.Subscription{
		Id: string(s.ID), AppId: s.App, SessionId: string(s.Session), User: userOf(s.User), RoomId: s.Room, Incarnation: s.Incarnation,
		StreamId: s.Stream, Audio: s.Audio, Video: s.Video, Preference: preferenceOf(s.Preference), Priority: s.Priority,
		Paused: s.Paused, State: subscriptionStates[s.State], AudioMid: s.AudioMid, VideoMid: s.VideoMid,
		SpatialLayer: layerOf(s.Spatial), TemporalLayer: layerOf(s.Temporal), TargetSpatialLayer: layerOf(s.TargetSpatial),
	}
}

func preferenceOf(p router.Preference) *sfuv1.Preference {
	if p == (router.Preference{}) {
		return nil
	}
	out := &sfuv1.Preference{Width: p.Width, Height: p.Height, Fps: p.FPS}
	if p.MaxSpatial != nil {
		v := uint32(*p.MaxSpatial)
		out.MaxSpatial = &v
	}
	if p.MaxTemporal != nil {
		v := uint32(*p.MaxTemporal)
		out.MaxTemporal = &v
	}
	return out
}

func endedOf(s router.Stopped) *sfuv1.Ended {
	return &sfuv1.Ended{Rooms: uint32(s.Rooms), Streams: uint32(s.Streams), Subscriptions: uint32(s.Subscriptions)}
}

var reasons = map[router.Reason]sfuv1.EndReason{
	router.ReasonRequested:      sfuv1.EndReason_END_REASON_REQUESTED,
	router.ReasonLeft:           sfuv1.EndReason_END_REASON_LEFT,
	router.ReasonKicked:         sfuv1.EndReason_END_REASON_KICKED,
	router.ReasonRoomClosed:     sfuv1.EndReason_END_REASON_ROOM_CLOSED,
	router.ReasonSessionClosed:  sfuv1.EndReason_END_REASON_SESSION_CLOSED,
	router.ReasonDuplicateUser:  sfuv1.EndReason_END_REASON_DUPLICATE_USER,
	router.ReasonConnectionLost: sfuv1.EndReason_END_REASON_CONNECTION_LOST,
	router.ReasonNeverConnected: sfuv1.EndReason_END_REASON_NEVER_CONNECTED,
	router.ReasonExpired:        sfuv1.EndReason_END_REASON_EXPIRED,
	router.ReasonMoved:          sfuv1.EndReason_END_REASON_MOVED,
	router.ReasonGrantsChanged:  sfuv1.EndReason_END_REASON_GRANTS_CHANGED,
	router.ReasonStreamRemoved:  sfuv1.EndReason_END_REASON_STREAM_REMOVED,
	router.ReasonSourceGone:     sfuv1.EndReason_END_REASON_SOURCE_GONE,
	router.ReasonSwitched:       sfuv1.EndReason_END_REASON_SWITCHED,
	router.ReasonDrained:        sfuv1.EndReason_END_REASON_DRAINED,
	router.ReasonMediaFailed:    sfuv1.EndReason_END_REASON_MEDIA_FAILED,
}

var messageKinds = map[router.MessageKind]sfuv1.MessageKind{
	router.MessageBroadcast: sfuv1.MessageKind_MESSAGE_KIND_BROADCAST,
	router.MessageBarrage:   sfuv1.MessageKind_MESSAGE_KIND_BARRAGE,
	router.MessageCommand:   sfuv1.MessageKind_MESSAGE_KIND_COMMAND,
}
