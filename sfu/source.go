// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// source is an up line: one fan-out point, from negotiation on. Layers come and go under it, see demux.
type source struct {
	mid   string            // immutable
	track *rtpforward.Track // immutable
	video bool              // immutable

	live     atomic.Bool     // atomic: written by the uplink's goroutine, read by anybody
	wanted   atomic.Uint32   // atomic: written by the uplink's goroutine, read by the loop: layers that somebody takes, and wantedKnown
	layers   publishedLayers // owned by the session's loop
	reported bool            // owned by the session's loop: what the router was told last
	codec    string          // owned by the session's loop: the same
}

// sources are a session's up lines.
type sources struct {
	uplink atomic.Pointer[rtpforward.Uplink] // atomic: written with mu held, read by HandleMedia; nil before the first source

	mu     sync.Mutex // guards the rest; taken alone
	byMid  map[string]*source
	closed bool
}

// prepareSource makes the line's source unless it is there, and returns what takes that back. Loop only; the transport is
// there.
func (s *session) prepareSource(l line) (undo func()) {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	if s.sources.closed || s.sources.byMid[l.mid] != nil {
		return func() {}
	}
	uplink := s.sources.uplink.Load()
	if uplink == nil {
		uplink = s.node.forward.NewUplink(rtpforward.UplinkConfig{SSRC: s.feedbackSSRC, WriteRTCP: s.transport.WriteRTCP})
		s.sources.uplink.Store(uplink)
	}
	src := &source{mid: l.mid, video: l.kind == router.Video}
	src.track = uplink.NewTrack(rtpforward.TrackConfig{
		Mid: l.mid, Video: l.kind == router.Video,
		OnLive: func(live bool) {
			src.live.Store(live)
			s.poke()
		},
		OnWanted: func(spatial uint8) { s.onWanted(src, spatial) },
	})
	s.sources.byMid[l.mid] = src

	return func() {
		s.sources.mu.Lock()
		defer s.sources.mu.Unlock()
		delete(s.sources.byMid, l.mid)
		src.track.Close()
	}
}

// source returns an up line; nil when there is none. Any goroutine.
func (s *session) source(mid string) *source {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()

	return s.sources.byMid[mid]
}

// anyLive says whether anything is being published. Any goroutine.
func (s *sources) anyLive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range s.byMid {
		if src.live.Load() {
			return true
		}
	}

	return false
}

// reportLive tells the router about sources that have started or stopped to send, or have another codec. Loop only.
func (s *session) reportLive() {
	s.sources.mu.Lock()
	var changed []*source
	for _, src := range s.sources.byMid {
		live, codec := src.live.Load(), src.codec
		if live {
			codec = src.track.Stats().Codec.MimeType()
		}
		if live != src.reported || codec != src.codec {
			src.reported, src.codec = live, codec
			changed = append(changed, src)
		}
	}
	s.sources.mu.Unlock()
	for _, src := range changed {
		err := s.tell(router.SetSourceLive{Session: s.id, Mid: src.mid, Live: src.reported, Codec: src.codec})
		if errors.Is(err, router.ErrUnknownMid) { // went inactive meanwhile; told again when it comes back
			src.reported = false
		}
	}
}

// closeSources ends the publishing side. The transport is closed already.
func (s *session) closeSources() {
	s.demux.close()
	s.sources.mu.Lock()
	s.sources.closed = true
	s.sources.mu.Unlock()
	if u := s.sources.uplink.Load(); u != nil {
		u.Close()
	}
}
