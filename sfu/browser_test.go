// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// TestBrowserOffers feeds the node with what browsers offer, and looks at which lines come to what.
func TestBrowserOffers(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for name, c := range browserCases() {
		t.Run(name, func(t *testing.T) {
			id := must[router.Session](t, n, router.CreateSession{App: "app", User: router.User{ID: fmt.Sprint("u", n.user.Add(1)), Name: "U"}, Mode: router.ModeMulti}).ID
			answer, err := n.Negotiate(context.Background(), id, router.Fence{}, c.offer, 1)
			if err != nil {
				t.Fatal(err)
			}
			var roles []string
			for _, l := range answer.Lines {
				roles = append(roles, map[router.LineDirection]string{router.LineUp: "source", router.LineDown: "slot"}[l.Direction])
				if roles[len(roles)-1] == "" {
					roles[len(roles)-1] = "inactive"
				}
			}
			if got := strings.Join(roles, " "); got != c.roles {
				t.Errorf("lines are %s, want %s", got, c.roles)
			}
			var offered, answered sdp.SessionDescription
			if err := offered.UnmarshalString(c.offer); err != nil {
				t.Fatal(err)
			}
			if err := answered.UnmarshalString(answer.SDP); err != nil {
				t.Fatal(err)
			}
			for i, m := range answered.MediaDescriptions {
				checkAnswerLine(t, n, offered.MediaDescriptions[i], m, c.video)
			}
			// The same again is what a browser does when it adds nothing; an ICE restart changes the credentials.
			if _, err := n.Negotiate(context.Background(), id, router.Fence{}, c.offer, 2); err != nil {
				t.Errorf("offered again: %v", err)
			}
			restart := strings.NewReplacer("a=ice-ufrag:4ZcD", "a=ice-ufrag:5ZcD", "a=ice-ufrag:76fb04f3", "a=ice-ufrag:86fb04f3").Replace(c.offer)
			if _, err := n.Negotiate(context.Background(), id, router.Fence{}, restart, 3); err != nil {
				t.Errorf("with an ICE restart: %v", err)
			}
		})
	}
}

func checkAnswerLine(t *testing.T, n *testNode, offered, answered *sdp.MediaDescription, first rtpforward.Codec) {
	t.Helper()
	mid, _ := offered.Attribute("mid")
	if got, _ := answered.Attribute("mid"); got != mid || answered.MediaName.Media != offered.MediaName.Media {
		t.Fatalf("mid %q %s is answered by %q %s", mid, offered.MediaName.Media, got, answered.MediaName.Media)
	}
	_, bundleOnly := offered.Attribute("bundle-only")
	if rejected := offered.MediaName.Port.Value == 0 && !bundleOnly; rejected || offered.MediaName.Media == "application" {
		if rejected != (answered.MediaName.Port.Value == 0) {
			t.Errorf("mid %s: port %d is answered by %d", mid, offered.MediaName.Port.Value, answered.MediaName.Port.Value)
		}

		return
	}
	for _, payload := range answered.MediaName.Formats {
		if !slices.Contains(offered.MediaName.Formats, payload) {
			t.Errorf("mid %s: payload type %s was not offered", mid, payload)
		}
	}
	for _, a := range answered.Attributes {
		if a.Key == "rtpmap" && (strings.Contains(a.Value, "fec") || strings.Contains(a.Value, "telephone") || strings.Contains(a.Value, "red/90000")) {
			t.Errorf("mid %s: %s is answered", mid, a.Value)
		}
	}
	f := readAnswer(t, n.formats, answered)
	if len(f.out) == 0 {
		t.Fatalf("mid %s: nothing is routed", mid)
	}
	if answered.MediaName.Media == "video" {
		if f.out[0].Format.Codec != first || !f.out[0].NACK || f.out[0].RTXPayload == 0 {
			t.Errorf("mid %s: first comes %+v", mid, f.out[0])
		}
	}
	if _, has := offered.Attribute("extmap"); has && f.extensions.ID(rtpforward.ExtMid) == 0 {
		t.Errorf("mid %s: the mid extension is not answered", mid)
	}
	codecs := map[rtpforward.Codec]bool{}
	for _, o := range f.out {
		codecs[o.Format.Codec] = true
	}
	for _, a := range offered.Attributes {
		for name, codec := range map[string]rtpforward.Codec{"VP9/": rtpforward.CodecVP9, "AV1/": rtpforward.CodecAV1, "H265/": rtpforward.CodecH265, "H264/": rtpforward.CodecH264} {
			if a.Key == "rtpmap" && strings.Contains(a.Value, name) && !codecs[codec] {
				t.Errorf("mid %s: %s is not answered", mid, a.Value)
			}
		}
	}
}
