// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// everything is the limit that leaves nothing out.
var everything = Layer{MaxLayers - 1, MaxLayers - 1}

// Whole reports whether every packet without a Structure of the stream at work
// continues the run, see Continues.
func (s *Selector) Whole() bool {
	if !s.running || !s.begun {
		return false
	}
	l := &s.limits[s.used-1]
	return l.structure == nil && l.layer == everything && s.wanted() == everything
}

// Continues reports whether Choose would forward a packet of the stream at work
// just as it came, and decide nothing besides. Passed then does for it, or for
// the last of several in a row, what Choose would have done, at a fraction of the
// cost. It may be false for a packet of which that is true.
func (s *Selector) Continues(timestamp uint64, u *Unit) bool {
	if !s.running || !s.begun || timestamp < s.newest {
		return false
	}
	l := &s.limits[s.used-1]
	if u.Structure != l.structure || timestamp < l.from {
		return false
	}
	if l.structure != nil {
		return s.continuesTarget(l, u)
	}
	want := s.wanted()
	switch {
	case u.Key:
		if l.layer != want {
			return false
		}
	case want.Spatial < l.layer.Spatial, want.Temporal < l.layer.Temporal, u.Sync && want.Temporal > l.layer.Temporal:
		return false
	}
	if !u.Known {
		return true
	}
	if u.FrameEnd && !u.PictureEnd && s.tops(l, u) {
		return false
	}
	return int8(u.Spatial) <= l.layer.Spatial && int8(u.Temporal) <= l.layer.Temporal
}

func (s *Selector) continuesTarget(l *limit, u *Unit) bool {
	switch {
	case !s.settled || u.Attached || u.Masked || u.Active != l.active:
		return false
	case u.Targets.Of(int(l.target)) == NotPresent:
		return false
	case u.FrameStart && (u.References.Count == 0 || s.told != l.structure.Within(int(l.target))&u.Active):
		return false
	}
	return !u.FrameEnd || u.PictureEnd || !s.tops(l, u)
}

// Passed notes that a packet for which Continues was true has been forwarded. With
// a Structure it is called for each; without, for the last of a row.
func (s *Selector) Passed(timestamp uint64, u *Unit) {
	if timestamp > s.newest {
		s.newest, s.spoilt = timestamp, false
	}
	s.spoilt = s.spoilt || u.PictureEnd
	s.seen[s.stream] = max(s.seen[s.stream], timestamp+1)
	if u.Known {
		s.top.Spatial, s.top.Temporal = max(s.top.Spatial, int8(u.Spatial)), max(s.top.Temporal, int8(u.Temporal))
	}
	if u.Structure != nil {
		n := s.frames.unwrap(u.Number, 16)
		s.frames.advance(n)
		if s.frames.holds(n) {
			s.frames.mark(n)
		}
	}
}

// Reorder tells that the streams of the source have other places from now on:
// what was stream from[i] is stream i, a new one where from[i] is negative. The
// target is to be set anew.
func (s *Selector) Reorder(simulcast bool, from *[MaxStreams]int8) {
	seen, stream := s.seen, s.stream
	s.simulcast, s.stream = simulcast, -1
	for i, was := range from {
		s.seen[i] = 0
		if was >= 0 {
			s.seen[i] = seen[was]
			if was == stream {
				s.stream = int8(i)
			}
		}
	}
	if s.stream < 0 { // it is gone
		s.stream, s.running = 0, false
	}
	s.settled = false
}

// Plain reports whether all stamps say what the packets say already, as in the
// first run of a receiver that takes everything.
func (r *Rewriter) Plain() bool {
	return (r.base-r.closed)&0x7fff == 0 && r.tl0Offset == 0 && r.keyOffset == 0 && r.frameOffset == 0 && r.shift == 0
}

// Follow does what Forward does for a packet that continues a run, the last of a
// row of such, without a stamp.
func (r *Rewriter) Follow(u *Unit) { r.Forward(u, &Decision{}) }
