// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/rtpforward"
)

// readTransport takes ICE credentials, fingerprint and DTLS role. They stand at session level or at the m-line that the
// BUNDLE group names first (RFC 9143, section 7.1.3); other lines may repeat but not contradict them.
func (o *offer) readTransport(d *sdp.SessionDescription) error {
	var setup string
	take := func(i int, mid string, attributes []sdp.Attribute) error {
		for _, a := range attributes {
			var field *string
			switch a.Key {
			case "ice-ufrag":
				field = &o.ufrag
			case "ice-pwd":
				field = &o.pwd
			case "setup":
				field = &setup
			case "fingerprint":
				// A client may offer digests of several algorithms of the one certificate (RFC 8122, section 5).
				if f, ok := fingerprint(a.Value); ok && o.fingerprint == "" {
					o.fingerprint = f
				} else if ok && strings.HasPrefix(f, o.fingerprint[:8]) && f != o.fingerprint {
					return badLine(i, mid, "fingerprint differs from another line's")
				}

				continue
			default:
				continue
			}
			if *field != "" && *field != a.Value {
				return badLine(i, mid, "a=%s differs from another line's", a.Key)
			}
			*field = a.Value
		}

		return nil
	}
	if err := take(-1, "", d.Attributes); err != nil {
		return err
	}
	for i := range o.lines {
		l := &o.lines[i]
		if l.rejected {
			continue
		}
		if err := take(i, l.mid, d.MediaDescriptions[i].Attributes); err != nil {
			return err
		}
	}
	o.readCandidates(d)

	return o.checkTransport(setup)
}

func (o *offer) checkTransport(setup string) error {
	switch {
	case len(o.ufrag) < 4 || len(o.ufrag) > 256 || !iceChars(o.ufrag): // RFC 8839, section 5.4
		return badSDP("a=ice-ufrag is missing or not 4 to 256 ice characters")
	case len(o.pwd) < 22 || len(o.pwd) > 256 || !iceChars(o.pwd):
		return badSDP("a=ice-pwd is missing or not 22 to 256 ice characters")
	case o.fingerprint == "":
		return badSDP("no a=fingerprint of sha-256, sha-384 or sha-512")
	}
	if setup != "actpass" && setup != "active" && setup != "passive" {
		return badSDP("a=setup is missing or neither actpass, active nor passive")
	}
	o.setup, o.passive = setup, setup == "passive"

	return nil
}

// keepRole holds the DTLS roles fast: with others there would have to be a new association, which is refused here (RFC
// 8842, section 5.5).
func (o *offer) keepRole(passive bool) error {
	if o.setup == "actpass" {
		o.passive = passive
	}
	if o.passive != passive {
		return badSDP("a=setup:%s would exchange the DTLS roles: a new DTLS association needs a new session", o.setup)
	}

	return nil
}

func iceChars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}

	return true
}

// fingerprint checks one fingerprint attribute and returns it in one spelling.
func fingerprint(value string) (canonical string, ok bool) {
	fields := strings.Fields(value)
	if len(fields) != 2 {
		return "", false
	}
	hash := strings.ToLower(fields[0])
	size := 0
	switch hash {
	case "sha-256":
		size = 32
	case "sha-384":
		size = 48
	case "sha-512":
		size = 64
	}
	digest := strings.ToUpper(fields[1])
	if size == 0 || len(digest) != 3*size-1 {
		return "", false
	}
	for i := range len(digest) {
		hex := digest[i] >= '0' && digest[i] <= '9' || digest[i] >= 'A' && digest[i] <= 'F'
		if colon := i%3 == 2; colon != (digest[i] == ':') || !colon && !hex {
			return "", false
		}
	}

	return hash + " " + digest, true
}

// readCandidates keeps the candidates that can be read, of the first line of the BUNDLE group that has any: a client which
// does not know yet that it gets a bundle offers others on other lines, and gives those up with the answer.
func (o *offer) readCandidates(d *sdp.SessionDescription) {
	for _, mid := range o.accepted() {
		at := slices.IndexFunc(o.lines, func(l offerLine) bool { return l.mid == mid })
		attributes := d.MediaDescriptions[at].Attributes
		for i := range attributes {
			if a := &attributes[i]; a.Key == "candidate" && len(o.candidates) < maxOfferCandidates && checkCandidate(a.Value) == nil {
				o.candidates = append(o.candidates, a.Value)
			}
		}
		if len(o.candidates) > 0 {
			return
		}
	}
}

// remote is what the transport has to know of the client's end.
func (o *offer) remote() transport.Remote {
	return transport.Remote{
		Credentials: transport.Credentials{Ufrag: o.ufrag, Pwd: o.pwd},
		Fingerprint: o.fingerprint,
		Candidates:  o.candidates,
	}
}

// checkShared looks for what two lines of one transport must not disagree about (RFC 9143, sections 9.1 and 9.2): what a
// payload type and a header extension id mean, and whose an SSRC is.
func (o *offer) checkShared() error {
	var payloads [128]*payload
	var extensions [256]rtpforward.ExtensionKind
	var used [256]bool
	ssrcs := make(map[uint32]string)
	for i := range o.lines {
		l := &o.lines[i]
		for at := range l.payloads {
			p := &l.payloads[at]
			if was := payloads[p.payload]; was != nil && !p.means(was) {
				return badLine(i, l.mid, "payload type %d means something else on another line", p.payload)
			}
			payloads[p.payload] = p
		}
		for _, e := range l.extensions {
			if used[e.id] && extensions[e.id] != e.kind {
				return badLine(i, l.mid, "header extension id %d means something else on another line", e.id)
			}
			extensions[e.id], used[e.id] = e.kind, true
		}
		for _, ssrc := range l.ssrcs {
			if other, used := ssrcs[ssrc]; used {
				return badLine(i, l.mid, "SSRC %d belongs to mid %q too", ssrc, other)
			}
			ssrcs[ssrc] = l.mid
		}
	}

	return nil
}

// follows holds the offer against the one before: m-lines stay where they are, with their mid and kind (RFC 9429, section
// 5.2.2). Recycling a rejected line under another mid is legal there, but not taken here: slots never need it.
func (o *offer) follows(before []line) error {
	if len(o.lines) < len(before) {
		return badSDP("the offer has %d m-lines, the one before had %d: m-lines are never taken away", len(o.lines), len(before))
	}
	for i, was := range before {
		if l := o.lines[i]; l.mid != was.mid || l.kind != was.kind {
			return badLine(i, l.mid, "was mid %q in the offer before: m-lines keep their place, mid and kind", was.mid)
		}
	}
	if len(before) == 0 {
		return nil
	}

	return o.keepRole(before[0].passive)
}
