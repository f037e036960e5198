// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// linkOf is what an answered line says about the link: feedback and the header extension.
func linkOf(m *sdp.MediaDescription) (kinds []string) {
	for _, fb := range values(m.Attributes, "rtcp-fb") {
		_, kind, _ := strings.Cut(fb, " ")
		if (kind == "transport-cc" || kind == "goog-remb") && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	for _, e := range values(m.Attributes, "extmap") {
		if strings.HasSuffix(e, rtpforward.ExtTransportCC.URI()) {
			kinds = append(kinds, "numbers")
		}
	}

	return kinds
}

const transportExtension = "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

// TestLinkFeedback offers slots and sources with and without feedback about the link.
func TestLinkFeedback(t *testing.T) {
	fixture := func(name string) string {
		raw, err := os.ReadFile("testdata/sdp/" + name + ".offer.sdp")
		if err != nil {
			t.Fatal(err)
		}

		return crlf(string(raw))
	}
	remb := "a=rtcp-fb:96 goog-remb"
	both := []string{remb, "a=rtcp-fb:96 transport-cc", transportExtension}
	wide := []string{"transport-cc", "numbers"}
	for name, c := range map[string]struct {
		offer string
		want  [][]string // of lines
		off   [][]string // the same without congestion control
	}{
		"a slot with both":            {sdpText(section(0, "video", "recvonly", both...)), [][]string{wide}, [][]string{nil}},
		"a source with both":          {sdpText(section(0, "video", "sendonly", both...)), [][]string{wide}, [][]string{wide}},
		"an estimate of the client's": {sdpText(section(0, "video", "recvonly", remb)), [][]string{{"goog-remb"}}, [][]string{nil}},
		"numbers that nobody answers": {sdpText(section(0, "video", "recvonly", transportExtension)), [][]string{nil}, [][]string{nil}},
		"an inactive line":            {sdpText(section(0, "video", "inactive", remb)), [][]string{nil}, [][]string{nil}},
		"an estimate beside the other": {
			sdpText(section(0, "video", "recvonly", remb), section(1, "video", "recvonly", both...)), [][]string{nil, wide}, [][]string{nil, nil},
		},
		"an estimate beside a source": {
			sdpText(section(0, "video", "recvonly", remb), section(1, "video", "sendonly", both...)),
			[][]string{{"goog-remb"}, wide},
			[][]string{nil, wide},
		},
		"firefox": {fixture("firefox"), [][]string{nil, wide, wide, nil}, [][]string{nil, wide, nil, nil}},
		"chromium": {
			fixture("chromium-publish"), [][]string{wide, wide, nil}, [][]string{wide, wide, nil},
		},
	} {
		for _, off := range []bool{false, true} {
			cfg := testConfig(t)
			cfg.Forward.NoCongestionControl = off
			o, err := parseOffer(c.offer, 1, cfg, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			lines := o.decide(nil)
			agreed, err := o.agree(lines, newFormats())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var answer sdp.SessionDescription
			if err := answer.UnmarshalString(o.answer(lines, agreed, testParts(lines, agreed))); err != nil {
				t.Fatal(err)
			}
			want := c.want
			if off {
				want = c.off
			}
			for i, m := range answer.MediaDescriptions {
				if diff := cmp.Diff(want[i], linkOf(m)); diff != "" {
					t.Errorf("%s, off=%v, line %d: %s", name, off, i, diff)
				}
				a := agreed[i]
				if lines[i].role == roleSlot && (a.transport != slices.Contains(want[i], "numbers") || a.remb != slices.Contains(want[i], "goog-remb")) {
					t.Errorf("%s, off=%v, line %d: agreed to transport %v, estimate %v", name, off, i, a.transport, a.remb)
				}
				if lines[i].role == roleSlot && (a.extensions.ID(rtpforward.ExtTransportCC) != 0) != a.transport {
					t.Errorf("%s, off=%v, line %d: the packet path stamps otherwise than agreed", name, off, i)
				}
			}
		}
	}
}

// TestSlotsOfTwoMinds has slots of which one agrees to transport-wide feedback and another does not, in one offer and in two:
// packets of the latter go without numbers, and numbers come once anybody answers them.
func TestSlotsOfTwoMinds(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	id := must[router.Session](t, n, router.CreateSession{App: "app", User: router.User{ID: "u", Name: "U"}, Mode: router.ModeMulti}).ID
	audio := firefoxAudio + "a=recvonly\na=mid:0\n" + browserICE
	video := strings.Replace(firefoxVideo, "m=video 9", "m=video 0", 1) + "a=bundle-only\na=recvonly\na=mid:1\n" + browserICE
	s, err := n.find(id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	for i, offer := range []string{browserOffer("0", "", audio), browserOffer("0 1", "", audio, video)} {
		if _, err := n.Negotiate(context.Background(), id, router.Fence{}, offer, uint64(i+1)); err != nil {
			t.Fatal(err)
		}
		var without []string
		s.mu.Lock()
		for mid, slot := range s.slots {
			if slot.config.NoTransportCC {
				without = append(without, mid)
			}
		}
		s.mu.Unlock()
		var numbers uint8
		if err := s.call(context.Background(), func() { numbers = s.extensions.ID(rtpforward.ExtTransportCC) }); err != nil {
			t.Fatal(err)
		}
		if want := [][]string{nil, {"0"}}[i]; !slices.Equal(want, without) {
			t.Errorf("offer %d: no numbers on %q, want %q", i, without, want)
		}
		if want := []uint8{0, 7}[i]; numbers != want {
			t.Errorf("offer %d: numbers go under %d, want %d", i, numbers, want)
		}
	}
}

// TestSimulcastPlaces looks at where layers stand among the streams of their line.
func TestSimulcastPlaces(t *testing.T) {
	rids := func(list ...string) []string {
		out := make([]string, len(list))
		for i, rid := range list {
			out[i] = "a=rid:" + rid + " send"
		}

		return out
	}
	announced := []string{"a=ssrc:30 cname:x", "a=ssrc:10 cname:x", "a=ssrc:20 cname:x", "a=ssrc:31 cname:x"}
	for name, c := range map[string]struct {
		extra []string
		rids  map[string]int
		ssrcs map[uint32]int
	}{
		"one stream":      {announced[:1], nil, map[uint32]int{30: 0}},
		"one rid":         {append(rids("a"), "a=simulcast:send a"), map[string]int{"a": 0}, nil},
		"without a list":  {rids("b", "a"), map[string]int{"b": 0, "a": 1}, nil},
		"as listed":       {append(rids("a", "b", "c"), "a=simulcast:send c;a;b"), map[string]int{"c": 0, "a": 1, "b": 2}, nil},
		"paused":          {append(rids("a", "b", "c"), "a=simulcast:send ~c;a;~b"), map[string]int{"c": 0, "a": 1, "b": 2}, nil},
		"alternatives":    {append(rids("a", "b", "c"), "a=simulcast:send c,~a;b"), map[string]int{"c": 0, "a": 0, "b": 1}, nil},
		"not all listed":  {append(rids("a", "b", "c"), "a=simulcast:send c"), map[string]int{"c": 0, "a": 1, "b": 2}, nil},
		"both directions": {append(rids("a", "b"), "a=rid:z recv", "a=simulcast:recv z send b;a"), map[string]int{"b": 0, "a": 1}, nil},
		"by SSRC": {
			append([]string{"a=ssrc-group:SIM 10 20 30", "a=ssrc-group:FID 30 31"}, announced...), nil, map[uint32]int{10: 0, 20: 1, 30: 2},
		},
		"by SSRC without a group": {append([]string{"a=ssrc-group:FID 30 31"}, announced...), nil, map[uint32]int{30: 0, 10: 1, 20: 2}},
		"a group of others":       {[]string{"a=ssrc-group:SIM 7 8", "a=ssrc:30 cname:x"}, nil, map[uint32]int{30: 0}},
	} {
		a := exchange(t, newFormats(), sdpText(section(0, "video", "sendonly", c.extra...)), nil).agreed[0]
		l := newUpLine(&a, &source{mid: "0"})
		for _, rid := range l.rids {
			if got := l.place(5, rid); got != c.rids[rid] {
				t.Errorf("%s: layer %q is at %d, want %d", name, rid, got, c.rids[rid])
			}
		}
		if len(l.rids) != len(c.rids) || len(l.ssrcs) != len(c.ssrcs) {
			t.Errorf("%s: layers %q and %d", name, l.rids, l.ssrcs)
		}
		for _, ssrc := range l.ssrcs {
			if got := l.place(ssrc, ""); got != c.ssrcs[ssrc] {
				t.Errorf("%s: SSRC %d is at %d, want %d", name, ssrc, got, c.ssrcs[ssrc])
			}
		}
	}
}

// TestLayerExtensions: what describes layers is taken of publishers, what players need of it is given to them.
func TestLayerExtensions(t *testing.T) {
	extensions := func(direction string) []string {
		lines := []string{}
		for i, kind := range []rtpforward.ExtensionKind{
			rtpforward.ExtDependencyDescriptor, rtpforward.ExtVideoLayersAllocation, rtpforward.ExtRid, rtpforward.ExtRepairedRid,
		} {
			lines = append(lines, fmt.Sprintf("a=extmap:%d %s", i+5, kind.URI()))
		}
		e := exchange(t, newFormats(), sdpText(section(0, "video", direction, lines...)), nil)

		return values(e.parsed.MediaDescriptions[0].Attributes, "extmap")
	}
	if got := extensions("sendonly"); len(got) != 4 || !strings.HasSuffix(got[1], rtpforward.ExtVideoLayersAllocation.URI()) {
		t.Errorf("a source is answered with %q", got)
	}
	if got := extensions("recvonly"); len(got) != 1 || !strings.HasSuffix(got[0], rtpforward.ExtDependencyDescriptor.URI()) {
		t.Errorf("a slot is answered with %q", got)
	}
}

// TestRepairedLayerComesAgain: retransmissions stay on one SSRC while the layer's own changes. Those that say whose they are
// follow it, others have to be told apart by SSRC.
func TestRepairedLayerComesAgain(t *testing.T) {
	s := newSorter(t, section(0, "video", "sendonly", layered, "a=rid:h send\na=rid:l send\na=simulcast:send h;l"))
	s.send("a layer", sent{1, 96, "0", "h", "", "0/h"})
	s.send("its repair", sent{2, 97, "0", "", "h", "0/h+"})
	s.send("the layer under another SSRC", sent{3, 96, "0", "h", "", "0/h"})
	s.send("a repair that does not say of what", sent{2, 97, "", "", "", ""})
	s.send("a repair that does", sent{2, 97, "0", "", "h", "0/h+"})
	s.send("and then need not", sent{2, 97, "", "", "", "0/h+"})
	s.send("a layer that starts late", sent{4, 96, "0", "l", "", "0/l"})
	if got := s.layers(); len(got) != 2 {
		t.Errorf("layers: %v", got)
	}
}
