// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"unicode/utf8"
)

// kinds is the size of an array indexed by Kind.
const kinds = int(Video) + 1

var bothKinds = [...]Kind{Audio, Video}

// maxCodecBytes bounds the name of a codec.
const maxCodecBytes = 64

// line is one m-line of a session. Its sub is set while it is a bound slot.
type line struct {
	index     int
	mid       string
	kind      Kind
	direction LineDirection
	pair      int  // Line.Pair
	idle      bool // a slot that nothing is bound to
	live      bool
	codec     string
	layers    []VideoLayer // as last told in an event; never changed in place
	sub       *subscription
}

func (l *line) view() Line {
	v := Line{Mid: l.mid, Kind: l.kind, Direction: l.direction, Pair: l.pair, Live: l.live, Codec: l.codec}
	if l.sub != nil {
		source := l.sub.bound
		v.Subscription, v.Room, v.Stream = l.sub.id, source.member.room.id, source.id
		v.SourceMid, v.Source = source.mid[l.kind], source.member.session.id
	}

	return v
}

func (s *session) lineViews() []Line {
	if len(s.lines) == 0 {
		return nil
	}
	out := make([]Line, len(s.lines))
	for i, l := range s.lines {
		out[i] = l.view()
	}

	return out
}

// source returns the up line of that mid and kind; nil when there is none.
func (s *session) source(mid string, kind Kind) *line {
	for _, l := range s.lines {
		if l.mid == mid && l.kind == kind && l.direction == LineUp {
			return l
		}
	}

	return nil
}

func (c SetLines) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	if err := r.setLines(tx, s, c.Lines); err != nil {
		return nil, err
	}
	r.finish(tx)

	return s.lineViews(), nil
}

// checkLines holds an offer's lines against those before it. Lines stay in place with their mid and kind; only an
// inactive one may have been recycled under another mid (RFC 9429, section 5.2.2).
func (s *session) checkLines(lines []Line) error {
	if len(lines) < len(s.lines) {
		return ErrArgument.In("lines")
	}
	seen := make(map[string]bool, len(lines))
	for i, l := range lines {
		if l.Mid == "" || len(l.Mid) > maxMid || !utf8.ValidString(l.Mid) || seen[l.Mid] {
			return ErrArgument.In("lines").About(l.Mid)
		}
		seen[l.Mid] = true
		if l.Kind != Audio && l.Kind != Video || l.Direction < LineInactive || l.Direction > LineDown {
			return ErrArgument.In("lines").About(l.Mid)
		}
		if i >= len(s.lines) {
			continue
		}
		if old := s.lines[i]; (old.mid != l.Mid || old.kind != l.Kind) && old.direction != LineInactive {
			return ErrArgument.In("lines").About(l.Mid)
		}
	}

	return nil
}

// setLines takes over an offer's lines. Streams lose lines that are no sources any more, subscriptions lose lines that
// are no slots any more, and look for others.
func (r *Router) setLines(tx *transaction, s *session, lines []Line) error {
	if err := s.checkLines(lines); err != nil {
		return err
	}
	changed, homeless := false, []*subscription(nil)
	for i, want := range lines {
		if i == len(s.lines) {
			insert(tx, &s.lines, i, &line{index: i, mid: want.Mid, kind: want.Kind, direction: LineInactive})
			changed = true
		}
		l := s.lines[i]
		if l.mid != want.Mid || l.kind != want.Kind {
			s.strike(tx, l)
			assign(tx, &l.mid, want.Mid)
			assign(tx, &l.kind, want.Kind)
			changed = true
		}
		if l.direction != want.Direction {
			if sub := r.turn(tx, s, l, want.Direction); sub != nil {
				homeless = append(homeless, sub)
			}
			changed = true
		}
	}
	for _, sub := range homeless {
		r.settle(tx, sub, "", false)
	}
	if changed {
		tx.touch(s)
		r.emit(tx, s.app.ID, nil, s.id, SessionEvent{Session: s.view()})
	}
	// A client that offers again without the slots asked for is told once more.
	assign(tx, &s.missing, NegotiationNeededEvent{})
	tx.touch(s)

	return nil
}

// turn changes a line's direction and returns the subscription that lost its slot by it, if any.
func (r *Router) turn(tx *transaction, s *session, l *line, to LineDirection) *subscription {
	var homeless *subscription
	switch l.direction {
	case LineUp:
		assign(tx, &l.direction, to)
		r.loseSource(tx, s, l)
		assign(tx, &l.live, false)
		assign(tx, &l.layers, nil)
	case LineDown:
		if homeless = l.sub; homeless != nil {
			r.unbind(tx, homeless, l.kind)
		}
		s.occupy(tx, l)
		assign(tx, &l.direction, to)
	case LineInactive:
		assign(tx, &l.direction, to)
	}
	if to == LineDown {
		s.enroll(tx, l)
		s.vacate(tx, l)
	}

	return homeless
}

func (c SetSourceLive) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, Fence{})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.lines, func(l *line) bool { return l.mid == c.Mid && l.direction == LineUp })
	if i < 0 {
		return nil, ErrUnknownMid.About(c.Mid)
	}
	l := s.lines[i]
	if c.Codec == "" {
		c.Codec = l.codec
	}
	if l.live == c.Live && l.codec == c.Codec {
		return nil, nil
	}
	if len(c.Codec) > maxCodecBytes {
		return nil, ErrArgument.In("codec")
	}
	recoded := l.codec != c.Codec
	assign(tx, &l.live, c.Live)
	assign(tx, &l.codec, c.Codec)
	r.emit(tx, s.app.ID, nil, s.id, SessionEvent{Session: s.view()})
	for _, m := range s.members {
		for _, st := range m.streams {
			if st.mid[l.kind] == l.mid {
				r.refreshState(tx, st, recoded)
			}
		}
	}

	return nil, nil
}
