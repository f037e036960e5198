// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
)

// TestSeeds plays each scenario with other chance: what holds may not hold by
// luck. Bounds are wider than those of TestScenarios where chance matters.
func TestSeeds(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for _, sc := range links.All() {
		full := sc.Full()
		from := sc.Length * 2 / 3 // the drop is over, the limited one has begun
		least, most, queue, slowest := int64(1)<<60, int64(0), int64(0), int64(0)
		rival := int64(1) << 60
		for seed := range seeds {
			sc.Seed = 100 + seed
			o := runOurs(t, sc)
			rate := o.Mean(from, sc.Length, links.Received)
			least, most = min(least, rate), max(most, rate)
			queue = max(queue, o.Queued(from, sc.Length, 95))
			rival = min(rival, o.Mean(from, sc.Length, links.Rival))
			ready := o.Reached(0, func(v int64) bool { return v >= full*7/10 }, links.Received)
			if ready < 0 {
				ready = sc.Length
			}
			slowest = max(slowest, ready)
		}
		t.Logf("%-18s received %7d to %7d, 95 %% wait %3d ms, 70 %% after %5d ms", sc.Name, least, most, queue/links.Millisecond, slowest/links.Millisecond)
		if sc.Link.Rival {
			if least < full/5 || rival < full/5 {
				t.Errorf("%s: %d bit/s, the other %d", sc.Name, least, rival)
			}

			continue
		}
		if least < full*7/10 {
			t.Errorf("%s: received only %d bit/s", sc.Name, least)
		}
		if queue > sc.Patience() {
			t.Errorf("%s: 95 %% wait up to %d ms", sc.Name, queue/links.Millisecond)
		}
	}
}
