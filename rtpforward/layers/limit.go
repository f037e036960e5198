// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// limitRanges is how many changes back a late packet can still be told what held
// at its time.
const limitRanges = 8

// limit is up to where packets pass, from a timestamp on until the next limit.
// That a packet is judged by its own time, whenever it comes, is what keeps
// frames whole and late packets of a picture in step with the rest of it.
type limit struct {
	from      uint64
	layer     Layer      // without a structure
	structure *Structure // with one: packets of target pass
	active    uint32     // decode targets that the publisher sent then
	target    int8
}

// at finds the limit that holds at a time; nil if that is before the run or
// forgotten.
func (s *Selector) at(timestamp uint64) *limit {
	for i := s.used - 1; i >= 0; i-- {
		if s.limits[i].from <= timestamp {
			return &s.limits[i]
		}
	}
	return nil
}

// push makes l the newest limit.
func (s *Selector) push(l limit) {
	if s.used > 0 && s.limits[s.used-1].from == l.from {
		s.used--
	} else if s.used == limitRanges {
		copy(s.limits[:], s.limits[1:])
		s.used--
	}
	s.limits[s.used] = l
	s.used++
	s.settled = false
}

// wanted is the target as a layer of the stream.
func (s *Selector) wanted() Layer {
	if s.simulcast {
		return Layer{MaxLayers - 1, s.target.Temporal}
	}
	return s.target
}

// pick gives the decode target to forward: the one that is wanted, even if the
// publisher does not send its upper layers now, as long as it has everything that
// is sent of the lower ones; then those layers pass as soon as they come, which
// may be without a keyframe. Otherwise it is the best that is sent. -1: there is
// none.
func (s *Selector) pick(st *Structure, want Layer, active uint32) int {
	sent := st.Choose(want, active)
	if all := st.Choose(want, st.All()); sent >= 0 && st.Within(all)>>sent&1 != 0 {
		return all
	}
	return sent
}

// reach goes to the target at a keyframe. A stream whose layers are not known is
// let pass whole.
func (s *Selector) reach(timestamp uint64, u *Unit, fresh bool) {
	l := limit{from: timestamp, layer: s.wanted(), structure: u.Structure, active: u.Active}
	if u.Structure != nil {
		l.target = int8(max(s.pick(u.Structure, l.layer, u.Active), 0))
	}
	if !fresh { // what has passed of the picture has to go on passing
		cur := &s.limits[s.used-1]
		switch {
		case cur.structure != l.structure:
			return
		case l.structure == nil:
			l.layer = Layer{max(l.layer.Spatial, cur.layer.Spatial), max(l.layer.Temporal, cur.layer.Temporal)}
		case l.structure.Within(int(l.target))>>cur.target&1 == 0:
			return
		}
	}
	s.lost = false
	s.push(l)
}

// adapt moves the limit at a packet of the newest picture, if that is a place
// where a decoder can follow. fresh: the packet is the first seen of the picture.
func (s *Selector) adapt(timestamp uint64, u *Unit, fresh bool) {
	cur := s.limits[s.used-1]
	switch {
	case u.Key && !s.spoilt:
		if cur.from < timestamp || cur.structure != u.Structure {
			s.reach(timestamp, u, fresh)
		}
	case cur.from > timestamp: // VP9: going up with the next picture is settled
	case cur.structure != nil && u.Structure == cur.structure:
		s.limits[s.used-1].active = u.Active
		s.adaptTarget(timestamp, u, fresh)
	case cur.structure == nil && u.Known:
		s.adaptLayer(timestamp, u, fresh, cur)
	}
}

// adaptLayer goes down at the first packet of a picture, and up in time where the
// payload says that it can be done. Up in space is for keyframes: only there is
// it known before the end of the lower layers that upper ones will follow, on
// which the marker depends.
func (s *Selector) adaptLayer(timestamp uint64, u *Unit, fresh bool, cur limit) {
	want, next := s.wanted(), cur
	if fresh {
		next.layer = Layer{min(cur.layer.Spatial, want.Spatial), min(cur.layer.Temporal, want.Temporal)}
		next.from = timestamp
	}
	above := want.Temporal > next.layer.Temporal
	switch temporal := int8(u.Temporal); {
	case !above || !u.Sync:
	case u.codec == VP9:
		if temporal <= next.layer.Temporal && int8(u.Spatial) <= next.layer.Spatial {
			if next.layer != cur.layer {
				s.push(next)
			}
			next.from, next.layer.Temporal = timestamp+1, want.Temporal
		}
	case temporal == next.layer.Temporal+1 && !s.spoilt:
		next.from, next.layer.Temporal = timestamp, temporal
	}
	if next.layer != cur.layer {
		s.push(next)
	}
}

// adaptTarget goes to another decode target where that can be decoded: at the
// first packet of a picture if all its frames were forwarded anyway, otherwise
// with a frame that is a switching point of it and refers to nothing that was
// left out.
func (s *Selector) adaptTarget(timestamp uint64, u *Unit, fresh bool) {
	cur := &s.limits[s.used-1]
	want := s.wanted()
	best := s.pick(u.Structure, want, u.Active)
	if s.tryTarget(timestamp, u, fresh, best) {
		s.settled = best >= 0
		return
	}
	want.Spatial = cur.structure.Layers[cur.target].Spatial // then at least in time
	s.tryTarget(timestamp, u, fresh, s.pick(u.Structure, want, u.Active))
}

// tryTarget reports whether there is nothing left to do.
func (s *Selector) tryTarget(timestamp uint64, u *Unit, fresh bool, target int) bool {
	cur := &s.limits[s.used-1]
	if target < 0 || target == int(cur.target) {
		return true
	}
	st := u.Structure
	inside := fresh && st.Within(int(cur.target))>>target&1 != 0
	level := st.Layers[target].Spatial == st.Layers[cur.target].Spatial
	keeps := fresh || st.Within(target)>>cur.target&1 != 0 // what has passed of the picture goes on passing
	point := u.FrameStart && u.Targets.Of(target) == Switch && keeps && (level || !s.spoilt) && s.decodable(u)
	if !inside && !point {
		return false
	}
	next := *cur
	next.from, next.target = timestamp, int8(target)
	s.push(next)
	return true
}

// decodable reports whether everything that the frame refers to was forwarded,
// and nothing of the frame itself was left out.
func (s *Selector) decodable(u *Unit) bool {
	n := s.frames.unwrap(u.Number, 16)
	s.frames.advance(n)
	if n < s.left {
		return false
	}
	for _, diff := range u.References.Diff[:u.References.Count] {
		if ref := n - uint64(diff); !s.frames.holds(ref) || !s.frames.marked(ref) {
			return false
		}
	}
	return true
}
