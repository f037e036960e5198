// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// layerOf is a layer's number, nil for none.
func layerOf(n int8) *uint32 {
	if n < 0 {
		return nil
	}
	v := uint32(n)
	return &v
}

func layersOf(e router.LayersEvent) *sfuv1.LayersChanged {
	return &sfuv1.LayersChanged{
		SubscriptionId: string(e.Subscription), StreamId: e.Stream, Spatial: uint32(max(e.Spatial, 0)), Temporal: uint32(max(e.Temporal, 0)),
		TargetSpatial: uint32(max(e.TargetSpatial, 0)), NoLayer: e.Spatial < 0, NoTarget: e.TargetSpatial < 0,
	}
}

func videoLayerOf(l router.VideoLayer) *sfuv1.VideoLayer {
	return &sfuv1.VideoLayer{
		Spatial: l.Spatial, Rid: l.RID, Width: l.Width, Height: l.Height, TemporalLayers: l.TemporalLayers, Bitrate: l.Bitrate,
		Live: l.Live, Wanted: l.Wanted,
	}
}

func streamLayerOf(l router.VideoLayer) *sfuv1.StreamLayer {
	return &sfuv1.StreamLayer{
		Spatial: l.Spatial, Rid: l.RID, Width: l.Width, Height: l.Height, TemporalLayers: l.TemporalLayers, Bitrate: l.Bitrate,
		Live: l.Live, Wanted: l.Wanted,
	}
}

// videoStatsOf is a source of video over all its layers, and then layer by layer.
func videoStatsOf(mid string, whole *sfu.TrackStats, list []sfu.LayerStats) []*sfuv1.TrackStats {
	out := []*sfuv1.TrackStats{trackStatsOf(sfuv1.MediaKind_MEDIA_KIND_VIDEO, mid, whole)}
	for _, l := range list {
		if uint32(l.Width)*uint32(l.Height) > out[0].GetWidth()*out[0].GetHeight() {
			out[0].Width, out[0].Height = uint32(l.Width), uint32(l.Height)
		}
		out = append(out, &sfuv1.TrackStats{
			Kind: sfuv1.MediaKind_MEDIA_KIND_VIDEO, Mime: whole.Codec.MimeType(), Mid: mid, Rid: l.RID,
			Width: uint32(l.Width), Height: uint32(l.Height), Fps: l.FrameRate, Bitrate: l.Bitrate,
			TemporalLayers: uint32(max(l.TemporalLayers, 1)), Live: l.Live, Wanted: l.Wanted, SpatialLayer: layerOf(l.Layer.Spatial),
		})
	}
	return out
}

var layerLimits = map[sfu.Limit]sfuv1.LayerLimit{
	sfu.LimitNone:       sfuv1.LayerLimit_LAYER_LIMIT_NONE,
	sfu.LimitPreference: sfuv1.LayerLimit_LAYER_LIMIT_PREFERENCE,
	sfu.LimitBandwidth:  sfuv1.LayerLimit_LAYER_LIMIT_BANDWIDTH,
	sfu.LimitPublisher:  sfuv1.LayerLimit_LAYER_LIMIT_PUBLISHER,
	sfu.LimitPaused:     sfuv1.LayerLimit_LAYER_LIMIT_PAUSED,
}

// setLayers tells what a slot of video shows, and why not more.
func setLayers(out *sfuv1.SubscriptionStats, s *sfu.DownTrackStats) {
	out.NoLayer = s.Current.Spatial < 0
	if !out.NoLayer {
		out.SpatialLayer, out.TemporalLayer = uint32(max(s.Current.Spatial, 0)), uint32(max(s.Current.Temporal, 0))
	}
	if s.Target.Spatial >= 0 {
		out.TargetSpatialLayer, out.TargetTemporalLayer = layerOf(s.Target.Spatial), layerOf(s.Target.Temporal)
	}
	out.Limit = layerLimits[s.Limit]
	out.LayerSwitches, out.Freezes, out.Frozen = s.LayerSwitches, s.Freezes, durationpb.New(s.FrozenFor)
}

// setLink tells about the downlink that the subscription shares with the others of its session.
func setLink(out *sfuv1.SubscriptionStats, l sfu.LinkStats) {
	if l.Controlled {
		out.EstimatedBitrate = bits(l.Target)
	}
	out.Link = &sfuv1.LinkStats{
		Controlled: l.Controlled, TargetBitrate: bits(l.Target), AcknowledgedBitrate: bits(l.Acknowledged), SendingBitrate: bits(l.Sending),
		Loss: l.Loss, Queue: durationpb.New(l.Queue), Rtt: known(l.RTT), Backlog: uint32(max(l.Backlog, 0)),
		Probes: l.Probes, ProbeBytes: l.ProbeBytes, Paused: uint32(max(l.Paused, 0)),
	}
}

func adaptiveOf(a sfu.AdaptiveLoad) *sfuv1.AdaptiveLoad {
	return &sfuv1.AdaptiveLoad{
		ControlledSessions: count(a.Controlled), VideoSlots: a.Limits, PausedByBandwidth: count(a.PausedByBandwidth),
		LayerSwitches: a.LayerSwitches, Freezes: a.Freezes, Probes: a.Probes, ProbeBytes: a.ProbeBytes, Backlog: count(a.Backlog),
	}
}

func bits(n int64) uint64 { return uint64(max(n, 0)) }
