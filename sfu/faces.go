// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// What faces may know of the packet path, which they do not import: copies of its counters, under names of this package.
type (
	// TrackStats are the counters of one kind of a stream.
	TrackStats = rtpforward.TrackStats
	// DownTrackStats are the counters of one kind of a subscription.
	DownTrackStats = rtpforward.DownTrackStats
	// LinkStats is what is known of the link to a client.
	LinkStats = rtpforward.LinkStats
	// LayerStats is what is known of a layer that arrives.
	LayerStats = rtpforward.LayerStats
	// Layer is a layer of video; negative: none.
	Layer = layers.Layer
	// Limit says why a slot does not show a higher layer.
	Limit = rtpforward.Limit
	// Drops counts dropped packets by reason.
	Drops = rtpforward.Drops
	// DropReason says why a packet was not forwarded.
	DropReason = rtpforward.DropReason
)

// The limits.
const (
	LimitNone       = rtpforward.LimitNone
	LimitPreference = rtpforward.LimitPreference
	LimitBandwidth  = rtpforward.LimitBandwidth
	LimitPublisher  = rtpforward.LimitPublisher
	LimitPaused     = rtpforward.LimitPaused
)
