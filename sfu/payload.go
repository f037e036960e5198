// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/rtpforward"
)

// payload is one payload type of an m-line.
type payload struct {
	payload  uint8
	codec    rtpforward.Codec // CodecUnknown: a retransmission format, or not routed
	name     string
	rate     string // with channels: "48000/2"
	fmtp     string
	feedback feedback
}

// feedback is a set of RTCP feedback (RFC 4585, section 4.2) that the node understands.
type feedback uint8

const (
	feedbackNACK feedback = 1 << iota
	feedbackPLI
	feedbackFIR
	feedbackTransport
	feedbackREMB // draft-alvestrand-rmcat-remb-03

	videoFeedback = feedbackNACK | feedbackPLI | feedbackFIR | feedbackTransport | feedbackREMB
	audioFeedback = feedbackNACK | feedbackTransport
)

// feedbackNames are the values of rtcp-fb attributes, in the order of the bits.
var feedbackNames = [...]string{"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"}

func feedbackNamed(value string) feedback {
	value = strings.TrimSpace(value)
	for i, name := range feedbackNames {
		if value == name {
			return 1 << i
		}
	}

	return 0
}

// rated says whether clock rate and channels are those of the codec: both audio formats are always announced as 48000/2
// (RFC 7587, section 7), whatever is in them.
func (p *payload) rated() bool {
	if p.codec.Video() {
		return p.rate == "90000" || p.rate == "90000/1"
	}

	return p.rate == "48000/2"
}

// repairs returns the payload type that a retransmission format stands for (RFC 4588, section 8.6).
func (p *payload) repairs() (apt uint8, ok bool) {
	if !strings.EqualFold(p.name, "rtx") || p.rate != "90000" && p.rate != "90000/1" {
		return 0, false
	}
	value, _ := fmtpParameter(p.fmtp, "apt")
	n, err := strconv.ParseUint(value, 10, 8)

	return uint8(n), err == nil && n < 128
}

// means reports whether two payloads of one type number are the same to the node.
func (p *payload) means(other *payload) bool {
	if p.codec != other.codec || p.rate != other.rate || !strings.EqualFold(p.name, other.name) {
		return false
	}
	if p.fmtp == other.fmtp || p.codec == rtpforward.CodecUnknown {
		return p.fmtp == other.fmtp
	}

	return formatKey(p.codec, p.fmtp) == formatKey(other.codec, other.fmtp)
}

// payloadType reads a format of an m-line of RTP; ok is false for what is no payload type, or is written oddly.
func payloadType(s string) (pt uint8, ok bool) {
	if len(s) == 0 || len(s) > 3 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}

	return uint8(n), n < 128
}

// payloadsOf lists the payload types of an m-line that have an rtpmap, in order.
func payloadsOf(media *sdp.MediaDescription) []payload {
	var at [128]uint8 // place in the list and 1, by payload type
	list := make([]payload, 0, min(len(media.MediaName.Formats), len(at)))
	for _, format := range media.MediaName.Formats {
		if pt, ok := payloadType(format); ok && at[pt] == 0 {
			list = append(list, payload{payload: pt})
			at[pt] = uint8(len(list))
		}
	}
	var all feedback
	for i := range media.Attributes {
		a := &media.Attributes[i]
		if a.Key != "rtpmap" && a.Key != "fmtp" && a.Key != "rtcp-fb" {
			continue
		}
		format, rest, _ := strings.Cut(a.Value, " ")
		if a.Key == "rtcp-fb" && format == "*" {
			all |= feedbackNamed(rest)

			continue
		}
		pt, ok := payloadType(format)
		if !ok || at[pt] == 0 {
			continue
		}
		p := &list[at[pt]-1]
		switch a.Key {
		case "rtpmap":
			p.name, p.rate, _ = strings.Cut(strings.TrimSpace(rest), "/")
		case "fmtp":
			p.fmtp = strings.TrimSpace(rest)
		case "rtcp-fb":
			p.feedback |= feedbackNamed(rest)
		}
	}
	named := list[:0]
	for _, p := range list {
		if p.name != "" {
			p.codec = codecNamed(media.MediaName.Media, p.name)
			p.feedback |= all
			named = append(named, p)
		}
	}

	return named
}

// codecNamed is rtpforward.CodecFromMime for a name of an rtpmap, without putting the two parts together.
func codecNamed(media, name string) rtpforward.Codec {
	for c := rtpforward.CodecOpus; c <= rtpforward.CodecAV1; c++ {
		if c.Video() == (media == "video") && strings.EqualFold(name, c.String()) {
			return c
		}
	}

	return rtpforward.CodecUnknown
}

// routedOnly leaves the payloads that the node can forward, and after them the retransmission formats of those.
func routedOnly(all []payload) []payload {
	var kept, repaired [128]bool
	out := make([]payload, 0, len(all))
	for i := range all {
		if p := &all[i]; p.codec != rtpforward.CodecUnknown && p.rated() {
			kept[p.payload] = true
			if p.codec.Video() {
				p.feedback &= videoFeedback
			} else {
				p.feedback &= audioFeedback
			}
			out = append(out, *p)
		}
	}
	for i := range all {
		p := &all[i]
		if p.codec != rtpforward.CodecUnknown {
			continue
		}
		if apt, ok := p.repairs(); ok && kept[apt] && !repaired[apt] {
			repaired[apt] = true
			p.feedback = 0
			out = append(out, *p)
		}
	}

	return out
}
