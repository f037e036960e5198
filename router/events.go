// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

// Kind implements Payload.
func (SessionEvent) Kind() string { return "session_state" }

// Kind implements Payload.
func (NegotiationNeededEvent) Kind() string { return "negotiation_needed" }

// Kind implements Payload.
func (MemberJoinedEvent) Kind() string { return "member_joined" }

// Kind implements Payload.
func (MemberLeftEvent) Kind() string { return "member_left" }

// Kind implements Payload.
func (MemberKickedEvent) Kind() string { return "member_kicked" }

// Kind implements Payload.
func (MemberExpiringEvent) Kind() string { return "member_expiring" }

// Kind implements Payload.
func (MemberUpdatedEvent) Kind() string { return "member_updated" }

// Kind implements Payload.
func (StreamAddedEvent) Kind() string { return "stream_added" }

// Kind implements Payload.
func (StreamRemovedEvent) Kind() string { return "stream_removed" }

// Kind implements Payload.
func (StreamChangedEvent) Kind() string { return "stream_changed" }

// Kind implements Payload.
func (StreamMutedEvent) Kind() string { return "stream_muted" }

// Kind implements Payload.
func (SubscriptionEvent) Kind() string { return "subscription_state" }

// Kind implements Payload.
func (LayersEvent) Kind() string { return "layers" }

// Kind implements Payload.
func (PublisherLayersEvent) Kind() string { return "publisher_layers" }

// Kind implements Payload.
func (RoomAudioEvent) Kind() string { return "room_audio" }

// Kind implements Payload.
func (SpeakersEvent) Kind() string { return "active_speakers" }

// Kind implements Payload.
func (MessageEvent) Kind() string { return "message" }

// Kind implements Payload.
func (RoomMetadataEvent) Kind() string { return "room_metadata" }

// Kind implements Payload.
func (RoomOpenedEvent) Kind() string { return "room_opened" }

// Kind implements Payload.
func (RoomClosedEvent) Kind() string { return "room_closed" }

// Kind implements Payload.
func (LimitsEvent) Kind() string { return "limits" }

// Kind implements Payload.
func (NodeEvent) Kind() string { return "node_state" }
