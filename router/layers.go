// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

// ReportLayers tells the router what a slot of video shows, or that the link does not carry it. Reply: nil.
type ReportLayers struct {
	Session           SessionID
	Mid               string
	Spatial, Temporal int8 // shown; negative: nothing
	TargetSpatial     int8 // aimed at; negative: nothing
	Bandwidth         bool // nothing is shown because the link does not carry it
}

// VideoLayer is one layer of a source of video.
type VideoLayer struct {
	Spatial        uint32
	RID            string // empty without simulcast
	Width, Height  uint32 // pixels, 0 unknown
	TemporalLayers uint32 // at least 1
	Bitrate        uint64 // bit/s
	Live           bool   // it arrives
	Wanted         bool   // somebody takes it; a publisher may stop it otherwise
}

// ReportPublisherLayers tells the router which layers of a source arrive, and which are wanted. It makes an event for each
// stream that shows the source. Reply: nil.
type ReportPublisherLayers struct {
	Session SessionID
	Mid     string
	Layers  []VideoLayer
}

func (c ReportLayers) apply(*Router, *transaction) (any, error) { return nil, nil }

func (c ReportPublisherLayers) apply(*Router, *transaction) (any, error) { return nil, nil }
