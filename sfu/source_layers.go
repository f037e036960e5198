// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

const (
	// layersEvery is the least time between two reports about one source's layers.
	layersEvery = 250 * time.Millisecond
	// layersSettle is when to look again after layers have changed: a publisher starts one after the other.
	layersSettle = time.Second

	// wantedKnown is set in source.wanted once there is a mask beside it.
	wantedKnown = 1 << 8
)

// publishedLayers is what the loop knows of a source's layers.
type publishedLayers struct {
	told []router.VideoLayer // what the router was told last
	at   time.Time           // and when
}

// onWanted implements TrackConfig.OnWanted. Called by the uplink's goroutine.
func (s *session) onWanted(src *source, spatial uint8) {
	src.wanted.Store(wantedKnown | uint32(spatial))
	s.poke()
	s.pokeIn(layersSettle) // it may be about a layer that is not among the described ones yet
}

// reportLayers tells the router and the publisher which layers of each source of video there are and which of them anybody
// takes, when that has changed. It is looked at when something is known to have changed, and with the session's other looks.
// Loop only.
func (s *session) reportLayers() {
	s.sources.mu.Lock()
	var list []*source
	for _, src := range s.sources.byMid {
		if src.video {
			list = append(list, src)
		}
	}
	s.sources.mu.Unlock()
	for _, src := range list {
		if again := s.reportLayersOf(src, src.track.Layers(), time.Now()); again > 0 {
			s.pokeIn(again)
		}
	}
}

// reportLayersOf is reportLayers for one source; it returns when to look again, 0: not before anything happens.
func (s *session) reportLayersOf(src *source, layers []rtpforward.LayerStats, now time.Time) (again time.Duration) {
	list := videoLayers(layers, src.wanted.Load())
	since := now.Sub(src.layers.at)
	if slices.EqualFunc(list, src.layers.told, sameLayer) {
		switch {
		case !src.layers.at.IsZero():
			return max(layersSettle-since, 0)
		case src.live.Load():
			return layersSettle // they have not been measured yet
		}

		return 0
	}
	if !src.layers.at.IsZero() && since < layersEvery {
		return layersEvery - since
	}
	before := layersText(src.mid, src.layers.told)
	src.layers = publishedLayers{told: list, at: now}
	if err := s.tell(router.ReportPublisherLayers{Session: s.id, Mid: src.mid, Layers: list}); err != nil {
		s.log().Debug("publisher's layers not told", "mid", src.mid, "error", err)
	}
	if text := layersText(src.mid, list); string(text) != string(before) {
		s.tellPublisher(src.mid, text)
	}

	return layersSettle
}

// videoLayers is the router's view of layers. Before anybody has said which are wanted, all are.
func videoLayers(layers []rtpforward.LayerStats, wanted uint32) []router.VideoLayer {
	list := make([]router.VideoLayer, 0, len(layers))
	for _, l := range layers {
		if l.Layer.Spatial < 0 {
			continue
		}
		list = append(list, router.VideoLayer{
			Spatial: uint32(l.Layer.Spatial), RID: l.RID, Width: uint32(l.Width), Height: uint32(l.Height),
			TemporalLayers: uint32(max(l.TemporalLayers, 1)), Bitrate: l.Bitrate, Live: l.Live,
			Wanted: wanted&wantedKnown == 0 || l.Layer.Spatial < 8 && wanted&(1<<l.Layer.Spatial) != 0,
		})
	}

	return list
}

// sameLayer leaves out the bitrate, which is never the same.
func sameLayer(a, b router.VideoLayer) bool {
	a.Bitrate, b.Bitrate = 0, 0

	return a == b
}

type layerText struct {
	RID     string `json:"rid,omitempty"`
	Spatial uint32 `json:"spatial"`
	Wanted  bool   `json:"wanted"`
}

// layersText is what a publisher is told of one of its sources.
func layersText(mid string, layers []router.VideoLayer) []byte {
	list := make([]layerText, 0, len(layers))
	for _, l := range layers {
		list = append(list, layerText{l.RID, l.Spatial, l.Wanted})
	}

	return encode(struct {
		Type   string      `json:"type"`
		Mid    string      `json:"mid"`
		Layers []layerText `json:"layers"`
	}{"layers", mid, list})
}

// tellPublisher has the client told of a source's layers; of what it has not been told yet only the newest.
func (s *session) tellPublisher(mid string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.layers == nil {
		s.layers = make(map[string][]byte)
	}
	s.layers[mid] = text
	if s.channel != nil {
		if !slices.Contains(s.channel.layers, mid) { // as many as there are sources, however long the client takes nothing
			s.channel.layers = append(s.channel.layers, mid)
		}
		s.wakeWriter(s.channel)
	}
}

// takeLayers takes what is to be told of sources' layers. With mu held.
func (s *session) takeLayers(c *channel) (texts [][]byte) {
	slices.Sort(c.layers)
	for _, mid := range slices.Compact(c.layers) {
		texts = append(texts, s.layers[mid])
	}
	c.layers = nil

	return texts
}
