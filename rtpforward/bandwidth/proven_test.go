// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// TestProve: more than the target was sent at the start, and came through.
func TestProve(t *testing.T) {
	play := func(capacity int64) (before, after, queue int64) {
		o := links.NewOurs(bandwidth.Config{})
		play(t, links.Scenario{
			Length: links.Second, Link: path.Shape{Capacity: path.Constant(capacity), Queue: 200_000, Delay: 25 * links.Millisecond},
			Demand: path.Constant(2_000_000), Pick: func(int64, int64) int64 { return 2_000_000 },
		}, bold{o})
		before = o.E.Estimate().Target
		o.E.Prove(links.Second)

		return before, o.E.Estimate().Target, o.E.Estimate().Queue
	}
	if before, after, _ := play(5_000_000); before > 1_000_000 || after < 1_800_000 || after > 2_300_000 {
		t.Errorf("2 Mbit/s came through: %d, then %d", before, after)
	}
	if before, after, queue := play(1_000_000); after != before {
		t.Errorf("half of it waits %d ms: %d, then %d", queue/links.Millisecond, before, after)
	}
}

// bold sends without a probe and without regard for the pacer.
type bold struct{ *links.Ours }

func (bold) Probe(int64) (bandwidth.Cluster, bool) { return bandwidth.Cluster{}, false }
func (bold) Target(int64, int64) int64             { return 2_000_000 }
