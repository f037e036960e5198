// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"maps"
	"slices"

	"github.com/switchyard-media/sfu/rtpforward"
)

// update takes over what an offer has changed: lines are the active sources by now, of a session with that many m-lines.
// Streams of lines that have become inactive end, and go on should the line come back: the client need not say again then
// which they are. Announced streams begin at once: a keyframe may be asked for before anything has come. It reports what media
// does.
func (d *demux) update(uplink *rtpforward.Uplink, lines []*upLine, all int) (flood bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.uplink, d.lines, d.limit = uplink, lines, max(d.limit, undeclaredSSRCs+maxLineSSRCs*all)
	d.extensions = rtpforward.ExtensionMap{}
	for _, l := range lines {
		for _, kind := range rtpforward.Extensions() {
			if id := l.extensions.ID(kind); id != 0 {
				d.extensions.Set(kind, id)
			}
		}
	}
	for ssrc, st := range d.streams {
		if st.of == nil && !d.carryOver(ssrc, st) {
			st.stop()
			delete(d.streams, ssrc)
		}
	}
	for ssrc, st := range d.streams {
		if st.of == nil {
			continue
		}
		owner, _ := d.announced(ssrc)
		if d.streams[st.of.ssrc] != st.of || owner != nil && owner.repairSSRCs[ssrc] != st.of.ssrc {
			delete(d.streams, ssrc)
		}
	}
	for _, l := range lines {
		for _, ssrc := range l.ssrcs {
			_, many := d.note(ssrc)
			flood = flood || many
			if st := d.streams[ssrc]; st == nil {
				d.streams[ssrc] = &stream{ssrc: ssrc, line: l, up: l.open(ssrc, "")}
			} else if st.up == nil && st.of == nil {
				st.up = l.open(ssrc, st.rid)
			}
		}
	}

	return flood
}

// carryOver brings a stream to the lines that are in force; false: it is forgotten, and its SSRC, should it come again, is
// looked at anew.
func (d *demux) carryOver(ssrc uint32, st *stream) bool {
	now := d.lineOf(st.line.source)
	owner, repair := d.announced(ssrc)
	before := slices.Contains(st.line.ssrcs, ssrc)
	switch {
	case st.past, repair, owner != nil && owner != now, before && now != nil && owner == nil:
		return false
	case now == nil:
		st.stop()

		return true
	}
	same := st.line.same(now)
	st.line = now
	if st.up != nil && !same {
		st.up.Close()
		st.up = now.open(ssrc, st.rid)
	}

	return true
}

func (d *demux) lineOf(src *source) *upLine {
	for _, l := range d.lines {
		if l.source == src {
			return l
		}
	}

	return nil
}

// announced finds the line that an SSRC is announced on, and says whether it is for retransmissions.
func (d *demux) announced(ssrc uint32) (on *upLine, repair bool) {
	for _, l := range d.lines {
		if _, repair := l.repairSSRCs[ssrc]; repair || slices.Contains(l.ssrcs, ssrc) {
			return l, repair
		}
	}

	return nil, false
}

// same says whether two states of a line give the same layers.
func (l *upLine) same(o *upLine) bool {
	return maps.Equal(l.payloads, o.payloads) && maps.Equal(l.repairs, o.repairs) && l.extensions == o.extensions &&
		l.nack == o.nack && l.transport == o.transport && l.pli == o.pli && l.fir == o.fir
}
