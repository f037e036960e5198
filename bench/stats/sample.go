// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"slices"
	"time"
)

// Sample keeps every value: for what happens tens of times and not millions. The zero value is empty.
type Sample []time.Duration

// Quantile gives the smallest value that at least the share q (0 to 1) of all values does not exceed; 0 without values.
func (s Sample) Quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(q*float64(len(sorted)) + 0.9999999)

	return sorted[min(max(i, 1), len(sorted))-1]
}

// Max is the largest value; 0 without values.
func (s Sample) Max() time.Duration { return s.Quantile(1) }
