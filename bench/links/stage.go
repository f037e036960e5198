// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import "github.com/switchyard-media/sfu/rtpforward/allocate"

// Stage is a session that shows cameras with three layers each, the first of twice the weight, and hears one voice: what an
// estimator is for. Its rate goes in steps.
type Stage struct {
	Last    []int     // layer of each stream, the voice last; -1: paused
	Changes [][]int64 // of each stream: when its layer changed
	Lowest  int64     // target that the division has seen after its first ten seconds, bit/s

	a     *allocate.Allocator
	subs  []allocate.Subscription
	next  int64
	rate  int64
	shown [][]int64 // of each stream: how long each of its layers was shown, ns, from the half on
	half  int64
}

// StageDemand is what a Stage of two cameras takes at most, bit/s.
const StageDemand = 3_040_000

const allocateEvery = 100 * Millisecond

// NewStage begins at time 0, with two cameras.
func NewStage() *Stage {
	return newStage(2, 40_000, []int64{150_000, 500_000, 1_500_000})
}

// NewCamera begins at time 0, with one camera and a voice as a node sends them: with headers.
func NewCamera(half int64) *Stage {
	s := newStage(1, 61_000, []int64{157_000, 517_000, 1_546_000})
	s.half = half

	return s
}

// CameraDemand is what a Stage of one camera takes at most, bit/s, with what an upgrade leaves unused.
const CameraDemand = 1_607_000 * 100 / 85

func newStage(cameras int, voice int64, rates []int64) *Stage {
	layers := []allocate.Layer{
		{Rate: rates[0], Quality: allocate.Quality(320, 180, 30)},
		{Rate: rates[1], Quality: allocate.Quality(640, 360, 30)},
		{Rate: rates[2], Quality: allocate.Quality(1280, 720, 30)},
	}
	s := &Stage{a: allocate.New(allocate.Config{}), Lowest: 1 << 60}
	for i := range cameras {
		s.subs = append(s.subs, allocate.Subscription{Weight: max(2-float64(i), 1), Layers: layers})
	}
	s.subs = append(s.subs, allocate.Subscription{Audio: true, Layers: []allocate.Layer{{Rate: voice, Quality: 1}}})
	for range s.subs {
		s.Last, s.Changes, s.shown = append(s.Last, -2), append(s.Changes, nil), append(s.shown, make([]int64, len(layers)+1))
	}

	return s
}

// Pick is a Scenario's.
func (s *Stage) Pick(target, at int64) int64 {
	if at < s.next {
		return s.rate
	}
	s.next, s.rate = at+allocateEvery, 0
	if at > 10*Second {
		s.Lowest = min(s.Lowest, target)
	}
	for i, d := range s.a.Run(target, s.subs, at+1) {
		s.subs[i].Memory = d.Memory
		if d.Layer != s.Last[i] {
			s.Last[i], s.Changes[i] = d.Layer, append(s.Changes[i], at)
		}
		if at >= s.half {
			s.shown[i][d.Layer+1] += allocateEvery
		}
		if d.Layer >= 0 {
			s.rate += s.subs[i].Layers[d.Layer].Rate
		}
	}

	return s.rate
}

// AtLeast is the part, in per cent, of the time since half in which a stream showed a layer or a better one.
func (s *Stage) AtLeast(stream, layer int) int64 {
	sum, all := int64(0), int64(0)
	for i, t := range s.shown[stream] {
		all += t
		if i > layer {
			sum += t
		}
	}

	return 100 * sum / max(all, 1)
}

// Staged are the links of All that are asked of a real node, as it sends: one camera in steps, each of which begins with a keyframe.
func Staged() []Scenario {
	var all []Scenario
	for _, sc := range All()[:11] {
		sc.KeySteps, sc.Demand = true, func(int64) int64 { return CameraDemand }
		sc.Length = min(sc.Length, 60*Second)
		all = append(all, sc)
	}

	return all
}
