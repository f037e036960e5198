// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "errors"

// Bounds of a dependency descriptor. Most follow from the width of a field; a
// descriptor beyond the others is refused, so that everything it says has a
// fixed place.
const (
	MaxTemplates  = 64 // six bits of template id
	MaxTargets    = 32 // five bits of dt_cnt_minus_one
	MaxChains     = 32 // as many as targets
	MaxReferences = 8  // as many as AV1 has buffers
	MaxLayers     = 8  // spatial, and temporal: AV1 itself has four and eight
)

// ErrDescriptor is returned for a dependency descriptor that cannot be read:
// cut, beyond the bounds, or of a template structure that was not seen.
var ErrDescriptor = errors.New("layers: dependency descriptor cannot be read")

// Indication is what a frame is to a decode target.
type Indication uint8

// The decode target indications, AV1 RTP specification section A.4.
const (
	NotPresent  Indication = iota // not part of it
	Discardable                   // nothing else of the target refers to it
	Switch                        // once it is decoded, so can all of the target that follows
	Required                      // what follows may refer to it
)

// Indications holds those of up to MaxTargets decode targets, two bits each.
type Indications uint64

// Of gives the indication for a decode target below MaxTargets.
func (i Indications) Of(target int) Indication { return Indication(i >> (2 * target) & 3) }

func (i *Indications) set(target int, v Indication) {
	*i = *i&^(3<<(2*target)) | Indications(v)<<(2*target)
}

// References are distances, in frame numbers, to the frames that one refers to.
type References struct {
	Count uint8
	Diff  [MaxReferences]uint16 // 1 to 4096; the first Count are meant
}

func (f *References) add(diff uint32) bool {
	if f.Count == MaxReferences {
		return false
	}
	f.Diff[f.Count] = uint16(diff)
	f.Count++
	return true
}

// Template is a kind of frame that occurs again and again in a stream.
type Template struct {
	Spatial, Temporal uint8 // below MaxLayers
	Targets           Indications
	References        References
	Chains            [MaxChains]uint8 // distance to the frame before in each chain, 0 to 15; 0: begins there
}

// Resolution is the largest rendered size of a spatial layer in pixels.
type Resolution struct{ Width, Height uint32 } // 1 to 65536

// Structure is a template dependency structure: what the frames of a stream
// look like from one keyframe to the next that brings another. A Structure that
// a Reader has handed out is immutable and may be read by any goroutine.
//
// https://aomediacodec.github.io/av1-rtp-spec/#a82-syntax
type Structure struct {
	Offset    uint8 // template id of Templates[0], 0 to 63; ids wrap
	Count     uint8 // of Templates, 1 to 64
	Targets   uint8 // number of decode targets, 1 to 32
	Chains    uint8 // number of chains, 0 to Targets
	Spatial   uint8 // number of spatial layers, 1 to MaxLayers
	Sized     bool  // Sizes is given
	Templates [MaxTemplates]Template
	Protected [MaxTargets]uint8     // the chain that protects a target; meaningless without chains
	Layers    [MaxTargets]Layer     // what a target consists of at most; derived from Templates
	Sizes     [MaxLayers]Resolution // by spatial layer

	within [MaxTargets]uint32 // bit x of within[t]: every frame of target x is one of target t; derived
}

// All is the bitmask with every decode target active.
func (s *Structure) All() uint32 { return uint32(1<<s.Targets - 1) }

// Within is the bitmask of decode targets that are whole when only the frames of
// target are forwarded; target itself is one.
func (s *Structure) Within(target int) uint32 { return s.within[target] }

// Choose gives the decode target that comes closest to want from below, among
// those of the bitmask active: first by spatial, then by temporal layer. If none
// is below, it is the one that is least; -1 if active names no target.
func (s *Structure) Choose(want Layer, active uint32) int {
	best, least := -1, -1
	for t := range int(s.Targets) {
		if active>>t&1 == 0 {
			continue
		}
		l := s.Layers[t]
		if least < 0 || l.below(s.Layers[least]) {
			least = t
		}
		if l.Spatial <= want.Spatial && l.Temporal <= want.Temporal && (best < 0 || s.Layers[best].below(l)) {
			best = t
		}
	}
	if best < 0 {
		return least
	}
	return best
}

// read reads template_dependency_structure().
func (s *Structure) read(r *bitReader) bool {
	*s = Structure{Offset: uint8(r.bits(6)), Targets: uint8(r.bits(5)) + 1}
	if !s.readLayers(r) {
		return false
	}
	for i := range s.Count {
		for t := range int(s.Targets) {
			s.Templates[i].Targets.set(t, Indication(r.bits(2)))
		}
	}
	for i := range s.Count {
		for r.flag() {
			if !s.Templates[i].References.add(r.bits(4) + 1) {
				return false
			}
		}
	}
	s.readChains(r)
	if s.Sized = r.flag(); s.Sized {
		for i := range s.Spatial {
			s.Sizes[i] = Resolution{Width: r.bits(16) + 1, Height: r.bits(16) + 1}
		}
	}
	s.derive()
	return !r.bad
}

// readLayers reads template_layers(): two bits after each template say how the
// layer of the next differs, or that there is none.
func (s *Structure) readLayers(r *bitReader) bool {
	var spatial, temporal uint8
	for {
		if s.Count == MaxTemplates || spatial == MaxLayers || temporal == MaxLayers || r.bad {
			return false
		}
		s.Templates[s.Count].Spatial, s.Templates[s.Count].Temporal = spatial, temporal
		s.Count++
		switch r.bits(2) {
		case 1:
			temporal++
		case 2:
			temporal = 0
			spatial++
		case 3:
			s.Spatial = spatial + 1
			return !r.bad
		}
	}
}

func (s *Structure) readChains(r *bitReader) {
	s.Chains = uint8(r.ns(uint32(s.Targets) + 1))
	if s.Chains == 0 {
		return
	}
	for t := range s.Targets {
		s.Protected[t] = uint8(r.ns(uint32(s.Chains)))
	}
	for i := range s.Count {
		for c := range s.Chains {
			s.Templates[i].Chains[c] = uint8(r.bits(4))
		}
	}
}

// derive fills what follows from the templates.
func (s *Structure) derive() {
	for t := range int(s.Targets) {
		s.Layers[t], s.within[t] = Layer{}, s.All()
		for i := range s.Count {
			p := &s.Templates[i]
			if p.Targets.Of(t) != NotPresent {
				s.Layers[t].Spatial = max(s.Layers[t].Spatial, int8(p.Spatial))
				s.Layers[t].Temporal = max(s.Layers[t].Temporal, int8(p.Temporal))
				continue
			}
			for x := range int(s.Targets) {
				if p.Targets.Of(x) != NotPresent {
					s.within[t] &^= 1 << x
				}
			}
		}
	}
}

// write is the inverse of read. Templates must stand in the order that the
// syntax can express: by spatial layer without a gap, in it by temporal layer.
func (s *Structure) write(w *bitWriter) {
	w.bits(uint32(s.Offset), 6)
	w.bits(uint32(s.Targets)-1, 5)
	for i := 1; i < int(s.Count); i++ {
		switch p, q := &s.Templates[i-1], &s.Templates[i]; {
		case p.Spatial != q.Spatial:
			w.bits(2, 2)
		case p.Temporal != q.Temporal:
			w.bits(1, 2)
		default:
			w.bits(0, 2)
		}
	}
	w.bits(3, 2)
	for i := range s.Count {
		for t := range int(s.Targets) {
			w.bits(uint32(s.Templates[i].Targets.Of(t)), 2)
		}
	}
	for i := range s.Count {
		f := &s.Templates[i].References
		for _, diff := range f.Diff[:f.Count] {
			w.bits(1<<4|uint32(diff-1)&15, 5)
		}
		w.bits(0, 1)
	}
	s.writeChains(w)
	w.flag(s.Sized)
	for i := 0; s.Sized && i < int(s.Spatial); i++ {
		w.bits(s.Sizes[i].Width-1, 16)
		w.bits(s.Sizes[i].Height-1, 16)
	}
}

func (s *Structure) writeChains(w *bitWriter) {
	w.ns(uint32(s.Chains), uint32(s.Targets)+1)
	if s.Chains == 0 {
		return
	}
	for t := range s.Targets {
		w.ns(uint32(s.Protected[t]), uint32(s.Chains))
	}
	for i := range s.Count {
		for c := range s.Chains {
			w.bits(uint32(s.Templates[i].Chains[c]), 4)
		}
	}
}
