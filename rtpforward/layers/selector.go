// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// Action is what is to become of a packet.
type Action uint8

// The actions.
const (
	// Ignore: the packet is of a stream that is not forwarded, or of before the
	// run. Nothing is counted for it.
	Ignore Action = iota
	// Skip: the packet is of the stream that is forwarded and is left out on
	// purpose, so that its sequence number closes up.
	Skip
	// Forward sends it.
	Forward
)

// Reason says why a packet is not forwarded.
type Reason uint8

// The reasons.
const (
	Chosen       Reason = iota // it is forwarded
	Paused                     // no layer is wanted
	KeyframeWait               // nothing can be decoded before a keyframe
	OtherLayer                 // a layer that is not forwarded
	Stale                      // of before the run, or too old to tell
)

// Decision is the Selector's answer for one packet.
type Decision struct {
	Action   Action
	Reason   Reason
	Start    bool   // Forward: the first packet of a run, from another stream or after an interruption
	Marker   bool   // Forward: the RTP marker to send
	Announce bool   // Forward: the descriptor has to carry Active
	Attach   bool   // Forward: the descriptor has to carry the structure, which came with a frame that is left out
	Active   uint32 // decode targets that are whole at the receiver; with a Structure
}

// MaxStreams is how many simulcast streams a Selector tells apart.
const MaxStreams = 8

// Selector chooses what one receiver gets of a source: of the streams of a
// simulcast, or of the layers of one scalable stream. The zero value forwards
// nothing: see Reset and SetTarget. It is owned by its caller, not safe for
// concurrent use, and allocates nothing.
//
// Pictures of a stream are assumed to come in the order of their timestamps, as
// every real-time encoder makes them; packets may be lost, repeated or late.
type Selector struct {
	simulcast bool
	running   bool // a run is under way, or begins with the next packet that is forwarded
	begun     bool // something of it was forwarded
	lost      bool // frames come that cannot be told for want of a structure
	stream    int8
	target    Layer
	top       Layer // highest of the stream that was seen in this run

	newest uint64 // timestamp of the newest picture
	spoilt bool   // a packet of it was left out, or its end was sent

	seen   [MaxStreams]uint64 // by stream: newest timestamp that was forwarded, or looked at in a run that has ended, plus 1
	frames window             // of descriptor frame numbers: marked when forwarded
	told   uint32             // decode targets that the receiver was last told of

	settled bool   // the newest limit is for the decode target that is wanted, as far as it is sent
	left    uint64 // highest frame number, plus 1, that was left out of the newest picture

	limits [limitRanges]limit // in the order of time
	used   int
}

// Reset makes s ready for a source: one scalable stream, or several of a
// simulcast. Nothing is forwarded before SetTarget.
func (s *Selector) Reset(simulcast bool) { *s = Selector{simulcast: simulcast, target: None} }

// SetTarget says up to which layer to forward. Spatially that is reached where a
// decoder can follow; see NeedsKeyframe. None stops at once; what comes after it
// begins with a keyframe.
func (s *Selector) SetTarget(l Layer) {
	if l.Spatial < 0 {
		s.leave()
		l, s.running = None, false
	}
	s.target, s.settled = l, false
}

// leave ends the run. None begins again with a picture that this one has seen: a
// part of it may have been left out, whose sequence numbers are closed up.
func (s *Selector) leave() {
	if s.running {
		s.seen[s.stream] = max(s.seen[s.stream], s.newest+1)
	}
}

// Target is what SetTarget was told.
func (s *Selector) Target() Layer { return s.target }

// Current is the layer that is forwarded, None while nothing is.
func (s *Selector) Current() Layer {
	if !s.running || !s.begun {
		return None
	}
	cur := &s.limits[s.used-1]
	l := cur.layer
	if cur.structure != nil {
		l = cur.structure.Layers[cur.target]
	}
	if s.simulcast {
		l.Spatial = s.stream
	}
	return Layer{min(l.Spatial, max(s.top.Spatial, s.stream)), min(l.Temporal, s.top.Temporal)}
}

// NeedsKeyframe gives the stream whose keyframe would bring s nearer to its
// target; need is false if nothing waits for one. A decode target may be reached
// earlier, where the descriptor names a switching point.
func (s *Selector) NeedsKeyframe() (stream int, need bool) {
	switch {
	case s.target.Spatial < 0:
		return 0, false
	case s.simulcast:
		return int(s.target.Spatial), !s.running || !s.begun || s.lost || s.stream != s.target.Spatial
	case !s.running || !s.begun || s.lost:
		return 0, true
	}
	cur := &s.limits[s.used-1]
	if cur.structure == nil {
		return 0, min(s.target.Spatial, s.top.Spatial) > cur.layer.Spatial
	}
	want := s.pick(cur.structure, s.target, cur.active)
	return 0, want >= 0 && cur.structure.Layers[want].Spatial != cur.structure.Layers[cur.target].Spatial
}

// Renew tells that the forwarded stream's timestamps have begun anew, without a
// keyframe: what is forwarded stays.
func (s *Selector) Renew() {
	if !s.running {
		return
	}
	s.limits[0], s.used = s.limits[s.used-1], 1
	s.limits[0].from = 0
	s.newest, s.spoilt, s.seen[s.stream], s.frames, s.left, s.settled = 0, false, 0, window{}, 0, false
}

// Choose decides about a packet of a stream (0 unless simulcast, below
// MaxStreams) with an extended timestamp, one that does not wrap.
func (s *Selector) Choose(stream int, timestamp uint64, u *Unit) Decision {
	switch {
	case s.target.Spatial < 0:
		return Decision{Reason: Paused}
	case s.running && int8(stream) == s.stream:
		return s.follow(timestamp, u)
	case timestamp < s.seen[stream]:
		return Decision{Reason: Stale}
	case s.running && !s.nearer(int8(stream)):
		return Decision{Reason: OtherLayer}
	case !u.Key && s.running:
		return Decision{Reason: OtherLayer}
	case !u.Key:
		return Decision{Reason: KeyframeWait}
	case !s.running && s.simulcast && int8(stream) > s.target.Spatial:
		return Decision{Reason: OtherLayer}
	}
	return s.start(int8(stream), timestamp, u)
}

// nearer reports whether a stream is nearer to the target than the one that is
// forwarded, and not beyond it.
func (s *Selector) nearer(stream int8) bool {
	if s.stream < s.target.Spatial {
		return s.stream < stream && stream <= s.target.Spatial
	}
	return s.target.Spatial <= stream && stream < s.stream
}

// start begins a run with the first packet of a keyframe.
func (s *Selector) start(stream int8, timestamp uint64, u *Unit) Decision {
	s.leave()
	s.stream, s.running, s.begun, s.lost = stream, true, false, false
	s.newest, s.spoilt, s.used = timestamp, false, 0
	s.top = Layer{}
	s.frames, s.left, s.told = window{}, 0, 0
	if u.Structure != nil {
		s.frames.start(s.frames.unwrap(u.Number, 16))
	}
	s.reach(timestamp, u, true)
	return s.judge(timestamp, u)
}

// follow decides about a packet of the stream that is forwarded.
func (s *Selector) follow(timestamp uint64, u *Unit) Decision {
	fresh := timestamp > s.newest
	if fresh {
		s.newest, s.spoilt = timestamp, false
	}
	if timestamp == s.newest {
		s.adapt(timestamp, u, fresh)
	}
	return s.judge(timestamp, u)
}

// judge decides by the limit that holds at the packet's time.
func (s *Selector) judge(timestamp uint64, u *Unit) Decision {
	l := s.at(timestamp)
	if l == nil {
		return Decision{Reason: Stale}
	}
	if u.Known {
		s.top.Spatial = max(s.top.Spatial, int8(u.Spatial))
		s.top.Temporal = max(s.top.Temporal, int8(u.Temporal))
	}
	if pass, reason := s.admits(l, u); !pass {
		if timestamp == s.newest {
			s.spoilt = true
			if u.Structure != nil {
				s.left = max(s.left, s.frames.unwrap(u.Number, 16)+1)
			}
		}
		if !s.begun {
			return Decision{Reason: reason}
		}
		return Decision{Action: Skip, Reason: reason}
	}
	if !s.begun && l.structure != nil && (!u.FrameStart || u.References.Count > 0) {
		return Decision{Reason: KeyframeWait} // its references would be read as frames of the run before
	}
	s.seen[s.stream] = max(s.seen[s.stream], timestamp+1)
	d := Decision{Action: Forward, Start: !s.begun, Marker: u.PictureEnd || u.FrameEnd && s.tops(l, u)}
	s.begun = true
	if l.structure != nil {
		if d.Active = l.structure.Within(int(l.target)) & u.Active; d.Active == 0 {
			d.Active = 1 << l.target
		}
		// A frame that refers to nothing is a keyframe, also when it is not the
		// lowest of its picture, as where the layers are a simulcast in one stream.
		d.Attach = u.FrameStart && !u.Attached && u.References.Count == 0
		s.announce(l.structure, u, &d)
	}
	s.spoilt = s.spoilt || d.Marker && timestamp == s.newest
	return d
}

// announce has the receiver told which decode targets are whole, whenever it
// would otherwise believe something else (section A.4): what it was told last, or
// all with a structure. An update holds in the order of sequence numbers, so that
// a late packet need not repeat what the later ones say.
func (s *Selector) announce(st *Structure, u *Unit, d *Decision) {
	n := s.frames.unwrap(u.Number, 16)
	s.frames.advance(n)
	if s.frames.holds(n) {
		s.frames.mark(n)
	}
	believed := s.told
	if u.Attached || d.Attach {
		believed = st.All()
	}
	d.Announce = u.FrameStart && believed != d.Active && (u.Attached || d.Attach || n == s.frames.newest)
	if n == s.frames.newest && (u.FrameStart || u.Masked) {
		s.told = d.Active
	}
}

// admits reports whether a packet is within a limit.
func (s *Selector) admits(l *limit, u *Unit) (bool, Reason) {
	switch {
	case l.structure != nil && u.Structure != l.structure:
		s.lost = true
		return false, KeyframeWait
	case l.structure != nil:
		return u.Targets.Of(int(l.target)) != NotPresent, OtherLayer
	}
	return !u.Known || int8(u.Spatial) <= l.layer.Spatial && int8(u.Temporal) <= l.layer.Temporal, OtherLayer
}

// tops reports whether the frame is the last of its picture that passes, though
// the publisher sends layers above it: then its end is the picture's.
func (s *Selector) tops(l *limit, u *Unit) bool {
	if l.structure != nil {
		top := l.structure.Layers[l.target].Spatial
		return int8(u.Spatial) == top && top < int8(l.structure.Spatial)-1
	}
	return !s.simulcast && u.Known && int8(u.Spatial) == l.layer.Spatial
}
