// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/router"
)

// browserVideo is a line to receive video on, with as many codecs as a browser offers.
func browserVideo(mid int) string {
	formats := []string{
		"VP8", "VP9;profile-id=0", "VP9;profile-id=2", "AV1;level-idx=5;profile=0;tier=0",
		"H264;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
		"H264;level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f",
		"H264;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		"H264;level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
		"H264;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
		"H264;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
	}
	var numbers []string
	var b strings.Builder
	for i, f := range formats {
		name, fmtp, _ := strings.Cut(f, ";")
		pt := 35 + 2*i
		numbers = append(numbers, strconv.Itoa(pt), strconv.Itoa(pt+1))
		fmt.Fprintf(&b, "a=rtpmap:%d %s/90000\na=rtcp-fb:%d goog-remb\na=rtcp-fb:%d transport-cc\na=rtcp-fb:%d ccm fir\na=rtcp-fb:%d nack\na=rtcp-fb:%d nack pli\n", pt, name, pt, pt, pt, pt, pt)
		if fmtp != "" {
			fmt.Fprintf(&b, "a=fmtp:%d %s\n", pt, fmtp)
		}
		fmt.Fprintf(&b, "a=rtpmap:%d rtx/90000\na=fmtp:%d apt=%d\n", pt+1, pt+1, pt)
	}
	s := section(mid, "video", "recvonly")
	_, rest, _ := strings.Cut(s, "a=ice-ufrag")

	return "m=video 9 UDP/TLS/RTP/SAVPF " + strings.Join(numbers, " ") + "\nc=IN IP4 0.0.0.0\n" + b.String() + "a=ice-ufrag" + rest
}

// BenchmarkNegotiate is what a session costs from its creation over the first answer to its end, with a browser's codec list.
func BenchmarkNegotiate(b *testing.B) {
	for _, lines := range []int{2, 9, 64} {
		b.Run(strconv.Itoa(lines), func(b *testing.B) {
			n, err := NewNode(Config{UDPAddress: "127.0.0.1:0", SpeakerEvery: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close(context.Background())
			sections := make([]string, lines)
			for i := range sections {
				sections[i] = browserVideo(i)
			}
			offer := sdpText(sections...)
			b.ReportMetric(float64(len(offer)), "offer-bytes")
			for i := 0; b.Loop(); i++ {
				user := "u" + strconv.Itoa(i)
				s, err := Do[router.Session](context.Background(), n, router.CreateSession{App: "a", User: router.User{ID: user, Name: user}, Mode: router.ModeSingle})
				if err != nil {
					b.Fatal(err)
				}
				answer, err := n.Negotiate(context.Background(), s.ID, router.Fence{}, offer, 1)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(answer.SDP)), "answer-bytes")
				if _, err := Do[router.Stopped](context.Background(), n, router.CloseSession{Session: s.ID}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDo is a join and a leave.
func BenchmarkDo(b *testing.B) {
	n, err := NewNode(Config{UDPAddress: "127.0.0.1:0", SpeakerEvery: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(context.Background())
	s, err := Do[router.Session](context.Background(), n, router.CreateSession{App: "a", User: router.User{ID: "u", Name: "u"}, Mode: router.ModeSingle})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Do[router.JoinReply](context.Background(), n, router.JoinRoom{Session: s.ID, Room: "r"}); err != nil {
			b.Fatal(err)
		}
		if _, err := Do[router.Stopped](context.Background(), n, router.LeaveRoom{Session: s.ID, Room: "r"}); err != nil {
			b.Fatal(err)
		}
	}
}
