// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"encoding/binary"
	"errors"
	"time"
)

var (
	errIVF    = errors.New("media: not an IVF file")
	errOgg    = errors.New("media: not an Ogg Opus file")
	errAV1    = errors.New("media: not a sequence of OBUs with sizes")
	errAnnexB = errors.New("media: not an Annex B byte stream")
)

const (
	ivfFileHeader  = 32
	ivfFrameHeader = 12
)

// readIVF reads a whole IVF file: a header with the time base, then frames each
// behind its size and presentation time.
func readIVF(b []byte, keyframe func([]byte) bool) ([]Frame, error) {
	if len(b) < ivfFileHeader || string(b[:4]) != "DKIF" {
		return nil, errIVF
	}
	rate, scale := binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
	if rate == 0 || scale == 0 {
		return nil, errIVF
	}
	tick := time.Second * time.Duration(scale) / time.Duration(rate)
	var frames []Frame
	var last uint64
	for b = b[ivfFileHeader:]; len(b) > 0; {
		if len(b) < ivfFrameHeader {
			return nil, errIVF
		}
		size, pts := int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint64(b[4:])
		b = b[ivfFrameHeader:]
		if size == 0 || size > len(b) {
			return nil, errIVF
		}
		if n := len(frames); n > 0 {
			frames[n-1].Duration = tick * time.Duration(pts-last)
		}
		last = pts
		frames = append(frames, Frame{Data: b[:size:size], Keyframe: keyframe(b[:size])})
		b = b[size:]
	}
	closeLast(frames, tick)

	return frames, nil
}

// closeLast gives the last frame, which no other one follows, the duration of
// the one before it.
func closeLast(frames []Frame, tick time.Duration) {
	switch n := len(frames); n {
	case 0:
	case 1:
		frames[0].Duration = tick
	default:
		frames[n-1].Duration = frames[n-2].Duration
	}
}

// vp8Keyframe: RFC 6386 section 9.1, the first bit is 0 for a key frame.
func vp8Keyframe(b []byte) bool { return b[0]&1 == 0 }

// vp9Keyframe reads the uncompressed header's first bits: a marker (2), the
// profile (2, and one more for profile 3), show_existing_frame, frame_type.
func vp9Keyframe(b []byte) bool {
	bit := func(n int) byte { return b[0] >> (7 - n) & 1 }
	next := 4
	if bit(2) == 1 && bit(3) == 1 {
		next++
	}

	return bit(next) == 0 && bit(next+1) == 0
}

// OBU types of the AV1 specification, section 6.2.2.
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
)

// readAV1 reads an IVF file of temporal units, and takes the temporal
// delimiters out: RTP carries none (AV1 RTP payload format, section 5).
func readAV1(b []byte) ([]Frame, error) {
	frames, err := readIVF(b, func([]byte) bool { return false })
	if err != nil {
		return nil, err
	}
	for i := range frames {
		if frames[i].Data, frames[i].Keyframe, err = withoutDelimiters(frames[i].Data); err != nil {
			return nil, err
		}
	}

	return frames, nil
}

// withoutDelimiters copies a temporal unit without its delimiter, and reports
// whether a sequence header is in it, which an encoder in real-time mode writes
// before each keyframe and nowhere else.
func withoutDelimiters(unit []byte) (out []byte, keyframe bool, err error) {
	for len(unit) > 0 {
		hasExtension, hasSize := unit[0]&4 != 0, unit[0]&2 != 0
		head := 1
		if hasExtension {
			head++
		}
		if !hasSize || head >= len(unit) {
			return nil, false, errAV1
		}
		size, n := binary.Uvarint(unit[head:]) // leb128 is the same encoding
		if n <= 0 || size > uint64(len(unit)-head-n) {
			return nil, false, errAV1
		}
		end := head + n + int(size)
		switch unit[0] >> 3 & 15 {
		case obuTemporalDelimiter:
		case obuSequenceHeader:
			keyframe = true
			out = append(out, unit[:end]...)
		default:
			out = append(out, unit[:end]...)
		}
		unit = unit[end:]
	}

	return out, keyframe, nil
}
