// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
)

// Bounds on what one offer may hold, beside Config.MaxSDPBytes and Config.MaxLines. Browsers stay far below.
const (
	maxLineBytes       = 16 << 10 // one line of SDP
	maxLineAttributes  = 1024     // attributes of one m-line
	maxMidBytes        = 64
	maxRIDs            = 8
	maxLineSSRCs       = 32
	maxOfferCandidates = 64
)

// direction is an m-line's direction as the client offered it.
type direction uint8

const (
	sendrecv direction = iota // also when nothing is said (RFC 8866, section 6.7)
	sendonly
	recvonly
	inactive
)

// offer is an offer that has passed every check but the one for formats, which agree makes.
type offer struct {
	id          uint64
	raw         string
	lines       []offerLine
	bundle      []string
	ufrag, pwd  string
	fingerprint string // "sha-256 AA:BB…"
	setup       string // of DTLS (RFC 8842): "actpass", "active" or "passive"
	passive     bool   // the client is the DTLS server, because it insists on it or was so in the first offer
	allowMixed  bool   // extmap-allow-mixed (RFC 8285, section 6)
	controlled  bool   // the node looks at what the client says of its link; of the configuration, not the client
	candidates  []string
}

// offerLine is one m-line. The application line has kind 0.
type offerLine struct {
	mid        string
	kind       router.Kind
	media      string // of the m-line, as are protocol and format
	protocol   string
	format     string // the first one
	direction  direction
	rejected   bool      // port 0: the client has no use for it (any more)
	reduced    bool      // rtcp-rsize (RFC 5506)
	payloads   []payload // those that are routed, and their retransmission formats
	extensions []extmap
	rids       []string
	simulcast  string   // what is sent, of the simulcast attribute (RFC 8853); "" without
	ssrcs      []uint32 // all that are announced
	groups     []ssrcPair
	ladder     []uint32 // simulcast streams by SSRC (ssrc-group SIM), in the order of the group
}

// ssrcPair are a stream's SSRC and that of what protects it (RFC 5576, section 4.2).
type ssrcPair struct {
	media, other uint32
	repair       bool // semantics FID: retransmissions; else FEC
}

func (l *offerLine) application() bool { return l.kind == 0 }

// sends says whether the client wants to send on the line.
func (l *offerLine) sends() bool {
	return !l.rejected && (l.direction == sendonly || l.direction == sendrecv)
}

// badLine is ErrSDP naming the m-line at fault.
func badLine(i int, mid, format string, args ...any) error {
	return saying(ErrSDP, fmt.Sprintf("m-line %d (mid %q): %s", i, mid, fmt.Sprintf(format, args...)))
}

func badSDP(format string, args ...any) error {
	return saying(ErrSDP, fmt.Sprintf(format, args...))
}

// parseOffer reads and checks an offer. before are the lines of the last accepted one.
func parseOffer(raw string, id uint64, cfg *Config, before []line) (*offer, error) {
	if err := checkSize(raw, cfg); err != nil {
		return nil, err
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(raw); err != nil {
		return nil, badSDP("not SDP: %v", clip(err.Error()))
	}
	o := &offer{id: id, raw: raw, controlled: !cfg.Forward.NoCongestionControl}
	if len(d.MediaDescriptions) == 0 {
		return nil, badSDP("there is no m-line")
	}
	if err := o.readLines(&d); err != nil {
		return nil, err
	}
	if err := o.readBundle(&d); err != nil {
		return nil, err
	}
	if err := o.readTransport(&d); err != nil {
		return nil, err
	}
	if err := o.checkShared(); err != nil {
		return nil, err
	}
	_, o.allowMixed = d.Attribute("extmap-allow-mixed")

	return o, o.follows(before)
}

// checkSize bounds the work of parsing before any of it is done.
func checkSize(raw string, cfg *Config) error {
	if len(raw) > cfg.MaxSDPBytes {
		return saying(ErrSDPTooLarge, fmt.Sprintf("the offer has %d bytes, this node takes %d", len(raw), cfg.MaxSDPBytes))
	}
	lines, number := 0, 0
	for text := range strings.Lines(raw) {
		number++
		if len(text) > maxLineBytes {
			return badSDP("line %d is longer than %d bytes", number, maxLineBytes)
		}
		if control(strings.TrimRight(text, "\r\n")) {
			return badSDP("line %d has a control character", number)
		}
		if strings.HasPrefix(text, "m=") {
			lines++
		}
	}
	if lines > cfg.MaxLines {
		return saying(ErrMediaLineLimit, fmt.Sprintf("the offer has %d m-lines, this node takes %d", lines, cfg.MaxLines))
	}

	return nil
}

// control looks for characters that are no part of any SDP, and that a reader might take for the end of a line.
func control(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case 0, '\r', 0x1b, 0x7f:
			return true
		}
	}

	return false
}

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}

	return strings.ToValidUTF8(s, "?")
}

// readBundle wants one group with every line that is in use: the node has one transport for all.
func (o *offer) readBundle(d *sdp.SessionDescription) error {
	found := false
	for _, a := range d.Attributes {
		if fields := strings.Fields(a.Value); a.Key == "group" && len(fields) > 0 && fields[0] == "BUNDLE" {
			if found {
				return badSDP("more than one BUNDLE group")
			}
			o.bundle, found = fields[1:], true
		}
	}
	if !found {
		return badSDP("no BUNDLE group (RFC 9143)")
	}
	in := make(map[string]bool, len(o.bundle)) // named, and whether there is such a line
	for _, mid := range o.bundle {
		if _, twice := in[mid]; twice {
			return badSDP("BUNDLE group names %q twice or without an m-line", clip(mid))
		}
		in[mid] = false
	}
	for i := range o.lines {
		l := &o.lines[i]
		if _, ok := in[l.mid]; ok {
			in[l.mid] = true
		} else if !l.rejected {
			return badLine(i, l.mid, "not in the BUNDLE group")
		}
	}
	for _, mid := range o.bundle {
		if !in[mid] {
			return badSDP("BUNDLE group names %q twice or without an m-line", clip(mid))
		}
	}

	return nil
}
