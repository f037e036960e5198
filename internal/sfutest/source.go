// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/internal/sfutest/media"
)

const absCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

// Source is a client's uplinked track: a clip played in a loop, at its own pace by Play or frame by frame by Step, stamped in
// the Ledger. A keyframe request is answered with the clip's next keyframe.
type Source struct {
	// immutable after AddSource
	Number      uint16 // in the Ledger
	Codec       media.Codec
	Encrypt     func(payload []byte) // when set before the first frame: changes each payload in place, as encryption from end to end does
	client      *Client
	transceiver *webrtc.RTPTransceiver
	stop        chan struct{}
	once        sync.Once // guards the close of stop

	// owned by the caller of Step, or by Play
	clip    *media.Loop
	packets *media.Packetizer
	elapsed time.Duration

	mu       sync.Mutex // guards the next five
	writer   webrtc.TrackLocalWriter
	pt       uint8
	ssrc     uint32
	ext      uint8
	levelExt uint8

	level atomic.Uint32 // written by Loudness, read by Step: 1 more than the level, 0 for none

	keyframe atomic.Bool  // written by the RTCP reader, taken by Step: a keyframe is next
	plis     atomic.Int64 // written by the RTCP reader, read by tests
}

// AddSource adds a sendonly line for the codec's clip. It takes effect with the next Negotiate.
func (c *Client) AddSource(codec media.Codec) (*Source, error) {
	s := &Source{
		Number: c.ledger.open(fmt.Sprintf("%s/%s", c.User, codec)), Codec: codec, client: c, stop: make(chan struct{}),
		clip: media.NewLoop(media.Clip(codec)), packets: media.NewPacketizer(codec, 0, 0, 0, 1200),
	}
	// Sources must not look alike: each starts at other numbers, some just before they wrap.
	s.packets.StartAt(65000+s.Number*97, 0xffff0000+uint32(s.Number)*7919)
	t, err := c.pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	s.transceiver = t
	c.sources = append(c.sources, s)
	c.working.Add(1)
	go s.readRTCP(t.Sender())
	return s, nil
}

// Mid is the source's m-line, known after Negotiate.
func (s *Source) Mid() string { return s.transceiver.Mid() }

// PLIs is how many keyframe requests have come for the source.
func (s *Source) PLIs() int { return int(s.plis.Load()) }

// SSRC of the RTP stream, known after Negotiate.
func (s *Source) SSRC() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ssrc
}

// latest is how far behind real time Play may be before it gives up on the difference.
const latest = 100 * time.Millisecond

// Play starts to send in real time, or as fast as the machine allows: what cannot be kept up with is not made up for, or the load
// would be beyond the machine for as long as the test lasts. Stop, or closing the client, ends it.
func (s *Source) Play() {
	s.client.working.Add(1)
	go s.play()
}

// Stop ends Play.
func (s *Source) Stop() { s.once.Do(func() { close(s.stop) }) }

func (s *Source) play() {
	defer s.client.working.Done()
	next := time.NewTimer(0)
	defer next.Stop()
	due := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case <-next.C:
		}
		due = due.Add(s.Step())
		if now := time.Now(); now.Sub(due) > latest {
			due = now
		}
		next.Reset(time.Until(due))
	}
}

// Step sends the next frame at once and returns how long it lasts. Not to be called beside Play.
func (s *Source) Step() time.Duration {
	if s.keyframe.Swap(false) {
		s.clip.SkipToKeyframe()
	}
	frame := s.clip.Next()
	for i, p := range s.packets.Packetize(frame) {
		s.write(p, frame.Keyframe && i == 0)
	}
	s.elapsed += frame.Duration
	return frame.Duration
}

// Skip leaves out n sequence numbers, as if so many packets had been lost before they reached the node. To be called where
// Step is.
func (s *Source) Skip(n uint16) { s.packets.Skip(n) }

// Loudness has packets say how loud they are from now on, in -dBov from 0 to 127 (RFC 6464), whatever the clip sounds like.
func (s *Source) Loudness(level uint8) { s.level.Store(uint32(level&127) + 1) }

// Elapsed is how much media the source has sent, by the frames' durations. To be called where Step is.
func (s *Source) Elapsed() time.Duration { return s.elapsed }

func (s *Source) write(p *rtp.Packet, keyframe bool) {
	s.mu.Lock()
	writer := s.writer
	p.PayloadType, p.SSRC = s.pt, s.ssrc
	ext, levelExt := s.ext, s.levelExt
	s.mu.Unlock()
	if writer == nil {
		return
	}
	if s.Encrypt != nil {
		s.Encrypt(p.Payload)
	}
	stamp := s.client.ledger.enter(s.Number, p.Payload, keyframe, s.Codec == media.CodecVP8 && s.Encrypt == nil)
	if ext != 0 {
		_ = p.SetExtension(ext, stamp[:]) // id and size are in range by construction
	}
	if level := s.level.Load(); level != 0 && levelExt != 0 {
		_ = p.SetExtension(levelExt, []byte{uint8(level - 1)})
	}
	_, _ = writer.WriteRTP(&p.Header, p.Payload) // a connection that is gone shows at the receivers
}

// Inject sends a packet as it is, in no Ledger: for tests of what a publisher must not do.
func (s *Source) Inject(header rtp.Header, payload []byte) error {
	s.mu.Lock()
	writer := s.writer
	s.mu.Unlock()
	if writer == nil {
		return webrtc.ErrConnectionClosed
	}
	_, err := writer.WriteRTP(&header, payload)
	return err
}

func (s *Source) readRTCP(sender *webrtc.RTPSender) {
	defer s.client.working.Done()
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				s.keyframe.Store(true)
				s.plis.Add(1)
			}
		}
	}
}

// Bind implements webrtc.TrackLocal.
func (s *Source) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range ctx.HeaderExtensions() {
		if e.URI == absCaptureTime {
			s.ext = uint8(e.ID)
		}
		if e.URI == sdp.AudioLevelURI {
			s.levelExt = uint8(e.ID)
		}
	}
	for _, p := range ctx.CodecParameters() {
		if p.MimeType == s.Codec.MimeType() {
			s.writer, s.pt, s.ssrc = ctx.WriteStream(), uint8(p.PayloadType), uint32(ctx.SSRC())
			return p, nil
		}
	}
	return webrtc.RTPCodecParameters{}, fmt.Errorf("%w: %s", webrtc.ErrUnsupportedCodec, s.Codec)
}

// Unbind implements webrtc.TrackLocal.
func (s *Source) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (s *Source) ID() string { return fmt.Sprintf("source-%d", s.Number) }

// RID implements webrtc.TrackLocal.
func (s *Source) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (s *Source) StreamID() string { return s.client.User }

// Kind implements webrtc.TrackLocal.
func (s *Source) Kind() webrtc.RTPCodecType {
	if s.Codec.Audio() {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}
