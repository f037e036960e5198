// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestUnwantedLayerStops: a publisher who heeds the node stops the layers that nobody takes, and starts them when they are
// wanted again. The times that are promised hold on a machine that has nothing else to do, and on a link that is known to
// carry the layers; here one round of a few has to keep them.
func TestUnwantedLayerStops(t *testing.T) {
	const rounds, stops, back = 3, 5 * time.Second, 1500 * time.Millisecond
	browser := startChromium(t)
	for _, codec := range []string{"video/VP8", "video/H264"} {
		t.Run(strings.TrimPrefix(codec, "video/"), func(t *testing.T) {
			node := startNode(t)
			ann := painter(t, browser, node, "ann", "room", published{codec: codec, encodings: simulcast(80_000, 200_000, 500_000), roughness: 1, obey: true})
			bob := view(t, browser, node, "bob", "room", "ann", false)
			cem := view(t, browser, node, "cem", "room", "ann", false)
			bob.shows(2)
			cem.shows(2)
			quickStop, quickBack := time.Hour, time.Hour
			for round := range rounds {
				begin := time.Now()
				bob.prefer(0, temporalLayers-1)
				cem.prefer(0, temporalLayers-1)
				bob.shows(0)
				cem.shows(0)
				stopped := ann.stopped("mid", "high").Sub(begin)
				bob.plays(bob.sub)

				wanted := ask[float64](bob.Tab, "now")
				bob.prefer(2, temporalLayers-1)
				first := bob.shows(2)
				again := time.Duration((first.At - wanted) * float64(time.Millisecond))
				cem.plays(cem.sub)
				seen := cem.film()
				if now := layerOf(seen[len(seen)-1]); now != 0 {
					t.Errorf("layer %d for who wants the lowest", now)
				}
				t.Logf("round %d: stopped %.2f s after nobody took them, decoded %.2f s after it was wanted", round, stopped.Seconds(), again.Seconds())
				quickStop, quickBack = min(quickStop, stopped), min(quickBack, again)
			}
			if quickStop > stops || quickBack > back {
				t.Errorf("stopped after %v at best, want %v; back after %v, want %v", quickStop, stops, quickBack, back)
			}
			bob.undisturbed(browser, bob.film())
			cem.undisturbed(browser, cem.film())
		})
	}
}

// stopped waits until a publisher has sent nothing of some layers for a while, and answers when it sent the last of it.
func (c *client) stopped(rids ...string) time.Time {
	c.t.Helper()
	const silence = time.Second
	packets, at := -1, time.Now()
	c.until(fmt.Sprintf("silence on layers %s", rids), func(now report) bool {
		sum := 0
		for _, s := range now.Sent {
			for _, rid := range rids {
				if s.RID == rid {
					sum += s.PacketsSent
				}
			}
		}
		if sum != packets {
			packets, at = sum, time.Now()
		}
		return time.Since(at) > silence
	})
	return at
}
