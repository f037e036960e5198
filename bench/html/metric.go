// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"maps"
	"math"
	"slices"
	"strings"
)

const (
	cpu      = "cpu_us_per_packet"
	floorCPU = "floor.cpu_us_per_packet"
	ratio    = "cpu_ratio_to_floor"
	p99      = "latency_ms.p99"
	rss      = "memory.rss_mb"
	perSec   = "packets_per_second"

	// noise is how far two runs of the same thing differ on a quiet machine: a tenth, up or down.
	noise = 0.10
)

// direction is which way a figure gets better.
type direction int8

const (
	neither direction = iota // a difference is named, not judged
	lower
	higher
)

// metric is a column of the table.
type metric struct {
	Label             string // of the column
	group, path, unit string
	better            direction
	key               bool // listed among the differences at the top
	name              string
}

// metrics are the columns; all other figures are in the lists below the table.
var metrics = []metric{
	{"µs a packet = user + system", "CPU", cpu, "µs", lower, true, "CPU per packet"},
	{"node / floor", "CPU", ratio, "×", lower, true, "ratio to the floor"},
	{"a second", "Packets", perSec, "/s", higher, true, "packets per second"},
	{"lost", "Packets", "lost", "", lower, true, "loss"},
	{"p50", "Latency, ms", "latency_ms.p50", "ms", lower, false, "latency p50"},
	{"p95", "Latency, ms", "latency_ms.p95", "ms", lower, false, "latency p95"},
	{"p99", "Latency, ms", p99, "ms", lower, true, "latency p99"},
	{"max", "Latency, ms", "latency_ms.max", "ms", lower, false, "latency max"},
	{"MB resident", "Memory", rss, "MB", lower, true, "resident memory"},
	{"KiB a session", "Memory", "memory.rss_kb_per_session", "KiB", lower, false, "memory a session"},
	{"CPU", "Joins, ms", "join.cpu_ms", "ms", lower, true, "CPU per join"},
	{"first packet p50", "Joins, ms", "join.first_packet_ms.p50", "ms", lower, true, "first packet after a join, p50"},
	{"first packet p95", "Joins, ms", "join.first_packet_ms.p95", "ms", lower, false, "first packet after a join, p95"},
	{"keyframe p50", "Joins, ms", "join.keyframe_ms.p50", "ms", lower, false, "first keyframe after a join, p50"},
}

// value is what is compared: loss as a share, all else as it stands.
func (m metric) value(r *report) (float64, bool) {
	v, ok := r.number(m.path)
	if ok && m.path == "lost" {
		of := r.numbers["packets_expected"]

		return v / of, of > 0
	}

	return v, ok
}

// text is the value for people.
func (m metric) text(r *report) string {
	v, ok := m.value(r)
	switch {
	case !ok:
		return "–"
	case m.path == "lost" && v == 0:
		return "0"
	case m.path == "lost":
		return share(v)
	case m.unit == "×":
		return number(v) + " ×"
	default:
		return number(v)
	}
}

// share is a percentage with as many digits as it takes not to be 0.
func share(v float64) string { return number(v*100) + "\u00A0%" }

// difference is how a figure stands to that of the first run.
type difference struct {
	Text  string // "−23 %"; empty: nothing to compare with
	Word  string // what it is: better, worse, differs; empty: within the noise
	Class string
	by    float64 // -0.23; above all others for one from 0
}

// differs compares b with a, both of the same figure.
func differs(a, b float64, way direction) difference {
	switch {
	case a == b:
		return difference{Class: "same"}
	case a == 0:
		return judged("from 0", math.Copysign(math.MaxFloat64, b), way)
	case a < 0 || b < 0: // memory a session can shrink: no share of that
		return difference{Text: "from " + number(a), Word: "differs", Class: "differs"}
	}
	d := (b - a) / a
	if math.Abs(d) <= noise+1e-9 {
		return difference{Text: percent(d), Class: "same", by: d}
	}

	return judged(percent(d), d, way)
}

func judged(text string, by float64, way direction) difference {
	word := "worse"
	switch {
	case way == neither:
		word = "differs"
	case (by > 0) == (way == higher):
		word = "better"
	}

	return difference{text, word, word, by}
}

func percent(d float64) string {
	switch p := math.Round(d * 100); {
	case d > 9.5:
		return number(d+1) + " ×"
	case p > 0:
		return "+" + grouped(p, 0) + "\u00A0%"
	case p < 0:
		return grouped(p, 0) + "\u00A0%"
	default:
		return "±0\u00A0%"
	}
}

// inTable are the paths that the table or the list of runs shows.
func inTable(path string) bool {
	return strings.HasPrefix(path, "machine.") || path == "clients_rest_ms" || path == "lost_share" ||
		slices.ContainsFunc(metrics, func(m metric) bool { return m.path == path })
}

// otherPaths are the figures of a row that are not in the table, by name.
func (r row) otherPaths() []string {
	all := make(map[string]bool)
	for _, x := range r.results {
		if x.report == nil {
			continue
		}
		for p := range x.numbers {
			if !inTable(p) {
				all[p] = true
			}
		}
	}

	return slices.Sorted(maps.Keys(all))
}
