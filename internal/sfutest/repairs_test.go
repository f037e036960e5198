// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestArrivals: sequence numbers as they come, those of retransmissions marked.
func TestArrivals(t *testing.T) {
	const rtx = 1 << 20
	for name, row := range map[string]struct {
		come    []int
		want    []int
		repeats int
	}{
		"in order":             {[]int{1, 2, 3}, []int{1, 2, 3}, 0},
		"over a wrap":          {[]int{65535, 0, rtx | 65535, 1}, []int{65535, 0, 1}, 1},
		"repeated":             {[]int{1, 2, 3, rtx | 3, rtx | 2, 4}, []int{1, 2, 3, 4}, 2},
		"repeated twice":       {[]int{1, rtx | 1, rtx | 1, 2}, []int{1, 2}, 2},
		"repeated early":       {[]int{1, rtx | 3, rtx | 2, 2, 3, 4}, []int{1, 2, 3, 4}, 2},
		"repaired":             {[]int{1, 3, rtx | 2, 4}, []int{1, 3, rtx | 2, 4}, 0},
		"repaired early":       {[]int{1, rtx | 2, 3}, []int{1, rtx | 2, 3}, 0},
		"repaired twice":       {[]int{1, 3, rtx | 2, rtx | 2}, []int{1, 3, rtx | 2}, 1},
		"overtaken":            {[]int{1, 3, rtx | 2, 2, 4}, []int{1, 3, rtx | 2, 4}, 1},
		"reordered":            {[]int{1, 3, 2}, []int{1, 3, 2}, 0},
		"twice by itself":      {[]int{1, 2, 2, 3}, []int{1, 2, 2, 3}, 0},
		"overtaken, and twice": {[]int{1, 3, rtx | 2, 2, 2}, []int{1, 3, rtx | 2, 2}, 1},
		"before anything":      {[]int{rtx | 1, 1, 2}, []int{1, 2}, 1},
		"a leap":               {[]int{1, rtx | 2, 9001, rtx | 1, 9002}, []int{1, 9001, 9002}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var a arrivals
			var got []int
			for _, n := range row.come {
				for _, p := range a.take(Packet{Sequence: uint16(n), Repaired: n&rtx != 0}, nil) {
					n := int(p.Sequence)
					if p.Repaired {
						n |= rtx
					}
					got = append(got, n)
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" || a.repeats != row.repeats {
				t.Errorf("%d repeats, want %d; arrived (-want +got):\n%s", a.repeats, row.repeats, diff)
			}
		})
	}
}
