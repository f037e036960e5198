// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "encoding/binary"

// Rewriter makes the counters inside of what one receiver gets go on over runs
// of different streams and over what is left out. The zero value is ready; the
// first run keeps its numbers. It is owned by its caller, not safe for concurrent
// use, and allocates nothing.
//
// VP8's picture ids close up over frames that are left out. Those of VP9 and the
// frame numbers of a dependency descriptor do not: there, references are
// differences of these very numbers.
type Rewriter struct {
	pictures window // source picture ids of the run; marked: left out, VP8
	base     uint64 // output minus source picture id
	closed   uint64 // how many are marked, forgotten ones included
	picture  uint16 // output picture id of the newest picture
	counted  bool   // picture is set
	started  bool   // pictures and base are of this run

	tl0, tl0Offset   uint8 // output of the newest picture; output minus source
	key, keyOffset   uint8
	hasTL0, hasKey   bool
	frame            uint16 // output frame number of the newest frame
	frameOffset      uint16
	numbered         bool
	structure        *Structure // source structure of the newest frame
	shift            uint8      // output minus source template id
	range0, rangeLen uint8      // output template ids of that structure
}

// Stamp is what of one packet is written otherwise than it came. It is a plain
// value of 16 bytes, to be kept by those who may have to send the packet again.
type Stamp struct {
	Active    uint32
	PictureID uint16
	Number    uint16
	TL0PicIdx uint8
	KeyIdx    uint8
	Shift     uint8 // of template ids
	Announce  bool  // put in Active
	Attach    bool  // put in the structure
}

// Skip notes that a packet is left out on purpose: Decision.Action is Skip.
func (r *Rewriter) Skip(u *Unit) {
	if u.codec != VP8 || u.PictureBits == 0 || !r.started {
		return
	}
	// One that comes late was kept a place, which stays empty: those after it
	// have their numbers.
	n := r.pictures.unwrap(u.PictureID, u.PictureBits)
	if int64(n-r.pictures.newest) > 0 {
		r.pictures.advance(n)
		r.pictures.mark(n)
		r.closed++
	}
}

// Forward gives the stamp for a packet that is sent. ok is false if it has no
// place any more, because it is too old.
func (r *Rewriter) Forward(u *Unit, d *Decision) (stamp Stamp, ok bool) {
	if d.Start {
		r.start(u)
	}
	stamp = Stamp{Active: d.Active, Announce: d.Announce, Attach: d.Attach}
	if u.codec == VP8 || u.codec == VP9 {
		if ok = r.count(u, &stamp); !ok {
			return Stamp{}, false
		}
	}
	if u.Structure != nil {
		r.number(u, &stamp)
	}
	return stamp, true
}

// start begins a run: what comes is one picture, and one frame, after the newest.
func (r *Rewriter) start(u *Unit) {
	r.started = false
	if r.hasTL0 {
		r.tl0Offset = r.tl0 + 1 - u.TL0PicIdx
	}
	if r.hasKey {
		r.keyOffset = r.key + 1 - u.KeyIdx
	}
	if r.numbered {
		r.frameOffset = r.frame + 1 - u.Number
	}
	if s := u.Structure; s != nil && s != r.structure && r.structure != nil {
		// The ids of the structure before must not mean something else now, to a
		// receiver that gets a packet late (template_id_offset, section A.8.3).
		r.shift = r.range0 + r.rangeLen - s.Offset
	}
}

// count stamps picture id, TL0PICIDX and KEYIDX.
func (r *Rewriter) count(u *Unit, stamp *Stamp) bool {
	newest := true
	if u.PictureBits != 0 {
		n := r.pictures.unwrap(u.PictureID, u.PictureBits)
		if !r.started {
			r.started, r.closed, r.base = true, 0, 0
			if r.counted {
				r.base = uint64(r.picture) + 1 - n
			}
			r.pictures.start(n)
		}
		r.pictures.advance(n)
		if !r.pictures.holds(n) || r.pictures.marked(n) {
			return false
		}
		stamp.PictureID = uint16(n+r.base-r.closed+r.pictures.after(n)) & 0x7fff
		newest = !r.counted || int16((stamp.PictureID-r.picture)<<1) >= 0
		if newest {
			r.picture, r.counted = stamp.PictureID, true
		}
	}
	stamp.TL0PicIdx = u.TL0PicIdx + r.tl0Offset
	stamp.KeyIdx = (u.KeyIdx + r.keyOffset) & 0x1f
	if !newest {
		return true
	}
	if u.HasTL0PicIdx {
		r.tl0, r.hasTL0 = stamp.TL0PicIdx, true
	}
	if u.HasKeyIdx {
		r.key, r.hasKey = stamp.KeyIdx, true
	}
	return true
}

// number stamps frame number and template id.
func (r *Rewriter) number(u *Unit, stamp *Stamp) {
	stamp.Number, stamp.Shift = u.Number+r.frameOffset, r.shift&63
	if !r.numbered || int16(stamp.Number-r.frame) >= 0 {
		r.frame, r.numbered = stamp.Number, true
		r.structure = u.Structure
		r.range0, r.rangeLen = (u.Structure.Offset+r.shift)&63, u.Structure.Count
	}
}

// Payload writes the counters into b, a private copy of the payload that u was
// read from. A payload that could not be read is left as it is.
func (s *Stamp) Payload(u *Unit, b []byte) {
	if u.codec != VP8 && u.codec != VP9 {
		return
	}
	switch u.PictureBits {
	case 7:
		b[u.pictureAt] = uint8(s.PictureID) & 0x7f
	case 15:
		binary.BigEndian.PutUint16(b[u.pictureAt:], s.PictureID|0x8000)
	}
	if u.HasTL0PicIdx {
		b[u.tl0At] = s.TL0PicIdx
	}
	if u.HasKeyIdx {
		b[u.keyAt] = b[u.keyAt]&0xe0 | s.KeyIdx
	}
}

// DescriptorSize is the length of what Descriptor writes for a descriptor of n
// bytes: n, save where something has to be put in, which is at most once per
// change of layers and keyframe.
func (s *Stamp) DescriptorSize(u *Unit, n int) int {
	if !s.inserts(u) {
		return n
	}
	size := int(u.end)
	if n == 3 {
		size += 5 // the flags
	}
	if s.Announce && !u.Masked {
		size += int(u.Structure.Targets)
	}
	if s.Attach {
		w := bitWriter{}
		u.Structure.write(&w)
		size += w.pos
	}
	return (size + 7) / 8
}

func (s *Stamp) inserts(u *Unit) bool {
	return u.Structure != nil && (s.Announce && !u.Masked || s.Attach)
}

// Descriptor writes src, the descriptor that u was read from, into dst, which is
// DescriptorSize long.
func (s *Stamp) Descriptor(u *Unit, dst, src []byte) {
	if u.Structure == nil {
		copy(dst, src)
		return
	}
	if s.inserts(u) {
		s.insert(u, dst, src)
	} else {
		copy(dst, src)
		if u.Masked {
			setBits(dst, int(u.maskAt), int(u.Structure.Targets), s.Active)
		}
	}
	dst[0] = dst[0]&0xc0 | (dst[0]+s.Shift)&0x3f
	binary.BigEndian.PutUint16(dst[1:], s.Number)
	if u.Attached || s.Attach {
		setBits(dst, 29, 6, uint32(u.Structure.Offset+s.Shift)&0x3f)
	}
}

// insert copies src with the structure, the bitmask or both put in.
func (s *Stamp) insert(u *Unit, dst, src []byte) {
	r, w := bitReader{buf: src}, bitWriter{buf: dst}
	w.copy(&r, 24)
	flags := uint32(0)
	if len(src) > 3 {
		flags = r.bits(5)
	}
	masked := s.Announce || u.Masked
	if masked {
		flags |= 0b01000
	}
	if s.Attach {
		w.bits(flags|0b10000, 5)
		u.Structure.write(&w)
	} else {
		w.bits(flags, 5)
		w.copy(&r, int(u.maskAt)-r.pos)
	}
	if masked {
		w.bits(s.Active, int(u.Structure.Targets))
	}
	if u.Masked {
		r.bits(int(u.Structure.Targets))
	}
	w.copy(&r, int(u.end)-r.pos)
}

// setBits writes the low n bits of v at bit position at.
func setBits(b []byte, at, n int, v uint32) {
	for i := range n {
		bit := byte(0x80) >> ((at + i) & 7)
		if v>>(n-1-i)&1 != 0 {
			b[(at+i)>>3] |= bit
		} else {
			b[(at+i)>>3] &^= bit
		}
	}
}
