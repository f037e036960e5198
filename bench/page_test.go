// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	stdhtml "html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/bench/html"
)

// TestPageOfFiles: nothing is measured.
func TestPageOfFiles(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.html")
	var printed strings.Builder
	if err := bench(t.Context(), []string{"-html", out, "html/testdata/base.json", "html/testdata/next.json"}, &printed, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "2 runs compared") || printed.Len() > 0 {
		t.Errorf("printed %q and wrote %.200s", &printed, text)
	}
	for want, args := range map[error][]string{
		errUsage:         {"base.json"},
		html.ErrOutput:   {"-html", "base.json", "next.json"},
		html.ErrNoReport: {"-html", out, os.DevNull},
		os.ErrNotExist:   {"-html", out, "none.json"},
	} {
		if err := bench(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", args, err, want)
		}
	}
	if again, err := os.ReadFile(out); err != nil || string(again) != string(text) {
		t.Errorf("the page has changed: %v", err)
	}
}

// TestPageOfEveryMode feeds the page with the types that are printed: it has to know their JSON names.
func TestPageOfEveryMode(t *testing.T) {
	at := func(axis string, n float64, p99 float64) *Report {
		return &Report{
			Scenario: "webinar", NodeVersion: "1.2.3", Size: Size{axis, n}, Sessions: int(n) + 1, TransportCC: true, CPUPerPacket: 9, CPUPerPacketUser: 4,
			CPUPerPacketSystem: 5, Floor: &Floor{CPUPerPacket: 3}, RatioToFloor: 3, PacketsPerSecond: 1234, Expected: 100, Lost: 25,
			Latency: Latency{P50: 1, P95: 2, P99: p99, Max: 5}, Join: Join{CPU: 6.5}, Memory: Memory{RSS: 77, RSSPerSession: 88},
		}
	}
	p := page{out: filepath.Join(t.TempDir(), "out.html")}
	held, fell, beyond := at("subscribers", 10, 3), at("subscribers", 14, 70), at("subscribers", 15, 90)
	for _, r := range []result{
		at("subscribers", 10, 3),
		&ramp{Scenario: "webinar", Axis: "subscribers", Steps: []*Report{held, fell}, Knee: held, Beyond: beyond, Kept: 0.875},
		&growth{NodeVersion: "1.2.3", Curves: []*curve{{Scenario: "webinar", Axis: "rooms", Points: []*curvePoint{
			{Size: 1, Sessions: 5, CPUPerPacket: 4, Floor: 2, RSS: 41}, {Size: 5, Sessions: 25, CPUPerPacket: 3, Floor: 2, RSS: 43},
		}}}},
		&idleReport{Scenario: "idle", NodeVersion: "1.2.3", Sessions: 50, RSS: 46.5, CPUPerJoin: 2.25},
	} {
		if err := p.add(r); err != nil {
			t.Fatal(err)
		}
	}
	early := errors.New("early")
	if err := p.write(early); !errors.Is(err, early) {
		t.Errorf("write hides what ended the command: %v", err)
	}
	raw, err := os.ReadFile(p.out)
	if err != nil {
		t.Fatal(err)
	}
	text := stdhtml.UnescapeString(string(raw))
	for _, want := range []string{
		"<code>1.2.3</code>", "2 reports, 1 ramp, 1 growth curve", // one run, not one a mode
		"webinar, 10 subscribers", "9.00 µs = 4.00 + 5.00 · floor 3.00 · 3.00 ×", "25.0\u00A0%", "p50 1.00 · p95 2.00 · p99 3.00 · max 5.00", ">77.0<", ">88.0<", ">6.50<",
		"knee A: 10", "87.5\u00A0% of that throughput", "did not hold", "past the knee",
		"webinar by rooms: CPU per packet", "webinar by rooms: resident memory",
		"idle, 50 sessions", ">46.5<", ">2.25<",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
