// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "testing"

// TestProbeWishOfLongAgo: the rate that was to be probed next may have been passed
// by the target before there was an occasion. That must not be the last probe.
func TestProbeWishOfLongAgo(t *testing.T) {
	e := New(Config{Start: 300_000, Min: 30_000}, 0)
	e.feedbackAt = 1
	e.rate.target, e.probe.wish, e.probe.nextAt = 320_000, 30_000, 0
	c, ok := e.Probe(60 * second)
	if !ok || c.Rate <= 320_000 {
		t.Errorf("%+v, %v", c, ok)
	}
}
