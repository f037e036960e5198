// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "slices"

// ReportLayers tells the router what a slot of video shows, or that the link does not carry it. A session or slot that is
// gone, or bound to nothing, is no error: reports cross commands. What was reported is forgotten when the slot is bound,
// unbound, or paused or resumed by its subscriber: after a BindSlot or an UpdateSlot the media engine reports again, even
// the same. Reply: nil.
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
// stream that shows the source, unless nothing but bitrates is new: those are kept as of the last event. A session or line
// that is gone is no error. Reply: nil.
type ReportPublisherLayers struct {
	Session SessionID
	Mid     string
	Layers  []VideoLayer // smallest first; copied
}

// shown is what a subscription's slot of video shows.
type shown struct {
	spatial, temporal, target int8 // -1: none
	starved                   bool // by the link
}

var noLayers = shown{spatial: -1, temporal: -1, target: -1}

// forgetLayers returns to what holds before the first report. Whoever calls it tells the subscription afterwards.
func (sub *subscription) forgetLayers(tx *transaction) {
	if sub.shown != noLayers {
		assign(tx, &sub.shown, noLayers)
	}
}

func (c ReportLayers) shown() shown {
	now := shown{max(c.Spatial, -1), max(c.Temporal, -1), max(c.TargetSpatial, -1), c.Bandwidth}
	if now.spatial < 0 {
		now.temporal = -1
	}

	return now
}

func (c ReportLayers) apply(r *Router, tx *transaction) (any, error) {
	s := r.sessions[c.Session]
	if s == nil {
		return nil, nil
	}
	l := s.line(c.Mid, Video)
	if l == nil || l.sub == nil || l.sub.paused {
		return nil, nil
	}
	sub, now := l.sub, c.shown()
	before := sub.shown
	assign(tx, &sub.shown, now)
	rm := sub.member.room
	if before.spatial != now.spatial || before.temporal != now.temporal || before.target != now.target {
		r.emit(tx, rm.app.ID, rm, s.id, LayersEvent{
			Subscription: sub.id, Stream: sub.stream, Spatial: now.spatial, Temporal: now.temporal, TargetSpatial: now.target,
		})
	}
	if before.starved != now.starved {
		r.tell(tx, sub, "")
	}

	return nil, nil
}

// line returns the line of that mid and kind; nil when there is none.
func (s *session) line(mid string, kind Kind) *line {
	for _, l := range s.lines {
		if l.mid == mid && l.kind == kind {
			return l
		}
	}

	return nil
}

func (c ReportPublisherLayers) apply(r *Router, tx *transaction) (any, error) {
	s := r.sessions[c.Session]
	if s == nil {
		return nil, nil
	}
	l := s.source(c.Mid, Video)
	if l == nil || slices.EqualFunc(l.layers, c.Layers, VideoLayer.same) {
		return nil, nil
	}
	assign(tx, &l.layers, slices.Clone(c.Layers))
	for _, m := range s.members {
		for _, st := range m.streams {
			if st.mid[Video] == l.mid {
				r.emit(tx, m.room.app.ID, m.room, s.id, PublisherLayersEvent{Stream: st.id, Layers: l.layers})
			}
		}
	}

	return nil, nil
}

// same reports whether two layers differ in their bitrates at most.
func (v VideoLayer) same(w VideoLayer) bool {
	v.Bitrate, w.Bitrate = 0, 0

	return v == w
}
