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
	{name: "fast start 3M", length: 30 * second, capacity: constant(3 * mbit), queue: 112_500, delay: 25 * millisecond},
}

func TestYardstick(t *testing.T) {
	t.Logf("%-18s %28s   %28s", "", "ours: kbit/s  q95  q50 rival", "pion: kbit/s  q95  q50 rival")
	for _, sc := range scenarios {
		from := sc.length / 3
		row := func(o outcome) [4]int64 {
			return [4]int64{o.mean(from, sc.length, receivedOf) / 1000, o.queued(from, sc.length, 95) / millisecond,
				o.queued(from, sc.length, 50) / millisecond, o.mean(from, sc.length, rivalOf) / 1000}
		}
		a, b := row(runOurs(t, sc)), row(runPions(t, sc))
		t.Logf("%-18s %13d %4d %4d %5d   %13d %4d %4d %5d", sc.name, a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3])
	}
}
