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
	"github.com/switchyard-media/sfu/rtpforward"
)

// readAnswer reads a line of an answer in the way the node reads offers. What the node agrees to there is what the line says.
func readAnswer(t testing.TB, f *formats, media *sdp.MediaDescription) lineFormats {
	t.Helper()
	l := offerLine{kind: router.Audio, payloads: routedOnly(payloadsOf(media))}
	if media.MediaName.Media == "video" {
		l.kind = router.Video
	}
	if err := l.readSources(0, media.Attributes); err != nil {
		t.Fatal(err)
	}
	for i := range l.extensions {
		l.extensions[i].direction = sendrecv
	}
	var a agreed
	m := matcher{formats: f}
	a.answered = m.match(l.payloads)
	a.read(m.chosen[:])
	m.extend(&a, &l, roleSource)

	return a.lineFormats
}

// videoLine is a section of video with these formats: payload type, name and fmtp each, all with nack and retransmissions
// under the next higher payload type.
func videoLine(mid, direction string, formats ...[3]string) string {
	s, body := "m=video 9 UDP/TLS/RTP/SAVPF", ""
	for _, f := range formats {
		s += " " + f[0]
		body += "a=rtpmap:" + f[0] + " " + f[1] + "/90000\n"
		if f[2] != "" {
			body += "a=fmtp:" + f[0] + " " + f[2] + "\n"
		}
	}

	return s + "\nc=IN IP4 0.0.0.0\n" + browserICE + "a=mid:" + mid + "\na=rtcp-mux\na=" + direction + "\n" + body
}

// TestCodecMatching offers formats and looks at the payload types that are answered.
func TestCodecMatching(t *testing.T) {
	vp8, rtx := [3]string{"96", "VP8", ""}, [3]string{"97", "rtx", "apt=96"}
	h264 := func(pt, fmtp string) [3]string { return [3]string{pt, "H264", fmtp} }
	for name, c := range map[string]struct {
		offered [][3]string
		want    string
	}{
		"retransmission":                    {[][3]string{vp8, rtx}, "96 97"},
		"retransmission first":              {[][3]string{rtx, vp8}, "96 97"},
		"retransmission of nothing":         {[][3]string{vp8, {"97", "rtx", "apt=98"}}, "96"},
		"retransmission of what is refused": {[][3]string{vp8, {"98", "ulpfec", ""}, {"99", "rtx", "apt=98"}}, "96"},
		"two retransmission formats":        {[][3]string{vp8, rtx, {"98", "rtx", "apt=96"}}, "96 97"},
		"any case":                          {[][3]string{{"96", "vp8", ""}, {"97", "RTX", "APT=96"}}, "96 97"},
		"offered order":                     {[][3]string{{"98", "VP9", "profile-id=2"}, vp8, {"45", "AV1", ""}}, "98 96 45"},
		"unusual VP9":                       {[][3]string{{"98", "VP9", "profile-id=1"}, vp8}, "96"},
		"nothing but unusual":               {[][3]string{{"98", "VP9", "profile-id=1"}, {"99", "AV1", "profile=1"}}, "98 99"},
		"constrained baseline by two names": {[][3]string{h264("96", "packetization-mode=1;profile-level-id=42e01f"), h264("97", "packetization-mode=1;profile-level-id=4d801f")}, "96 97"},
		"another level":                     {[][3]string{h264("98", "packetization-mode=1;profile-level-id=640034"), vp8}, "98 96"},
		"constrained high beside VP8":       {[][3]string{h264("98", "packetization-mode=1;profile-level-id=640c1f"), vp8}, "96"},
		"nothing but constrained high":      {[][3]string{h264("98", "packetization-mode=1;profile-level-id=640c1f")}, "98"},
		"H264 that says nothing":            {[][3]string{h264("98", ""), vp8}, "98 96"},
		"H265 of a higher tier":             {[][3]string{{"98", "H265", "tier-flag=1"}, vp8}, "96"},
		"H265 that says nothing":            {[][3]string{{"98", "H265", ""}, vp8}, "98 96"},
		"parameters that do not tell apart": {[][3]string{{"96", "VP8", "max-fr=30;max-fs=3600"}}, "96"},
		"error correction and redundancy":   {[][3]string{vp8, {"98", "red", ""}, {"99", "flexfec-03", ""}}, "96"},
	} {
		e := exchange(t, newFormats(), browserOffer("0", "", videoLine("0", "recvonly", c.offered...)), nil)
		if got := strings.Join(e.parsed.MediaDescriptions[0].MediaName.Formats, " "); got != c.want {
			t.Errorf("%s: answered %q, want %q", name, got, c.want)
		}
	}
}

// TestAgreedFormats looks at the packet path's view of a line.
func TestAgreedFormats(t *testing.T) {
	f := newFormats()
	lines := videoLine("0", "sendonly", [3]string{"98", "VP9", "profile-id=0"}, [3]string{"96", "VP8", ""}, [3]string{"97", "rtx", "apt=96"}) +
		"a=rtcp-fb:96 nack\na=rtcp-fb:98 nack pli\na=rtcp-fb:98 transport-cc\na=extmap:3 " + rtpforward.ExtTransportCC.URI() + "\n"
	a := exchange(t, f, browserOffer("0", "", lines), nil).agreed[0]
	vp8, vp9 := f.find(rtpforward.CodecVP8, ""), f.find(rtpforward.CodecVP9, "")
	var extensions rtpforward.ExtensionMap
	extensions.Set(rtpforward.ExtTransportCC, 3)
	want := lineFormats{
		out: []rtpforward.OutFormat{
			{Format: vp9, Payload: 98},
			{Format: vp8, Payload: 96, RTXPayload: 97, NACK: true},
		},
		payloads: map[uint8]rtpforward.Format{96: vp8, 98: vp9}, repairs: map[uint8]uint8{97: 96},
		extensions: extensions, nack: true, transport: true, pli: true,
	}
	if diff := cmp.Diff(want, a.lineFormats, cmp.AllowUnexported(lineFormats{}), cmp.Comparer(func(a, b rtpforward.ExtensionMap) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if without := exchange(t, f, browserOffer("0", "", strings.Replace(lines, "a=extmap", "a=x-extmap", 1)), nil).agreed[0]; without.transport {
		t.Error("congestion control without its header extension")
	}
}

// TestNothingToAgreeOn fills the table of formats, so that there is none left for a line: a line in use cannot be answered,
// one that is inactive can.
func TestNothingToAgreeOn(t *testing.T) {
	f := newFormats()
	for i := 0; len(f.known) < maxFormats; i++ {
		f.intern(rtpforward.CodecVP9, "profile-id=x"+strings.Repeat("y", i))
	}
	odd := [3]string{"98", "VP9", "profile-id=7"}
	_, err := tryExchange(t, f, browserOffer("a", "", videoLine("a", "sendonly", odd)), nil)
	if !errors.Is(err, ErrSDP) || !strings.Contains(err.Error(), "m-line 0 (mid \"a\")") {
		t.Errorf("refused with %v", err)
	}
	e := exchange(t, f, browserOffer("a", "", videoLine("a", "inactive", odd)), nil)
	if got := e.parsed.MediaDescriptions[0].MediaName.Formats; len(got) != 1 || got[0] != "98" {
		t.Errorf("inactive line answered with %q", got)
	}
}

// TestExtensionsOfTheWholeOffer offers one extension under two ids, and some for one way only.
func TestExtensionsOfTheWholeOffer(t *testing.T) {
	mid, rid := " "+rtpforward.ExtMid.URI(), " "+rtpforward.ExtRid.URI()
	playout, layers := " "+rtpforward.ExtPlayoutDelay.URI(), " "+rtpforward.ExtVideoLayersAllocation.URI()
	e := exchange(t, newFormats(), sdpText(
		section(0, "audio", "sendonly", "a=extmap:4"+mid, "a=extmap:9"+mid, "a=extmap:6"+rid),
		section(1, "video", "sendonly", "a=extmap:9"+mid, "a=extmap:6/sendonly"+rid, "a=extmap:7/recvonly"+playout, "a=extmap:8"+layers),
		section(2, "video", "recvonly", "a=extmap:4"+mid, "a=extmap:6"+rid, "a=extmap:7/recvonly"+playout, "a=extmap:8"+layers),
		section(3, "video", "recvonly", "a=extmap:4/sendonly"+mid, "a=extmap:7/inactive"+playout),
	), nil)
	for i, want := range [][]string{{"4" + mid}, {"6/recvonly" + rid, "8" + layers}, {"4" + mid, "7/sendonly" + playout}, nil} {
		if diff := cmp.Diff(want, values(e.parsed.MediaDescriptions[i].Attributes, "extmap")); diff != "" {
			t.Errorf("line %d: %s", i, diff)
		}
	}
}

// TestDeclaredStreams looks at what is taken of the SSRCs and layers that a client announces.
func TestDeclaredStreams(t *testing.T) {
	type streams struct {
		SSRCs     []uint32
		Repairs   map[uint32]uint32
		RIDs      []string
		Simulcast string
	}
	cname := func(ssrcs ...string) (out []string) {
		for _, s := range ssrcs {
			out = append(out, "a=ssrc:"+s+" cname:x")
		}

		return out
	}
	rids := []string{"a=rid:h send pt=96", "a=rid:m send", "a=rid:l send", "a=rid:other recv"}
	for name, c := range map[string]struct {
		extra []string
		want  streams
	}{
		"nothing": {nil, streams{}},
		"media and retransmissions": {
			append(cname("10", "11", "12"), "a=ssrc-group:FID 10 11"),
			streams{SSRCs: []uint32{10, 12}, Repairs: map[uint32]uint32{11: 10}},
		},
		"group before its SSRCs, and error correction": {
			append([]string{"a=ssrc-group:FID 10 11", "a=ssrc-group:FEC-FR 10 12"}, cname("10", "11", "12")...),
			streams{SSRCs: []uint32{10}, Repairs: map[uint32]uint32{11: 10}},
		},
		"layers by SSRC": {
			append(cname("1", "2", "3", "4"), "a=ssrc-group:SIM 1 2", "a=ssrc-group:FID 1 3", "a=ssrc-group:FID 2 4"),
			streams{SSRCs: []uint32{1, 2}, Repairs: map[uint32]uint32{3: 1, 4: 2}},
		},
		"groups of strangers": {
			append(cname("10", "11"), "a=ssrc-group:FID 10 99", "a=ssrc-group:FID 10", "a=ssrc-group:FID 10 10", "a=ssrc-group:FID x y"),
			streams{SSRCs: []uint32{10, 11}},
		},
		"layers by name": {
			append([]string{"a=simulcast:send h;m;l"}, rids...),
			streams{RIDs: []string{"h", "m", "l"}, Simulcast: "h;m;l"},
		},
		"layers in another order, alternatives, paused": {
			append([]string{"a=simulcast:recv other send ~l;h,m"}, rids...),
			streams{RIDs: []string{"h", "m", "l"}, Simulcast: "l;h,m"},
		},
		"layers unknown": {
			append([]string{"a=simulcast:send h;nobody"}, rids...),
			streams{RIDs: []string{"h", "m", "l"}, Simulcast: "h;m;l"},
		},
		"layers with SSRCs": {
			append(append([]string{"a=ssrc-group:FID 1 2"}, rids...), cname("1", "2")...),
			streams{Repairs: map[uint32]uint32{2: 1}, RIDs: []string{"h", "m", "l"}},
		},
	} {
		e := exchange(t, newFormats(), sdpText(section(0, "video", "sendonly", c.extra...)), nil)
		a := e.agreed[0]
		if diff := cmp.Diff(c.want, streams{a.ssrcs, a.repairSSRCs, a.rids, a.simulcast}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		m := e.parsed.MediaDescriptions[0].Attributes
		if got := strings.TrimPrefix(strings.Join(values(m, "simulcast"), ""), "recv "); got != c.want.Simulcast {
			t.Errorf("%s: answered with simulcast %q", name, got)
		}
		if got := values(m, "rid"); len(got) != len(c.want.RIDs) {
			t.Errorf("%s: answered with layers %q", name, got)
		}
		off := exchange(t, newFormats(), sdpText(section(0, "video", "inactive", c.extra...)), e.lines).agreed[0]
		if off.ssrcs != nil || off.rids != nil || off.repairSSRCs != nil {
			t.Errorf("%s: an inactive line has streams: %+v", name, off)
		}
	}
}

// TestOfferedCandidates takes those of the line that stays, in a bundle.
func TestOfferedCandidates(t *testing.T) {
	host := func(port string) string { return "a=candidate:1 1 udp 2113937151 192.0.2.9 " + port + " typ host" }
	raw := sdpText(section(0, "audio", "sendonly", host("1000")), section(1, "video", "recvonly", host("2000"), "a=candidate:nonsense", host("2001")))
	for bundle, want := range map[string][]string{"0 1": {"1000"}, "1 0": {"2000", "2001"}} {
		o, err := parseOffer(strings.Replace(raw, "BUNDLE 0 1", "BUNDLE "+bundle, 1), 1, testConfig(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := o.remote()
		var ports []string
		for _, c := range r.Candidates {
			ports = append(ports, strings.Fields(c)[5])
		}
		if diff := cmp.Diff(want, ports); diff != "" {
			t.Errorf("group %s: %s", bundle, diff)
		}
		if r.Ufrag != "abcd" || r.Pwd != "0123456789abcdef01234567" || r.Fingerprint != testFingerprint {
			t.Errorf("the client's end is %+v", r)
		}
	}
}
