// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// Dependency is what a dependency descriptor says about one packet and its
// frame, with the template filled in. It is a plain value.
type Dependency struct {
	FrameStart, FrameEnd bool   // first, last packet of the frame
	TemplateID           uint8  // as written, 0 to 63
	Number               uint16 // of the frame, wraps

	// Attached is set if this descriptor brings a structure, Masked if it brings
	// a bitmask of active decode targets; custom fields stand in for the
	// template's.
	Attached, Masked                       bool
	CustomTargets, CustomRefs, CustomChain bool

	Structure *Structure // that TemplateID refers to
	Active    uint32     // bitmask; meaningful if Masked or Attached

	Spatial, Temporal uint8 // below MaxLayers
	Targets           Indications
	References        References
	Chains            [MaxChains]uint8 // distance to the frame before in each chain, 0 to 255

	// Bit positions in the descriptor, for those who write it anew: where the
	// bitmask stands or would stand, and where the last field ends.
	maskAt, end uint16
}

// ReadDependency reads a descriptor. current is the stream's structure, nil
// before the first one; into receives a structure that b brings, and d.Structure
// then is into. An error leaves d unspecified and current untouched, and may
// have spoilt into. It allocates nothing.
//
// https://aomediacodec.github.io/av1-rtp-spec/#a82-syntax
func ReadDependency(b []byte, current, into *Structure, d *Dependency) error {
	r := bitReader{buf: b}
	*d = Dependency{
		FrameStart: r.flag(), FrameEnd: r.flag(), TemplateID: uint8(r.bits(6)), Number: uint16(r.bits(16)),
		Structure: current,
	}
	if len(b) < 3 {
		return ErrDescriptor
	}
	if len(b) > 3 {
		d.Attached, d.Masked = r.flag(), r.flag()
		d.CustomTargets, d.CustomRefs, d.CustomChain = r.flag(), r.flag(), r.flag()
	}
	if d.Attached {
		if !into.read(&r) {
			return ErrDescriptor
		}
		d.Structure, d.Active = into, into.All()
	}
	s := d.Structure
	if s == nil {
		return ErrDescriptor
	}
	d.maskAt = uint16(r.pos)
	if d.Masked {
		d.Active = r.bits(int(s.Targets))
	}
	template := (d.TemplateID - s.Offset) & 63
	if template >= s.Count {
		return ErrDescriptor
	}
	p := &s.Templates[template]
	d.Spatial, d.Temporal = p.Spatial, p.Temporal
	d.Targets, d.References, d.Chains = p.Targets, p.References, p.Chains
	if !d.readCustom(&r) || r.bad {
		return ErrDescriptor
	}
	d.end = uint16(r.pos)
	return nil
}

// readCustom reads what the frame has otherwise than its template.
func (d *Dependency) readCustom(r *bitReader) bool {
	if d.CustomTargets {
		for t := range int(d.Structure.Targets) {
			d.Targets.set(t, Indication(r.bits(2)))
		}
	}
	if d.CustomRefs {
		d.References = References{}
		for size := r.bits(2); size != 0; size = r.bits(2) {
			if !d.References.add(r.bits(4*int(size)) + 1) {
				return false
			}
		}
	}
	if d.CustomChain {
		for c := range d.Structure.Chains {
			d.Chains[c] = uint8(r.bits(8))
		}
	}
	return true
}

// Append writes d as a descriptor and returns the longer b: the mandatory
// fields, and then only what Attached, Masked and the custom flags ask for.
// d.Structure is needed for any of these. It allocates if b has no room.
func (d *Dependency) Append(b []byte) []byte {
	w := bitWriter{}
	d.write(&w)
	from := len(b)
	for range w.bytes() {
		b = append(b, 0)
	}
	w = bitWriter{buf: b[from:]}
	d.write(&w)
	return b
}

func (d *Dependency) write(w *bitWriter) {
	w.flag(d.FrameStart)
	w.flag(d.FrameEnd)
	w.bits(uint32(d.TemplateID), 6)
	w.bits(uint32(d.Number), 16)
	if !d.Attached && !d.Masked && !d.CustomTargets && !d.CustomRefs && !d.CustomChain {
		return
	}
	w.flag(d.Attached)
	w.flag(d.Masked)
	w.flag(d.CustomTargets)
	w.flag(d.CustomRefs)
	w.flag(d.CustomChain)
	if d.Attached {
		d.Structure.write(w)
	}
	if d.Masked {
		w.bits(d.Active, int(d.Structure.Targets))
	}
	if d.CustomTargets {
		for t := range int(d.Structure.Targets) {
			w.bits(uint32(d.Targets.Of(t)), 2)
		}
	}
	if d.CustomRefs {
		for _, diff := range d.References.Diff[:d.References.Count] {
			size := 1 // nibbles
			for (diff-1)>>(4*size) != 0 {
				size++
			}
			w.bits(uint32(size), 2)
			w.bits(uint32(diff-1), 4*size)
		}
		w.bits(0, 2)
	}
	if d.CustomChain {
		for _, diff := range d.Chains[:d.Structure.Chains] {
			w.bits(uint32(diff), 8)
		}
	}
}
