// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawLayers(t *rapid.T) []Layer {
	n := rapid.IntRange(0, 4).Draw(t, "layers")
	out := make([]Layer, n)
	rate, quality := int64(0), 0.0
	for i := range out {
		rate += rapid.Int64Range(0, 900_000).Draw(t, "rate")
		quality += rapid.Float64Range(0.1, 4).Draw(t, "quality")
		out[i] = Layer{rate, quality}
		if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
			out[i].Quality = 0
		}
	}

	return out
}

func drawSubs(t *rapid.T) []Subscription {
	subs := make([]Subscription, rapid.IntRange(0, 8).Draw(t, "subs"))
	for i := range subs {
		subs[i] = Subscription{
			Weight:   float64(rapid.IntRange(0, 5).Draw(t, "weight")),
			Priority: float64(rapid.IntRange(0, 3).Draw(t, "priority")),
			Audio:    rapid.IntRange(0, 3).Draw(t, "audio") == 0,
			Pause:    rapid.IntRange(0, 5).Draw(t, "pause") == 0,
			Cap:      rapid.IntRange(0, 3).Draw(t, "cap"),
			Layers:   drawLayers(t),
		}
	}

	return subs
}

// check holds a result to what must be true of any.
func check(t *rapid.T, budget int64, subs []Subscription, got []Decision) {
	audio, video := int64(0), int64(0)
	for i, d := range got {
		s := &subs[i]
		switch {
		case s.Pause || len(s.Layers) == 0:
			if d.Layer != Paused {
				t.Fatalf("%d shows %d, but is paused or has nothing", i, d.Layer)
			}
		case s.Audio:
			if d.Layer != 0 {
				t.Fatalf("audio %d is not complete", i)
			}
			audio += s.rate(0)
		default:
			if d.Layer > s.allowed() {
				t.Fatalf("%d shows %d, above what is allowed", i, d.Layer)
			}
			if d.Layer != Paused && s.Layers[d.Layer].Quality == 0 {
				t.Fatalf("%d shows %d, which is not there", i, d.Layer)
			}
			video += s.rate(d.Layer)
		}
	}
	if video > max(budget-audio, 0) {
		t.Fatalf("video takes %d of %d less %d for audio", video, budget, audio)
	}
}

func TestNeverBeyondBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, subs := New(Config{}), drawSubs(t)
		at := second
		for range rapid.IntRange(1, 20).Draw(t, "runs") {
			budget := rapid.Int64Range(-1000, 6_000_000).Draw(t, "budget")
			at += rapid.Int64Range(millisecond, 15*second).Draw(t, "wait")
			if len(subs) > 0 && rapid.IntRange(0, 3).Draw(t, "change") == 0 {
				subs[rapid.IntRange(0, len(subs)-1).Draw(t, "which")].Layers = drawLayers(t)
			}
			got := a.Run(budget, subs, at)
			check(t, budget, subs, got)
			for i, d := range got {
				subs[i].Memory = d.Memory
			}
		}
	})
}

func TestMoreBudgetIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, subs := New(Config{}), drawSubs(t)
		a.grow(len(subs))
		less := rapid.Int64Range(0, 6_000_000).Draw(t, "less")
		more := less + rapid.Int64Range(0, 3_000_000).Draw(t, "more")
		low := a.fill(a.keep, less, subs, func(i int) int { return subs[i].allowed() })
		high := a.fill(a.best, more, subs, func(i int) int { return subs[i].allowed() })
		if high < low*(1-1e-9) {
			t.Fatalf("%d bit/s are worth %v, %d only %v", less, low, more, high)
		}
	})
}

func TestWeightsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers := drawLayers(t)
		subs := make([]Subscription, rapid.IntRange(2, 8).Draw(t, "subs"))
		for i := range subs {
			subs[i] = Subscription{Weight: float64(rapid.IntRange(1, 5).Draw(t, "weight")), Layers: layers}
		}
		budget := rapid.Int64Range(0, 6_000_000).Draw(t, "budget")
		got, _ := settle(New(Config{}), budget, subs, 0)
		for i := range subs {
			for j := range subs {
				if subs[i].Weight > subs[j].Weight && got[i] < got[j] {
					t.Fatalf("weight %v shows %d, weight %v shows %d", subs[i].Weight, got[i], subs[j].Weight, got[j])
				}
			}
		}
	})
}

func TestEqualInputIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, subs := New(Config{}), drawSubs(t)
		budget := rapid.Int64Range(0, 6_000_000).Draw(t, "budget")
		first, at := settle(a, budget, subs, 0)
		for range 30 {
			at += second
			x := slices.Clone(a.Run(budget, subs, at))
			y := New(Config{}).Run(budget, subs, at)
			if !slices.Equal(x, y) {
				t.Fatalf("the same input gives %+v and %+v", x, y)
			}
			for i, d := range x {
				subs[i].Memory = d.Memory
				if d.Layer != first[i] {
					t.Fatalf("subscription %d goes from %d to %d by itself", i, first[i], d.Layer)
				}
			}
		}
	})
}
