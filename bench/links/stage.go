// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import "github.com/switchyard-media/sfu/rtpforward/allocate"

// Stage is a session that shows two cameras with three layers each, one of twice the weight, and hears one voice: what an
// estimator is for. Its rate goes in steps.
type Stage struct {
	Last    []int     // layer of each stream; -1: paused
	Changes [][]int64 // of each stream: when its layer changed

	a    *allocate.Allocator
	subs []allocate.Subscription
	next int64
	rate int64
}

// StageDemand is what a Stage takes at most, bit/s.
const StageDemand = 3_040_000

const allocateEvery = 100 * Millisecond

// NewStage begins at time 0.
func NewStage() *Stage {
	layers := []allocate.Layer{
		{Rate: 150_000, Quality: allocate.Quality(320, 180, 30)},
		{Rate: 500_000, Quality: allocate.Quality(640, 360, 30)},
		{Rate: 1_500_000, Quality: allocate.Quality(1280, 720, 30)},
	}

	return &Stage{
		a: allocate.New(allocate.Config{}),
		subs: []allocate.Subscription{
			{Weight: 2, Layers: layers},
			{Weight: 1, Layers: layers},
			{Audio: true, Layers: []allocate.Layer{{Rate: 40_000, Quality: 1}}},
		},
		Last: []int{-2, -2, -2}, Changes: make([][]int64, 3),
	}
}

// Pick is a Scenario's.
func (s *Stage) Pick(target, at int64) int64 {
	if at < s.next {
		return s.rate
	}
	s.next, s.rate = at+allocateEvery, 0
	for i, d := range s.a.Run(target, s.subs, at+1) {
		s.subs[i].Memory = d.Memory
		if d.Layer != s.Last[i] {
			s.Last[i], s.Changes[i] = d.Layer, append(s.Changes[i], at)
		}
		if d.Layer >= 0 {
			s.rate += s.subs[i].Layers[d.Layer].Rate
		}
	}

	return s.rate
}
