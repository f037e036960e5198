// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strings"

	"github.com/pion/sdp/v3"
)

// normalized is the offer as pion is given it: built anew from what was checked, so that pion sees nothing else, and
// bent so that its choices are ours. The roles say what the node has decided each line to be.
//
//   - A source is always sendonly, a slot always recvonly. pion would stop transceivers of inactive lines for good, and
//     would put a slot's track onto a sendrecv line; the answer tells the client the true directions.
//   - Only routed codecs and known extensions are left: pion matches every codec of every line against every other.
//   - The DTLS role is decided: pion by default would be the client.
//   - Slots repeat no payload types of earlier lines, for the same reason: pion answers each with all of its kind anyway,
//     and narrow takes back what the line did not offer.
//   - Candidates are left out for ICE-lite: it never uses them (RFC 8445, section 6.2).
func (o *offer) normalized(lines []line, candidates bool) (string, error) {
	d := &sdp.SessionDescription{
		Origin:           sdp.Origin{Username: "-", SessionID: 1, SessionVersion: o.id, NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0"},
		SessionName:      "-",
		TimeDescriptions: []sdp.TimeDescription{{}},
	}
	d.Attributes = []sdp.Attribute{
		{Key: "group", Value: "BUNDLE " + strings.Join(o.midsInUse(), " ")},
		{Key: "fingerprint", Value: o.fingerprint},
		{Key: "ice-ufrag", Value: o.ufrag},
		{Key: "ice-pwd", Value: o.pwd},
		{Key: "ice-options", Value: "trickle"},
	}
	if o.allowMixed {
		d.Attributes = append(d.Attributes, sdp.Attribute{Key: "extmap-allow-mixed"})
	}
	setup := "active"
	if o.passive {
		setup = "passive"
	}
	seen := make(map[uint8]bool)
	for i := range o.lines {
		m := o.lines[i].normalized(lines[i].role, setup, seen)
		if candidates && i == 0 {
			for _, a := range o.lines[i].media.Attributes {
				if a.IsICECandidate() && checkCandidate(a.Value) == nil {
					m.Attributes = append(m.Attributes, a)
				}
			}
		}
		d.MediaDescriptions = append(d.MediaDescriptions, m)
	}
	b, err := d.Marshal()

	return string(b), err
}

// midsInUse is every line, rejected ones too: pion is never told that a line was given up.
func (o *offer) midsInUse() []string {
	mids := make([]string, len(o.lines))
	for i, l := range o.lines {
		mids[i] = l.mid
	}

	return mids
}

func (l *offerLine) normalized(role role, setup string, seen map[uint8]bool) *sdp.MediaDescription {
	m := &sdp.MediaDescription{
		MediaName:             sdp.MediaName{Media: l.media.MediaName.Media, Port: sdp.RangedPort{Value: 9}},
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"}},
	}
	add := func(key, value string) { m.Attributes = append(m.Attributes, sdp.Attribute{Key: key, Value: value}) }
	add("setup", setup)
	add("mid", l.mid)
	if l.application() {
		m.MediaName.Protos, m.MediaName.Formats = []string{"UDP", "DTLS", "SCTP"}, []string{"webrtc-datachannel"}
		if l.rejected {
			m.MediaName.Port.Value = 0
		}
		add("sctp-port", "5000")
		if size, ok := l.media.Attribute("max-message-size"); ok && decimal32(size) {
			add("max-message-size", size)
		}

		return m
	}
	m.MediaName.Protos = []string{"UDP", "TLS", "RTP", "SAVPF"}
	add("rtcp-mux", "")
	for _, p := range l.fresh(role, seen) {
		m.MediaName.Formats = append(m.MediaName.Formats, itoa(p.payload))
		add("rtpmap", itoa(p.payload)+" "+p.name+"/"+p.rate)
		if p.fmtp != "" {
			add("fmtp", itoa(p.payload)+" "+p.fmtp)
		}
		for _, fb := range p.feedback {
			add("rtcp-fb", itoa(p.payload)+" "+fb)
		}
	}
	if len(l.payloads) == 0 { // a rejected line need not name any
		m.MediaName.Formats = []string{"0"}
	}
	for _, a := range l.media.Attributes {
		if kind, id, ok := extension(a); ok {
			add("extmap", itoa(id)+" "+kind.URI())
		}
	}
	if role == roleSlot {
		add("recvonly", "")

		return m
	}
	add("sendonly", "")
	if l.sends() {
		l.addSources(add)
	}

	return m
}

// fresh is what pion must be shown of a line's payloads; all of them, unless an earlier line has had them already.
func (l *offerLine) fresh(role role, seen map[uint8]bool) []payload {
	known := true
	for _, p := range l.payloads {
		known = known && seen[p.payload]
		seen[p.payload] = true
	}
	if known && role == roleSlot && len(l.payloads) > 0 {
		return l.payloads[:1]
	}

	return l.payloads
}

// sends says whether the client wants to send on the line.
func (l *offerLine) sends() bool {
	return !l.rejected && (l.direction == sendonly || l.direction == sendrecv)
}

// addSources repeats what the client says about its streams. pion wants an msid before it believes in layers.
func (l *offerLine) addSources(add func(key, value string)) {
	add("msid", "source "+l.mid)
	if len(l.rids) > 0 {
		for _, rid := range l.rids {
			add("rid", rid+" send")
		}
		add("simulcast", "send "+strings.Join(l.rids, ";"))

		return
	}
	for _, a := range l.media.Attributes {
		if a.Key == "ssrc-group" && strings.HasPrefix(a.Value, "FID ") {
			add(a.Key, a.Value)
		}
	}
	for _, ssrc := range l.ssrcs {
		add("ssrc", ssrc+" cname:source")
	}
}
