// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"io"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// slot is a down line. For pion it is the track of a sendonly transceiver that never changes; what is forwarded into it
// is between its DownTrack and the router. It implements webrtc.TrackLocal.
type slot struct {
	session *session
	kind    router.Kind

	// owned by the session's loop
	transceiver *webrtc.RTPTransceiver
	mid         string // "" until an m-line has taken it

	// guarded by session.mu
	formats lineFormats
	config  rtpforward.DownTrackConfig
	down    *rtpforward.DownTrack // nil before the first Bind
	bound   router.BindSlot       // Subscription "" while idle
}

func (s *slot) place(mid string) { s.mid = mid }

// ID implements webrtc.TrackLocal. Names in SDP are those of the slot, not of streams: they never change.
func (s *slot) ID() string { return "track-" + s.mid }

// RID implements webrtc.TrackLocal.
func (s *slot) RID() string { return "" }

// StreamID implements webrtc.TrackLocal. Every slot is a stream of its own, or a browser would try to keep the slots of
// unrelated publishers in step.
func (s *slot) StreamID() string { return "slot-" + s.mid }

// Kind implements webrtc.TrackLocal.
func (s *slot) Kind() webrtc.RTPCodecType {
	if s.kind == router.Audio {
		return webrtc.RTPCodecTypeAudio
	}

	return webrtc.RTPCodecTypeVideo
}

// Bind implements webrtc.TrackLocal: pion has negotiated the line for the first time. Called within SetLocalDescription,
// on the session's loop.
func (s *slot) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	ss := s.session
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.ended {
		return webrtc.RTPCodecParameters{}, io.ErrClosedPipe
	}
	if s.down == nil {
		s.config = rtpforward.DownTrackConfig{
			Mid: s.mid, Video: s.kind == router.Video, SSRC: uint32(ctx.SSRC()), RTXSSRC: uint32(ctx.SSRCRetransmission()),
			Formats: s.formats.out, Writer: ctx.WriteStream(),
		}
		s.down = ss.downlink.NewDownTrack(s.config)
		ss.ssrcs = append(ss.ssrcs, uint32(ctx.SSRC()))
		ss.work.Add(1)
		go ss.readFeedback(s.transceiver.Sender(), uint32(ctx.SSRC()))
	}

	return codecs[0], nil
}

// Unbind implements webrtc.TrackLocal: the connection is being closed, and the Downlink is closed already.
func (s *slot) Unbind(webrtc.TrackLocalContext) error { return nil }

// readFeedback takes the subscriber's RTCP about one slot off pion.
func (s *session) readFeedback(sender *webrtc.RTPSender, ssrc uint32) {
	defer s.work.Done()
	defer s.contain("feedback reader")
	buf := make([]byte, receiveMTU)
	for {
		n, _, err := sender.Read(buf)
		if errors.Is(err, io.ErrShortBuffer) {
			continue
		}
		if err != nil {
			return
		}
		if s.answersFor(buf[:n], ssrc) {
			s.downlink.HandleRTCP(buf[:n])
		}
	}
}

// answersFor says whether a compound packet is this slot's to hand on. pion gives a copy to every stream that it speaks
// of; a report about nine slots must not count nine times. The first slot spoken of takes it.
func (s *session) answersFor(compound []byte, ssrc uint32) bool {
	packets, err := rtcp.Unmarshal(compound)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range packets {
		for _, about := range p.DestinationSSRC() {
			if slices.Contains(s.ssrcs, about) {
				return about == ssrc
			}
		}
	}

	return true
}
