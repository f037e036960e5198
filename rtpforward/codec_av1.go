// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// OBU types, AV1 bitstream specification section 6.2.2.
const (
	av1SequenceHeader       = 1
	av1TileGroup            = 4
	av1RedundantFrameHeader = 7
	av1TileList             = 8
	av1Padding              = 15
)

// describeAV1 reads the aggregation header |Z|Y|W|N|---| and the lengths of the
// OBU elements behind it,
// https://aomediacodec.github.io/av1-rtp-spec/#44-av1-aggregation-header .
// The OBU headers inside the elements are hints only.
func describeAV1(b []byte, d *Descriptor) bool {
	head := b[0]
	continues, elements, sequence := head&0x80 != 0, int(head>>4&3), head&0x08 != 0
	if continues && sequence {
		return false // a fragment cannot be the first of a sequence
	}
	b = b[1:]
	if len(b) == 0 {
		return false
	}
	d.Keyframe = sequence
	for n := 1; len(b) > 0; n++ {
		size := uint64(len(b)) // with W the last element has no length
		if n != elements {
			var ok bool
			if size, b, ok = av1Leb128(b); !ok || size > uint64(len(b)) {
				return false
			}
		}
		if n > 1 || !continues {
			av1Element(b[:size], n == 1, d)
		}
		b = b[size:]
	}
	// An enhancement layer may repeat the sequence header.
	d.Keyframe = d.Keyframe && d.Spatial == 0
	return true
}

// av1Element reads the header of an OBU: |F|type|X|S|-| and, if X,
// |temporal|spatial|---|. The layer of the first OBU that has one counts. A set
// F or reserved bit means that this is no OBU we know, perhaps ciphertext.
func av1Element(b []byte, first bool, d *Descriptor) {
	if len(b) == 0 {
		return
	}
	if b[0]&0x81 != 0 {
		d.FrameStart = d.FrameStart || first
		return
	}
	kind := b[0] >> 3 & 15
	if first {
		switch kind {
		case av1TileGroup, av1RedundantFrameHeader, av1TileList, av1Padding:
		default:
			d.FrameStart = true
		}
	}
	if kind == av1SequenceHeader {
		d.Keyframe = true // senders that do not set N
	}
	if b[0]&0x04 != 0 && len(b) > 1 && !d.HasLayers {
		d.HasLayers = true
		d.Temporal, d.Spatial = b[1]>>5, b[1]>>3&3
	}
}

// av1Leb128 reads a length of at most eight bytes (bitstream specification
// section 4.10.5) and returns what follows it. The length may exceed the rest:
// the caller checks.
func av1Leb128(b []byte) (v uint64, rest []byte, ok bool) {
	for i := range min(8, len(b)) {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}
