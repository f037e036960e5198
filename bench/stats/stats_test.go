// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramAgainstSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	values := make([]time.Duration, 20_000)
	for i := range values {
		values[i] = time.Duration(r.ExpFloat64() * float64(3*time.Millisecond))
		h.Add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
		want, got := Sample(values).Quantile(q), h.Quantile(q)
		if got < want-time.Microsecond || got > want+want/64+2*time.Microsecond {
			t.Errorf("quantile %v: %v, want %v or at most a 64th more", q, got, want)
		}
	}
	if h.Max() != values[len(values)-1] || h.Count() != 20_000 {
		t.Errorf("max %v, count %d", h.Max(), h.Count())
	}
}

func TestHistogramSteps(t *testing.T) {
	for us := uint64(0); us < 1<<20; us = us + us/200 + 1 {
		i := index(us)
		if up := upper(i); up <= us {
			t.Fatalf("%d µs is in step %d, which ends at %d", us, i, up)
		}
		if i > 0 && upper(i-1) > us {
			t.Fatalf("%d µs is in step %d, but the step before ends at %d", us, i, upper(i-1))
		}
	}
	if index(1<<63) != octaves*subs-1 {
		t.Error("a huge value is outside")
	}
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty histogram has values")
	}
	h.Add(-time.Second)
	if h.Max() != 0 || h.Count() != 1 {
		t.Error("a negative value is not 0")
	}
	var other Histogram
	other.Add(10 * time.Millisecond)
	h.Merge(&other)
	if h.Count() != 2 || h.Max() != 10*time.Millisecond || h.Mean() != 5*time.Millisecond {
		t.Errorf("merged: %d values, max %v, mean %v", h.Count(), h.Max(), h.Mean())
	}
	if n := testing.AllocsPerRun(100, func() { h.Add(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations a value", n)
	}
}

func TestSample(t *testing.T) {
	s := Sample{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.2: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := s.Quantile(q); got != want {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	if s.Max() != 5 || Sample(nil).Quantile(0.5) != 0 {
		t.Error("edges")
	}
}
