// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest/media"
)

const (
	framesPerSecond = 30
	maxPayload      = 1188 // pion's packetizer with an MTU of 1200, of which it takes 12 for the header
	descriptorSize  = 4    // RFC 7741, section 4.2: X, I and a 15-bit picture id
	minPayload      = descriptorSize + stampSize

	layerDescriptor = 6 // the same with TL0PICIDX, TID and Y
)

// frame is the payloads of one picture, with room for the picture id and the stamp; read-only.
type frame struct {
	payloads [][]byte
	key      bool
}

// video is what one camera sends: frames between keyframes, and keyframes for those who ask.
type video struct {
	between   []frame
	keyframes []frame
}

// newVideo scales the clip of real VP8 to a bit rate at 30 frames a second: each frame keeps its share of the whole. What
// is added to a frame is beyond its last partition; nobody decodes it.
func newVideo(bitsPerSecond int) *video { return scaledVideo(bitsPerSecond, split, nil) }

// newLayer is newVideo for a layer of a simulcast: descriptors have room for temporal layers, and keyframes tell its size.
func newLayer(l Layer) *video {
	return scaledVideo(l.Bits, splitLayer, func(data []byte) {
		if len(data) >= 10 { // RFC 6386, section 9.1
			binary.LittleEndian.PutUint16(data[6:], l.Width)
			binary.LittleEndian.PutUint16(data[8:], l.Height)
		}
	})
}

func scaledVideo(bitsPerSecond int, split func([]byte) [][]byte, key func([]byte)) *video {
	frames := media.VP8()
	total, n := 0, 0
	for _, f := range frames {
		if !f.Keyframe {
			total, n = total+len(f.Data), n+1
		}
	}
	scale := float64(bitsPerSecond) / 8 / framesPerSecond / (float64(total) / float64(n))
	v := &video{}
	for i, f := range frames {
		data := make([]byte, max(int(float64(len(f.Data))*scale), minPayload))
		fill(data, uint32(i)+1)
		copy(data, f.Data)
		if f.Keyframe && key != nil {
			key(data)
		}
		if made := (frame{split(data), f.Keyframe}); f.Keyframe {
			v.keyframes = append(v.keyframes, made)
		} else {
			v.between = append(v.between, made)
		}
	}

	return v
}

// fill writes noise, so that nothing on the way can make use of zeros.
func fill(b []byte, seed uint32) {
	x := seed * 2654435761
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
}

// split cuts a frame as pion's payloader does: full payloads, and one with the rest, which is made long enough for a stamp.
func split(data []byte) [][]byte { return cut(data, []byte{0x80, 0x80, 0, 0}) }

// splitLayer has I, L and T in the descriptor.
func splitLayer(data []byte) [][]byte { return cut(data, []byte{0x80, 0xe0, 0, 0, 0, 0}) }

func cut(data, descriptor []byte) [][]byte {
	room := maxPayload - len(descriptor)
	var out [][]byte
	for first := true; len(data) > 0; first = false {
		take := min(room, len(data))
		payload := append(slices.Clone(descriptor), data[:take]...)
		if first {
			payload[0] |= 0x10 // S: a partition begins
		}
		for len(payload) < len(descriptor)+stampSize {
			payload = append(payload, byte(len(payload)))
		}
		out = append(out, payload)
		data = data[take:]
	}

	return out
}

// opusPayloads are the packets of the Opus clip, each with room for a stamp.
func opusPayloads() []frame {
	clip := media.Opus()
	out := make([]frame, len(clip))
	for i, f := range clip {
		payload := make([]byte, len(f.Data)+stampSize)
		copy(payload, f.Data)
		out[i] = frame{payloads: [][]byte{payload}}
	}

	return out
}

// voicePayloads are Opus packets at a constant bit rate.
func voicePayloads(bitsPerSecond int) []frame {
	payload := make([]byte, max(bitsPerSecond/8/int(time.Second/opusEvery), stampSize+1))
	fill(payload, 1)
	payload[0] = media.Opus()[0].Data[0] // the table of contents: what a decoder looks at

	return []frame{{payloads: [][]byte{payload}}}
}

const (
	opusEvery  = 20 * time.Millisecond
	frameEvery = time.Second / framesPerSecond
)

// Pattern is what a track sends over and over: the sizes of its packets' payloads, frame by frame.
type Pattern struct {
	Frames [][]int
	Every  time.Duration // from frame to frame
}

// PatternOf is the pattern of a track as a Publisher sends it between keyframes.
func PatternOf(videoTrack bool, bitsPerSecond int) Pattern {
	frames, every := opusPayloads(), opusEvery
	if videoTrack {
		frames, every = newVideo(bitsPerSecond).between, frameEvery
	}
	p := Pattern{Every: every}
	for _, f := range frames {
		sizes := make([]int, len(f.payloads))
		for i, payload := range f.payloads {
			sizes[i] = len(payload)
		}
		p.Frames = append(p.Frames, sizes)
	}

	return p
}
