// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"testing"

	"github.com/switchyard-media/sfu/rtpforward/allocate"
)

// stage is a session that shows two cameras with three layers each and hears one
// voice: what the estimator is for. Its rate goes in steps.
type stage struct {
	a       *allocate.Allocator
	subs    []allocate.Subscription
	next    int64
	rate    int64
	last    []int
	changes [][]int64
}

func newStage() *stage {
	layers := []allocate.Layer{
		{Rate: 150_000, Quality: allocate.Quality(320, 180, 30)},
		{Rate: 500_000, Quality: allocate.Quality(640, 360, 30)},
		{Rate: 1_500_000, Quality: allocate.Quality(1280, 720, 30)},
	}

	return &stage{
		a: allocate.New(allocate.Config{}),
		subs: []allocate.Subscription{
			{Weight: 2, Layers: layers},
			{Weight: 1, Layers: layers},
			{Audio: true, Layers: []allocate.Layer{{Rate: 40_000, Quality: 1}}},
		},
		last: []int{-2, -2, -2}, changes: make([][]int64, 3),
	}
}

const stageDemand = 3_040_000

func (s *stage) pick(target, at int64) int64 {
	if at < s.next {
		return s.rate
	}
	s.next, s.rate = at+100*millisecond, 0
	for i, d := range s.a.Run(target, s.subs, at+1) {
		s.subs[i].Memory = d.Memory
		if d.Layer != s.last[i] {
			s.last[i], s.changes[i] = d.Layer, append(s.changes[i], at)
		}
		if d.Layer >= 0 {
			s.rate += s.subs[i].Layers[d.Layer].Rate
		}
	}

	return s.rate
}

// TestLayersDoNotFlap: over a steady link, whatever it carries, no stream changes
// its layer more than once in ten seconds after the start.
func TestLayersDoNotFlap(t *testing.T) {
	for _, capacity := range []int64{200_000, 300_000, 450_000, 700_000, mbit, 1_250_000, 1_700_000, 2_200_000, 2_600_000, 3_500_000, 6_000_000} {
		st := newStage()
		o := runOurs(t, scenario{
			length: 120 * second, capacity: constant(capacity), queue: capacity / 8 * 3 / 10, delay: 25 * millisecond,
			demand: constant(stageDemand), pick: st.pick,
		})
		for i, c := range st.changes {
			for j := 1; j < len(c); j++ {
				if c[j-1] > 15*second && c[j]-c[j-1] < 10*second {
					t.Errorf("link of %d: stream %d changes at %d and %d ms", capacity, i, c[j-1]/millisecond, c[j]/millisecond)
				}
			}
		}
		t.Logf("link of %7d: received %7d, layers %v, 95 %% wait %3d ms, %d and %d changes", capacity, o.mean(20*second, 120*second, receivedOf), st.last,
			o.queued(10*second, 120*second, 95)/millisecond, len(st.changes[0]), len(st.changes[1]))
	}
}

// TestLayersFollowTheLink: down within 2 s of a drop, up within 15 s of its end.
func TestLayersFollowTheLink(t *testing.T) {
	st := newStage()
	sc := named(t, "2M-300k-2M")
	sc.demand, sc.pick = constant(stageDemand), st.pick
	at := func(when int64) []int {
		fresh := newStage()
		cut := sc
		cut.length, cut.pick = when, fresh.pick
		runOurs(t, cut)

		return fresh.last
	}
	before, down, during, up := at(20*second), at(22*second), at(32*second), at(65*second)
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
