// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type streamService struct {
	sfuv1.UnimplementedStreamServiceServer
	*face
}

// Publish implements sfuv1.StreamServiceServer.
func (s streamService) Publish(ctx context.Context, r *sfuv1.PublishRequest) (*sfuv1.PublishResponse, error) {
	stream, err := sfu.Do[router.Stream](ctx, s.node, router.Publish{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()), Room: r.GetRoomId(),
		Stream: r.GetStreamId(), AudioMid: r.GetAudioMid(), VideoMid: r.GetVideoMid(), Metadata: r.GetMetadata(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.PublishResponse{Stream: streamOf(stream)}, nil
}

// Unpublish implements sfuv1.StreamServiceServer.
func (s streamService) Unpublish(ctx context.Context, r *sfuv1.UnpublishRequest) (*sfuv1.UnpublishResponse, error) {
	ended, err := s.stop(ctx, router.Unpublish{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()), Room: r.GetRoomId(), Stream: r.GetStreamId(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.UnpublishResponse{Ended: ended}, nil
}

// MuteStream implements sfuv1.StreamServiceServer.
func (s streamService) MuteStream(ctx context.Context, r *sfuv1.MuteStreamRequest) (*sfuv1.MuteStreamResponse, error) {
	app, err := s.app(r.GetAppId(), r.GetSessionId())
	if err != nil {
		return nil, err
	}
	stream, err := sfu.Do[router.Stream](ctx, s.node, router.MuteStream{
		App: app, Room: r.GetRoomId(), Stream: r.GetStreamId(), Fence: fence(0, r.GetIncarnation()), Audio: r.AudioMuted, Video: r.VideoMuted,
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.MuteStreamResponse{Stream: streamOf(stream)}, nil
}

// SetStreamMetadata implements sfuv1.StreamServiceServer.
func (s streamService) SetStreamMetadata(ctx context.Context, r *sfuv1.SetStreamMetadataRequest) (*sfuv1.SetStreamMetadataResponse, error) {
	app, err := s.app(r.GetAppId(), r.GetSessionId())
	if err != nil {
		return nil, err
	}
	stream, err := sfu.Do[router.Stream](ctx, s.node, router.SetStreamMetadata{
		App: app, Room: r.GetRoomId(), Stream: r.GetStreamId(), Fence: fence(0, r.GetIncarnation()), Metadata: r.GetMetadata(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.SetStreamMetadataResponse{Stream: streamOf(stream)}, nil
}

// RequestKeyframe implements sfuv1.StreamServiceServer.
func (s streamService) RequestKeyframe(ctx context.Context, r *sfuv1.RequestKeyframeRequest) (*sfuv1.RequestKeyframeResponse, error) {
	app, err := s.app(r.GetAppId(), r.GetSessionId())
	if err != nil {
		return nil, err
	}
	_, err = sfu.Do[router.Stream](ctx, s.node, router.RequestKeyframe{
		App: app, Room: r.GetRoomId(), Stream: r.GetStreamId(), Fence: fence(0, r.GetIncarnation()),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.RequestKeyframeResponse{}, nil
}

// ListStreams implements sfuv1.StreamServiceServer.
func (s streamService) ListStreams(_ context.Context, r *sfuv1.ListStreamsRequest) (*sfuv1.ListStreamsResponse, error) {
	var list []router.Stream
	var err error
	s.node.Read(func(r2 *router.Router) { list, err = r2.Streams(r.GetAppId(), r.GetRoomId()) })
	if err != nil {
		return nil, err
	}
	page, next := pageOf(list, r.GetPage(), func(v router.Stream) string { return v.ID })
	return &sfuv1.ListStreamsResponse{Streams: each(page, streamOf), NextPageToken: next}, nil
}

// GetStreamStats implements sfuv1.StreamServiceServer.
func (s streamService) GetStreamStats(_ context.Context, r *sfuv1.GetStreamStatsRequest) (*sfuv1.GetStreamStatsResponse, error) {
	app, err := s.app(r.GetAppId(), r.GetSessionId())
	if err != nil {
		return nil, err
	}
	var stream router.Stream
	s.node.Read(func(r2 *router.Router) { stream, err = r2.Stream(app, r.GetRoomId(), r.GetStreamId()) })
	if err != nil {
		return nil, err
	}
	audio, video, err := s.node.StreamStats(app, r.GetRoomId(), r.GetStreamId())
	if err != nil {
		return nil, err
	}
	out := &sfuv1.StreamStats{RoomId: stream.Room, StreamId: stream.ID, Subscriptions: s.subscribers(stream)}
	if audio != nil {
		out.Audio = trackStatsOf(sfuv1.MediaKind_MEDIA_KIND_AUDIO, stream.AudioMid, audio)
	}
	if video != nil {
		layers, err := s.node.StreamLayers(app, r.GetRoomId(), r.GetStreamId())
		if err != nil {
			return nil, err
		}
		out.Video = videoStatsOf(stream.VideoMid, video, layers)
	}
	return &sfuv1.GetStreamStatsResponse{Stats: out}, nil
}
