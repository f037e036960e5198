// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/internal/sfutest"
)

// TestSimulatedLinks plays all of them beside the yard-stick, in a process of its own.
func TestSimulatedLinks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := bench(t.Context(), []string{"-links", "-json"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	n := 0
	for d := json.NewDecoder(&out); ; n++ {
		var r LinkReport
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if r.Kind != kindSimulated || len(r.Flows) != 2 || r.Flows[0].Name != "ours" {
			t.Fatalf("%s: %s, %d flows", r.Link, r.Kind, len(r.Flows))
		}
		for _, f := range r.Flows {
			points := int(r.Seconds * 1000 / f.Every)
			if len(f.Estimate) != points || len(f.Capacity) != points || len(f.Delay) != points || f.Figures["received"] <= 0 {
				t.Errorf("%s, %s: %d of %d points, %v", r.Link, f.Name, len(f.Estimate), points, f.Figures)
			}
		}
		if r.missed() != 0 {
			t.Errorf("%s: %v", r.Link, r.Bounds)
		}
		var table bytes.Buffer
		if err := r.table(&table); err != nil || !strings.Contains(table.String(), "pion's gcc") {
			t.Errorf("%v, %s", err, &table)
		}
	}
	if n != len(links.All()) {
		t.Errorf("%d links", n)
	}
}

// linkRunOn is for clients of a node in this process.
func linkRunOn(t *testing.T) *linkRun {
	t.Helper()
	n := sfutest.StartNode(t, nil)
	o, err := parse([]string{"-node", n.Target, "-scenario", "link-steady"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r, done, err := openLinks(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)

	return r
}

// TestClientBehindALink: over a link with room for everything a client gets a simulcast whole, without a gap, and decodes it; and what
// it is shown is in the report.
func TestClientBehindALink(t *testing.T) {
	t.Parallel()
	r := linkRunOn(t)
	asked := 0
	report, err := r.playCase(t.Context(), linkCase{
		name: "link-test", length: 3 * time.Second, ask: func(b *linkBounds) { asked++; b.layer(0); b.queue() },
		shape: shaped(20*links.Mbit, func(s *path.Shape) { s.Delay, s.Queue = 5*path.Millisecond, 1<<20 }),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := report.Flows[0]
	if asked != 1 || len(report.Bounds) != 2 || len(f.Layer) != 15 || len(f.Received) != 15 || len(f.Estimate) != 15 || len(f.Capacity) != 15 {
		t.Fatalf("%d bounds, %d layers, %d rates", len(report.Bounds), len(f.Layer), len(f.Received))
	}
	if f.Figures["received"] < 100 || f.Figures["fps"] <= 0 || f.Figures["gaps"] != 0 {
		t.Errorf("%v", f.Figures)
	}
	if last := f.Layer[len(f.Layer)-1]; last < 0 || last > 2 {
		t.Errorf("layer %v at the end", last)
	}
}

// seen makes what a client has seen of one camera: its layer slice by slice.
func seen(layers ...int) *linkSeen {
	s := &linkSeen{length: time.Duration(len(layers)) * linkSlice, layers: cameraLayers(), tracks: []uint32{7}, trace: &load.Trace{
		Every: linkSlice, Slots: make([]load.TraceSlot, len(layers)), Pictures: map[uint32]*load.Pictures{7: {}},
	}}
	last := -1
	for i, l := range layers {
		s.estimates, s.rival = append(s.estimates, 1e6), append(s.rival, 0)
		if l < 0 {
			continue
		}
		s.trace.Slots[i] = load.TraceSlot{Bytes: 25_000, ByTrack: map[uint32]int{7: 20_000}, Layer: map[uint32]int{7: l}}
		if p := s.trace.Pictures[7]; l != last {
			p.Switches = append(p.Switches, load.Switch{At: time.Duration(i) * linkSlice, Layer: l})
		}
		last = l
	}

	return s
}

func TestWhatAClientHasSeen(t *testing.T) {
	s := seen(-1, 0, 0, 2, 2, 2, 2, 2, 1, 2, -1, -1, -1, -1, -1, -1, 2, 2, 2, 2)
	if got := s.received(0, s.length); got != 13.0/20*1e6 {
		t.Errorf("received %v", got)
	}
	if got := s.video(linkSlice, 2*linkSlice); got != 800_000 {
		t.Errorf("video %v", got)
	}
	if l := s.layerAt(7, 13); l != 2 {
		t.Errorf("layer %d, the last picture is less than a second ago", l)
	}
	if l := s.layerAt(7, 15); l != -1 {
		t.Errorf("layer %d, the last picture is more than a second ago", l)
	}
	if got := s.atLeast(2, 3*linkSlice, 8*linkSlice); got != 1 {
		t.Errorf("share %v", got)
	}
	if got := s.usual(7, 0, s.length); got != 2 {
		t.Errorf("usually %d", got)
	}
	if got := s.flaps(0, s.length); got != 3 {
		t.Errorf("%d changes in ten seconds", got)
	}
	if got := s.estimated(0, 1e6); got != ms(3*linkSlice) {
		t.Errorf("estimated after %v ms", got)
	}
	if got := s.estimated(0, 2e6); got != -1 {
		t.Errorf("estimated after %v ms", got)
	}
	long := make([]int, 60)
	for i := range long {
		long[i] = min(i/10, 2)
	}
	long[25] = 0
	if got := seen(long...).back(0, 2); got != ms(27*linkSlice) {
		t.Errorf("back for good after %v ms", got)
	}
}

// TestEveryCaseAsks: each link has a name of its own, a length, and bounds, whatever was seen.
func TestEveryCaseAsks(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range linkCases() {
		if names[c.name] || !isLinks(c.name) || c.length < 10*time.Second || c.shape.Capacity(0) <= 0 {
			t.Errorf("case %+v", c)
		}
		names[c.name] = true
		s := seen(make([]int, int(c.length/linkSlice))...)
		b := &linkBounds{s: s}
		c.ask(b)
		if len(b.all) < 2 {
			t.Errorf("%s asks for %v", c.name, b.all)
		}
	}
}

func TestFits(t *testing.T) {
	for capacity, want := range map[float64]int{200_000: -1, 300_000: 0, 589_000: 0, 591_000: 1, 1_600_000: 1, 1_700_000: 2} {
		if got := fits(cameraLayers(), capacity); got != want {
			t.Errorf("layer %d over %v bit/s, want %d", got, capacity, want)
		}
	}
	if a, b := linkOf(0, 100), linkOf(99, 100); a != thinnest || b != widest {
		t.Errorf("links from %v to %v", a, b)
	}
}

func TestFanoutJudges(t *testing.T) {
	of := func(capacity int64, layer int) *linkSeen {
		s := seen(layer, layer, layer, layer, layer, layer, layer, layer)
		s.capacity = path.Constant(capacity)

		return s
	}
	all := []*linkSeen{of(200_000, -1), of(2_000_000, 2), of(2_000_000, 1), of(2_000_000, 0), of(700_000, 2)}
	got := nearBest(all)[0]
	if got.Got != 4 || got.Limit != 5 || got.Held || !strings.Contains(got.What, "2 at it, 1 above") {
		t.Errorf("%v", got)
	}
	for _, b := range untouched(all[:1], all[:1]) {
		if !b.Held {
			t.Errorf("%v", b)
		}
	}
}

func TestCostIsJudged(t *testing.T) {
	r := &CostReport{Rows: []CostRow{
		{Congestion: true, CPUPerPacket: 11},
		{CPUPerPacket: 10},
		{Congestion: true, Simulcast: true, CPUPerPacket: 12},
		{Simulcast: true, CPUPerPacket: 11},
	}}
	r.judge()
	var got []float64
	for _, b := range r.Bounds {
		got = append(got, b.Got)
	}
	if diff := cmp.Diff([]float64{1.1, 1.091, 1.2}, got); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	if !r.Bounds[0].Held || r.Bounds[2].Held {
		t.Errorf("%v", r.Bounds)
	}
	if got := middleOf([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median %v", got)
	}
}

func TestLinkBoundsAsText(t *testing.T) {
	for want, b := range map[string]LinkBound{
		"pass received: 935 kbit/s (≥ 850)": bound("received", "kbit/s", 935, 850, false),
		"MISS wait: 151 ms (≤ 150)":         bound("wait", "ms", 151, 150, true),
		"MISS back: never (≤ 15000)":        bound("back", "ms", -1, 15000, true),
	} {
		if got := b.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
