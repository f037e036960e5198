// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/sfu"
)

// TestLayerSwitches: a viewer who changes its mind about layers every moment decodes all that it is sent, and its picture does
// not freeze. A second one, who gets all layers all the time, tells what is the machine's doing. The link is not to say anything
// in the matter, since a busy machine's is a bad one.
func TestLayerSwitches(t *testing.T) {
	// Every switch up costs keyframes. With less than this, or with a rough picture, encoders would leave others out for them.
	const plenty = 2_000_000
	streams := simulcast(plenty/10, plenty/4, plenty/2)
	browser := startChromium(t)
	for i, test := range []struct {
		name     string
		source   published
		switches int
	}{
		{"VP8 simulcast", published{codec: "video/VP8", encodings: streams}, 100},
		{"H264 simulcast", published{codec: "video/H264", encodings: streams}, 100},
		{"VP9 L3T3", published{codec: "video/VP9", encodings: scalable("L3T3", plenty)}, 100},
		{"AV1 L3T3", published{codec: "video/AV1", encodings: scalable("L3T3", plenty), descriptor: true}, 100},
		{"VP8 simulcast with descriptors", published{codec: "video/VP8", encodings: streams, descriptor: true}, 20},
		{"VP9 L3T3_KEY with descriptors", published{codec: "video/VP9", encodings: scalable("L3T3_KEY", plenty), descriptor: true}, 20},
		{"VP9 simulcast", published{codec: "video/VP9", encodings: streams}, 20},
		{"AV1 simulcast with descriptors", published{codec: "video/AV1", encodings: streams, descriptor: true}, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			switches := test.switches
			if testing.Short() {
				switches = 20
			}
			node := startNode(t, func(c *sfu.Config) { c.Forward.NoCongestionControl = true })
			sent := watchDepartures(node)
			painter(t, browser, node, "ann", "room", test.source)
			cem := view(t, browser, node, "cem", "room", "ann", test.source.descriptor)
			bob := view(t, browser, node, "bob", "room", "ann", test.source.descriptor)
			began := time.Now()
			cem.shows(2)
			bob.shows(2)
			t.Logf("both see the highest layer after %.1f s", time.Since(began).Seconds())
			switchLayers(t, browser, sent, bob, cem, switches, rand.New(rand.NewPCG(uint64(i), 4)))
			if !t.Failed() { // all layers were there all the time
				for _, spatial := range []int{0, 2, 1} {
					bob.prefer(spatial, temporalLayers-1)
					bob.shows(spatial)
				}
			}
		})
	}
}

// switchLayers has bob switch at random while cem stays.
func switchLayers(t *testing.T, browser *pages, sent *departures, bob, cem *viewer, switches int, rng *rand.Rand) {
	t.Helper()
	before, other := bob.inbound(), cem.inbound()
	start := ask[float64](bob.Tab, "now")
	wishes := bob.wander(switches, rng)
	end := ask[float64](bob.Tab, "now")
	now, otherNow := bob.inbound(), cem.inbound()
	seen, control := bob.film().between(start, end), cem.film().between(start, end)
	sent.fill(now.SSRC, seen)
	sent.fill(otherNow.SSRC, control)
	heights, changes := seen.heights()
	t.Logf("%s, %d switches in %.1f s: %d pictures of heights %v, which changed %d times; the other viewer saw %d",
		now.Codec, switches, (end-start)/1000, len(seen), heights, changes, len(control))
	t.Logf("longest stand %v, the other viewer's %v", seen.longest(), control.longest())
	t.Logf("%s", since(before, now))
	t.Logf("the other viewer: %s", since(other, otherNow))
	t.Logf("the node: %d layer switches, %d freezes", bob.stats().GetLayerSwitches(), bob.stats().GetFreezes())

	bob.undisturbed(browser, seen)
	cem.undisturbed(browser, control)
	judge(t, seen, control, wishes)
	// A switch down in space takes effect at once; one up needs a keyframe, and may be overtaken by the next.
	if len(heights) < 2 || changes < switches/6 {
		t.Errorf("heights %v, %d changes in %d switches", heights, changes, switches)
	}
	if rate := float64(len(control)) / (end - start) * 1000; rate < picturesPerSecond/3 {
		t.Errorf("the other viewer saw %.1f pictures a second, which is too few to judge by: the machine is too busy", rate)
	}
}

// wander wishes for one layer after the other.
func (v *viewer) wander(switches int, rng *rand.Rand) []wish {
	v.t.Helper()
	const least, most = 150, 400 // ms between switches
	timer := time.NewTimer(0)
	defer timer.Stop()
	wishes := make([]wish, switches)
	at := [2]int{spatialLayers - 1, temporalLayers - 1}
	for i := range wishes {
		next := at
		for next == at {
			next = [2]int{rng.IntN(spatialLayers), rng.IntN(temporalLayers)}
		}
		at = next
		v.prefer(at[0], at[1])
		wishes[i] = wish{ask[float64](v.Tab, "now"), at}
		timer.Reset(time.Duration(least+rng.IntN(most-least)) * time.Millisecond)
		select {
		case <-timer.C:
		case <-v.t.Context().Done():
			v.t.Fatal(v.t.Context().Err())
		}
	}
	return wishes
}

// undisturbed checks that a viewer's decoder made of all it got what had been sent.
func (v *viewer) undisturbed(browser *pages, f film) {
	v.t.Helper()
	if wrong := f.wrong(); len(wrong) > 0 {
		v.t.Errorf("%s: %d of %d pictures were not as they were sent: %q", v.user, len(wrong), len(f), wrong[:min(len(wrong), 10)])
	}
	if failures := browser.log.of(v.inbound().SSRC); len(failures) > 0 {
		v.t.Errorf("%s: %d decoder errors: %q", v.user, len(failures), failures[:min(len(failures), 5)])
	}
}

// judge checks that the node did not have a viewer's picture freeze.
func judge(t *testing.T, seen, control film, wishes []wish) {
	t.Helper()
	node, machine := blame(seen, control)
	if len(machine) > 0 {
		t.Logf("froze, but not because of the node: %s", texts(machine))
	}
	if len(node) > 0 {
		t.Errorf("froze because of the node: %s", texts(node))
	}
	for _, s := range node {
		around(t, s, seen, wishes)
	}
}

// wish is one for a layer, spatial and temporal.
type wish struct {
	at    float64 // ms since 1970
	layer [2]int
}

// around tells what happened around a picture that stood.
func around(t *testing.T, s stand, f film, wishes []wish) {
	t.Helper()
	const margin = 500 // ms
	from, to := s.From.At-margin, s.To.At+margin
	for _, w := range wishes {
		if w.at >= from && w.at <= to {
			t.Logf("%5.0f ms: wished for %v", w.at-s.From.At, w.layer)
		}
	}
	for _, now := range f.between(from, to) {
		t.Logf("%5.0f ms: saw %d at %d lines, which had left at %.0f ms", now.At-s.From.At, now.Number, now.Height, now.Left-s.From.At)
	}
}

// since says what a viewer's statistics counted.
func since(before, now received) string {
	return fmt.Sprintf("framesReceived %d, framesDecoded %d, keyFramesDecoded %d, framesDropped %d, freezeCount %d, totalFreezesDuration %.3f s, pliCount %d, nackCount %d, packetsLost %d",
		now.FramesReceived-before.FramesReceived, now.FramesDecoded-before.FramesDecoded, now.KeyFramesDecoded-before.KeyFramesDecoded,
		now.FramesDropped-before.FramesDropped, now.FreezeCount-before.FreezeCount, now.TotalFreezesDuration-before.TotalFreezesDuration,
		now.PLICount-before.PLICount, now.NACKCount-before.NACKCount, now.PacketsLost-before.PacketsLost)
}

// TestWithoutDescriptors: a viewer as browsers make them by themselves, who offers no dependency descriptors, sees what a
// publisher sends with them: of AV1 the smallest layer, since it could not tell them apart, of all others the largest.
func TestWithoutDescriptors(t *testing.T) {
	const plenty = 2_000_000
	browser := startChromium(t)
	for _, test := range []struct {
		codec     string
		encodings []encoding
		spatial   int
	}{
		{"video/AV1", scalable("L3T3", plenty), 0},
		{"video/VP9", scalable("L3T3", plenty), 2},
		{"video/VP8", simulcast(plenty/10, plenty/4, plenty/2), 2},
	} {
		t.Run(test.codec, func(t *testing.T) {
			node := startNode(t)
			painter(t, browser, node, "ann", "room", published{codec: test.codec, encodings: test.encodings, descriptor: true})
			bob := view(t, browser, node, "bob", "room", "ann", false)
			bob.shows(test.spatial)
			bob.plays(bob.sub)
			bob.undisturbed(browser, bob.film())
			t.Logf("%+v", bob.inbound())
		})
	}
}
