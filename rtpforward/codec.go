// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"strings"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// Codec is the payload format of a track. The zero value is CodecUnknown.
type Codec uint8

// The payload formats that the node routes. G.711 is deliberately absent: no
// endpoint we serve needs it and an unrouted codec is not negotiated.
const (
	CodecUnknown Codec = iota
	CodecOpus
	CodecRED // audio/red, RFC 2198, wrapping Opus
	CodecVP8
	CodecVP9
	CodecH264
	CodecH265
	CodecAV1
)

// Bounds on the layer numbers of a Descriptor, so that they may index an array
// of these lengths without a further check.
const (
	MaxSpatialLayers  = 5 // more spatial layers exist in no encoder; higher ids are clamped to 4
	MaxTemporalLayers = 8 // three bits in every payload format
)

// String returns the encoding name as it is written in SDP, audio in lower
// case: "opus", "red", "VP8", … and "unknown" for anything else.
func (c Codec) String() string {
	switch c {
	case CodecOpus:
		return "opus"
	case CodecRED:
		return "red"
	case CodecVP8:
		return "VP8"
	case CodecVP9:
		return "VP9"
	case CodecH264:
		return "H264"
	case CodecH265:
		return "H265"
	case CodecAV1:
		return "AV1"
	case CodecUnknown:
	}
	return "unknown"
}

// Video reports whether the payload is video.
func (c Codec) Video() bool { return c >= CodecVP8 && c <= CodecAV1 }

// ClockRate returns the RTP timestamp rate in Hz, 0 for an unknown codec.
func (c Codec) ClockRate() uint32 {
	switch {
	case c.Video():
		return 90_000 // fixed by every video payload format we route
	case c == CodecOpus || c == CodecRED:
		return 48_000 // https://www.rfc-editor.org/rfc/rfc7587#section-4.1
	}
	return 0
}

// CodecFromMime maps a media type such as "video/VP8" to a codec, ignoring
// case; parameters after a ';' are not looked at. Unknown types, and video/red,
// give CodecUnknown.
func CodecFromMime(mime string) Codec {
	mime, _, _ = strings.Cut(mime, ";")
	mime = strings.TrimSpace(mime)
	for c := CodecOpus; c <= CodecAV1; c++ {
		if strings.EqualFold(mime, c.MimeType()) {
			return c
		}
	}
	return CodecUnknown
}

// MimeType is the codec's media type, such as "video/VP8"; empty for
// CodecUnknown.
func (c Codec) MimeType() string {
	switch {
	case c == CodecUnknown || c > CodecAV1:
		return ""
	case c.Video():
		return "video/" + c.String()
	}
	return "audio/" + c.String()
}

// Descriptor is what the packet path knows about one payload. It is a plain
// value: it holds no reference to the payload and may be copied freely.
//
// When Known is false the fields about frames say nothing, except FrameEnd,
// which then repeats the RTP marker.
type Descriptor struct {
	// Known is set when the payload descriptor was read to its end and what
	// follows it is not plainly something else than the codec's. An end-to-end
	// encrypted or damaged payload leaves it false; such a packet is forwarded
	// all the same.
	Known bool
	// FrameStart marks the first packet of a frame (of a layer frame in VP9).
	// H264 and H265 payloads cannot tell: there it only means that a NAL unit
	// starts here, and a frame starts if moreover the packet before it had the
	// marker or another timestamp.
	FrameStart bool
	// FrameEnd is the RTP marker, or the end of a layer frame where the
	// descriptor says so (VP9).
	FrameEnd bool
	// Keyframe is set on a packet with the beginning of a random-access point
	// of the base spatial layer; the following packets of that frame do not
	// have it, save that in H264 and H265 each parameter set and each slice of
	// an IDR picture that starts a packet does. Every audio packet has it.
	Keyframe bool

	Spatial, Temporal uint8 // below MaxSpatialLayers and MaxTemporalLayers; 0 unless HasLayers
	HasLayers         bool  // the payload carries a layer number (Temporal only in VP8)
	// SwitchingPoint allows going up to Temporal here: VP8 Y, VP9 U, H265 TSA
	// and STSA.
	SwitchingPoint bool

	PictureID    uint16 // 7 or 15 bits
	HasPictureID bool
	PictureID15  bool // PictureID is of the long form
	TL0PicIdx    uint8
	HasTL0PicIdx bool
	KeyIdx       uint8 // 5 bits, VP8 only
	HasKeyIdx    bool

	Width, Height uint16 // pixels, of the largest layer; 0 where this payload does not tell
}

// Describe reads the payload descriptor. marker is the RTP marker bit. It never
// panics, reads nothing behind the payload, allocates nothing, keeps no
// reference and is safe for concurrent use. It looks past the payload
// descriptor only for hints (frame size) and never depends on them, so that a
// payload encrypted behind its descriptor is described as well.
func (c Codec) Describe(payload []byte, marker bool) Descriptor {
	if len(payload) == 0 {
		return Descriptor{FrameEnd: marker} // padding only: a bandwidth probe
	}
	if c == CodecVP8 || c == CodecVP9 || c == CodecH264 {
		r := layers.Reader{Codec: unitCodec(c)}
		u := r.Read(payload, nil, 0, marker)
		return c.describeUnit(payload, &u)
	}
	d, ok := Descriptor{Known: true, FrameEnd: marker}, false
	switch c {
	case CodecOpus:
		ok = true
		describeOpus(&d)
	case CodecRED:
		ok = describeRED(payload, &d)
	case CodecH265:
		ok = describeH265(payload, &d)
	case CodecAV1:
		ok = describeAV1(payload, &d)
	default:
	}
	if !ok {
		return Descriptor{FrameEnd: marker}
	}
	d.Spatial = min(d.Spatial, MaxSpatialLayers-1)
	d.Temporal = min(d.Temporal, MaxTemporalLayers-1)
	return d
}

// describeUnit describes a payload of VP8, VP9 or H264 by what layers.Reader has
// read.
func (c Codec) describeUnit(payload []byte, u *layers.Unit) Descriptor {
	if !u.Known {
		return Descriptor{FrameEnd: u.PictureEnd}
	}
	d := Descriptor{
		Known: true, FrameStart: u.FrameStart, FrameEnd: u.FrameEnd, Keyframe: u.Key, Width: u.Width, Height: u.Height,
		PictureID: u.PictureID, HasPictureID: u.PictureBits != 0, PictureID15: u.PictureBits == 15,
		TL0PicIdx: u.TL0PicIdx, HasTL0PicIdx: u.HasTL0PicIdx, KeyIdx: u.KeyIdx, HasKeyIdx: u.HasKeyIdx, HasLayers: u.Layered,
	}
	if c == CodecH264 {
		describeH264(payload, &d)
		return d
	}
	d.SwitchingPoint = u.Sync
	d.Spatial, d.Temporal = min(u.Spatial, MaxSpatialLayers-1), min(u.Temporal, MaxTemporalLayers-1)
	return d
}
