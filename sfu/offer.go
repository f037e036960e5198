// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
)

// Bounds on what one offer may hold, beside Config.MaxSDPBytes and Config.MaxLines. Browsers stay far below.
const (
	maxLineBytes      = 16 << 10 // one line of SDP
	maxLineAttributes = 1024     // attributes of one m-line
	maxMidBytes       = 64
	maxRIDs           = 8
	maxLineSSRCs      = 32
)

// direction is an m-line's direction as the client offered it.
type direction uint8

const (
	sendrecv direction = iota // also when nothing is said (RFC 8866, section 6.7)
	sendonly
	recvonly
	inactive
)

// offer is an offer that has passed every check that can be made before pion sees it.
type offer struct {
	id          uint64
	raw         string
	lines       []offerLine
	bundle      []string
	ufrag, pwd  string
	fingerprint string // "sha-256 AA:BB…"
	passive     bool   // the client insists on being the DTLS server
	allowMixed  bool   // extmap-allow-mixed (RFC 8285, section 6)
}

// offerLine is one m-line. The application line has kind 0.
type offerLine struct {
	mid       string
	kind      router.Kind
	direction direction
	rejected  bool // port 0: the client has no use for it (any more)
	media     *sdp.MediaDescription
	payloads  []payload // those that are routed, and their retransmission formats
	rids      []string
	ssrcs     []string
}

func (l *offerLine) application() bool { return l.kind == 0 }

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
	o := &offer{id: id, raw: raw}
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
		if strings.ContainsAny(strings.TrimRight(text, "\r\n"), "\x00\r\x7f\x1b") {
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

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}

	return strings.ToValidUTF8(s, "?")
}

func (o *offer) readLines(d *sdp.SessionDescription) error {
	seen := make(map[string]bool)
	whole, _ := directionOf(d.Attributes, sendrecv)
	for i, media := range d.MediaDescriptions {
		l := offerLine{media: media, rejected: media.MediaName.Port.Value == 0}
		mid, ok := media.Attribute("mid")
		if !ok {
			return badLine(i, "", "no a=mid")
		}
		l.mid = mid
		switch {
		case len(mid) == 0 || len(mid) > maxMidBytes || !token(mid):
			return badLine(i, clip(mid), "mid must be a token of 1 to %d bytes", maxMidBytes)
		case seen[mid]:
			return badLine(i, mid, "mid is used twice")
		case len(media.Attributes) > maxLineAttributes:
			return badLine(i, mid, "more than %d attributes", maxLineAttributes)
		}
		seen[mid] = true
		if _, ok := media.Attribute("bundle-only"); ok { // RFC 9143, section 6: port 0 does not mean rejected then
			l.rejected = false
		}
		var said bool
		if l.direction, said = directionOf(media.Attributes, whole); said && l.direction > inactive {
			return badLine(i, mid, "direction is given twice")
		}
		if err := l.read(i); err != nil {
			return err
		}
		if l.application() && slices.ContainsFunc(o.lines, func(l offerLine) bool { return l.application() }) {
			return badLine(i, mid, "a second application line")
		}
		o.lines = append(o.lines, l)
	}

	return nil
}

// token follows RFC 8866: what a mid (RFC 5888) and a rid (RFC 8851) are made of.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`{|}~", rune(c)) {
			return false
		}
	}

	return s != ""
}

func directionOf(attributes []sdp.Attribute, fallback direction) (d direction, said bool) {
	d = fallback
	for _, a := range attributes {
		at := slices.Index([]string{"sendrecv", "sendonly", "recvonly", "inactive"}, a.Key)
		if at < 0 {
			continue
		}
		if said {
			return inactive + 1, true
		}
		d, said = direction(at), true
	}

	return d, said
}

// read checks one m-line's own parts.
func (l *offerLine) read(i int) error {
	name := l.media.MediaName
	switch name.Media {
	case "application":
		return l.readApplication(i)
	case "audio":
		l.kind = router.Audio
	case "video":
		l.kind = router.Video
	default:
		return badLine(i, l.mid, "media %q is neither audio, video nor application", clip(name.Media))
	}
	if l.rejected {
		l.direction = inactive
	}
	if proto := strings.Join(name.Protos, "/"); proto != "UDP/TLS/RTP/SAVPF" && proto != "TCP/TLS/RTP/SAVPF" && !l.rejected {
		return badLine(i, l.mid, "protocol %q is not UDP/TLS/RTP/SAVPF", clip(proto))
	}
	if _, ok := l.media.Attribute("rtcp-mux"); !ok && !l.rejected {
		return badLine(i, l.mid, "no a=rtcp-mux")
	}
	l.payloads = routedOnly(payloadsOf(l.media), name.Media)
	if len(l.payloads) == 0 && !l.rejected {
		return badLine(i, l.mid, "no codec that this node routes (%s)", strings.Join(codecNames(), ", "))
	}

	return l.readSources(i)
}

func (l *offerLine) readApplication(i int) error {
	name := l.media.MediaName
	proto := strings.Join(name.Protos, "/")
	switch {
	case l.rejected:
		return nil
	case proto != "UDP/DTLS/SCTP" && proto != "TCP/DTLS/SCTP":
		return badLine(i, l.mid, "protocol %q is not UDP/DTLS/SCTP", clip(proto))
	case !slices.Equal(name.Formats, []string{"webrtc-datachannel"}):
		return badLine(i, l.mid, "format is not webrtc-datachannel")
	}

	return nil
}

// routedOnly leaves the payloads that the node can forward, and the retransmission formats of those.
func routedOnly(all []payload, media string) []payload {
	kept := make(map[uint8]bool, len(all))
	var out []payload
	for _, p := range all {
		if codec := p.codec(media); codec != 0 && p.rated(codec) {
			kept[p.payload] = true
			out = append(out, p)
		}
	}
	for _, p := range all {
		if apt, ok := p.repairs(); ok && kept[apt] {
			out = append(out, p)
		}
	}

	return out
}

// readSources notes the SSRCs and simulcast layers that the line announces.
func (l *offerLine) readSources(i int) error {
	for _, a := range l.media.Attributes {
		id, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "ssrc":
			if !decimal32(id) {
				return badLine(i, l.mid, "a=ssrc is not a 32 bit number")
			}
			if !slices.Contains(l.ssrcs, id) {
				l.ssrcs = append(l.ssrcs, id)
			}
		case "rid":
			if !strings.HasPrefix(rest, "send") {
				continue
			}
			if !token(id) || len(id) > maxMidBytes || slices.Contains(l.rids, id) {
				return badLine(i, l.mid, "a=rid %q is no token or is used twice", clip(id))
			}
			l.rids = append(l.rids, id)
		}
	}
	if len(l.ssrcs) > maxLineSSRCs || len(l.rids) > maxRIDs {
		return badLine(i, l.mid, "more than %d SSRCs or %d simulcast layers", maxLineSSRCs, maxRIDs)
	}

	return nil
}

func decimal32(s string) bool {
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || len(s) > 10 {
			return false
		}
		n = n*10 + uint64(s[i]-'0')
	}

	return s != "" && n <= 1<<32-1
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
	for i, l := range o.lines {
		if !l.rejected && !slices.Contains(o.bundle, l.mid) {
			return badLine(i, l.mid, "not in the BUNDLE group")
		}
	}
	for i, mid := range o.bundle {
		if !slices.ContainsFunc(o.lines, func(l offerLine) bool { return l.mid == mid }) || slices.Contains(o.bundle[:i], mid) {
			return badSDP("BUNDLE group names %q twice or without an m-line", clip(mid))
		}
	}

	return nil
}
