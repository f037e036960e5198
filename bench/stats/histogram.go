// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math/bits"
	"time"
)

const (
	subBits = 6 // 64 steps an octave: a value is off by less than 1/64
	subs    = 1 << subBits
	octaves = 40
)

// Histogram counts durations from 0 to about 18 minutes in microseconds; what is longer counts as the longest. The zero
// value is ready. It is for one goroutine at a time.
type Histogram struct {
	counts [octaves * subs]uint64
	n      uint64
	sum    time.Duration
	max    time.Duration
}

// Add counts d; a negative d counts as 0. It does not allocate.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[index(uint64(d/time.Microsecond))]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Count is how many values were added.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the largest value, exactly; 0 without values.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the average, exactly; 0 without values.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}

	return h.sum / time.Duration(h.n)
}

// Quantile gives the value that the share q (0 to 1) of all values does not exceed, too large by less than 1/64 of it;
// 0 without values.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q*float64(h.n) + 0.9999999)
	rank = min(max(rank, 1), h.n)
	for i, c := range h.counts {
		if c >= rank {
			return min(time.Duration(upper(i))*time.Microsecond, h.max)
		}
		rank -= c
	}

	return h.max
}

// index gives values below subs a step of their own, and each octave above subs steps.
func index(us uint64) int {
	if us < subs {
		return int(us)
	}
	shift := bits.Len64(us) - subBits - 1
	i := (shift+1)*subs + int(us>>shift) - subs

	return min(i, octaves*subs-1)
}

// upper is the first value beyond step i.
func upper(i int) uint64 {
	if i < subs {
		return uint64(i) + 1
	}
	shift := i/subs - 1

	return uint64(i%subs+subs+1) << shift
}
