// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type roomService struct {
	sfuv1.UnimplementedRoomServiceServer
	*face
}

// JoinRoom implements sfuv1.RoomServiceServer.
func (s roomService) JoinRoom(ctx context.Context, r *sfuv1.JoinRoomRequest) (*sfuv1.JoinRoomResponse, error) {
	expires, err := timeIn("expire_time", r.GetExpireTime())
	if err != nil {
		return nil, err
	}
	reply, err := sfu.Do[router.JoinReply](ctx, s.node, router.JoinRoom{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), 0), Room: r.GetRoomId(),
		User: userPointer(r.GetUser()), Grants: grantsIn(r.GetGrants()), Expires: expires, Metadata: r.GetMetadata(),
		Weight: r.GetWeight(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.JoinRoomResponse{
		Member: memberOf(reply.Member), Incarnation: reply.Room.Incarnation, Snapshot: roomSnapshotOf(reply.Room),
		Revision: reply.Revision, NodeEpoch: s.node.Info().Epoch, RepeatedJoin: reply.Repeated,
	}, nil
}

// LeaveRoom implements sfuv1.RoomServiceServer.
func (s roomService) LeaveRoom(ctx context.Context, r *sfuv1.LeaveRoomRequest) (*sfuv1.LeaveRoomResponse, error) {
	ended, err := s.stop(ctx, router.LeaveRoom{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()), Room: r.GetRoomId(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.LeaveRoomResponse{Ended: ended}, nil
}

// LeaveAllRooms implements sfuv1.RoomServiceServer.
func (s roomService) LeaveAllRooms(ctx context.Context, r *sfuv1.LeaveAllRoomsRequest) (*sfuv1.LeaveAllRoomsResponse, error) {
	ended, err := s.stop(ctx, router.LeaveAllRooms{Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), 0)})
	if err != nil {
		return nil, err
	}
	return &sfuv1.LeaveAllRoomsResponse{Ended: ended}, nil
}

// SwitchRoom implements sfuv1.RoomServiceServer.
func (s roomService) SwitchRoom(ctx context.Context, r *sfuv1.SwitchRoomRequest) (*sfuv1.SwitchRoomResponse, error) {
	expires, err := timeIn("expire_time", r.GetExpireTime())
	if err != nil {
		return nil, err
	}
	reply, err := sfu.Do[router.JoinReply](ctx, s.node, router.SwitchRoom{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()),
		From: r.GetFrom(), To: r.GetTo(), Grants: grantsIn(r.GetGrants()), Expires: expires, Weight: r.GetWeight(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.SwitchRoomResponse{
		Member: memberOf(reply.Member), Incarnation: reply.Room.Incarnation, Snapshot: roomSnapshotOf(reply.Room),
		Revision: reply.Revision, NodeEpoch: s.node.Info().Epoch,
	}, nil
}

// MoveMembers implements sfuv1.RoomServiceServer.
func (s roomService) MoveMembers(ctx context.Context, r *sfuv1.MoveMembersRequest) (*sfuv1.MoveMembersResponse, error) {
	if len(r.GetBatch()) == 0 || len(r.GetBatch()) > maxBatch {
		return nil, argument("batch", "must have 1 to %d items", maxBatch)
	}
	items := make([]router.Move, len(r.GetBatch()))
	for i, m := range r.GetBatch() {
		if m.GetTo() == "" {
			return nil, argument(fmt.Sprintf("batch[%d].to", i), "is required")
		}
		items[i] = router.Move{User: m.GetUserId(), From: m.GetFrom(), To: m.GetTo(), Grants: grantsIn(m.GetGrants()), Weight: m.GetWeight()}
	}
	results, err := sfu.Do[[]router.MoveResult](ctx, s.node, router.MoveMembers{App: r.GetAppId(), Items: items})
	if err != nil {
		return nil, err
	}
	return &sfuv1.MoveMembersResponse{Results: each(results, func(m router.MoveResult) *sfuv1.MoveResult {
		if m.Err != nil {
			return &sfuv1.MoveResult{Error: failureOf(m.Err)}
		}
		return &sfuv1.MoveResult{Member: memberOf(m.Member)}
	})}, nil
}

// KickUser implements sfuv1.RoomServiceServer.
func (s roomService) KickUser(ctx context.Context, r *sfuv1.KickUserRequest) (*sfuv1.KickUserResponse, error) {
	if err := textIn("reason", r.GetReason(), maxReason); err != nil {
		return nil, err
	}
	ban, err := durationIn("ban_for", r.GetBanFor(), 0, maxBan)
	if err != nil {
		return nil, err
	}
	ended, err := s.stop(ctx, router.KickUser{
		App: r.GetAppId(), Room: r.GetRoomId(), User: r.GetUserId(), Fence: fence(0, r.GetIncarnation()), Why: r.GetReason(), Ban: ban,
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.KickUserResponse{Ended: ended}, nil
}

// CloseRoom implements sfuv1.RoomServiceServer.
func (s roomService) CloseRoom(ctx context.Context, r *sfuv1.CloseRoomRequest) (*sfuv1.CloseRoomResponse, error) {
	if err := textIn("reason", r.GetReason(), maxReason); err != nil {
		return nil, err
	}
	ended, err := s.stop(ctx, router.CloseRoom{App: r.GetAppId(), Room: r.GetRoomId(), Fence: fence(0, r.GetIncarnation()), Why: r.GetReason()})
	if err != nil {
		return nil, err
	}
	return &sfuv1.CloseRoomResponse{Ended: ended}, nil
}

// GetRoom implements sfuv1.RoomServiceServer.
func (s roomService) GetRoom(_ context.Context, r *sfuv1.GetRoomRequest) (*sfuv1.GetRoomResponse, error) {
	var room router.Room
	var revision uint64
	var err error
	s.node.Read(func(r2 *router.Router) {
		room, err = r2.Room(r.GetAppId(), r.GetRoomId())
		revision = r2.Revision()
	})
	if err != nil {
		return nil, err
	}
	snapshot := roomSnapshotOf(room)
	return &sfuv1.GetRoomResponse{
		Room: snapshot.GetRoom(), Members: snapshot.GetMembers(), Streams: snapshot.GetStreams(), Metadata: snapshot.GetMetadata(), Revision: revision,
	}, nil
}

// ListRooms implements sfuv1.RoomServiceServer.
func (s roomService) ListRooms(_ context.Context, r *sfuv1.ListRoomsRequest) (*sfuv1.ListRoomsResponse, error) {
	filter := router.RoomFilter{App: r.GetFilter().GetAppId(), Prefix: r.GetFilter().GetPrefix()}
	var list []router.RoomSummary
	var next string
	var err error
	s.node.Read(func(r2 *router.Router) { list, next, err = r2.RoomSummaries(filter, pageIn(r.GetPage())) })
	if err != nil {
		return nil, err
	}
	return &sfuv1.ListRoomsResponse{Rooms: each(list, summaryOf), NextPageToken: next}, nil
}

// member finds who is meant by app and user, or by a session that stands for both. The epoch it answers is to fence the
// command: another session of the user may come between this look and that.
func (s roomService) member(app, user, session string, epoch uint64) (string, string, uint64, error) {
	if session == "" {
		return app, user, epoch, nil
	}
	found, err := s.find(session, epoch)
	if err != nil {
		return "", "", 0, err
	}
	if app != "" && app != found.App {
		return "", "", 0, argument("app_id", "is not the session's app")
	}
	if user != "" && user != found.User.ID {
		return "", "", 0, argument("user_id", "is not the session's user")
	}
	return found.App, found.User.ID, found.Epoch, nil
}

// UpdateMember implements sfuv1.RoomServiceServer.
func (s roomService) UpdateMember(ctx context.Context, r *sfuv1.UpdateMemberRequest) (*sfuv1.UpdateMemberResponse, error) {
	app, user, epoch, err := s.member(r.GetAppId(), r.GetUserId(), r.GetSessionId(), r.GetSessionEpoch())
	if err != nil {
		return nil, err
	}
	member, err := sfu.Do[router.Member](ctx, s.node, router.UpdateMember{
		App: app, Room: r.GetRoomId(), User: user, Fence: fence(epoch, r.GetIncarnation()), Grants: grantsIn(r.GetGrants()), Metadata: r.Metadata,
		Weight: r.Weight,
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.UpdateMemberResponse{Member: memberOf(member)}, nil
}

// RenewMember implements sfuv1.RoomServiceServer.
func (s roomService) RenewMember(ctx context.Context, r *sfuv1.RenewMemberRequest) (*sfuv1.RenewMemberResponse, error) {
	expires, err := timeIn("expire_time", r.GetExpireTime())
	if err != nil {
		return nil, err
	}
	app, user, epoch, err := s.member(r.GetAppId(), r.GetUserId(), r.GetSessionId(), r.GetSessionEpoch())
	if err != nil {
		return nil, err
	}
	member, err := sfu.Do[router.Member](ctx, s.node, router.RenewMember{
		App: app, Room: r.GetRoomId(), User: user, Fence: fence(epoch, r.GetIncarnation()), Expires: expires,
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.RenewMemberResponse{Member: memberOf(member)}, nil
}

// SetRoomMetadata implements sfuv1.RoomServiceServer.
func (s roomService) SetRoomMetadata(ctx context.Context, r *sfuv1.SetRoomMetadataRequest) (*sfuv1.SetRoomMetadataResponse, error) {
	metadata, err := sfu.Do[router.Metadata](ctx, s.node, router.SetRoomMetadata{
		App: r.GetAppId(), Room: r.GetRoomId(), Fence: fence(0, r.GetIncarnation()), Key: r.GetKey(), Value: r.Value, ETag: r.GetEtag(),
	})
	if err != nil {
		return nil, err
	}
	if r.Value == nil { // the router answers the key as it was
		metadata.Value, metadata.ETag = "", ""
	}
	return &sfuv1.SetRoomMetadataResponse{Metadata: metadataEntry(metadata)}, nil
}

// SetRoomAudio implements sfuv1.RoomServiceServer.
func (s roomService) SetRoomAudio(ctx context.Context, r *sfuv1.SetRoomAudioRequest) (*sfuv1.SetRoomAudioResponse, error) {
	room, err := sfu.Do[router.RoomSummary](ctx, s.node, router.SetRoomAudio{
		App: r.GetAppId(), Room: r.GetRoomId(), Fence: fence(0, r.GetIncarnation()), Loudest: r.LoudestAudio,
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.SetRoomAudioResponse{Room: summaryOf(room)}, nil
}
