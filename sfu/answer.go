// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strconv"

	"github.com/switchyard-media/sfu/internal/transport"
)

func itoa(n uint8) string { return strconv.Itoa(int(n)) }

// slotSSRCs are what the node sends on one slot with.
type slotSSRCs struct {
	ssrc    uint32
	rtxSSRC uint32 // 0: none, see lineFormats.repaired
}

// answerParts is what an answer has of the node and the session; the rest comes from the offer.
type answerParts struct {
	session     uint64 // of the o= line; random, the same in all answers to a session
	local       transport.Credentials
	fingerprint string // "sha-256 AA:BB…"
	lite        bool   // ICE-lite
	cname       string
	candidates  []string             // complete candidate attribute values ("1 1 udp …"), all there are
	slots       map[string]slotSSRCs // by mid; every line with role slot, also while it is inactive
	maxMessage  int                  // bytes that the node takes in one message on a data channel
}

// answer writes the SDP (RFC 9429, section 5.3). It cannot fail. Its size depends on the offer's lines alone, not on what
// was ever forwarded over them.
func (o *offer) answer(lines []line, agreed []agreed, p answerParts) string {
	w := sdpWriter{buf: make([]byte, 0, 512+1600*len(lines))}
	w.session(o, &p)
	first := o.firstInUse()
	for i := range o.lines {
		l := &o.lines[i]
		switch {
		case l.rejected:
			w.rejected(l)

			continue
		case l.application():
			w.application(l, o.passive, &p)
		default:
			w.media(l, lines[i], &agreed[i], o.passive, &p)
		}
		if l.mid == first {
			for _, c := range p.candidates {
				w.line("a=candidate:", c)
			}
			w.line("a=end-of-candidates")
		}
	}

	return string(w.buf)
}

// accepted is the answered BUNDLE group: the offered order without rejected lines (RFC 9143, section 7.3).
func (o *offer) accepted() []string {
	rejected := make(map[string]bool)
	for i := range o.lines {
		if o.lines[i].rejected {
			rejected[o.lines[i].mid] = true
		}
	}
	mids := make([]string, 0, len(o.bundle))
	for _, mid := range o.bundle {
		if !rejected[mid] {
			mids = append(mids, mid)
		}
	}

	return mids
}

func (o *offer) firstInUse() string {
	if mids := o.accepted(); len(mids) > 0 {
		return mids[0]
	}

	return ""
}

// sdpWriter appends lines of SDP.
type sdpWriter struct{ buf []byte }

func (w *sdpWriter) line(parts ...string) {
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	w.buf = append(w.buf, '\r', '\n')
}

// number appends a prefix, a number and what follows, as one line.
func (w *sdpWriter) number(prefix string, n uint64, rest ...string) {
	w.buf = append(w.buf, prefix...)
	w.buf = strconv.AppendUint(w.buf, n, 10)
	w.line(rest...)
}

func (w *sdpWriter) session(o *offer, p *answerParts) {
	w.line("v=0")
	w.buf = append(w.buf, "o=- "...)
	w.buf = strconv.AppendUint(w.buf, p.session&^(1<<63), 10) // the highest bit is clear: RFC 9429, section 5.2.1
	w.number(" ", o.id, " IN IP4 0.0.0.0")
	w.line("s=-")
	w.line("t=0 0")
	w.buf = append(w.buf, "a=group:BUNDLE"...)
	for _, mid := range o.accepted() {
		w.buf = append(append(w.buf, ' '), mid...)
	}
	w.line()
	if o.allowMixed {
		w.line("a=extmap-allow-mixed")
	}
	w.line("a=msid-semantic:WMS *")
	if p.lite {
		w.line("a=ice-lite")
	}
	w.line("a=ice-options:trickle")
	w.line("a=fingerprint:", p.fingerprint)
}

// rejected answers a line that the client has given up. It repeats a format because there must be one.
func (w *sdpWriter) rejected(l *offerLine) {
	format := l.format
	if format == "" {
		format = "0"
	}
	w.line("m=", l.media, " 0 ", l.protocol, " ", format)
	w.line("c=IN IP4 0.0.0.0")
	w.line("a=mid:", l.mid)
	w.line("a=inactive")
}

// transport writes what is the same on every line. Only the first line of the group has to have it (RFC 9143, section 9),
// but not every client looks there.
func (w *sdpWriter) transport(l *offerLine, passive bool, p *answerParts) {
	w.line("c=IN IP4 0.0.0.0")
	w.line("a=mid:", l.mid)
	w.line("a=ice-ufrag:", p.local.Ufrag)
	w.line("a=ice-pwd:", p.local.Pwd)
	if passive { // the client's wish
		w.line("a=setup:active")
	} else {
		w.line("a=setup:passive")
	}
}

func (w *sdpWriter) application(l *offerLine, passive bool, p *answerParts) {
	w.line("m=application 9 ", l.protocol, " webrtc-datachannel")
	w.transport(l, passive, p)
	w.line("a=sendrecv")
	w.line("a=sctp-port:5000")
	if p.maxMessage > 0 {
		w.number("a=max-message-size:", uint64(p.maxMessage))
	}
}

func (w *sdpWriter) media(l *offerLine, now line, a *agreed, passive bool, p *answerParts) {
	w.buf = append(append(w.buf, "m="...), l.media...)
	w.buf = append(append(w.buf, " 9 "...), l.protocol...)
	for i := range a.answered {
		w.buf = strconv.AppendUint(append(w.buf, ' '), uint64(a.answered[i].payload), 10)
	}
	w.line()
	w.transport(l, passive, p)
	w.line("a=", now.answered())
	w.line("a=rtcp-mux")
	if l.reduced {
		w.line("a=rtcp-rsize")
	}
	for i := range a.extmaps {
		w.extmap(&a.extmaps[i])
	}
	for i := range a.answered {
		w.payload(&a.answered[i])
	}
	for _, rid := range a.rids {
		w.line("a=rid:", rid, " recv")
	}
	if a.simulcast != "" {
		w.line("a=simulcast:recv ", a.simulcast)
	}
	if now.role == roleSlot {
		w.slot(now, p)
	}
}

func (w *sdpWriter) extmap(e *extmap) {
	w.buf = append(w.buf, "a=extmap:"...)
	w.buf = strconv.AppendUint(w.buf, uint64(e.id), 10)
	if e.directed {
		w.buf = append(w.buf, '/')
		w.buf = append(w.buf, e.direction.reversed().String()...)
	}
	w.line(" ", e.kind.URI())
}

func (w *sdpWriter) payload(p *payload) {
	n := uint64(p.payload)
	w.number("a=rtpmap:", n, " ", p.name, "/", p.rate)
	if p.fmtp != "" {
		w.number("a=fmtp:", n, " ", p.fmtp)
	}
	for i, name := range feedbackNames {
		if p.feedback&(1<<i) != 0 {
			w.number("a=rtcp-fb:", n, " ", name)
		}
	}
}

// slot names the streams of a slot. The names are those of the slot, not of what is forwarded into it: they never change.
// The audio and the video slot of a number are one MediaStream (RFC 8830), which browsers play in step.
func (w *sdpWriter) slot(l line, p *answerParts) {
	w.line("a=msid:pair-", strconv.Itoa(l.pair), " track-", l.mid)
	s, ok := p.slots[l.mid]
	if !ok {
		return
	}
	if s.rtxSSRC != 0 {
		w.buf = strconv.AppendUint(append(w.buf, "a=ssrc-group:FID "...), uint64(s.ssrc), 10)
		w.number(" ", uint64(s.rtxSSRC))
	}
	// The cname is the one of the node's sender reports (RFC 8834, section 4.9). msid per SSRC is of Plan B.
	w.number("a=ssrc:", uint64(s.ssrc), " cname:", p.cname)
	if s.rtxSSRC != 0 {
		w.number("a=ssrc:", uint64(s.rtxSSRC), " cname:", p.cname)
	}
}
