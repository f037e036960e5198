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

func (o *offer) readLines(d *sdp.SessionDescription) error {
	seen := make(map[string]bool, len(d.MediaDescriptions))
	whole, _ := directionOf(d.Attributes, sendrecv)
	o.lines = make([]offerLine, 0, len(d.MediaDescriptions))
	data := false
	for i, media := range d.MediaDescriptions {
		l := offerLine{media: media.MediaName.Media, rejected: media.MediaName.Port.Value == 0}
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
		if err := l.read(i, media); err != nil {
			return err
		}
		if l.application() && data {
			return badLine(i, mid, "a second application line")
		}
		data = data || l.application()
		o.lines = append(o.lines, l)
	}

	return nil
}

// token follows RFC 8866: what a mid is made of (RFC 5888).
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`{|}~", c) < 0 {
			return false
		}
	}

	return s != ""
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (d direction) String() string {
	return [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}[d]
}

// reversed is the same direction seen from the other end.
func (d direction) reversed() direction {
	switch d {
	case sendonly:
		return recvonly
	case recvonly:
		return sendonly
	case sendrecv, inactive:
	}

	return d
}

func directionNamed(name string) (d direction, ok bool) {
	switch name {
	case "sendrecv":
		return sendrecv, true
	case "sendonly":
		return sendonly, true
	case "recvonly":
		return recvonly, true
	case "inactive":
		return inactive, true
	default:
		return 0, false
	}
}

func directionOf(attributes []sdp.Attribute, fallback direction) (d direction, said bool) {
	d = fallback
	for i := range attributes {
		named, ok := directionNamed(attributes[i].Key)
		if !ok {
			continue
		}
		if said {
			return inactive + 1, true
		}
		d, said = named, true
	}

	return d, said
}

// read checks one m-line's own parts.
func (l *offerLine) read(i int, media *sdp.MediaDescription) error {
	name := media.MediaName
	l.protocol = strings.Join(name.Protos, "/")
	if len(name.Formats) > 0 {
		l.format = name.Formats[0]
	}
	switch name.Media {
	case "application":
		return l.readApplication(i, name.Formats)
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
	if l.protocol != "UDP/TLS/RTP/SAVPF" && l.protocol != "TCP/TLS/RTP/SAVPF" && !l.rejected {
		return badLine(i, l.mid, "protocol %q is not UDP/TLS/RTP/SAVPF", clip(l.protocol))
	}
	if _, ok := media.Attribute("rtcp-mux"); !ok && !l.rejected {
		return badLine(i, l.mid, "no a=rtcp-mux")
	}
	_, l.reduced = media.Attribute("rtcp-rsize")
	l.payloads = routedOnly(payloadsOf(media))
	if len(l.payloads) == 0 && !l.rejected {
		return badLine(i, l.mid, "no codec that this node routes (%s)", strings.Join(codecNames(), ", "))
	}

	return l.readSources(i, media.Attributes)
}

func (l *offerLine) readApplication(i int, formats []string) error {
	switch {
	case l.rejected:
		return nil
	case l.protocol != "UDP/DTLS/SCTP" && l.protocol != "TCP/DTLS/SCTP":
		return badLine(i, l.mid, "protocol %q is not UDP/DTLS/SCTP", clip(l.protocol))
	case !slices.Equal(formats, []string{"webrtc-datachannel"}):
		return badLine(i, l.mid, "format is not webrtc-datachannel")
	}

	return nil
}

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

// readGroup notes which SSRC protects which other. Groups of other semantics say nothing that is of use.
func (l *offerLine) readGroup(value string) {
	fields := strings.Fields(value)
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
