// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type subscriptionService struct {
	sfuv1.UnimplementedSubscriptionServiceServer
	*face
}

// Subscribe implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) Subscribe(ctx context.Context, r *sfuv1.SubscribeRequest) (*sfuv1.SubscribeResponse, error) {
	preference, err := preferenceIn("preference", r.GetPreference())
	if err != nil {
		return nil, err
	}
	priority, err := priorityIn("priority", r.GetPriority())
	if err != nil {
		return nil, err
	}
	subscription, err := sfu.Do[router.Subscription](ctx, s.node, router.Subscribe{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()), Room: r.GetRoomId(),
		Stream: r.GetStreamId(), Audio: r.GetAudio(), Video: r.GetVideo(), Preference: preference, Priority: priority, Paused: r.GetPaused(),
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.SubscribeResponse{Subscription: subscriptionOf(subscription), NegotiationNeeded: s.missing(subscription.Session)}, nil
}

// SwitchSubscription implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) SwitchSubscription(ctx context.Context, r *sfuv1.SwitchSubscriptionRequest) (*sfuv1.SwitchSubscriptionResponse, error) {
	command := router.SwitchSubscription{ID: router.SubscriptionID(r.GetSubscriptionId()), Room: r.GetRoomId(), Stream: r.GetStreamId()}
	if command.Room == "" { // the room stays
		var now router.Subscription
		var err error
		s.node.Read(func(r2 *router.Router) { now, err = r2.Subscription(command.ID) })
		if err != nil {
			return nil, err
		}
		command.Room = now.Room
	}
	subscription, err := sfu.Do[router.Subscription](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	return &sfuv1.SwitchSubscriptionResponse{Subscription: subscriptionOf(subscription)}, nil
}

// UpdateSubscription implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) UpdateSubscription(ctx context.Context, r *sfuv1.UpdateSubscriptionRequest) (*sfuv1.UpdateSubscriptionResponse, error) {
	command := router.UpdateSubscription{ID: router.SubscriptionID(r.GetSubscriptionId()), Paused: r.Paused}
	if r.GetPreference() != nil {
		preference, err := preferenceIn("preference", r.GetPreference())
		if err != nil {
			return nil, err
		}
		command.Preference = &preference
	}
	if r.Priority != nil {
		priority, err := priorityIn("priority", r.GetPriority())
		if err != nil {
			return nil, err
		}
		command.Priority = &priority
	}
	subscription, err := sfu.Do[router.Subscription](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	return &sfuv1.UpdateSubscriptionResponse{Subscription: subscriptionOf(subscription)}, nil
}

// Unsubscribe implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) Unsubscribe(ctx context.Context, r *sfuv1.UnsubscribeRequest) (*sfuv1.UnsubscribeResponse, error) {
	ended, err := s.stop(ctx, router.Unsubscribe{ID: router.SubscriptionID(r.GetSubscriptionId())})
	if err != nil {
		return nil, err
	}
	return &sfuv1.UnsubscribeResponse{Ended: ended}, nil
}

// SetSubscriptions implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) SetSubscriptions(ctx context.Context, r *sfuv1.SetSubscriptionsRequest) (*sfuv1.SetSubscriptionsResponse, error) {
	if len(r.GetDesired()) > maxBatch {
		return nil, argument("desired", "at most %d items", maxBatch)
	}
	command := router.SetSubscriptions{
		Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), r.GetIncarnation()),
		Room: r.GetRoomId(), Generation: r.GetGeneration(),
	}
	for i, d := range r.GetDesired() {
		item, err := subscriptionIn(fmt.Sprintf("desired[%d]", i), d)
		if err != nil {
			return nil, err
		}
		if item.Room != "" && item.Room != r.GetRoomId() {
			return nil, argument(fmt.Sprintf("desired[%d].room_id", i), "is not the request's room")
		}
		command.Desired = append(command.Desired, item)
	}
	list, err := sfu.Do[[]router.Subscription](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	return &sfuv1.SetSubscriptionsResponse{
		Subscriptions: each(list, subscriptionOf), Generation: r.GetGeneration(), NegotiationNeeded: s.missing(command.Session),
	}, nil
}

// ListSubscriptions implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) ListSubscriptions(_ context.Context, r *sfuv1.ListSubscriptionsRequest) (*sfuv1.ListSubscriptionsResponse, error) {
	var list []router.Subscription
	var err error
	s.node.Read(func(r2 *router.Router) {
		list, err = r2.Subscriptions(router.SessionID(r.GetSessionId()), r.GetRoomId())
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b router.Subscription) int { return strings.Compare(string(a.ID), string(b.ID)) })
	page, next := pageOf(list, r.GetPage(), func(v router.Subscription) string { return string(v.ID) })
	return &sfuv1.ListSubscriptionsResponse{Subscriptions: each(page, subscriptionOf), NextPageToken: next}, nil
}

// GetSubscriptionStats implements sfuv1.SubscriptionServiceServer.
func (s subscriptionService) GetSubscriptionStats(_ context.Context, r *sfuv1.GetSubscriptionStatsRequest) (*sfuv1.GetSubscriptionStatsResponse, error) {
	id := router.SubscriptionID(r.GetSubscriptionId())
	var subscription router.Subscription
	var err error
	s.node.Read(func(r2 *router.Router) { subscription, err = r2.Subscription(id) })
	if err != nil {
		return nil, err
	}
	audio, video, err := s.node.SubscriptionStats(id)
	if err != nil {
		return nil, err
	}
	out := &sfuv1.SubscriptionStats{SubscriptionId: string(id)}
	if audio != nil {
		out.Audio = downStatsOf(sfuv1.MediaKind_MEDIA_KIND_AUDIO, subscription.AudioMid, audio)
	}
	if video != nil {
		out.Video = downStatsOf(sfuv1.MediaKind_MEDIA_KIND_VIDEO, subscription.VideoMid, video)
		setLayers(out, video)
	}
	if link, err := s.node.Link(subscription.Session); err == nil { // else it has ended this moment
		setLink(out, link)
	}
	return &sfuv1.GetSubscriptionStatsResponse{Stats: out}, nil
}
