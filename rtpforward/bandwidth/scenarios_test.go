// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
)

// TestScenarios holds the estimator to the bounds of docs/congestion.md. Time is
// simulated and chance is seeded: the figures are the same in each run.
func TestScenarios(t *testing.T) {
	asked := 0
	for _, sc := range links.All() {
		t.Run(sc.Name, func(t *testing.T) {
			for _, b := range links.Bounds(sc, runOurs(t, sc)) {
				asked++
				if t.Log(b); !b.Held() {
					t.Errorf("not held: %v", b)
				}
			}
		})
	}
	if asked < 30 {
		t.Errorf("only %d bounds were asked for", asked)
	}
}

// TestYardstick plays the same links with pion's gcc behind the same source and
// the same pacer. The table is that of docs/congestion.md.
func TestYardstick(t *testing.T) {
	t.Logf("%-18s %34s   %34s", "", "ours: kbit/s  q95  q50  rival  80%", "pion: kbit/s  q95  q50  rival  80%")
	for _, sc := range links.All() {
		a, b := links.FiguresOf(sc, runOurs(t, sc)), links.FiguresOf(sc, runPions(t, sc))
		t.Logf("%-18s %13d %4d %4d %5d %5d   %13d %4d %4d %5d %5d", sc.Name,
			a.Received/1000, a.Q95/links.Millisecond, a.Q50/links.Millisecond, a.Rival/1000, a.Ready/links.Millisecond,
			b.Received/1000, b.Q95/links.Millisecond, b.Q50/links.Millisecond, b.Rival/1000, b.Ready/links.Millisecond)
		if sc.Link.Rival {
			continue
		}
		// Pion's figures differ a little from run to run: its parts race.
		if a.Received*100 < b.Received*80 {
			t.Errorf("%s: %d bit/s, pion %d", sc.Name, a.Received, b.Received)
		}
		if a.Q95 > max(b.Q95, sc.Patience()) {
			t.Errorf("%s: 95 %% wait up to %d ms, pion %d", sc.Name, a.Q95/links.Millisecond, b.Q95/links.Millisecond)
		}
		if a.Ready < 0 && b.Ready >= 0 {
			t.Errorf("%s: never at 80 %%, pion after %d ms", sc.Name, b.Ready/links.Millisecond)
		}
	}
}
