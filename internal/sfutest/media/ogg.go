// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"bytes"
	"time"
)

const (
	oggPageHeader = 27 // bytes before the lacing values, RFC 3533 section 6
	oggFullLace   = 255
	opusHeaders   = 2 // OpusHead and OpusTags, RFC 7845 section 3
)

// readOggOpus reads the packets of a file with one logical stream.
func readOggOpus(b []byte) ([]Frame, error) {
	packets, err := oggPackets(b)
	if err != nil {
		return nil, err
	}
	if len(packets) < opusHeaders || !bytes.HasPrefix(packets[0], []byte("OpusHead")) {
		return nil, errOgg
	}
	var frames []Frame
	for _, p := range packets[opusHeaders:] {
		d := opusDuration(p)
		if d == 0 {
			return nil, errOgg
		}
		frames = append(frames, Frame{Data: p, Duration: d, Keyframe: true})
	}

	return frames, nil
}

// oggPackets puts the packets together from the pages' segments: a segment of
// 255 bytes goes on in the next one, over the end of a page too.
func oggPackets(b []byte) ([][]byte, error) {
	var out [][]byte
	var open []byte
	for len(b) > 0 {
		if len(b) < oggPageHeader || string(b[:4]) != "OggS" || len(b) < oggPageHeader+int(b[26]) {
			return nil, errOgg
		}
		laces := b[oggPageHeader : oggPageHeader+int(b[26])]
		b = b[oggPageHeader+len(laces):]
		for _, lace := range laces {
			if int(lace) > len(b) {
				return nil, errOgg
			}
			open = append(open, b[:lace]...)
			b = b[lace:]
			if lace < oggFullLace {
				out, open = append(out, open), nil
			}
		}
	}

	return out, nil
}

// opusDuration reads a packet's length in time from its first bytes, RFC 6716
// section 3.1; 0 for a packet that cannot be.
func opusDuration(p []byte) time.Duration {
	if len(p) == 0 {
		return 0
	}
	const half = 2500 * time.Microsecond
	var frame time.Duration
	switch config := p[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = []time.Duration{4, 8, 16, 24}[config%4] * half
	case config < 16: // hybrid: 10, 20 ms
		frame = []time.Duration{4, 8}[config%2] * half
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = half << (config % 4)
	}
	switch p[0] & 3 {
	case 0:
		return frame
	case 1, 2:
		return 2 * frame
	default:
		if len(p) < 2 {
			return 0
		}

		return frame * time.Duration(p[1]&63)
	}
}
