// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestOddOffers: offers that are large or strange, but no nonsense, are answered, or refused for their offer_sdp.
func TestOddOffers(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	good := offerOf(t, 1, 1)
	candidates := func(addresses ...string) string {
		var b strings.Builder
		for i, a := range addresses {
			fmt.Fprintf(&b, "a=candidate:%d 1 udp 2130706431 %s 50000 typ host\r\n", i+1, a)
		}
		return strings.Replace(good, "a=mid:0\r\n", "a=mid:0\r\n"+b.String(), 1)
	}
	codecs := func(count int) string {
		var types, maps strings.Builder
		for i := range count { // payload types have seven bits: from the 96th on they repeat
			fmt.Fprintf(&types, " %d", i%96)
			fmt.Fprintf(&maps, "a=rtpmap:%d X-CODEC-%d/90000\r\na=fmtp:%d x=%d\r\n", i%96, i, i%96, i)
		}
		at := strings.Index(good, "m=audio")
		end := at + strings.Index(good[at:], "\r\n")
		return strings.Replace(good[:end]+types.String()+good[end:], "a=mid:0\r\n", "a=mid:0\r\n"+maps.String(), 1)
	}
	mismatched := strings.Replace(good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0 7", 1)
	if mismatched == good {
		t.Fatal("no such group in the offer")
	}
	for name, test := range map[string]struct {
		sdp string
		ok  bool
	}{
		"mDNS names":          {candidates("4b2a5c0e-8d1f-4a7e-9f1c-1d2e3f405060.local", "x.local"), true},
		"IPv6 with a zone":    {candidates("fe80::1%eth0", "fe80::2%25lo"), true},
		"no addresses at all": {candidates("999.1.2.3", "::g", "-", "localhost"), true},
		"200 codecs":          {codecs(200), true},
		"95 codecs":           {codecs(95), true},
		"10 000 lines":        {good + strings.Repeat("a=x-nothing:1\r\n", 10_000), false},
		"BUNDLE of others":    {mismatched, false},
		"two BUNDLE groups":   {strings.Replace(good, "a=group:BUNDLE", "a=group:BUNDLE 0\r\na=group:BUNDLE", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := signIn(t, n.API, "odd-"+strings.ReplaceAll(strings.ToLower(name), " ", "-"), multi)
			reply, err := n.Session.Negotiate(t.Context(), &sfuv1.NegotiateRequest{SessionId: s.id, OfferSdp: test.sdp, OfferId: 1})
			if test.ok {
				if err != nil || !strings.Contains(reply.GetAnswerSdp(), "m=audio") {
					t.Errorf("%v\n%s", err, reply.GetAnswerSdp())
				}
				return
			}
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("%v, want INVALID_ARGUMENT", err)
			}
			f := detailsOf(err)
			if v := f.bad.GetFieldViolations(); !strings.HasPrefix(f.info.GetReason(), "SDP_") || len(v) != 1 || v[0].GetField() != "offer_sdp" || len(err.Error()) > 500 {
				t.Errorf("%v: %v, %v", err, f.info, v)
			}
			// It is the offer that was wrong, and not the session.
			if _, err := n.Session.Negotiate(t.Context(), &sfuv1.NegotiateRequest{SessionId: s.id, OfferSdp: good, OfferId: 2}); err != nil {
				t.Errorf("a good offer after it: %v", err)
			}
		})
	}
	alive(t, n)
}
