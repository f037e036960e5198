// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// NAL unit types of H.265 and of its RTP payload format,
// https://www.rfc-editor.org/rfc/rfc7798#section-4.4 .
const (
	h265TSAN     = 2 // 2 to 5: temporal sub-layer access
	h265STSAR    = 5
	h265BLA      = 16 // 16 to 21: BLA, IDR, CRA
	h265CRA      = 21
	h265VPS      = 32
	h265SPS      = 33
	h265Single   = 47 // 0 to 47 stand alone in a packet
	h265Aggr     = 48
	h265Fragment = 49
)

// describeH265 reads the two-byte payload header |F|type|layer|TID|. DONL
// fields are taken as absent: sprop-max-don-diff is never negotiated. PACI
// packets stay unknown.
func describeH265(b []byte, d *Descriptor) bool {
	if len(b) < 3 || b[0]&0x80 != 0 {
		return false
	}
	layer, tid := h265Layer(b)
	if tid == 0 { // section 1.1.4: TID is the temporal layer plus one
		return false
	}
	d.Spatial, d.Temporal, d.HasLayers = layer, tid-1, true
	switch kind := b[0] >> 1 & 0x3f; {
	case kind <= h265Single:
		d.FrameStart = true
		h265Unit(b, d)
		return true
	case kind == h265Aggr:
		d.FrameStart = true
		return h265Aggregate(b[2:], d)
	case kind == h265Fragment:
		return h265FragmentUnit(b, d)
	}
	return false
}

// h265Layer returns nuh_layer_id (6 bits) and TID (3 bits).
func h265Layer(b []byte) (layer, tid uint8) { return b[0]&1<<5 | b[1]>>3, b[1] & 7 }

// h265Aggregate looks at each NAL unit of an aggregation packet. Section 4.4.2
// wants two of them; one is harmless.
func h265Aggregate(b []byte, d *Descriptor) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return false
		}
		size := int(binary.BigEndian.Uint16(b))
		if size < 2 || size > len(b)-2 {
			return false
		}
		h265Unit(b[2:2+size], d)
		b = b[2+size:]
	}
	return true
}

// h265FragmentUnit reads the third byte of a fragmentation unit: |S|E|type|.
func h265FragmentUnit(b []byte, d *Descriptor) bool {
	if len(b) < 4 { // section 4.4.3: a fragment is never empty
		return false
	}
	start, end, kind := b[2]&0x80 != 0, b[2]&0x40 != 0, b[2]&0x3f
	if start && end || kind > h265Single {
		return false
	}
	d.FrameStart = start
	if start {
		h265Note(kind, d.Spatial, d)
	}
	return true
}

// h265Unit notes what one whole NAL unit of at least its header tells.
func h265Unit(b []byte, d *Descriptor) {
	kind := b[0] >> 1 & 0x3f
	layer, _ := h265Layer(b)
	h265Note(kind, layer, d)
	if kind == h265SPS && layer == 0 {
		if w, h, ok := h265Size(b[2:]); ok {
			d.Width, d.Height = w, h
		}
	}
}

// h265Note notes what the type of a NAL unit tells. The layer of an aggregation
// packet is the lowest of its units (section 4.4.2), so that a unit below it is
// a lie and starts nothing.
func h265Note(kind, layer uint8, d *Descriptor) {
	starts := kind >= h265BLA && kind <= h265CRA || kind == h265VPS || kind == h265SPS
	d.Keyframe = d.Keyframe || starts && layer == 0 && d.Spatial == 0
	d.SwitchingPoint = d.SwitchingPoint || kind >= h265TSAN && kind <= h265STSAR
}

// h265Size reads the frame size from a sequence parameter set without its NAL
// header (ITU-T H.265, 7.3.2.2.1). ok is false for anything implausible.
func h265Size(sps []byte) (width, height uint16, ok bool) {
	r := nalReader{buf: sps}
	r.skip(4) // sps_video_parameter_set_id
	sublayers := int(r.bits(3))
	r.skip(1)      // sps_temporal_id_nesting_flag
	r.skip(88 + 8) // general profile and level
	h265SubLayers(&r, sublayers)
	r.ue() // sps_seq_parameter_set_id
	chroma := r.ue()
	if chroma == 3 {
		r.skip(1) // separate_colour_plane_flag
	}
	w, h := r.ue(), r.ue()
	var left, right, top, bottom uint32
	if r.bits(1) == 1 { // conformance_window_flag
		left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	if r.bad || chroma > 3 {
		return 0, 0, false
	}
	unitX, unitY := chromaUnits(chroma)
	return cropped(w, h,
		uint64(unitX)*(uint64(left)+uint64(right)), uint64(unitY)*(uint64(top)+uint64(bottom)))
}

// h265SubLayers skips the profile and level of each temporal sub-layer.
func h265SubLayers(r *nalReader, n int) {
	if n == 0 {
		return
	}
	present := r.bits(16) // two bits each, eight pairs with the reserved ones
	for i := range n {
		pair := present >> (14 - 2*i) & 3
		if pair&2 != 0 {
			r.skip(88)
		}
		if pair&1 != 0 {
			r.skip(8)
		}
	}
}
