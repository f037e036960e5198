// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "encoding/binary"

// readVP8 reads the payload descriptor of
// https://www.rfc-editor.org/rfc/rfc7741#section-4.2 and notes where its counters
// stand. ok is false if it is cut, or if what follows a frame's start is neither
// an interframe nor has a keyframe's start code: then this is not VP8, and the
// fields that look like counters are somebody's ciphertext.
func readVP8(b []byte, u *Unit) bool {
	start := b[0]&0x17 == 0x10 // S, and partition 0
	u.FrameStart, u.PictureStart = start, start
	u.Discardable = b[0]&0x20 != 0 // N
	at := 1
	if b[0]&0x80 != 0 {
		if len(b) < 2 {
			return false
		}
		var ok bool
		if at, ok = readVP8Counters(b, u); !ok {
			return false
		}
	}
	if at >= len(b) {
		return false
	}
	frame := b[at:]
	if !start || frame[0]&1 != 0 {
		return true
	}
	u.Key = true // https://www.rfc-editor.org/rfc/rfc6386#section-9.1
	if len(frame) >= 6 && (frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) {
		u.Key, u.noStart = false, true
		return false
	}
	if len(frame) >= 10 {
		u.Width = binary.LittleEndian.Uint16(frame[6:]) & 0x3fff
		u.Height = binary.LittleEndian.Uint16(frame[8:]) & 0x3fff
	}
	return true
}

// readVP8Counters reads |I|L|T|K|RSV| and what these announce, and returns the
// position of the frame.
func readVP8Counters(b []byte, u *Unit) (at int, ok bool) {
	flags := b[1]
	at = 2
	if flags&0x80 != 0 {
		if at, ok = readPictureID(b, at, u); !ok {
			return 0, false
		}
	}
	if flags&0x40 != 0 {
		if at >= len(b) {
			return 0, false
		}
		u.TL0PicIdx, u.HasTL0PicIdx, u.tl0At = b[at], true, uint8(at)
		at++
	}
	if flags&0x30 != 0 {
		if at >= len(b) {
			return 0, false
		}
		if flags&0x20 != 0 {
			u.Temporal, u.Sync, u.Layered = b[at]>>6, b[at]&0x20 != 0, true
		}
		if flags&0x10 != 0 {
			u.KeyIdx, u.HasKeyIdx, u.keyAt = b[at]&0x1f, true, uint8(at)
		}
		at++
	}
	return at, true
}

// readPictureID reads |M|PID…| at b[at:], the same in VP8 and VP9, and returns
// the position behind it.
func readPictureID(b []byte, at int, u *Unit) (next int, ok bool) {
	if at >= len(b) {
		return 0, false
	}
	u.pictureAt = uint8(at)
	if b[at]&0x80 == 0 {
		u.PictureID, u.PictureBits = uint16(b[at]), 7
		return at + 1, true
	}
	if at+2 > len(b) {
		return 0, false
	}
	u.PictureID, u.PictureBits = binary.BigEndian.Uint16(b[at:])&0x7fff, 15
	return at + 2, true
}
