// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"bytes"
	"time"
)

// nalKind tells of a NAL unit what matters here.
type nalKind int

const (
	nalOther nalKind = iota
	nalDelimiter
	nalKey // a slice of a picture that decoding can start at
)

// h264NAL reads the type of a NAL unit of H.264, table 7-1.
func h264NAL(nal []byte) nalKind {
	switch nal[0] & 0x1f {
	case 5:
		return nalKey
	case 9:
		return nalDelimiter
	}

	return nalOther
}

// h265NAL reads the type of a NAL unit of H.265, table 7-1.
func h265NAL(nal []byte) nalKind {
	switch kind := nal[0] >> 1 & 0x3f; {
	case kind >= 16 && kind <= 21:
		return nalKey
	case kind == 35:
		return nalDelimiter
	}

	return nalOther
}

// readAnnexB cuts a byte stream into access units at the delimiters the encoder
// was told to write. Each becomes one frame of NAL units behind four-byte start
// codes, whatever they stood behind, because that is what a depacketizer gives
// back. The delimiters are left out: RTP does not need them.
func readAnnexB(b []byte, duration time.Duration, kindOf func(nal []byte) nalKind) ([]Frame, error) {
	var frames []Frame
	for _, nal := range nalUnits(b) {
		kind := kindOf(nal)
		if kind == nalDelimiter {
			frames = append(frames, Frame{Duration: duration})

			continue
		}
		if len(frames) == 0 {
			return nil, errAnnexB
		}
		f := &frames[len(frames)-1]
		f.Data = append(append(f.Data, 0, 0, 0, 1), nal...)
		f.Keyframe = f.Keyframe || kind == nalKey
	}
	if len(frames) == 0 {
		return nil, errAnnexB
	}

	return frames, nil
}

// nalUnits splits at start codes of three or four bytes. A NAL unit never ends
// in a zero byte (H.264 and H.265, section 7.4.1), so that zeros before a start code are
// the start code's.
func nalUnits(b []byte) [][]byte {
	start := []byte{0, 0, 1}
	var out [][]byte
	for at := bytes.Index(b, start); at >= 0; {
		b = b[at+len(start):]
		at = bytes.Index(b, start)
		nal := b
		if at >= 0 {
			nal = b[:at]
		}
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			out = append(out, nal)
		}
	}

	return out
}
