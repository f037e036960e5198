// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
)

// TestStaged plays the links as a node uses them: one camera in steps, each of which begins with a keyframe, so that most of the time
// less is sent than may be. What the link carries has to be shown.
func TestStaged(t *testing.T) {
	const settled = 64 * links.Second // 14 s after the end of the drop
	seeds := uint64(5)
	if testing.Short() {
		seeds = 2
	}
	for _, sc := range links.Staged() {
		layer, share, half := 2, int64(90), sc.Length/2
		switch sc.Name {
		case "steady 1M", "bloat 1s":
			layer = 1
		case "2M-300k-2M":
			sc.Length, half = 70*links.Second, settled
		case "jitter 30ms", "jitter ordered":
			layer = 1 // the best one most of the time, but not with each seed
		case "rival":
			layer, share = 0, 80
		}
		for seed := range seeds {
			sc.Seed = seed
			st := links.NewCamera(half)
			sc.Pick = st.Pick
			o := runOurs(t, sc)
			got, queue := st.AtLeast(0, layer), o.Queued(5*links.Second, sc.Length, 95)
			t.Logf("%-14s %d: %3d %% of the time at layer %d or better, %3d %% at the best, target %4d and %4d at least, received %4d, 95 %% wait %3d ms", sc.Name, seed,
				got, layer, st.AtLeast(0, 2), o.Mean(half, sc.Length, links.Target)/1000, st.Lowest/1000, o.Mean(half, sc.Length, links.Received)/1000, queue/links.Millisecond)
			if got < share {
				t.Errorf("%s, seed %d: %d %% of the time at layer %d or better", sc.Name, seed, got, layer)
			}
			if !sc.Link.Rival && queue > sc.Patience() {
				t.Errorf("%s, seed %d: 95 %% wait up to %d ms", sc.Name, seed, queue/links.Millisecond)
			}
		}
	}
}
