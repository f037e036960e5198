// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/sfu"
)

// TestThinLink: a viewer whose link becomes thin gets a lower layer, and a high one when it is thick again. Its sound goes on;
// another viewer does not notice.
func TestThinLink(t *testing.T) {
	browser := startChromium(t)
	node := startNode(t, func(c *sfu.Config) { c.Forward.LeastBitrate = 0 })
	painter(t, browser, node, "ann", "room", published{codec: "video/VP8", encodings: simulcast(80_000, 200_000, 500_000), roughness: 1})
	thin := enter(t, browser, node, "bob", "room")
	thin.behindLink()
	bob := thin.view("room", "ann", false)
	cem := view(t, browser, node, "cem", "room", "ann", false)
	bob.shows(2)
	cem.shows(2)
	untouched := len(cem.film())

	narrow := sfutest.Shape{Rate: 400_000, Delay: 20 * time.Millisecond, Queue: 300 * time.Millisecond}
	before, begin := bob.report(), ask[float64](bob.Tab, "now")
	bob.link.Set(sfutest.Shape{}, narrow)
	lower := bob.showsLess(2)
	t.Logf("at 400 kbit/s a lower layer (%d lines) after %.1f s", lower.Height, (lower.At-begin)/1000)
	calm := bob.calm()
	t.Logf("the link as the node sees it: %v", bob.stats().GetLink())
	t.Logf("until it was calm: %s", sound(before, calm, bob.sub.GetAudioMid()))
	after := bob.more(5 * time.Second)
	t.Logf("5 s on: %s", sound(calm, after, bob.sub.GetAudioMid()))
	if text := broken(calm, after, bob.sub.GetAudioMid()); text != "" {
		t.Errorf("sound over the thin link: %s", text)
	}

	begin = ask[float64](bob.Tab, "now")
	bob.link.Set(sfutest.Shape{}, sfutest.Shape{})
	t.Logf("the highest layer %.1f s after the link was opened", (bob.shows(2).At-begin)/1000)
	t.Logf("the link as the node sees it: %v", bob.stats().GetLink())
	heights, changes := bob.film().heights()
	t.Logf("pictures by height %v, %d changes; %+v", heights, changes, bob.inbound())
	cem.undisturbed(browser, cem.film())
	if heights, _ := cem.film()[untouched:].heights(); len(heights) != 1 {
		t.Errorf("the viewer with the thick link saw pictures of heights %v", heights)
	}
}

// showsLess waits until pictures of a layer below a spatial one are decoded, and answers the first that was seen.
func (v *viewer) showsLess(spatial int) frame {
	v.t.Helper()
	known := len(v.film())
	var found frame
	v.until(fmt.Sprintf("a layer below %d", spatial), func(report) bool {
		for _, now := range v.film()[known:] {
			if layerOf(now) < spatial {
				found = now
				return true
			}
		}
		return false
	})
	return found
}

// more waits for a time, and answers what the statistics are then.
func (v *viewer) more(d time.Duration) report {
	v.t.Helper()
	end := time.Now().Add(d)
	return v.until("time to pass", func(report) bool { return time.Now().After(end) })
}

// calm waits until a second has passed without loss: until the node has found out what the link carries.
func (v *viewer) calm() report {
	v.t.Helper()
	last, at := v.report(), time.Now()
	return v.until("a second without loss", func(now report) bool {
		if broken(last, now, v.sub.GetAudioMid()) != "" {
			last, at = now, time.Now()
		}
		return time.Since(at) > time.Second
	})
}

// sound says what came of a line's audio.
func sound(before, now report, mid string) string {
	b, n := before.Received[mid], now.Received[mid]
	return fmt.Sprintf("%d packets of sound, %d lost; %d samples played, %d of them concealed", n.PacketsReceived-b.PacketsReceived,
		n.PacketsLost-b.PacketsLost, n.TotalSamplesReceived-b.TotalSamplesReceived, n.ConcealedSamples-b.ConcealedSamples)
}

// broken says what came of it if it was not what a listener should get: less than one packet in a hundred is missing, or one.
func broken(before, now report, mid string) string {
	b, n := before.Received[mid], now.Received[mid]
	if lost := n.PacketsLost - b.PacketsLost; lost > 1 && lost*100 > n.PacketsReceived-b.PacketsReceived {
		return sound(before, now, mid)
	}
	return ""
}
