// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"math"
	"strconv"
)

// coordinate is a place in a plot, in pixels or percent. It prints with two decimals, never as 1e+06 or NaN.
type coordinate float64

// String implements fmt.Stringer; templates call it.
func (c coordinate) String() string {
	v := float64(c)
	if math.IsNaN(v) {
		v = 0
	}

	return strconv.FormatFloat(math.Round(min(max(v, -1e4), 1e4)*100)/100, 'f', -1, 64)
}

// tick is a line of the grid and its label.
type tick struct {
	At    coordinate
	Label string
}

// Anchor keeps the label of a tick at the left edge from being cut off.
func (t tick) Anchor() string {
	if t.At < 4 {
		return "start"
	}

	return "middle"
}

// scale maps values to coordinates: from at low to to at high.
type scale struct {
	low, high float64
	from, to  float64
	log       bool
}

// linear goes from 0 to a round number above most, at most as far as tickCount round steps.
func linear(most, from, to float64) scale {
	if most <= 0 || math.IsInf(most, 0) {
		most = 1
	}
	step := niceStep(most)

	return scale{0, math.Ceil(most/step-1e-9) * step, from, to, false}
}

// niceStep is 1, 2 or 5 times a power of ten, so that three to six make up span.
func niceStep(span float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(span/4)))
	for _, m := range []float64{1, 2, 5} {
		if span/(m*power) <= 5 {
			return m * power
		}
	}

	return 10 * power
}

// logarithmic spans whole steps of 1, 2, 5, 10 around least and most, both above 0.
func logarithmic(least, most, from, to float64) scale {
	low, high := logStep(least, false), logStep(most, true)
	if high <= low {
		high = low * 10
	}

	return scale{low, high, from, to, true}
}

// logStep is the next of 1, 2, 5, 10, … at or below v, or at or above it.
func logStep(v float64, up bool) float64 {
	v = min(max(v, 1e-9), 1e15)
	power := math.Pow(10, math.Floor(math.Log10(v)+1e-9))
	best := power
	for _, m := range []float64{1, 2, 5, 10} {
		if up && m*power >= v*(1-1e-9) {
			return m * power
		}
		if !up && m*power <= v*(1+1e-9) {
			best = m * power
		}
	}

	return best
}

func (s scale) at(v float64) coordinate {
	share := (v - s.low) / (s.high - s.low)
	if s.log {
		share = math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	}

	return coordinate(s.from + min(max(share, 0), 1)*(s.to-s.from))
}

// ticks are where the grid is.
func (s scale) ticks() []tick {
	var out []tick
	if !s.log {
		step := niceStep(s.high)
		for i := 0.0; i <= s.high/step+1e-9; i++ {
			out = append(out, tick{s.at(i * step), brief(i * step)})
		}

		return out
	}
	few := math.Log10(s.high/s.low) <= 3.01 // else powers of ten only
	for power := math.Pow(10, math.Floor(math.Log10(s.low)+1e-9)); power <= s.high*(1+1e-9); power *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if v := m * power; (m == 1 || few) && v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
				out = append(out, tick{s.at(v), brief(v)})
			}
		}
	}

	return out
}
