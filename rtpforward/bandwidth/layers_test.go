// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/path"
)

// TestLayersDoNotFlap: over a steady link, whatever it carries, no stream changes
// its layer more than once in ten seconds after the start.
func TestLayersDoNotFlap(t *testing.T) {
	for _, capacity := range []int64{200_000, 300_000, 450_000, 700_000, links.Mbit, 1_250_000, 1_700_000, 2_200_000, 2_600_000, 3_500_000, 6_000_000} {
		st := links.NewStage()
		o := runOurs(t, links.Scenario{
			Length: 120 * links.Second, Link: path.Shape{Capacity: path.Constant(capacity), Queue: capacity / 8 * 3 / 10, Delay: 25 * links.Millisecond},
			Demand: path.Constant(links.StageDemand), Pick: st.Pick,
		})
		for i, c := range st.Changes {
			for j := 1; j < len(c); j++ {
				if c[j-1] > 15*links.Second && c[j]-c[j-1] < 10*links.Second {
					t.Errorf("link of %d: stream %d changes at %d and %d ms", capacity, i, c[j-1]/links.Millisecond, c[j]/links.Millisecond)
				}
			}
		}
		t.Logf("link of %7d: received %7d, layers %v, 95 %% wait %3d ms, %d and %d changes", capacity, o.Mean(20*links.Second, 120*links.Second, links.Received), st.Last,
			o.Queued(10*links.Second, 120*links.Second, 95)/links.Millisecond, len(st.Changes[0]), len(st.Changes[1]))
	}
}

// TestLayersFollowTheLink: down within 2 s of a drop, up within 15 s of its end.
func TestLayersFollowTheLink(t *testing.T) {
	st := links.NewStage()
	sc := named(t, "2M-300k-2M")
	sc.Demand, sc.Pick = path.Constant(links.StageDemand), st.Pick
	at := func(when int64) []int {
		fresh := links.NewStage()
		cut := sc
		cut.Length, cut.Pick = when, fresh.Pick
		runOurs(t, cut)

		return fresh.Last
	}
	before, down, during, up := at(20*links.Second), at(22*links.Second), at(32*links.Second), at(65*links.Second)
	t.Logf("layers %v, 2 s after the drop %v, 12 s after %v, 15 s after its end %v", before, down, during, up)
	if before[0] < 1 || before[1] < 1 {
		t.Errorf("layers %v over 2 Mbit/s", before)
	}
	if down[0] > 0 || down[1] > 0 {
		t.Errorf("layers %v two seconds after the drop to 300 kbit/s", down)
	}
	if during[0] != 0 {
		t.Errorf("layers %v in the drop: 300 kbit/s carry one small picture", during)
	}
	if up[0] < before[0] || up[1] < before[1] {
		t.Errorf("layers %v 15 s after the end of the drop, before it %v", up, before)
	}
}
