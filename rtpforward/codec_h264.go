// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// NAL unit types of H.264 and of its RTP payload format,
// https://www.rfc-editor.org/rfc/rfc6184#section-5.2 .
const (
	h264SPS   = 7
	h264STAPA = 24
)

// describeH264 adds to what layers.Reader has read the size of the pictures, which a
// sequence parameter set tells, alone or in a STAP-A.
func describeH264(b []byte, d *Descriptor) {
	if b[0]&0x1f != h264STAPA {
		h264Unit(b, d)
		return
	}
	for b = b[1:]; len(b) > 2; {
		size := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
		if size > 0 {
			h264Unit(b[2:2+size], d)
		}
		b = b[2+size:]
	}
}

// h264Unit notes what one whole NAL unit tells.
func h264Unit(b []byte, d *Descriptor) {
	if b[0]&0x1f != h264SPS {
		return
	}
	if w, h, ok := h264Size(b[1:]); ok {
		d.Width, d.Height = w, h
	}
}

// h264Size reads the frame size from a sequence parameter set without its NAL
// header (ITU-T H.264, 7.3.2.1.1). ok is false for anything implausible, such
// as ciphertext.
func h264Size(sps []byte) (width, height uint16, ok bool) {
	r := nalReader{buf: sps}
	profile := r.bits(8)
	r.skip(16) // constraint flags, level
	r.ue()     // id
	chroma := uint32(1)
	if h264HighProfile(profile) {
		chroma = h264Chroma(&r)
	}
	r.ue() // log2_max_frame_num_minus4
	h264PictureOrder(&r)
	r.ue()    // max_num_ref_frames
	r.skip(1) // gaps_in_frame_num_value_allowed_flag
	columns, rows := r.ue()+1, r.ue()+1
	frameOnly := r.bits(1)
	if frameOnly == 0 {
		r.skip(1) // mb_adaptive_frame_field_flag
	}
	r.skip(1) // direct_8x8_inference_flag
	var left, right, top, bottom uint32
	if r.bits(1) == 1 {
		left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	if r.bad || columns > 1024 || rows > 1024 {
		return 0, 0, false
	}
	unitX, unitY := chromaUnits(chroma)
	unitY *= 2 - frameOnly
	return cropped(16*columns, 16*rows*(2-frameOnly),
		uint64(unitX)*(uint64(left)+uint64(right)), uint64(unitY)*(uint64(top)+uint64(bottom)))
}

// h264HighProfile reports whether a parameter set of the profile carries the
// chroma fields.
func h264HighProfile(profile uint32) bool {
	switch profile {
	case 44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244:
		return true
	}
	return false
}

// h264Chroma reads the fields of the high profiles up to the scaling lists.
func h264Chroma(r *nalReader) (chroma uint32) {
	chroma = r.ue()
	if chroma == 3 {
		r.skip(1) // separate_colour_plane_flag
	}
	r.ue()    // bit_depth_luma_minus8
	r.ue()    // bit_depth_chroma_minus8
	r.skip(1) // qpprime_y_zero_transform_bypass_flag
	if r.bits(1) == 0 {
		return chroma
	}
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if r.bits(1) == 0 {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		next := int64(8)
		for last := next; size > 0 && next != 0 && !r.bad; size-- {
			next = (last + r.se() + 256) & 255
			if next != 0 {
				last = next
			}
		}
	}
	return chroma
}

// h264PictureOrder skips the picture order count fields.
func h264PictureOrder(r *nalReader) {
	switch r.ue() {
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.skip(1)
		r.ue()
		r.ue()
		n := r.ue()
		if n > 255 {
			r.bad = true
			return
		}
		for range n {
			r.ue()
		}
	}
}

// chromaUnits gives the cropping unit in luma samples for a chroma_format_idc.
func chromaUnits(chroma uint32) (x, y uint32) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1 // monochrome, 4:4:4, or three planes coded each as monochrome
}

// cropped subtracts the cropping from a coded size and refuses what is no
// size of a video: none left, or more than 16384 pixels on a side.
func cropped(width, height uint32, x, y uint64) (uint16, uint16, bool) {
	if width > 16384 || height > 16384 || x >= uint64(width) || y >= uint64(height) {
		return 0, 0, false
	}
	return uint16(uint64(width) - x), uint16(uint64(height) - y), true
}

// nalReader reads bits of a NAL unit, leaving out emulation prevention bytes.
// After the end every read gives 0 and bad is set. Value type, owned by its
// caller.
type nalReader struct {
	buf   []byte
	pos   int  // next byte of buf
	left  uint // unread bits of cur
	cur   byte
	zeros int // zero bytes in a row before pos
	bad   bool
}

func (r *nalReader) bit() uint32 {
	if r.left == 0 {
		if r.zeros >= 2 && r.pos < len(r.buf) && r.buf[r.pos] == 3 {
			r.pos++
			r.zeros = 0
		}
		if r.pos >= len(r.buf) {
			r.bad = true
			return 0
		}
		r.cur, r.left = r.buf[r.pos], 8
		r.pos++
		if r.cur == 0 {
			r.zeros++
		} else {
			r.zeros = 0
		}
	}
	r.left--
	return uint32(r.cur>>r.left) & 1
}

// bits reads n bits, at most 32.
func (r *nalReader) bits(n int) (v uint32) {
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *nalReader) skip(n int) {
	for range n {
		r.bit()
	}
}

// ue reads an unsigned Exp-Golomb number. More than 31 leading zeros are an
// error: nothing in a parameter set is that large, and it bounds the work.
func (r *nalReader) ue() uint32 {
	zeros := 0
	for r.bit() == 0 {
		zeros++
		if r.bad || zeros > 31 {
			r.bad = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// se reads a signed Exp-Golomb number.
func (r *nalReader) se() int64 {
	v := int64(r.ue())
	if v&1 == 1 {
		return (v + 1) / 2
	}
	return -v / 2
}
