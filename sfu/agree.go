// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"

	"github.com/switchyard-media/sfu/rtpforward"
)

// lineFormats is what an answered m-line says about payloads and header extensions, in the form the packet path uses. It
// is not changed once agree has returned it.
type lineFormats struct {
	out        []rtpforward.OutFormat // in order of preference
	payloads   map[uint8]rtpforward.Format
	repairs    map[uint8]uint8 // retransmission payload types (RFC 4588), to the payload type that each stands for
	extensions rtpforward.ExtensionMap
	nack       bool
	transport  bool // transport-wide congestion control
	remb       bool // the client tells its own estimate of the link; slots only, and only where transport is not agreed to
	pli, fir   bool
}

// repaired says whether a slot with these formats needs an SSRC for retransmissions.
func (f *lineFormats) repaired() bool { return len(f.repairs) > 0 }

// agreed is what the node takes of one m-line, and what the answer says of it. The application line's and rejected lines'
// is empty.
type agreed struct {
	lineFormats
	answered []payload // in the offer's order, retransmission formats last
	extmaps  []extmap  // of the answer; directions are still the offer's

	// What the client says of its streams; empty but on lines that it sends on.
	ssrcs       []uint32          // of media, in the offer's order; with simulcast by rid none
	repairSSRCs map[uint32]uint32 // retransmission SSRCs (ssrc-group FID, RFC 5576), to the one of media that each repairs
	rids        []string          // simulcast layers (RFC 8853), in the offer's order
	simulcast   string            // of the answer; "" when the offer has no simulcast attribute
	ladder      []uint32          // simulcast streams without rids, in the offer's order
}

// agree works out what the answer says of each line. It has no effects but new formats in the table.
func (o *offer) agree(lines []line, formats *formats) ([]agreed, error) {
	all := make([]agreed, len(o.lines))
	m := matcher{formats: formats}
	for i := range o.lines {
		l := &o.lines[i]
		if l.application() || l.rejected {
			continue
		}
		a := &all[i]
		a.answered = m.match(l.payloads)
		a.restrict(a.unwelcome(lines[i].role, o.controlled))
		a.read(m.chosen[:])
		if lines[i].active && len(a.out) == 0 {
			return nil, badLine(i, l.mid, "no codec with parameters that this node routes")
		}
		if len(a.out) == 0 { // an inactive line has to name some format
			a.answered = slices.Clone(l.payloads)
			a.restrict(feedbackREMB)
		}
		m.extend(a, l, lines[i].role)
		if lines[i].active && lines[i].role == roleSource {
			a.readSources(l)
		}
	}
	oneEstimate(lines, all)

	return all, nil
}

// unwelcome is the feedback that is not answered though it is offered: what a client would say of its link to nobody. Of the
// two ways to say it there it is transport-wide feedback, where offered, that the answer takes.
func (a *agreed) unwelcome(role role, controlled bool) feedback {
	var offered feedback
	for i := range a.answered {
		offered |= a.answered[i].feedback
	}
	switch {
	case role != roleSlot:
		return feedbackREMB // about what the node sends, and here it sends nothing
	case !controlled:
		return feedbackREMB | feedbackTransport
	case offered&feedbackTransport != 0:
		return feedbackREMB
	default:
		return 0
	}
}

func (a *agreed) restrict(unwelcome feedback) {
	for i := range a.answered {
		a.answered[i].feedback &^= unwelcome
	}
}

// oneEstimate has a client tell one estimate: the lines share a transport, so where one slot has transport-wide feedback
// the others need none of their own.
func oneEstimate(lines []line, all []agreed) {
	if !anySlot(lines, all, func(a *agreed) bool { return a.transport }) {
		return
	}
	for i := range all {
		if all[i].remb {
			all[i].restrict(feedbackREMB)
			all[i].remb = false
		}
	}
}

func anySlot(lines []line, all []agreed, is func(*agreed) bool) bool {
	for i, l := range lines {
		if l.active && l.role == roleSlot && is(&all[i]) {
			return true
		}
	}

	return false
}

// matcher holds what the lines of an offer share: a payload type means the same on each of them (see checkShared), and of
// a header extension that is offered under two ids the first one is agreed to, or one could not tell which to send.
type matcher struct {
	formats    *formats
	looked     [128]bool              // chosen is known, for formats of the table
	chosen     [128]rtpforward.Format // by payload type
	extensions rtpforward.ExtensionMap
}

// match returns those of a line's payloads that are agreed to. What is not usual is so only where nothing usual is offered.
func (m *matcher) match(offered []payload) []payload {
	usual := false
	for i := range offered {
		p := &offered[i]
		if p.codec == rtpforward.CodecUnknown {
			continue
		}
		if !m.looked[p.payload] {
			m.looked[p.payload] = true
			m.chosen[p.payload] = m.formats.find(p.codec, p.fmtp)
		}
		usual = usual || m.usual(p)
	}
	kept := make([]payload, 0, len(offered))
	var taken [128]bool
	for i := range offered {
		p := &offered[i]
		switch {
		case p.codec == rtpforward.CodecUnknown:
			apt, _ := p.repairs()
			taken[p.payload] = taken[apt]
		case usual && m.usual(p):
			taken[p.payload] = m.intern(p)
		case !usual:
			taken[p.payload] = m.intern(p)
		}
		if taken[p.payload] {
			kept = append(kept, *p)
		}
	}

	return kept
}

// usual says whether a payload's format is one that a line is answered with whatever else it offers.
func (m *matcher) usual(p *payload) bool {
	id := m.chosen[p.payload].ID

	return !p.codec.Video() || id != 0 && id <= m.formats.usual
}

// intern makes sure that a payload has a format; false: the table is full.
func (m *matcher) intern(p *payload) bool {
	if m.chosen[p.payload].ID == 0 {
		m.chosen[p.payload] = m.formats.intern(p.codec, p.fmtp)
	}

	return m.chosen[p.payload].ID != 0
}

// read takes over the payloads that are answered.
func (a *agreed) read(chosen []rtpforward.Format) {
	a.out = make([]rtpforward.OutFormat, 0, len(a.answered))
	a.payloads = make(map[uint8]rtpforward.Format, len(a.answered))
	var all feedback
	for i := range a.answered {
		p := &a.answered[i]
		if p.codec == rtpforward.CodecUnknown {
			a.repair(p)

			continue
		}
		all |= p.feedback
		a.payloads[p.payload] = chosen[p.payload]
		a.out = append(a.out, rtpforward.OutFormat{
			Format: chosen[p.payload], Payload: p.payload, NACK: p.feedback&feedbackNACK != 0,
		})
	}
	a.nack, a.pli, a.fir = all&feedbackNACK != 0, all&feedbackPLI != 0, all&feedbackFIR != 0
	a.transport, a.remb = all&feedbackTransport != 0, all&feedbackREMB != 0 // see extend
}

func (a *agreed) repair(rtx *payload) {
	apt, _ := rtx.repairs()
	if a.repairs == nil {
		a.repairs = make(map[uint8]uint8)
	}
	a.repairs[rtx.payload] = apt
	for i := range a.out {
		if a.out[i].Payload == apt {
			a.out[i].RTXPayload = rtx.payload
		}
	}
}

// extend agrees to header extensions.
func (m *matcher) extend(a *agreed, l *offerLine, role role) {
	for _, e := range l.extensions {
		if !e.fits(l.kind, role) || a.extensions.ID(e.kind) != 0 {
			continue
		}
		if e.kind == rtpforward.ExtTransportCC && role == roleSlot && !a.transport {
			continue // numbers that the client would not answer look lost
		}
		if id := m.extensions.ID(e.kind); id != 0 && id != e.id {
			continue
		}
		m.extensions.Set(e.kind, e.id)
		a.extensions.Set(e.kind, e.id)
		a.extmaps = append(a.extmaps, e)
	}
	a.transport = a.transport && a.extensions.ID(rtpforward.ExtTransportCC) != 0
}

// readSources takes over what the client announces of its streams.
func (a *agreed) readSources(l *offerLine) {
	a.rids, a.ladder = l.rids, l.ladder
	a.simulcast = l.answeredSimulcast()
	other := make([]uint32, 0, len(l.groups))
	for _, g := range l.groups {
		if !slices.Contains(l.ssrcs, g.media) || !slices.Contains(l.ssrcs, g.other) {
			continue
		}
		other = append(other, g.other)
		if !g.repair {
			continue
		}
		if a.repairSSRCs == nil {
			a.repairSSRCs = make(map[uint32]uint32)
		}
		a.repairSSRCs[g.other] = g.media
	}
	if len(l.rids) > 0 {
		return
	}
	for _, ssrc := range l.ssrcs {
		if !slices.Contains(other, ssrc) {
			a.ssrcs = append(a.ssrcs, ssrc)
		}
	}
}
