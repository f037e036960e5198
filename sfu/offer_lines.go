// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
)

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
