// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"strings"
)

// Payload types and header extension ids that offers use; those of a browser.
const (
	payloadOpus = 111
	payloadVP8  = 96
	payloadRTX  = 97

	extAudioLevel  = 1
	extAbsSendTime = 2
	extTransport   = 3
	extMid         = 4
	extRID         = 10
	extRepaired    = 11
)

const (
	uriRID      = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriRepaired = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
)

var extensionURIs = []struct {
	id    int
	uri   string
	audio bool // audio only
}{
	{extAudioLevel, "urn:ietf:params:rtp-hdrext:ssrc-audio-level", true},
	{extAbsSendTime, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", false},
	{extTransport, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", false},
	{extMid, "urn:ietf:params:rtp-hdrext:sdes:mid", false},
}

// videoOffer is what a browser offers, so that a join costs the node what a browser's costs.
var videoOffer = []struct {
	payload int
	name    string
	fmtp    string
}{
	{payloadVP8, "VP8", ""},
	{98, "VP9", "profile-id=0"},
	{100, "VP9", "profile-id=2"},
	{102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
	{104, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"},
	{106, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
	{108, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
	{45, "AV1", "level-idx=5;profile=0;tier=0"},
}

// line is one m-line of a client.
type line struct {
	mid   string
	video bool
	ssrc  uint32 // sent on it; 0: the line receives
	rtx   uint32
	rids  []string // of a simulcast, smallest first; its SSRCs are not in the offer
}

// credentials are a client's for ICE and DTLS.
type credentials struct {
	ufrag, pwd  string
	fingerprint string // sha-256, as SDP writes it
}

// offer writes the SDP of a client with these lines. transport offers transport-wide congestion control.
func offer(lines []line, c credentials, session uint64, transport bool) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	p("v=0")
	p("o=- %d 2 IN IP4 127.0.0.1", session)
	p("s=-")
	p("t=0 0")
	mids := make([]string, len(lines))
	for i, l := range lines {
		mids[i] = l.mid
	}
	p("a=group:BUNDLE %s", strings.Join(mids, " "))
	p("a=extmap-allow-mixed")
	p("a=msid-semantic: WMS *")
	for _, l := range lines {
		l.offer(p, c, transport)
	}

	return b.String()
}

func (l line) offer(p func(string, ...any), c credentials, transport bool) {
	kind, formats := "audio", "111 63"
	if l.video {
		kind, formats = "video", ""
		for _, v := range videoOffer {
			formats += fmt.Sprintf(" %d %d", v.payload, v.payload+1)
		}
		formats = formats[1:]
	}
	p("m=%s 9 UDP/TLS/RTP/SAVPF %s", kind, formats)
	p("c=IN IP4 0.0.0.0")
	p("a=rtcp:9 IN IP4 0.0.0.0")
	p("a=ice-ufrag:%s", c.ufrag)
	p("a=ice-pwd:%s", c.pwd)
	p("a=ice-options:trickle")
	p("a=fingerprint:sha-256 %s", c.fingerprint)
	p("a=setup:actpass")
	p("a=mid:%s", l.mid)
	for _, e := range extensionURIs {
		if (!e.audio || !l.video) && (transport || e.id != extTransport) {
			p("a=extmap:%d %s", e.id, e.uri)
		}
	}
	if len(l.rids) > 0 {
		p("a=extmap:%d %s", extRID, uriRID)
		p("a=extmap:%d %s", extRepaired, uriRepaired)
	}
	if l.ssrc != 0 {
		p("a=sendonly")
		p("a=msid:- track%s", l.mid)
	} else {
		p("a=recvonly")
	}
	p("a=rtcp-mux")
	p("a=rtcp-rsize")
	if l.video {
		offerVideo(p, transport)
	} else {
		offerAudio(p, transport)
	}
	l.offerSSRC(p)
}

func offerAudio(p func(string, ...any), transport bool) {
	p("a=rtpmap:%d opus/48000/2", payloadOpus)
	if transport {
		p("a=rtcp-fb:%d transport-cc", payloadOpus)
	}
	p("a=fmtp:%d minptime=10;useinbandfec=1", payloadOpus)
	p("a=rtpmap:63 red/48000/2")
	p("a=fmtp:63 111/111")
}

func offerVideo(p func(string, ...any), transport bool) {
	for _, v := range videoOffer {
		p("a=rtpmap:%d %s/90000", v.payload, v.name)
		if transport {
			p("a=rtcp-fb:%d transport-cc", v.payload)
		}
		p("a=rtcp-fb:%d ccm fir", v.payload)
		p("a=rtcp-fb:%d nack", v.payload)
		p("a=rtcp-fb:%d nack pli", v.payload)
		if v.fmtp != "" {
			p("a=fmtp:%d %s", v.payload, v.fmtp)
		}
		p("a=rtpmap:%d rtx/90000", v.payload+1)
		p("a=fmtp:%d apt=%d", v.payload+1, v.payload)
	}
}

func (l line) offerSSRC(p func(string, ...any)) {
	if len(l.rids) > 0 {
		for _, rid := range l.rids {
			p("a=rid:%s send", rid)
		}
		p("a=simulcast:send %s", strings.Join(l.rids, ";"))

		return
	}
	if l.ssrc == 0 {
		return
	}
	if l.rtx != 0 {
		p("a=ssrc-group:FID %d %d", l.ssrc, l.rtx)
		p("a=ssrc:%d cname:bench", l.rtx)
	}
	p("a=ssrc:%d cname:bench", l.ssrc)
}
