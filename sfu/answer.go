// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/internal/transport"
)

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

// answer writes the SDP. It cannot fail.
func (o *offer) answer(lines []line, agreed []agreed, p answerParts) string {
	return "" // being written
}

// remote is what the transport has to know of the client's end.
func (o *offer) remote() transport.Remote {
	return transport.Remote{} // being written
}

func itoa(n uint8) string { return strconv.Itoa(int(n)) }

// finish makes the answer for the client out of pion's: true directions, the node's candidates, all of them, and none of
// what pion says twice. Its size depends on the lines alone, not on what was ever forwarded over them.
func (o *offer) finish(d *sdp.SessionDescription, lines []line, cname string, candidates []string) (string, error) {
	for i, m := range d.MediaDescriptions {
		if i >= len(o.lines) {
			break
		}
		l := &o.lines[i]
		m.Attributes = l.finish(m.Attributes, lines[i], cname)
		if !l.application() {
			l.narrow(m)
		}
		if l.rejected {
			m.MediaName.Port.Value = 0
		}
		if l.mid == o.firstInUse() {
			for _, c := range candidates {
				m.Attributes = append(m.Attributes, sdp.Attribute{Key: "candidate", Value: c})
			}
			m.Attributes = append(m.Attributes, sdp.Attribute{Key: "end-of-candidates"})
		}
	}
	for i, a := range d.Attributes {
		if a.Key == "group" && strings.HasPrefix(a.Value, "BUNDLE") {
			d.Attributes[i].Value = strings.TrimSpace("BUNDLE " + strings.Join(o.accepted(), " "))
		}
	}
	b, err := d.Marshal()

	return string(b), err
}

// accepted is the answered BUNDLE group: the offered order without rejected lines (RFC 9143, section 7.3).
func (o *offer) accepted() []string {
	var mids []string
	for _, mid := range o.bundle {
		for _, l := range o.lines {
			if l.mid == mid && !l.rejected {
				mids = append(mids, mid)
			}
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

func (l *offerLine) finish(attributes []sdp.Attribute, now line, cname string) []sdp.Attribute {
	out := make([]sdp.Attribute, 0, len(attributes))
	named := false
	for _, a := range attributes {
		switch a.Key {
		case "candidate", "end-of-candidates":
			continue
		case "sendrecv", "sendonly", "recvonly", "inactive":
			a.Key = now.answered()
		case "ssrc":
			id, what, _ := strings.Cut(a.Value, " ")
			if !strings.HasPrefix(what, "cname:") { // msid, mslabel and label per SSRC are of Plan B; a=msid says it
				continue
			}
			a.Value = id + " cname:" + cname // the one of our sender reports (RFC 8834, section 4.9)
		case "mid":
			named = true
		}
		out = append(out, a)
	}
	if !named {
		out = append(out, sdp.Attribute{Key: "mid", Value: l.mid})
	}

	return out
}

// narrow leaves only payload types that this line offered, in the offer's order: pion answers with all that were offered
// on any line of the kind.
func (l *offerLine) narrow(m *sdp.MediaDescription) {
	have := make(map[string]bool, len(m.MediaName.Formats))
	for _, f := range m.MediaName.Formats {
		have[f] = true
	}
	kept := make(map[string]bool, len(l.payloads))
	var formats []string
	for _, p := range l.payloads {
		if f := itoa(p.payload); have[f] {
			kept[f] = true
			formats = append(formats, f)
		}
	}
	if len(formats) == 0 { // a rejected line
		return
	}
	m.MediaName.Formats = formats
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
		if a.Key != "rtpmap" && a.Key != "fmtp" && a.Key != "rtcp-fb" {
			return false
		}
		f, _, _ := strings.Cut(a.Value, " ")

		return !kept[f]
	})
}
