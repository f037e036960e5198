// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"math"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
)

// limitField ties a field of the API to one of the router.
type limitField struct {
	name string
	in   *uint32
	out  *int
}

func limitFields(l *sfuv1.Limits, to *router.Limits) []limitField {
	m := l.GetMessages()
	if m == nil {
		m = &sfuv1.MessageLimits{}
	}
	return []limitField{
		{"limits.max_rooms_per_user", l.MaxRoomsPerUser, &to.RoomsPerUser},
		{"limits.max_members_per_room", l.MaxMembersPerRoom, &to.MembersPerRoom},
		{"limits.max_rooms_per_node", l.MaxRoomsPerNode, &to.Rooms},
		{"limits.max_sessions_per_node", l.MaxSessionsPerNode, &to.Sessions},
		{"limits.max_streams_per_user", l.MaxStreamsPerUser, &to.StreamsPerUser},
		{"limits.max_subscriptions_per_user", l.MaxSubscriptionsPerUser, &to.SubscriptionsPerUser},
		{"limits.max_metadata_bytes", l.MaxMetadataBytes, &to.MetadataBytes},
		{"limits.max_metadata_keys", l.MaxMetadataKeys, &to.MetadataKeys},
		{"limits.messages.max_payload_bytes", m.MaxPayloadBytes, &to.MessageBytes},
		{"limits.messages.broadcast_per_second", m.BroadcastPerSecond, &to.BroadcastPerSecond},
		{"limits.messages.broadcast_per_user_per_second", m.BroadcastPerUserPerSecond, &to.BroadcastPerUser},
		{"limits.messages.barrage_per_second", m.BarragePerSecond, &to.BarragePerSecond},
		{"limits.messages.command_to_one_per_second", m.CommandToOnePerSecond, &to.CommandPerSecond},
		{"limits.messages.command_to_many_per_second", m.CommandToManyPerSecond, &to.CommandManyPerSecond},
	}
}

// changeLimits is app with the fields that l brings; 0 brings a default back.
func changeLimits(app router.App, l *sfuv1.Limits) (router.App, error) {
	for _, f := range limitFields(l, &app.Limits) {
		if f.in == nil {
			continue
		}
		if *f.in > math.MaxInt32 {
			return app, argument(f.name, "must be at most %d", math.MaxInt32)
		}
		*f.out = int(*f.in)
	}
	if app.Limits.MessageBytes > maxMessageBytes {
		return app, argument("limits.messages.max_payload_bytes", "must be at most %d", maxMessageBytes)
	}
	if l.LoudestAudio != nil {
		if l.GetLoudestAudio() > router.MaxLoudest {
			return app, argument("limits.loudest_audio", "must be at most %d", router.MaxLoudest)
		}
		app.Loudest = l.GetLoudestAudio()
	}
	if l.MultiRoomEnabled != nil {
		app.MultiRoom = l.GetMultiRoomEnabled()
	}
	switch l.GetDuplicateUserPolicy() {
	case sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_UNSPECIFIED:
	case sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REJECT:
		app.DuplicateUser = router.DuplicateReject
	case sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REPLACE:
		app.DuplicateUser = router.DuplicateReplace
	default:
		return app, argument("limits.duplicate_user_policy", "unknown value %d", l.GetDuplicateUserPolicy())
	}
	switch l.GetStreamIdScope() {
	case sfuv1.StreamIdScope_STREAM_ID_SCOPE_UNSPECIFIED:
	case sfuv1.StreamIdScope_STREAM_ID_SCOPE_ROOM:
		app.StreamIDScope = router.ScopeRoom
	case sfuv1.StreamIdScope_STREAM_ID_SCOPE_NODE:
		app.StreamIDScope = router.ScopeApp
	default:
		return app, argument("limits.stream_id_scope", "unknown value %d", l.GetStreamIdScope())
	}
	return app, nil
}

// limitsOf is what holds for an app.
func limitsOf(app router.App) *sfuv1.Limits {
	l := app.Limits
	u := func(v int) *uint32 {
		n := uint32(max(0, min(v, math.MaxInt32)))
		return &n
	}
	out := &sfuv1.Limits{
		MaxRoomsPerUser: u(l.RoomsPerUser), MaxMembersPerRoom: u(l.MembersPerRoom), MaxRoomsPerNode: u(l.Rooms),
		MaxSessionsPerNode: u(l.Sessions), MaxStreamsPerUser: u(l.StreamsPerUser), MaxSubscriptionsPerUser: u(l.SubscriptionsPerUser),
		MaxMetadataBytes: u(l.MetadataBytes), MaxMetadataKeys: u(l.MetadataKeys),
		Messages: &sfuv1.MessageLimits{
			MaxPayloadBytes: u(l.MessageBytes), BroadcastPerSecond: u(l.BroadcastPerSecond), BroadcastPerUserPerSecond: u(l.BroadcastPerUser),
			BarragePerSecond: u(l.BarragePerSecond), CommandToOnePerSecond: u(l.CommandPerSecond), CommandToManyPerSecond: u(l.CommandManyPerSecond),
		},
		LoudestAudio:        &app.Loudest,
		MultiRoomEnabled:    &app.MultiRoom,
		DuplicateUserPolicy: sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REPLACE,
		StreamIdScope:       sfuv1.StreamIdScope_STREAM_ID_SCOPE_ROOM,
	}
	if app.DuplicateUser == router.DuplicateReject {
		out.DuplicateUserPolicy = sfuv1.DuplicateUserPolicy_DUPLICATE_USER_POLICY_REJECT
	}
	if app.StreamIDScope == router.ScopeApp {
		out.StreamIdScope = sfuv1.StreamIdScope_STREAM_ID_SCOPE_NODE
	}
	return out
}
