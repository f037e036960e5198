// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// Codec names an RTP payload format.
type Codec string

// The codecs. CodecRaw carries a frame as one packet, as it is: for payloads
// that nobody on the way may understand.
const (
	CodecVP8  Codec = "VP8"
	CodecVP9  Codec = "VP9"
	CodecAV1  Codec = "AV1"
	CodecH264 Codec = "H264"
	CodecH265 Codec = "H265"
	CodecOpus Codec = "opus"
	CodecRED  Codec = "red"
	CodecRaw  Codec = "raw"
)

// Audio says whether the codec is one for sound.
func (c Codec) Audio() bool { return c == CodecOpus || c == CodecRED }

// ClockRate is the RTP clock of the codec in Hz.
func (c Codec) ClockRate() uint32 {
	if c.Audio() {
		return 48000
	}

	return 90000
}

// MimeType is the codec as SDP and pion write it, for example "video/VP8".
func (c Codec) MimeType() string {
	if c.Audio() {
		return "audio/" + string(c)
	}

	return "video/" + string(c)
}

// payloader gives the codec's payload format; nil carries frames as they are.
// Picture ids start at 0, so that two runs send the same bytes.
func (c Codec) payloader() rtp.Payloader {
	switch c {
	case CodecVP8:
		return &codecs.VP8Payloader{EnablePictureID: true}
	case CodecVP9:
		return &codecs.VP9Payloader{InitialPictureIDFn: func() uint16 { return 0 }}
	case CodecAV1:
		return &codecs.AV1Payloader{}
	case CodecH264:
		return &codecs.H264Payloader{}
	case CodecH265:
		return &codecs.H265Payloader{}
	case CodecOpus, CodecRED, CodecRaw:
	}

	return nil
}

// rtpHeader is what a packet's header may take of the MTU: 12 bytes and the
// header extensions a browser sends.
const rtpHeader = 12 + 36

// Packetizer makes RTP packets of frames. Sequence numbers go up by one a
// packet; timestamps follow the sum of the frames' durations, so that a clip
// that starts again goes on where it ended. It is for one goroutine.
type Packetizer struct {
	payloader rtp.Payloader
	mtu       uint16
	clockRate uint32
	header    rtp.Header
	audio     bool
	first     bool
	origin    uint32        // timestamp of the first frame
	elapsed   time.Duration // durations of the frames so far
}

// NewPacketizer makes packets with payload type pt and the given SSRC, each at
// most mtu bytes long (at least 100; 1200 is a browser's) with room for 36
// bytes of header extensions. clockRate 0 is the codec's own.
func NewPacketizer(codec Codec, pt uint8, ssrc, clockRate uint32, mtu uint16) *Packetizer {
	if clockRate == 0 {
		clockRate = codec.ClockRate()
	}

	return &Packetizer{
		payloader: codec.payloader(),
		mtu:       mtu - rtpHeader,
		clockRate: clockRate,
		header:    rtp.Header{Version: 2, PayloadType: pt, SSRC: ssrc},
		audio:     codec.Audio(),
		first:     true,
	}
}

// StartAt sets the next packet's sequence number and timestamp, 0 and 0 if it
// is never called: to try a wrap, or two sources that must not look alike.
func (p *Packetizer) StartAt(sequence uint16, timestamp uint32) {
	p.header.SequenceNumber, p.origin, p.elapsed = sequence, timestamp, 0
}

// Skip leaves out n sequence numbers, as if so many packets had been lost on
// the way.
func (p *Packetizer) Skip(n uint16) { p.header.SequenceNumber += n }

// Packetize gives the packets of the next frame, which own their payloads. The
// last one has the marker bit; of audio the first packet of all has it
// (RFC 3551 section 4.1: the start of a talkspurt).
func (p *Packetizer) Packetize(f Frame) []*rtp.Packet {
	p.header.Timestamp = p.origin + uint32(rtpTicks(p.elapsed, p.clockRate)) // wraps by design
	p.elapsed += f.Duration
	payloads := [][]byte{append([]byte(nil), f.Data...)}
	if p.payloader != nil {
		payloads = p.payloader.Payload(p.mtu, f.Data)
	}
	packets := make([]*rtp.Packet, len(payloads))
	for i, payload := range payloads {
		packets[i] = &rtp.Packet{Header: p.header, Payload: payload}
		packets[i].Marker = p.marker(i == len(payloads)-1)
		p.header.SequenceNumber++
	}

	return packets
}

func (p *Packetizer) marker(last bool) bool {
	if !p.audio {
		return last
	}
	first := p.first
	p.first = false

	return first
}

// rtpTicks converts without drift: it takes the whole time and not one frame's,
// which at 15 frames a second is no whole number of nanoseconds.
func rtpTicks(elapsed time.Duration, clockRate uint32) uint64 {
	seconds, rest := uint64(elapsed/time.Second), uint64(elapsed%time.Second)
	rate := uint64(clockRate)

	return seconds*rate + (rest*rate+uint64(time.Second)/2)/uint64(time.Second)
}
