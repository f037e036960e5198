// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// Bits of the first byte of a VP9 payload descriptor,
// https://www.rfc-editor.org/rfc/rfc9628#section-4.2 . The eighth (Z) tells
// that upper layers do not refer to the frame, which nobody here asks.
const (
	vp9I = 0x80 // picture id present
	vp9P = 0x40 // inter-picture predicted
	vp9L = 0x20 // layer indices present
	vp9F = 0x10 // flexible mode
	vp9B = 0x08 // start of a layer frame
	vp9E = 0x04 // end of a layer frame
	vp9V = 0x02 // scalability structure present
)

func describeVP9(b []byte, d *Descriptor) bool {
	flags := b[0]
	b = b[1:]
	ok := true
	if flags&vp9I != 0 {
		if b, ok = pictureID(b, d); !ok {
			return false
		}
	} else {
		flags &^= vp9F // section 4.2: without I the F bit is to be ignored
	}
	if flags&vp9L != 0 {
		if b, ok = vp9Layers(flags, b, d); !ok {
			return false
		}
	}
	if flags&(vp9F|vp9P) == vp9F|vp9P {
		if b, ok = vp9References(b); !ok {
			return false
		}
	}
	if flags&vp9V != 0 {
		if b, ok = vp9Structure(b, d); !ok {
			return false
		}
	}
	d.FrameStart = flags&vp9B != 0
	d.FrameEnd = d.FrameEnd || flags&vp9E != 0
	// The upper spatial layers of a key picture are not inter-picture predicted
	// either; decoding can begin only at the lowest.
	d.Keyframe = flags&(vp9P|vp9B) == vp9B && d.Spatial == 0
	return len(b) > 0
}

// vp9Layers reads |T|U|S|D| and, in non-flexible mode, TL0PICIDX.
func vp9Layers(flags byte, b []byte, d *Descriptor) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	d.HasLayers = true
	d.Temporal = b[0] >> 5
	d.SwitchingPoint = b[0]&0x10 != 0
	d.Spatial = b[0] >> 1 & 7
	b = b[1:]
	if flags&vp9F != 0 {
		return b, true
	}
	if len(b) == 0 {
		return nil, false
	}
	d.TL0PicIdx, d.HasTL0PicIdx = b[0], true
	return b[1:], true
}

// vp9References skips the one to three P_DIFF of a flexible-mode picture; the
// low bit announces another.
func vp9References(b []byte) ([]byte, bool) {
	for n := range 3 {
		if n >= len(b) {
			return nil, false
		}
		if b[n]&1 == 0 {
			return b[n+1:], true
		}
	}
	return nil, false // a fourth is not allowed
}

// vp9Structure skips the scalability structure, noting the frame size of the
// highest spatial layer. Its size is bounded by its counters (8 layers, 255
// pictures of 3 references) and checked against b at each step.
func vp9Structure(b []byte, d *Descriptor) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	head, layers := b[0], int(b[0]>>5)+1
	b = b[1:]
	if head&0x10 != 0 { // Y: a size for each layer
		if len(b) < 4*layers {
			return nil, false
		}
		d.Width = binary.BigEndian.Uint16(b[4*layers-4:])
		d.Height = binary.BigEndian.Uint16(b[4*layers-2:])
		b = b[4*layers:]
	}
	if head&0x08 == 0 { // G: a description of the picture group
		return b, true
	}
	if len(b) == 0 {
		return nil, false
	}
	pictures := int(b[0])
	b = b[1:]
	for range pictures {
		if len(b) == 0 {
			return nil, false
		}
		size := 1 + int(b[0]>>2&3) // |T|U|R|RES| and R reference indices
		if len(b) < size {
			return nil, false
		}
		b = b[size:]
	}
	return b, true
}
