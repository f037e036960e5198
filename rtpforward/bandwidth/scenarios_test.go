// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"testing"
)

const mbit = 1_000_000

func drop(at int64) int64 {
	if at >= 20*second && at < 50*second {
		return 300_000
	}

	return 2 * mbit
}

func limited(at int64) int64 {
	if at < 20*second {
		return 200_000
	}

	return 3 * mbit
}

// scenarios are the links of the acceptance list.
var scenarios = []scenario{
	{name: "steady 1M", length: 60 * second, capacity: constant(mbit), queue: 37_500, delay: 25 * millisecond},
	{name: "2M-300k-2M", length: 80 * second, capacity: drop, queue: 75_000, delay: 25 * millisecond},
	{name: "loss 5%", length: 60 * second, capacity: constant(10 * mbit), queue: 375_000, delay: 25 * millisecond, loss: 0.05, demand: constant(2_500_000)},
	{name: "loss 10%", length: 60 * second, capacity: constant(10 * mbit), queue: 375_000, delay: 25 * millisecond, loss: 0.10, demand: constant(2_500_000)},
	{name: "delay 50ms", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 50 * millisecond},
	{name: "delay 100ms", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 100 * millisecond},
	{name: "delay 200ms", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 200 * millisecond},
	{name: "jitter 30ms", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 50 * millisecond, jitter: 30 * millisecond},
	{name: "jitter ordered", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 50 * millisecond, jitter: 30 * millisecond, ordered: true},
	{name: "rival", length: 120 * second, capacity: constant(2 * mbit), queue: 50_000, delay: 25 * millisecond, rival: true},
	{name: "bloat 1s", length: 60 * second, capacity: constant(mbit), queue: 125_000, delay: 25 * millisecond},
	{name: "limited then full", length: 60 * second, capacity: constant(3 * mbit), queue: 112_500, delay: 25 * millisecond, demand: limited},
	// Beyond the list.
	{name: "policer", length: 60 * second, capacity: constant(2 * mbit), queue: 8_000, delay: 25 * millisecond},
	{name: "narrow, loss 3%", length: 60 * second, capacity: constant(mbit), queue: 37_500, delay: 25 * millisecond, loss: 0.03},
	{name: "feedback lost 30%", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 25 * millisecond, deaf: 0.3},
	{name: "keyframes", length: 60 * second, capacity: constant(2 * mbit), queue: 75_000, delay: 25 * millisecond, keyframe: 4 * second},
	{name: "fast start 3M", length: 30 * second, capacity: constant(3 * mbit), queue: 112_500, delay: 25 * millisecond},
}

// named finds a scenario.
func named(t *testing.T, name string) scenario {
	for _, sc := range scenarios {
		if sc.name == name {
			return sc
		}
	}
	t.Fatalf("no scenario %q", name)

	return scenario{}
}

// TestScenarios holds the estimator to the bounds of docs/congestion.md. Time is
// simulated and chance is seeded: the figures are the same in each run.
func TestScenarios(t *testing.T) {
	above := func(bound int64) func(int64) bool { return func(v int64) bool { return v >= bound } }
	below := func(bound int64) func(int64) bool { return func(v int64) bool { return v <= bound } }
	for _, c := range []struct {
		name     string
		from, to int64 // of what follows
		rate     int64 // received, at least, on average
		queue    int64 // 95 % of packets wait no longer
		more     func(t *testing.T, o outcome)
	}{
		{name: "steady 1M", from: 10 * second, to: 60 * second, rate: 850_000, queue: 150 * millisecond},
		{name: "2M-300k-2M", from: 25 * second, to: 50 * second, rate: 220_000, queue: 150 * millisecond, more: func(t *testing.T, o outcome) {
			if d := o.reached(20*second, below(300_000), sentOf); d < 0 || d > 2*second {
				t.Errorf("went down after %d ms, want 2000 at most", d/millisecond)
			}
			if d := o.reached(50*second, above(1_600_000), receivedOf); d < 0 || d > 15*second {
				t.Errorf("came up after %d ms, want 15000 at most", d/millisecond)
			}
		}},
		{name: "loss 5%", from: 5 * second, to: 60 * second, rate: 2_500_000 * 80 / 100 * 95 / 100, queue: 50 * millisecond, more: func(t *testing.T, o outcome) {
			if sent := o.mean(5*second, 60*second, sentOf); sent < 2_000_000 {
				t.Errorf("sends %d bit/s, want 80 %% of 2.5 Mbit/s", sent)
			}
		}},
		{name: "loss 10%", from: 5 * second, to: 60 * second, rate: 2_500_000 * 80 / 100 * 90 / 100, queue: 50 * millisecond, more: func(t *testing.T, o outcome) {
			if sent := o.mean(5*second, 60*second, sentOf); sent < 2_000_000 {
				t.Errorf("sends %d bit/s, want 80 %% of 2.5 Mbit/s", sent)
			}
		}},
		{name: "delay 50ms", from: 10 * second, to: 60 * second, rate: 1_600_000, queue: 150 * millisecond},
		{name: "delay 100ms", from: 10 * second, to: 60 * second, rate: 1_600_000, queue: 150 * millisecond},
		{name: "delay 200ms", from: 10 * second, to: 60 * second, rate: 1_600_000, queue: 150 * millisecond},
		{name: "jitter 30ms", from: 10 * second, to: 60 * second, rate: 1_400_000, queue: 150 * millisecond},
		{name: "jitter ordered", from: 10 * second, to: 60 * second, rate: 1_400_000, queue: 150 * millisecond},
		{name: "rival", from: 30 * second, to: 120 * second, rate: 400_000, queue: second, more: func(t *testing.T, o outcome) {
			if rival := o.mean(30*second, 120*second, rivalOf); rival < 400_000 {
				t.Errorf("leaves %d bit/s to the other flow, want 20 %% of the link", rival)
			}
		}},
		{name: "bloat 1s", from: 5 * second, to: 60 * second, rate: 800_000, queue: 150 * millisecond},
		{name: "limited then full", from: 35 * second, to: 60 * second, rate: 2_400_000, queue: 150 * millisecond, more: func(t *testing.T, o outcome) {
			if target := o.mean(15*second, 20*second, targetOf); target > 3_300_000 {
				t.Errorf("target %d while 200 000 are sent over a link of 3 Mbit/s", target)
			}
			if d := o.reached(20*second, above(2_400_000), receivedOf); d < 0 || d > 10*second {
				t.Errorf("full after %d ms", d/millisecond)
			}
		}},
		{name: "fast start 3M", from: 3 * second, to: 30 * second, rate: 2_400_000, queue: 150 * millisecond, more: func(t *testing.T, o outcome) {
			if d := o.reached(0, above(2_400_000), receivedOf); d < 0 || d > 3*second {
				t.Errorf("80 %% after %d ms, want 3000 at most", d/millisecond)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := runOurs(t, named(t, c.name))
			rate, queue := o.mean(c.from, c.to, receivedOf), o.queued(c.from, c.to, 95)
			t.Logf("received %d bit/s, 95 %% wait %d ms at most", rate, queue/millisecond)
			if rate < c.rate {
				t.Errorf("received %d bit/s, want %d", rate, c.rate)
			}
			if queue > c.queue {
				t.Errorf("95 %% wait up to %d ms, want %d", queue/millisecond, c.queue/millisecond)
			}
			if c.more != nil {
				c.more(t, o)
			}
		})
	}
}

// TestYardstick plays the same links with pion's gcc behind the same source and
// the same pacer. The table is that of docs/congestion.md.
func TestYardstick(t *testing.T) {
	t.Logf("%-18s %34s   %34s", "", "ours: kbit/s  q95  q50  rival  80%", "pion: kbit/s  q95  q50  rival  80%")
	type row struct{ rate, q95, q50, rival, ready int64 }
	for _, sc := range scenarios {
		from := sc.length / 3
		measure := func(o outcome) row {
			full := min(sc.capacity(sc.length-1), orMost(sc.demand, sc.length-1))

			return row{
				o.mean(from, sc.length, receivedOf) / 1000, o.queued(from, sc.length, 95) / millisecond,
				o.queued(from, sc.length, 50) / millisecond, o.mean(from, sc.length, rivalOf) / 1000,
				o.reached(0, func(v int64) bool { return v >= full*8/10 }, receivedOf) / millisecond,
			}
		}
		a, b := measure(runOurs(t, sc)), measure(runPions(t, sc))
		t.Logf("%-18s %13d %4d %4d %5d %5d   %13d %4d %4d %5d %5d", sc.name,
			a.rate, a.q95, a.q50, a.rival, a.ready, b.rate, b.q95, b.q50, b.rival, b.ready)
		// Pion's figures differ a little from run to run: its parts race.
		if a.rate*100 < b.rate*80 && !sc.rival {
			t.Errorf("%s: %d kbit/s, pion %d", sc.name, a.rate, b.rate)
		}
		if a.q95 > max(b.q95, patience(sc)/millisecond) && !sc.rival {
			t.Errorf("%s: 95 %% wait up to %d ms, pion %d", sc.name, a.q95, b.q95)
		}
		if a.ready < 0 && b.ready >= 0 && !sc.rival {
			t.Errorf("%s: never at 80 %%, pion after %d ms", sc.name, b.ready)
		}
	}
}

func orMost(demand func(int64) int64, at int64) int64 {
	if demand == nil {
		return 8 * mbit
	}

	return demand(at)
}

// patience is how long 95 % of packets may wait. A keyframe of the keyframes
// scenario is 200 ms of its link all by itself.
func patience(sc scenario) int64 {
	if sc.keyframe != 0 {
		return 220 * millisecond
	}

	return 150 * millisecond
}
