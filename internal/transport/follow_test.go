// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"

	"github.com/pion/ice/v4"
)

// TestFollowBeforeAnswer begins anew from other addresses: when the client is told that its nomination was heard, media goes
// to where it is now, whatever pion's notifier is about.
func TestFollowBeforeAnswer(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"direct": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwner()
			a := newAsker(t, newNode(t, func(c *Config) { c.PlainLane = plain }), o)
			a.ask(a.check(ice.UseCandidate()))
			for range 50 {
				if got := a.tr.RemoteAddr(); got != a.from {
					t.Fatalf("media goes to %v, and %v was told that it was heard", got, a.from)
				}
				old := a.from
				a.rebind()
				a.local, a.remote = NewCredentials(), NewCredentials()
				if err := a.tr.Restart(a.local, Remote{Credentials: a.remote, Fingerprint: a.n.maker.Fingerprint()}); err != nil {
					t.Fatal(err)
				}
				a.ask(a.check())
				if got := a.tr.RemoteAddr(); got != old && !(plain && !got.IsValid()) {
					t.Fatalf("media goes to %v, and %v has not nominated", got, a.from)
				}
				a.ask(a.check(ice.UseCandidate()))
			}
		})
	}
}
