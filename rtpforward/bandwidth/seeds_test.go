// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "testing"

// TestSeeds plays each scenario with other chance: what holds may not hold by
// luck. Bounds are wider than those of TestScenarios where chance matters.
func TestSeeds(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for _, sc := range scenarios {
		full := min(sc.capacity(sc.length-1), orMost(sc.demand, sc.length-1))
		from := sc.length * 2 / 3 // the drop is over, the limited one has begun
		least, most, queue, slowest := int64(1)<<60, int64(0), int64(0), int64(0)
		rival := int64(1) << 60
		for seed := range seeds {
			sc.seed = 100 + seed
			o := runOurs(t, sc)
			rate := o.mean(from, sc.length, receivedOf)
			least, most = min(least, rate), max(most, rate)
			queue = max(queue, o.queued(from, sc.length, 95))
			rival = min(rival, o.mean(from, sc.length, rivalOf))
			ready := o.reached(0, func(v int64) bool { return v >= full*7/10 }, receivedOf)
			if ready < 0 {
				ready = sc.length
			}
			slowest = max(slowest, ready)
		}
		t.Logf("%-18s received %7d to %7d, 95 %% wait %3d ms, 70 %% after %5d ms", sc.name, least, most, queue/millisecond, slowest/millisecond)
		if sc.rival {
			if least < full/5 || rival < full/5 {
				t.Errorf("%s: %d bit/s, the other %d", sc.name, least, rival)
			}

			continue
		}
		if least < full*7/10 {
			t.Errorf("%s: received only %d bit/s", sc.name, least)
		}
		if queue > patience(sc) {
			t.Errorf("%s: 95 %% wait up to %d ms", sc.name, queue/millisecond)
		}
	}
}
