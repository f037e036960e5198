// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// source is an up line: one fan-out point, from negotiation on. Layers come and go under it.
type source struct {
	mid   string            // immutable
	kind  router.Kind       // immutable
	track *rtpforward.Track // immutable

	live     atomic.Bool // atomic: written by the uplink's goroutine, read by the session's loop
	reported bool        // owned by the session's loop: what the router was told last
	codec    string      // owned by the session's loop: the same
}

// sources are a session's up lines, and what their streams look like.
type sources struct {
	mu      sync.Mutex // guards the rest; taken alone
	uplink  *rtpforward.Uplink
	byMid   map[string]*source
	formats map[string]lineFormats
	closed  bool
}

// prepareSource makes the line's Track, or takes over what a new answer says of it. Loop only.
func (s *session) prepareSource(l line, f lineFormats) {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	s.sources.formats[l.mid] = f
	if s.sources.closed || s.sources.byMid[l.mid] != nil {
		return
	}
	if s.sources.uplink == nil {
		p := s.peer
		s.sources.uplink = s.node.forward.NewUplink(rtpforward.UplinkConfig{SSRC: s.feedbackSSRC, WriteRTCP: p.writeRTCP})
	}
	src := &source{mid: l.mid, kind: l.kind}
	src.track = s.sources.uplink.NewTrack(rtpforward.TrackConfig{
		Mid: l.mid, Video: l.kind == router.Video,
		OnLive: func(live bool) {
			src.live.Store(live)
			s.poke()
		},
	})
	s.sources.byMid[l.mid] = src
}

// source returns an up line; nil when there is none. Any goroutine.
func (s *session) source(mid string) *source {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()

	return s.sources.byMid[mid]
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

// observe passes on the number of a packet that never reaches a reader. Any goroutine.
func (s *session) observe(seq uint16) {
	s.sources.mu.Lock()
	u := s.sources.uplink
	s.sources.mu.Unlock()
	if u != nil {
		u.ObserveTransport(seq)
	}
}

// onTrack starts reading a stream. pion calls it once per stream, on a goroutine of its own.
func (s *session) onTrack(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	defer s.contain("track")
	mid := ""
	if transceiver := r.RTPTransceiver(); transceiver != nil {
		mid = transceiver.Mid()
	}
	up := s.newUpTrack(mid, t)
	if up == nil {
		return
	}
	go s.readMedia(up, t)
	go s.readReports(up, t, r)
}

// newUpTrack enters a stream under its source. It is nil when the session has no such source (any more).
func (s *session) newUpTrack(mid string, t *webrtc.TrackRemote) *rtpforward.UpTrack {
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	src := s.sources.byMid[mid]
	if src == nil && mid == "" && len(s.sources.byMid) == 1 {
		// A client that announces neither SSRC nor layers: pion makes up a transceiver for its only line.
		for mid, src = range s.sources.byMid {
		}
	}
	if src == nil || s.sources.closed {
		return nil
	}
	f := s.sources.formats[mid]
	s.work.Add(2) // under the lock: whoever sets closed waits for the readers after that

	return src.track.NewUpTrack(rtpforward.UpTrackConfig{
		SSRC: uint32(t.SSRC()), RID: t.RID(), Payloads: f.payloads, Extensions: f.extensions,
		NACK: f.nack, TransportCC: f.transport, PLI: f.pli, FIR: f.fir,
	})
}

// readMedia takes packets off pion until the stream ends.
func (s *session) readMedia(up *rtpforward.UpTrack, t *webrtc.TrackRemote) {
	defer s.work.Done()
	defer s.contain("media reader")
	defer up.Close()
	for {
		buf := up.Buffer()
		n, _, err := t.Read(buf)
		switch {
		case err == nil || n > 0: // pion does not know the payload type: counted by Ingest
			up.Ingest(buf[:n])
		case errors.Is(err, io.ErrShortBuffer): // larger than anything that fits a path
		default:
			return
		}
	}
}

// readReports takes the publisher's RTCP off pion until the stream ends.
func (s *session) readReports(up *rtpforward.UpTrack, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	defer s.work.Done()
	defer s.contain("report reader")
	buf := make([]byte, receiveMTU)
	for {
		n, err := 0, error(nil)
		if rid := t.RID(); rid != "" {
			n, _, err = r.ReadSimulcast(buf, rid)
		} else {
			n, _, err = r.Read(buf)
		}
		if errors.Is(err, io.ErrShortBuffer) {
			continue
		}
		if err != nil {
			return
		}
		up.HandleRTCP(buf[:n])
	}
}

// closeSources ends the publishing side; readers end as pion closes.
func (s *session) closeSources() {
	s.sources.mu.Lock()
	u := s.sources.uplink
	s.sources.closed = true
	s.sources.mu.Unlock()
	if u != nil {
		u.Close()
	}
}
