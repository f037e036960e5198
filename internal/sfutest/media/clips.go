// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"embed"
	"sync"
	"time"
)

//go:embed clips
var clips embed.FS

// Frame is one encoded picture (every layer of it), or one Opus packet.
type Frame struct {
	// Data is the frame as the codec's RTP payload format takes it: H264 and H265 as
	// NAL units behind four-byte start codes and without delimiters, AV1 as
	// OBUs with sizes and without temporal delimiters. Read-only.
	Data []byte
	// Duration is the time until the next frame; more than 0.
	Duration time.Duration
	// Keyframe says that decoding can start here. Every Opus frame is one.
	Keyframe bool
}

// VP8 is 320x180 at 15 frames a second, 4 s, about 150 kbit/s, a keyframe
// every 2 s.
func VP8() []Frame { return vp8Clip() }

// Opus is 48 kHz stereo in packets of 20 ms, 4 s, about 80 kbit/s.
func Opus() []Frame { return opusClip() }

// H264 is constrained baseline, 320x180 at 15 frames a second, 2 s, about
// 130 kbit/s, SPS and PPS before the keyframe of every second.
func H264() []Frame { return h264Clip() }

// VP9 is profile 0, one layer, 320x180 at 15 frames a second, 2 s, about
// 120 kbit/s, a keyframe every second.
func VP9() []Frame { return vp9Clip() }

// AV1 is main profile, one layer, 320x180 at 15 frames a second, 2 s, about
// 160 kbit/s, a keyframe every second.
func AV1() []Frame { return av1Clip() }

// H265 is main profile, 320x180 at 15 frames a second, 2 s, about 130 kbit/s,
// parameter sets before the keyframe of every second.
func H265() []Frame { return h265Clip() }

// RED is Opus with each packet's predecessor repeated beside it (RFC 2198).
func RED() []Frame { return redClip() }

// Clip gives the clip of a codec, nil for a codec that has none.
func Clip(c Codec) []Frame {
	switch c {
	case CodecVP8:
		return VP8()
	case CodecVP9:
		return VP9()
	case CodecAV1:
		return AV1()
	case CodecH264:
		return H264()
	case CodecH265:
		return H265()
	case CodecOpus:
		return Opus()
	case CodecRED:
		return RED()
	case CodecRaw:
	}

	return nil
}

var (
	vp8Clip  = load("vp8.ivf", func(b []byte) ([]Frame, error) { return readIVF(b, vp8Keyframe) })
	vp9Clip  = load("vp9.ivf", func(b []byte) ([]Frame, error) { return readIVF(b, vp9Keyframe) })
	av1Clip  = load("av1.ivf", readAV1)
	h264Clip = load("h264.264", func(b []byte) ([]Frame, error) { return readAnnexB(b, time.Second/15, h264NAL) })
	h265Clip = load("h265.265", func(b []byte) ([]Frame, error) { return readAnnexB(b, time.Second/15, h265NAL) })
	opusClip = load("opus.ogg", readOggOpus)
)

// load reads a clip on first use. The files are part of the binary and the
// package's tests read them all, so that an error cannot reach a user of the
// package: it would be an empty clip.
func load(name string, read func([]byte) ([]Frame, error)) func() []Frame {
	return sync.OnceValue(func() []Frame {
		raw, err := clips.ReadFile("clips/" + name)
		if err != nil {
			return nil
		}
		frames, err := read(raw)
		if err != nil {
			return nil
		}

		return frames
	})
}

// Loop plays frames again and again.
type Loop struct {
	frames []Frame
	next   int
}

// NewLoop starts before the first of frames, which must not be empty.
func NewLoop(frames []Frame) *Loop { return &Loop{frames: frames} }

// Next gives the next frame, the first again after the last.
func (l *Loop) Next() Frame {
	f := l.frames[l.next]
	l.next = (l.next + 1) % len(l.frames)

	return f
}

// SkipToKeyframe makes the next frame a keyframe, which is how a clip answers
// a PLI: what lies between is left out.
func (l *Loop) SkipToKeyframe() {
	for range l.frames {
		if l.frames[l.next].Keyframe {
			return
		}
		l.next = (l.next + 1) % len(l.frames)
	}
}
