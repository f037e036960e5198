// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// lifeOf names one life of a room: the same for everybody, and nothing that could be used for anything else.
func lifeOf(epoch, incarnation uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d", epoch, incarnation))
	return hex.EncodeToString(sum[:8])
}

// codeOf is the SDK's number for an end.
func codeOf(reason sfuv1.EndReason) uint32 {
	switch reason {
	case sfuv1.EndReason_END_REASON_DUPLICATE_USER:
		return 1002050
	case sfuv1.EndReason_END_REASON_CONNECTION_LOST, sfuv1.EndReason_END_REASON_NEVER_CONNECTED:
		return 1002052
	case sfuv1.EndReason_END_REASON_KICKED:
		return 1002055
	case sfuv1.EndReason_END_REASON_EXPIRED:
		return 1002056
	case sfuv1.EndReason_END_REASON_MEDIA_FAILED:
		return 1002057
	default:
		return 0
	}
}

// roomOf is what a member is told of its room.
func (c *client) roomOf(epoch uint64, own *sfuv1.Member, members []*sfuv1.Member, streams []*sfuv1.Stream, metadata []*sfuv1.RoomMetadata) *signalv1.RoomState {
	state := &signalv1.RoomState{
		RoomId: own.GetRoomId(), RoomSessionId: lifeOf(epoch, own.GetIncarnation()), Grants: own.GetGrants(), ExpiresInMs: expiresIn(own),
	}
	for _, m := range members {
		if m.GetSessionId() != c.id {
			state.Users = append(state.Users, m.GetUser())
		}
	}
	for _, s := range streams {
		state.Streams = append(state.Streams, streamOf(s, s.GetSessionId() == c.id))
	}
	for _, m := range metadata {
		if state.Metadata == nil {
			state.Metadata = make(map[string]string)
		}
		state.Metadata[m.GetKey()] = m.GetValue()
	}
	return state
}

// streamOf leaves out what only the publisher is to know.
func streamOf(s *sfuv1.Stream, own bool) *signalv1.StreamInfo {
	info := &signalv1.StreamInfo{
		RoomId: s.GetRoomId(), StreamId: s.GetId(), User: s.GetUser(), Live: s.GetState() == sfuv1.StreamState_STREAM_STATE_LIVE,
		Audio: s.GetAudioMid() != "", Video: s.GetVideoMid() != "", AudioMuted: s.GetAudioMuted(), VideoMuted: s.GetVideoMuted(),
		Metadata: s.GetMetadata(), VideoCodec: s.GetVideoCodec(), Own: own,
	}
	if own {
		info.AudioMid, info.VideoMid = s.GetAudioMid(), s.GetVideoMid()
	}
	return info
}

func playingOf(s *sfuv1.Subscription) *signalv1.Playing {
	return &signalv1.Playing{
		Id: s.GetId(), RoomId: s.GetRoomId(), StreamId: s.GetStreamId(), State: s.GetState(), Audio: s.GetAudio(), Video: s.GetVideo(),
		AudioMid: s.GetAudioMid(), VideoMid: s.GetVideoMid(), Paused: s.GetPaused(),
		SpatialLayer: s.SpatialLayer, TemporalLayer: s.TemporalLayer,
	}
}

func messageOf(room string, m *sfuv1.RoomMessage) *signalv1.Message {
	out := &signalv1.Message{RoomId: room, MessageId: m.GetId(), Kind: m.GetKind(), From: m.GetFrom()}
	if t := m.GetSendTime(); t != nil {
		out.SentMs = uint64(max(0, t.AsTime().UnixMilli()))
	}
	if utf8.Valid(m.GetPayload()) {
		out.Text = string(m.GetPayload())
	} else {
		out.Data = m.GetPayload()
	}
	return out
}

// loudest is the level of one whose packets say 0, see RFC 6464: there, more is quieter.
const loudest = 127

func speakersOf(room string, a *sfuv1.ActiveSpeakers) *signalv1.Speakers {
	out := &signalv1.Speakers{RoomId: room}
	for _, s := range a.GetSpeakers() {
		out.Speakers = append(out.Speakers, &signalv1.Speaker{StreamId: s.GetStreamId(), UserId: s.GetUserId(), Level: loudest - min(loudest, s.GetLevel())})
	}
	return out
}
