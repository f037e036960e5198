// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

// readSources notes header extensions, SSRCs and simulcast layers that the line announces.
func (l *offerLine) readSources(i int, attributes []sdp.Attribute) error {
	for at := range attributes {
		a := &attributes[at]
		id, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "extmap":
			if e, ok := readExtmap(a.Value); ok {
				l.extensions = append(l.extensions, e)
			}
		case "ssrc":
			ssrc, ok := number32(id)
			if !ok {
				return badLine(i, l.mid, "a=ssrc is not a 32 bit number")
			}
			if !slices.Contains(l.ssrcs, ssrc) {
				l.ssrcs = append(l.ssrcs, ssrc)
			}
		case "ssrc-group":
			l.readGroup(a.Value)
		case "simulcast":
			l.readSimulcast(a.Value)
		case "rid":
			if !strings.HasPrefix(rest, "send") {
				continue
			}
			if !ridToken(id) || len(id) > maxMidBytes || slices.Contains(l.rids, id) {
				return badLine(i, l.mid, "a=rid %q is no token or is used twice", clip(id))
			}
			l.rids = append(l.rids, id)
		}
		if len(l.ssrcs) > maxLineSSRCs || len(l.rids) > maxRIDs || len(l.groups) > maxLineSSRCs {
			return badLine(i, l.mid, "more than %d SSRCs or %d simulcast layers", maxLineSSRCs, maxRIDs)
		}
	}

	return nil
}

// readGroup notes which SSRC protects which other, and which are the sizes of one picture, as clients say that have no rids.
// Groups of other semantics say nothing that is of use.
func (l *offerLine) readGroup(value string) {
	fields := strings.Fields(value)
	if len(fields) > 1 && len(fields)-1 <= maxLineSSRCs && fields[0] == "SIM" && l.ladder == nil {
		for _, field := range fields[1:] {
			if ssrc, ok := number32(field); ok {
				l.ladder = append(l.ladder, ssrc)
			}
		}

		return
	}
	if len(fields) != 3 || fields[0] != "FID" && fields[0] != "FEC-FR" {
		return
	}
	media, ok := number32(fields[1])
	other, too := number32(fields[2])
	if ok && too && media != other {
		l.groups = append(l.groups, ssrcPair{media: media, other: other, repair: fields[0] == "FID"})
	}
}

// readSimulcast keeps the list of what is sent, for the answer; agree checks it.
func (l *offerLine) readSimulcast(value string) {
	fields := strings.Fields(value)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "send" {
			l.simulcast = fields[i+1]
		}
	}
}

// ridToken is stricter than RFC 8866's token, as RFC 8851 (section 10) is: a simulcast attribute separates layers by
// other characters of it.
func ridToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}

	return s != ""
}

func decimal32(s string) bool {
	_, ok := number32(s)

	return ok
}

func number32(s string) (n uint32, ok bool) {
	var sum uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || len(s) > 10 {
			return 0, false
		}
		sum = sum*10 + uint64(s[i]-'0')
	}

	return uint32(sum), s != "" && sum <= 1<<32-1
}
