// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
)

func TestOfferRefused(t *testing.T) {
	good := sdpText(section(0, "audio", "sendonly", "a=ssrc:1 cname:x"), section(1, "video", "recvonly"))
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the good offer has no %q", from)
		}

		return strings.Replace(good, from, to, 1)
	}
	for name, test := range map[string]struct {
		offer string
		want  string // in the message
	}{
		"empty":            {"", "no m-line"},
		"not SDP":          {"GET / HTTP/1.1\r\n\r\n", "not SDP"},
		"no m-line":        {crlf("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n"), "no m-line"},
		"control byte":     {swap("cname:x", "cname:\x00"), "control character"},
		"long line":        {swap("cname:x", "cname:"+strings.Repeat("x", maxLineBytes)), "longer than"},
		"no mid":           {swap("a=mid:0\r\n", ""), "m-line 0 (mid \"\"): no a=mid"},
		"mid no token":     {swap("a=mid:0", "a=mid:a b"), "mid must be a token"},
		"mid twice":        {swap("a=mid:1", "a=mid:0"), "m-line 1 (mid \"0\"): mid is used twice"},
		"no bundle":        {swap("a=group:BUNDLE 0 1\r\n", ""), "no BUNDLE"},
		"two bundles":      {swap("a=group:BUNDLE 0 1", "a=group:BUNDLE 0\r\na=group:BUNDLE 1"), "more than one BUNDLE"},
		"not bundled":      {swap("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), "m-line 1 (mid \"1\"): not in the BUNDLE"},
		"bundled nothing":  {swap("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 7"), "without an m-line"},
		"no rtcp-mux":      {swap("a=rtcp-mux\r\n", ""), "m-line 0 (mid \"0\"): no a=rtcp-mux"},
		"plain RTP":        {swap("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "protocol"},
		"other media":      {swap("m=audio", "m=text"), "neither audio, video nor application"},
		"no codec":         {swap("opus/48000/2", "PCMU/8000"), "no codec"},
		"two directions":   {swap("a=sendonly", "a=sendonly\r\na=recvonly"), "direction is given twice"},
		"bad ssrc":         {swap("a=ssrc:1 ", "a=ssrc:99999999999 "), "a=ssrc"},
		"ufrag short":      {strings.ReplaceAll(good, "ice-ufrag:abcd", "ice-ufrag:abc"), "ice-ufrag"},
		"ufrag differs":    {swap("ice-ufrag:abcd", "ice-ufrag:efgh"), "ice-ufrag differs"},
		"pwd short":        {strings.ReplaceAll(good, "ice-pwd:0123456789abcdef01234567", "ice-pwd:0123"), "ice-pwd"},
		"no fingerprint":   {strings.ReplaceAll(good, "a=fingerprint:"+testFingerprint+"\r\n", ""), "fingerprint"},
		"weak fingerprint": {strings.ReplaceAll(good, testFingerprint, "sha-1 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD"), "fingerprint"},
		"two certificates": {swap("sha-256 AA", "sha-256 AB"), "fingerprint differs"},
		"no setup":         {strings.ReplaceAll(good, "a=setup:actpass\r\n", ""), "a=setup"},
		"setup holdconn":   {strings.ReplaceAll(good, "a=setup:actpass", "a=setup:holdconn"), "a=setup"},
		"two data lines": {
			sdpText(section(0, "audio", "sendonly"), dataSection, strings.Replace(dataSection, "mid:1", "mid:2", 1)),
			"second application line",
		},
		"payload type of two minds": {sdpText(section(0, "video", "recvonly"),
			strings.Replace(section(1, "video", "recvonly"), "96 VP8/", "96 VP9/", 1)), "payload type 96"},
		"extension of two minds": {sdpText(section(0, "audio", "recvonly", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"),
			section(1, "video", "recvonly", "a=extmap:1 urn:3gpp:video-orientation")), "header extension id 1"},
		"ssrc of two lines": {
			sdpText(section(0, "audio", "sendonly", "a=ssrc:1 cname:x"), section(1, "video", "sendonly", "a=ssrc:1 cname:x")),
			"SSRC 1 belongs to mid",
		},
		"rid twice": {sdpText(section(0, "video", "sendonly", "a=rid:h send", "a=rid:h send")), "a=rid"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseOffer(test.offer, 1, testConfig(t), nil)
			if !errors.Is(err, ErrSDP) {
				t.Fatalf("parseOffer gave %v, %v, not ErrSDP", o, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the message %q does not say %q", err, test.want)
			}
		})
	}
}

func TestOfferTooLarge(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxSDPBytes, cfg.MaxLines = 10000, 3
	many := sdpText(section(0, "audio", "recvonly"), section(1, "audio", "recvonly"), section(2, "audio", "recvonly"), section(3, "audio", "recvonly"))
	for offer, want := range map[string]error{strings.Repeat("a=x\r\n", 3000): ErrSDPTooLarge, many: ErrMediaLineLimit} {
		if _, err := parseOffer(offer, 1, cfg, nil); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", len(offer), err, want)
		}
	}
}

// refused reports whether err is one that offers are refused with.
func refused(err error) bool {
	return errors.Is(err, ErrSDP) || errors.Is(err, ErrSDPTooLarge) || errors.Is(err, ErrMediaLineLimit)
}

func TestOfferFollows(t *testing.T) {
	first, err := parseOffer(sdpText(section(0, "audio", "sendonly"), section(1, "video", "recvonly")), 1, testConfig(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := first.decide(nil)
	for name, offer := range map[string]string{
		"line removed":   sdpText(section(0, "audio", "sendonly")),
		"reordered":      strings.Replace(sdpText(section(1, "video", "recvonly"), section(0, "audio", "sendonly")), "BUNDLE 0 1", "BUNDLE 1 0", 1),
		"kind changed":   sdpText(section(0, "audio", "sendonly"), section(1, "audio", "recvonly")),
		"line recycled":  strings.ReplaceAll(strings.Replace(sdpText(section(0, "audio", "sendonly"), section(1, "video", "recvonly")), "a=mid:1", "a=mid:9", 1), "BUNDLE 0 1", "BUNDLE 0 9"),
		"nothing at all": sdpText(section(0, "video", "sendonly")),
	} {
		if _, err := parseOffer(offer, 2, testConfig(t), lines); !errors.Is(err, ErrSDP) {
			t.Errorf("%s: %v, not ErrSDP", name, err)
		}
	}
}

// TestRolesStay walks lines through directions: what a line is for is decided once.
func TestRolesStay(t *testing.T) {
	offer := func(before []line, directions ...string) []line {
		t.Helper()
		sections := make([]string, len(directions))
		for i, d := range directions {
			sections[i] = section(i, "video", d)
		}
		o, err := parseOffer(sdpText(sections...), 1, testConfig(t), before)
		if err != nil {
			t.Fatal(err)
		}

		return o.decide(before)
	}
	directions := func(lines []line) (out []router.LineDirection) {
		for _, l := range routerLines(lines) {
			out = append(out, l.Direction)
		}

		return out
	}
	const up, down, off = router.LineUp, router.LineDown, router.LineInactive
	lines := offer(nil, "sendonly", "sendrecv", "recvonly", "inactive")
	if diff := cmp.Diff([]router.LineDirection{up, up, down, off}, directions(lines)); diff != "" {
		t.Errorf("first offer: %s", diff)
	}
	lines = offer(lines, "recvonly", "inactive", "sendrecv", "sendonly", "recvonly")
	if diff := cmp.Diff([]router.LineDirection{off, off, down, up, down}, directions(lines)); diff != "" {
		t.Errorf("second offer: %s", diff)
	}
	lines = offer(lines, "sendonly", "sendrecv", "sendonly", "inactive", "inactive")
	if diff := cmp.Diff([]router.LineDirection{up, up, off, off, off}, directions(lines)); diff != "" {
		t.Errorf("third offer: %s", diff)
	}
}

func TestFormatsMeet(t *testing.T) {
	f := newFormats()
	id := func(pt, name, fmtp string) uint16 {
		t.Helper()
		m := sdp.MediaDescription{MediaName: sdp.MediaName{Media: "video", Formats: []string{pt}}}
		m.Attributes = []sdp.Attribute{{Key: "rtpmap", Value: pt + " " + name + "/90000"}, {Key: "fmtp", Value: pt + " " + fmtp}}
		out := readAnswer(t, f, &m).out
		if len(out) != 1 {
			t.Fatalf("%s %s: %d formats", name, fmtp, len(out))
		}

		return out[0].Format.ID
	}
	for _, same := range [][2][2]string{
		{{"H264", "packetization-mode=1;profile-level-id=42e01f"}, {"H264", "profile-level-id=42e034;packetization-mode=1;level-asymmetry-allowed=1"}},
		{{"H264", "packetization-mode=1;profile-level-id=42e01f"}, {"H264", "packetization-mode=1;profile-level-id=42C00B"}},
		{{"H264", "profile-level-id=640032"}, {"H264", "profile-level-id=64001f;packetization-mode=0"}},
		{{"VP9", ""}, {"VP9", "profile-id=0"}},
		{{"AV1", "level-idx=5"}, {"AV1", "profile=0;level-idx=9"}},
		{{"H265", "level-id=93"}, {"H265", "profile-id=1;tier-flag=0;level-id=180"}},
	} {
		if a, b := id("96", same[0][0], same[0][1]), id("120", same[1][0], same[1][1]); a != b {
			t.Errorf("%v and %v are told apart", same[0], same[1])
		}
	}
	for _, other := range [][2][2]string{
		{{"H264", "packetization-mode=1;profile-level-id=42e01f"}, {"H264", "packetization-mode=0;profile-level-id=42e01f"}},
		{{"H264", "packetization-mode=1;profile-level-id=42e01f"}, {"H264", "packetization-mode=1;profile-level-id=42001f"}},
		{{"H264", "profile-level-id=4d001f"}, {"H264", "profile-level-id=64001f"}},
		{{"VP9", "profile-id=2"}, {"VP9", "profile-id=0"}},
		{{"VP8", ""}, {"VP9", ""}},
	} {
		if a, b := id("96", other[0][0], other[0][1]), id("120", other[1][0], other[1][1]); a == b {
			t.Errorf("%v and %v are taken for the same", other[0], other[1])
		}
	}
}

// FuzzOffer throws text at the way offers come in. What is accepted must get an answer of the same lines.
func FuzzOffer(f *testing.F) {
	f.Add(sdpText(section(0, "audio", "sendonly", "a=ssrc:1 cname:x"), section(1, "video", "recvonly")))
	f.Add(sdpText(section(0, "video", "sendonly", "a=rid:h send", "a=rid:l send", "a=simulcast:send h;l"), dataSection))
	f.Add(strings.Replace(sdpText(section(0, "video", "inactive")), "m=video 9", "m=video 0", 1))
	f.Add("v=0\r\n")
	for _, c := range browserCases() {
		f.Add(c.offer)
	}
	formats := newFormats()
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := tryExchange(t, formats, raw, nil) // reads the answer too
		if err != nil {
			if !refused(err) {
				t.Fatalf("refused with %v", err)
			}

			return
		}
		if len(e.parsed.MediaDescriptions) != len(e.lines) {
			t.Fatalf("%d lines are answered with %d", len(e.lines), len(e.parsed.MediaDescriptions))
		}
		for i, m := range e.parsed.MediaDescriptions {
			l := &e.offer.lines[i]
			if mid, _ := m.Attribute("mid"); mid != l.mid || m.MediaName.Media != l.media || len(m.MediaName.Formats) == 0 {
				t.Fatalf("line %d, mid %q %s, is answered as %q %s %v", i, l.mid, l.media, mid, m.MediaName.Media, m.MediaName.Formats)
			}
			if l.rejected != (m.MediaName.Port.Value == 0) {
				t.Fatalf("line %d: rejected %v is answered with port %d", i, l.rejected, m.MediaName.Port.Value)
			}
			if !l.rejected && !l.application() {
				if got := readAnswer(t, formats, m); len(got.out) != len(e.agreed[i].out) {
					t.Fatalf("line %d: agreed on %v, answered %v", i, e.agreed[i].out, got.out)
				}
			}
		}
	})
}
