// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func (c *client) negotiate(ctx context.Context, id uint32, r *signalv1.Negotiate) error {
	reply, err := c.node.api.session.Negotiate(ctx, &sfuv1.NegotiateRequest{
		SessionId: c.id, SessionEpoch: c.epoch, OfferSdp: r.GetOfferSdp(), OfferId: r.GetOfferId(),
	})
	if err != nil {
		return err
	}
	c.answer(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Answer{Answer: &signalv1.Answer{
		AnswerSdp: reply.GetAnswerSdp(), OfferId: reply.GetOfferId(),
	}}})
	return nil
}

func (c *client) addCandidates(ctx context.Context, id uint32, r *signalv1.AddCandidates) error {
	request := &sfuv1.AddIceCandidatesRequest{SessionId: c.id, SessionEpoch: c.epoch, End: r.GetEnd()}
	for _, v := range r.GetCandidates() {
		request.Candidates = append(request.Candidates, &sfuv1.IceCandidate{
			Candidate: v.GetCandidate(), SdpMid: v.GetSdpMid(), SdpMlineIndex: v.GetSdpMlineIndex(), UsernameFragment: v.GetUsernameFragment(),
		})
	}
	if _, err := c.node.api.session.AddIceCandidates(ctx, request); err != nil {
		return err
	}
	c.answer(done(id))
	return nil
}

func (c *client) startPublishing(ctx context.Context, id uint32, r *signalv1.StartPublishing) error {
	reply, err := c.node.api.stream.Publish(ctx, &sfuv1.PublishRequest{
		SessionId: c.id, SessionEpoch: c.epoch, RoomId: c.only(r.GetRoomId()), StreamId: r.GetStreamId(),
		AudioMid: r.GetAudioMid(), VideoMid: r.GetVideoMid(), Metadata: r.GetMetadata(),
	})
	if err != nil {
		return err
	}
	c.keep(reply.GetStream().GetRoomId(), reply.GetStream().GetId(), true)
	c.published(id, reply.GetStream(), true)
	return nil
}

// keep notes that a stream is the client's own, or no longer.
func (c *client) keep(room, stream string, own bool) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	m := c.rooms[room]
	switch {
	case m == nil:
	case own:
		m.own[stream] = true
	default:
		delete(m.own, stream)
	}
}

func (c *client) owns(room, stream string) bool {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	m := c.rooms[room]
	return m != nil && m.own[stream]
}

func (c *client) published(id uint32, s *sfuv1.Stream, own bool) {
	c.answer(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Stream{Stream: streamOf(s, own)}})
}

func (c *client) stopPublishing(ctx context.Context, id uint32, r *signalv1.StopPublishing) error {
	room := c.only(r.GetRoomId())
	_, err := c.node.api.stream.Unpublish(ctx, &sfuv1.UnpublishRequest{
		SessionId: c.id, SessionEpoch: c.epoch, RoomId: room, StreamId: r.GetStreamId(),
	})
	if err != nil {
		return err
	}
	c.keep(room, r.GetStreamId(), false)
	c.answer(done(id))
	return nil
}

// updatePublishing changes a stream. The node does not ask whose it is: that is for the tier to see to.
func (c *client) updatePublishing(ctx context.Context, id uint32, r *signalv1.UpdatePublishing) error {
	room := c.only(r.GetRoomId())
	incarnation, err := c.in(room)
	if err != nil {
		return err
	}
	own := c.owns(room, r.GetStreamId())
	if !own {
		if err := c.manages(ctx, room, incarnation); err != nil {
			return err
		}
		if r.Metadata != nil {
			return errNotOwn
		}
	}
	if r.Metadata != nil {
		reply, err := c.node.api.stream.SetStreamMetadata(ctx, &sfuv1.SetStreamMetadataRequest{
			AppId: c.app, RoomId: room, Incarnation: incarnation, StreamId: r.GetStreamId(), Metadata: r.GetMetadata(),
		})
		if err != nil {
			return err
		}
		if r.AudioMuted == nil && r.VideoMuted == nil {
			c.published(id, reply.GetStream(), own)
			return nil
		}
	}
	reply, err := c.node.api.stream.MuteStream(ctx, &sfuv1.MuteStreamRequest{
		AppId: c.app, RoomId: room, Incarnation: incarnation, StreamId: r.GetStreamId(), AudioMuted: r.AudioMuted, VideoMuted: r.VideoMuted,
	})
	if err != nil {
		return err
	}
	c.published(id, reply.GetStream(), own)
	return nil
}

func (c *client) startPlaying(ctx context.Context, id uint32, r *signalv1.StartPlaying) error {
	c.asks()
	reply, err := c.node.api.subscription.Subscribe(ctx, &sfuv1.SubscribeRequest{
		SessionId: c.id, SessionEpoch: c.epoch, RoomId: c.only(r.GetRoomId()), StreamId: r.GetStreamId(),
		Audio: r.GetAudio(), Video: r.GetVideo(), Preference: r.GetPreference(), Priority: r.GetPriority(),
	})
	c.settled(id, reply.GetSubscription())
	return err
}

// roomOfPlaying is the room of a subscription of the client; empty when it has no such.
func (c *client) roomOfPlaying(id string) string {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	return c.playing[id].GetRoomId()
}

// ownPlaying says whether a subscription is the client's. The node takes any id: that it is nobody else's is for the tier to
// see to.
func (c *client) ownPlaying(id string) error {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if c.playing[id] == nil {
		return errNoPlaying
	}
	return nil
}

func (c *client) stopPlaying(ctx context.Context, id uint32, r *signalv1.StopPlaying) error {
	if err := c.ownPlaying(r.GetId()); err != nil {
		return err
	}
	c.stop(r.GetId())
	_, err := c.node.api.subscription.Unsubscribe(ctx, &sfuv1.UnsubscribeRequest{SubscriptionId: r.GetId()})
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if err != nil {
		delete(c.stopping, r.GetId())
		if c.playing[r.GetId()] != nil {
			return err
		} // else it has ended by itself, of which only this reply tells
	}
	delete(c.playing, r.GetId())
	c.answer(done(id))
	return nil
}

// stop marks a subscription as one that the client has ended: it is told so by the reply.
func (c *client) stop(id string) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	c.stopping[id] = true
}

func (c *client) switchPlaying(ctx context.Context, id uint32, r *signalv1.SwitchPlaying) error {
	if err := c.ownPlaying(r.GetId()); err != nil {
		return err
	}
	if r.GetRoomId() == "" && c.mode == sfuv1.RoomMode_ROOM_MODE_MULTI {
		return errPlayRoom
	}
	c.asks()
	reply, err := c.node.api.subscription.SwitchSubscription(ctx, &sfuv1.SwitchSubscriptionRequest{
		SubscriptionId: r.GetId(), RoomId: c.only(r.GetRoomId()), StreamId: r.GetStreamId(),
	})
	c.settled(id, reply.GetSubscription())
	return err
}

func (c *client) updatePlaying(ctx context.Context, id uint32, r *signalv1.UpdatePlaying) error {
	if err := c.ownPlaying(r.GetId()); err != nil {
		return err
	}
	c.asks()
	reply, err := c.node.api.subscription.UpdateSubscription(ctx, &sfuv1.UpdateSubscriptionRequest{
		SubscriptionId: r.GetId(), Preference: r.GetPreference(), Priority: r.Priority, Paused: r.Paused,
	})
	c.settled(id, reply.GetSubscription())
	return err
}
