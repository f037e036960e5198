// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"strings"
	"testing"
)

// FuzzFragment reads what clients PATCH.
func FuzzFragment(f *testing.F) {
	f.Add(trickled("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"))
	f.Add("a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\nm=audio 9 RTP/AVP 0\na=mid:0\na=end-of-candidates")
	f.Add("m=audio 9 a b\r\na=mid:0\r\na=candidate:1 1 TCP 4294967295 2001:db8::1 9 typ host tcptype active\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		known := map[string]bool{"0": true, "1": true}
		got, err := readFragment(text, func(mid string) bool { return known[mid] })
		if err != nil {
			if problemOf(err).status != 400 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if (got.ice.ufrag == "") != (got.ice.pwd == "") || len(got.candidates) > maxFragmentCandidates {
			t.Fatalf("%q: %+v", text, got)
		}
		for _, c := range got.candidates {
			if !known[c.mid] || strings.ContainsAny(c.text, "\r\n\x00") {
				t.Fatalf("%q: candidate %+v", text, c)
			}
		}
	})
}

// FuzzOffer reads what clients POST: whatever is taken can be written, restarted and read again with the same outcome.
func FuzzOffer(f *testing.F) {
	for _, o := range offers {
		f.Add(offerFile(f, o.name), true)
		f.Add(player(offerFile(f, o.name)), false)
	}
	f.Fuzz(func(t *testing.T, text string, publish bool) {
		protocol := whep
		if publish {
			protocol = whip
		}
		o, err := readOffer(text)
		if err != nil || o.choose(protocol) != nil {
			return
		}
		o.adapt(protocol)
		again, err := readOffer(o.text())
		if err != nil {
			t.Fatalf("%q: adapted, it is %q: %v", text, o.text(), err)
		}
		if err := again.choose(protocol); err != nil || again.audio != o.audio || again.video != o.video {
			t.Fatalf("%q: adapted, it is another: %v, %+v", text, err, again)
		}
		to := credentials{"neww", "0123456789012345678901"}
		if r := o.restarted(to, nil); len(r.sections) != len(o.sections) {
			t.Fatalf("%q: restarted with %d lines", text, len(r.sections))
		}
	})
}
