// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"

	"github.com/switchyard-media/sfu/router"
)

// FuzzNegotiate takes offers through a whole negotiation, in a session of their own, and a good one after each: whatever came before,
// it must be answered.
func FuzzNegotiate(f *testing.F) {
	f.Add(sdpText(section(0, "audio", "sendonly", "a=ssrc:1 cname:x"), section(1, "video", "recvonly")))
	f.Add(sdpText(section(0, "video", "sendonly", "a=rid:h send", "a=rid:l send", "a=simulcast:send h;l"), dataSection))
	f.Add(strings.Replace(sdpText(section(0, "video", "inactive")), "m=video 9", "m=video 0", 1))
	f.Add(sdpText(browserVideo(0), browserVideo(1)))
	n, err := NewNode(Config{UDPAddress: "127.0.0.1:0", SpeakerEvery: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = n.Close(context.Background()) })
	good := sdpText(section(0, "audio", "recvonly"))
	f.Fuzz(func(t *testing.T, raw string) {
		s := newSession(n)
		n.came(s)
		accept := func(lines []router.Line) ([]router.Line, error) { return lines, nil }
		if err := s.call(context.Background(), func() {
			answer, err := s.negotiate(raw, 1, accept)
			if err == nil {
				var d sdp.SessionDescription
				if err := d.UnmarshalString(answer.SDP); err != nil {
					t.Errorf("the answer cannot be read: %v\n%s", err, answer.SDP)
				}
				if len(d.MediaDescriptions) != len(s.lines) {
					t.Errorf("%d lines answered with %d", len(s.lines), len(d.MediaDescriptions))
				}
				named := map[string]bool{}
				for _, m := range d.MediaDescriptions {
					for _, msid := range values(m.Attributes, "msid") {
						stream, _, _ := strings.Cut(msid, " ")
						if key := m.MediaName.Media + stream; named[key] || named[msid] {
							t.Errorf("two tracks are named %q", msid)
						} else {
							named[key], named[msid] = true, true
						}
					}
				}

				return
			}
			if !refused(err) {
				t.Errorf("refused with %v", err)
			}
			if _, err := s.negotiate(good, 2, accept); err != nil {
				t.Errorf("a good offer after a bad one: %v", err)
			}
		}); err != nil {
			t.Error(err)
		}
		s.end()
		<-s.done
		if panics := n.panics.Load(); panics != 0 {
			t.Fatalf("%d panics", panics)
		}
	})
}
