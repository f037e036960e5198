// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/internal/transport"
)

var updateAnswers = flag.Bool("update-answers", false, "write testdata/sdp/*.answer.sdp anew")

// exchanged is an offer with everything that the node makes of it.
type exchanged struct {
	offer  *offer
	lines  []line
	agreed []agreed
	answer string
	parsed sdp.SessionDescription
}

// exchange does what a session does with an offer, but for its transport. before are the lines of the offer before.
func exchange(t testing.TB, f *formats, raw string, before []line) *exchanged {
	t.Helper()
	e, err := tryExchange(t, f, raw, before)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}

	return e
}

func tryExchange(t testing.TB, f *formats, raw string, before []line) (*exchanged, error) {
	t.Helper()
	o, err := parseOffer(raw, 7, testConfig(t), before)
	if err != nil {
		return nil, err
	}
	e := &exchanged{offer: o, lines: o.decide(before)}
	if e.agreed, err = o.agree(e.lines, f); err != nil {
		return nil, err
	}
	e.answer = o.answer(e.lines, e.agreed, testParts(e.lines, e.agreed))
	if err := e.parsed.UnmarshalString(e.answer); err != nil {
		t.Fatalf("the answer cannot be read: %v\n%s", err, e.answer)
	}

	return e, nil
}

func testParts(lines []line, agreed []agreed) answerParts {
	p := answerParts{
		session:     1234567890123456789,
		local:       transport.Credentials{Ufrag: "nodeNODE", Pwd: "0123456789012345678901"},
		fingerprint: testFingerprint,
		lite:        true,
		cname:       "0123456789abcdef",
		candidates:  []string{"1 1 udp 2130706431 192.0.2.1 7782 typ host", "2 1 tcp 1671430143 192.0.2.1 7782 typ host tcptype passive"},
		slots:       make(map[string]slotSSRCs),
		maxMessage:  16384,
	}
	for i, l := range lines {
		if l.role == roleSlot {
			s := slotSSRCs{ssrc: uint32(1000 + 2*i)}
			if agreed[i].repaired() {
				s.rtxSSRC = s.ssrc + 1
			}
			p.slots[l.mid] = s
		}
	}

	return p
}

func values(attributes []sdp.Attribute, key string) (out []string) {
	for _, a := range attributes {
		if a.Key == key {
			out = append(out, a.Value)
		}
	}

	return out
}

// TestAnswersOfBrowsers compares answers to what browsers and a WHIP client offer with those that were looked through.
func TestAnswersOfBrowsers(t *testing.T) {
	offers, err := filepath.Glob("testdata/sdp/*.offer.sdp")
	if err != nil || len(offers) < 5 {
		t.Fatalf("%d offers, %v", len(offers), err)
	}
	for _, path := range offers {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(exchange(t, newFormats(), crlf(string(raw)), nil).answer, "\r\n", "\n")
			golden := strings.Replace(path, ".offer.", ".answer.", 1)
			if *updateAnswers {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnswerOfRejectedLines has lines given up among others, the first of the group too.
func TestAnswerOfRejectedLines(t *testing.T) {
	raw := sdpText(section(0, "audio", "sendonly"), section(1, "video", "recvonly"), section(2, "video", "sendonly"))
	f := newFormats()
	first := exchange(t, f, raw, nil)
	raw = strings.Replace(raw, "m=audio 9", "m=audio 0", 1)
	raw = strings.Replace(raw, "m=video 9", "m=video 0", 1)
	e := exchange(t, f, strings.Replace(raw, "BUNDLE 0 1 2", "BUNDLE 2", 1), first.lines)
	if diff := cmp.Diff([]string{"BUNDLE 2"}, values(e.parsed.Attributes, "group")); diff != "" {
		t.Errorf("group: %s", diff)
	}
	for i, m := range e.parsed.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		_, off := m.Attribute("inactive")
		candidates := values(m.Attributes, "candidate")
		if want := i < 2; want != (m.MediaName.Port.Value == 0) || want != off || want != (len(candidates) == 0) || mid != e.lines[i].mid {
			t.Errorf("line %d is answered with port %d, mid %q, inactive %v, candidates %q", i, m.MediaName.Port.Value, mid, off, candidates)
		}
	}
	back := exchange(t, f, sdpText(section(0, "audio", "sendonly"), section(1, "video", "recvonly"), section(2, "video", "sendonly")), e.lines)
	for i, want := range []string{"recvonly", "sendonly", "recvonly"} {
		if _, ok := back.parsed.MediaDescriptions[i].Attribute(want); !ok || !back.lines[i].active {
			t.Errorf("line %d did not come back", i)
		}
	}
	none := exchange(t, f, browserOffer("0", browserICE, "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:0\n"), nil)
	if strings.Contains(none.answer, "candidate") {
		t.Errorf("candidates for no line:\n%s", none.answer)
	}
}

// TestAnswerTransport looks at what an answer says of the node's end.
func TestAnswerTransport(t *testing.T) {
	raw := sdpText(section(0, "audio", "sendonly"), dataSection, section(2, "video", "recvonly"))
	raw = strings.Replace(raw, "BUNDLE 0 1 2", "BUNDLE 2 0 1", 1)
	e := exchange(t, newFormats(), raw, nil)
	if o := e.parsed.Origin; o.SessionID != 1234567890123456789 || o.SessionVersion != 7 {
		t.Errorf("origin %v", o)
	}
	for i, m := range e.parsed.MediaDescriptions {
		for key, want := range map[string]string{"ice-ufrag": "nodeNODE", "ice-pwd": "0123456789012345678901", "setup": "passive"} {
			if got := values(m.Attributes, key); len(got) != 1 || got[0] != want {
				t.Errorf("line %d: %s %q", i, key, got)
			}
		}
		if got := len(values(m.Attributes, "candidate")); got != 0 && i != 2 || got != 2 && i == 2 {
			t.Errorf("line %d has %d candidates", i, got)
		}
		if _, end := m.Attribute("end-of-candidates"); end != (i == 2) {
			t.Errorf("line %d: end of candidates %v", i, end)
		}
	}
	data := e.parsed.MediaDescriptions[1]
	if port, size := values(data.Attributes, "sctp-port"), values(data.Attributes, "max-message-size"); !slices.Equal(port, []string{"5000"}) || !slices.Equal(size, []string{"16384"}) {
		t.Errorf("SCTP port %q, message size %q", port, size)
	}
	if _, lite := e.parsed.Attribute("ice-lite"); !lite {
		t.Error("not lite")
	}
	p := testParts(e.lines, e.agreed)
	p.lite = false
	if strings.Contains(e.offer.answer(e.lines, e.agreed, p), "ice-lite") {
		t.Error("a full agent answers as a lite one")
	}
}

// TestRolesOfDTLSStay offers every role first and every role after it.
func TestRolesOfDTLSStay(t *testing.T) {
	raw, f := sdpText(section(0, "audio", "sendonly")), newFormats()
	offer := func(setup string) string { return strings.ReplaceAll(raw, "setup:actpass", "setup:"+setup) }
	for first, answered := range map[string]string{"actpass": "passive", "active": "passive", "passive": "active"} {
		e := exchange(t, f, offer(first), nil)
		if !strings.Contains(e.answer, "a=setup:"+answered+"\r\n") {
			t.Errorf("setup:%s is answered with\n%s", first, e.answer)
		}
		for _, second := range []string{"actpass", "active", "passive"} {
			again, err := tryExchange(t, f, offer(second), e.lines)
			switch want := second == "actpass" || second != answered; {
			case want != (err == nil):
				t.Errorf("setup:%s after setup:%s: %v", second, first, err)
			case want && !strings.Contains(again.answer, "a=setup:"+answered+"\r\n"):
				t.Errorf("setup:%s after setup:%s is answered with\n%s", second, first, again.answer)
			case !want && !errors.Is(err, ErrSDP):
				t.Errorf("refused with %v", err)
			}
		}
	}
}

// TestAnswerSpeaksOnlyOfTheOffer counts what an answer may repeat only where it was offered.
func TestAnswerSpeaksOnlyOfTheOffer(t *testing.T) {
	plain := section(0, "video", "recvonly")
	rich := section(1, "video", "recvonly", "a=rtcp-rsize", "a=rtcp-fb:96 ccm fir", "a=rtcp-fb:96 goog-remb", "a=rtcp-fb:* transport-cc",
		"a=extmap:4 urn:unknown:thing", "a=extmap:5 "+"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "a=extmap:3 urn:3gpp:video-orientation",
		"a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:6 urn:ietf:params:rtp-hdrext:ssrc-audio-level")
	e := exchange(t, newFormats(), strings.Replace(sdpText(plain, rich), "a=extmap-allow-mixed\r\n", "", 1), nil)
	if _, mixed := e.parsed.Attribute("extmap-allow-mixed"); mixed {
		t.Error("mixed extension headers were not offered")
	}
	for i, want := range []struct{ feedback, extensions, reduced []string }{
		{[]string{"96 nack", "96 nack pli"}, nil, nil},
		{[]string{"96 nack", "96 nack pli", "96 ccm fir", "96 transport-cc"}, []string{"3 urn:3gpp:video-orientation"}, []string{""}},
	} {
		m := e.parsed.MediaDescriptions[i].Attributes
		if diff := cmp.Diff(want.feedback, values(m, "rtcp-fb")); diff != "" {
			t.Errorf("line %d, feedback: %s", i, diff)
		}
		if diff := cmp.Diff(want.extensions, values(m, "extmap")); diff != "" {
			t.Errorf("line %d, extensions: %s", i, diff)
		}
		if diff := cmp.Diff(want.reduced, values(m, "rtcp-rsize")); diff != "" {
			t.Errorf("line %d, reduced RTCP: %s", i, diff)
		}
	}
}

// BenchmarkAnswer is the work of an offer of 64 slots as a browser writes it.
func BenchmarkAnswer(b *testing.B) {
	var sections []string
	mids := ""
	for i := range 64 {
		l, media := chromeAudioLine, chromeAudio
		if i%2 == 1 {
			l, media = chromeVideoLine, chromeVideo
		}
		mid := string(rune('A'+i/8)) + string(rune('a'+i%8))
		mids += " " + mid
		sections = append(sections, l+browserICE+"a=mid:"+mid+"\n"+media+"a=recvonly\n")
	}
	raw := browserOffer(mids[1:], "a=extmap-allow-mixed\n", sections...)
	cfg, f := testConfig(b), newFormats()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		o, err := parseOffer(raw, 1, cfg, nil)
		if err != nil {
			b.Fatal(err)
		}
		lines := o.decide(nil)
		agreed, err := o.agree(lines, f)
		if err != nil {
			b.Fatal(err)
		}
		if answer := o.answer(lines, agreed, testParts(lines, agreed)); len(answer) < 10000 {
			b.Fatal(answer)
		}
	}
}
