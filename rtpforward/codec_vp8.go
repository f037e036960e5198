// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// describeVP8 reads the payload descriptor of
// https://www.rfc-editor.org/rfc/rfc7741#section-4.2 :
//
//	|X|R|N|S|R| PID | then, if X, |I|L|T|K|RSV| and what these announce
func describeVP8(b []byte, d *Descriptor) bool {
	first := b[0]
	d.FrameStart = first&0x17 == 0x10 // S=1, PID=0: start of the first partition
	b = b[1:]
	if first&0x80 != 0 {
		if len(b) == 0 {
			return false
		}
		flags := b[0]
		var ok bool
		if b, ok = vp8Extension(flags, b[1:], d); !ok {
			return false
		}
	}
	if len(b) == 0 {
		return false // a descriptor with no payload is nothing a sender makes
	}
	if d.FrameStart {
		vp8FrameHeader(b, d)
	}
	return true
}

// vp8Extension reads the fields announced by the flags I, L, T and K and
// returns the rest of the payload.
func vp8Extension(flags byte, b []byte, d *Descriptor) ([]byte, bool) {
	if flags&0x80 != 0 {
		var ok bool
		if b, ok = pictureID(b, d); !ok {
			return nil, false
		}
	}
	if flags&0x40 != 0 {
		if len(b) == 0 {
			return nil, false
		}
		d.TL0PicIdx, d.HasTL0PicIdx = b[0], true
		b = b[1:]
	}
	if flags&0x30 == 0 {
		return b, true
	}
	if len(b) == 0 { // T and K share one byte
		return nil, false
	}
	if flags&0x20 != 0 {
		d.Temporal, d.HasLayers = b[0]>>6, true
		d.SwitchingPoint = b[0]&0x20 != 0
	}
	if flags&0x10 != 0 {
		d.KeyIdx, d.HasKeyIdx = b[0]&0x1f, true
	}
	return b[1:], true
}

// pictureID reads a picture id of one or two bytes, the same in VP8 and VP9,
// and returns what follows it.
func pictureID(b []byte, d *Descriptor) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	d.HasPictureID = true
	if b[0]&0x80 == 0 {
		d.PictureID = uint16(b[0])
		return b[1:], true
	}
	if len(b) < 2 {
		return nil, false
	}
	d.PictureID, d.PictureID15 = binary.BigEndian.Uint16(b)&0x7fff, true
	return b[2:], true
}

// vp8FrameHeader reads the uncompressed data chunk,
// https://www.rfc-editor.org/rfc/rfc6386#section-9.1 . Encrypting clients leave
// these ten bytes of a keyframe in clear, and three of other frames. One that
// leaves nothing makes every second frame look like a keyframe by its first
// bit, but without the start code; such a payload is not VP8 that we know.
func vp8FrameHeader(b []byte, d *Descriptor) {
	if b[0]&1 != 0 {
		return // interframe
	}
	if len(b) >= 6 && (b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a) {
		d.Known, d.FrameStart = false, false
		return
	}
	d.Keyframe = true
	if len(b) >= 10 {
		d.Width = binary.LittleEndian.Uint16(b[6:]) & 0x3fff // the upper two bits are a scaling hint
		d.Height = binary.LittleEndian.Uint16(b[8:]) & 0x3fff
	}
}
