// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Reasons why a join fails.
var (
	ErrNoLoopback = errors.New("load: the node offers no UDP candidate on loopback (start it with --set media.loopback=true)")
	errAnswer     = errors.New("load: bad answer")
)

// answer is what a client needs of the node's answer.
type answer struct {
	ufrag, pwd  string
	fingerprint string // sha-256 and upper case
	active      bool   // the node begins the DTLS handshake
	address     netip.AddrPort
	lines       map[string]answeredLine // by mid
}

type answeredLine struct {
	ssrc, rtx uint32 // what the node sends; 0: nothing
	transport bool   // transport-wide congestion control is agreed on
}

func parseAnswer(text string) (*answer, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	a := &answer{lines: make(map[string]answeredLine)}
	a.transport(d.Attributes)
	for _, m := range d.MediaDescriptions {
		a.transport(m.Attributes)
		a.line(m)
	}
	switch {
	case a.ufrag == "" || a.pwd == "" || a.fingerprint == "":
		return nil, fmt.Errorf("%w: no credentials", errAnswer)
	case !a.address.IsValid():
		return nil, ErrNoLoopback
	}

	return a, nil
}

// transport reads what is the same on all lines of a bundle: the first one that has it counts.
func (a *answer) transport(attributes []sdp.Attribute) {
	for _, at := range attributes {
		switch at.Key {
		case "ice-ufrag":
			a.ufrag = at.Value
		case "ice-pwd":
			a.pwd = at.Value
		case "setup":
			a.active = at.Value == "active"
		case "fingerprint":
			if hash, value, _ := strings.Cut(at.Value, " "); strings.EqualFold(hash, "sha-256") {
				a.fingerprint = strings.ToUpper(value)
			}
		case "candidate":
			if to, ok := candidate(at.Value); ok && !a.address.IsValid() {
				a.address = to
			}
		}
	}
}

// candidate reads a UDP candidate on IPv4 loopback (RFC 8839, section 5.1).
func candidate(value string) (netip.AddrPort, bool) {
	f := strings.Fields(value)
	if len(f) < 6 || f[1] != "1" || !strings.EqualFold(f[2], "udp") {
		return netip.AddrPort{}, false
	}
	to, err := netip.ParseAddrPort(f[4] + ":" + f[5])

	return to, err == nil && to.Addr().Is4() && to.Addr().IsLoopback()
}

func (a *answer) line(m *sdp.MediaDescription) {
	mid, _ := m.Attribute("mid")
	var l answeredLine
	extended, feedback := false, false
	for _, at := range m.Attributes {
		id, rest, _ := strings.Cut(at.Value, " ")
		switch at.Key {
		case "ssrc":
			if n, err := strconv.ParseUint(id, 10, 32); err == nil && l.ssrc == 0 {
				l.ssrc = uint32(n)
			}
		case "ssrc-group":
			var media, repair uint32
			if n, _ := fmt.Sscanf(at.Value, "FID %d %d", &media, &repair); n == 2 {
				l.ssrc, l.rtx = media, repair
			}
		case "extmap":
			extended = extended || id == strconv.Itoa(extTransport)
		case "rtcp-fb":
			feedback = feedback || rest == "transport-cc"
		}
	}
	l.transport = extended && feedback
	a.lines[mid] = l
}
