// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"math"
	"strings"
)

// spanChart is the latency of each run of each load, on a logarithmic axis.
type spanChart struct {
	chart
	Groups []group
	Spans  []span
}

// span goes from the median to the longest.
type span struct {
	runRef
	TextY, Y, Top, End coordinate
	Text               string
	From, To           coordinate // the whole line
	Marks              []mark
}

// mark is a percentile on it.
type mark struct {
	runRef
	At    coordinate
	Shape string // p50, p95, p99 or max
	Hint  string
}

var percentiles = []string{"p50", "p95", "p99", "max"}

// latencyChart is nil if nothing has been measured.
func latencyChart(p *page) *spanChart {
	least, most := math.Inf(1), 0.0
	for _, r := range p.rows {
		for _, x := range r.results {
			for _, q := range percentiles {
				if v, ok := x.number("latency_ms." + q); ok && v > 0 {
					least, most = min(least, v), max(most, v)
				}
			}
		}
	}
	if most == 0 {
		return nil
	}
	s := logarithmic(least, most, 2, 96)
	c := &spanChart{chart: chart{ID: "latency", Title: "One-way latency from publisher to subscriber", Unit: "ms, logarithmic", Ticks: s.ticks()}}
	y, desc := float64(axisHeight), []string{"Lines from the median over the 95th and 99th percentile to the longest, on a logarithmic axis."}
	for _, r := range p.rows {
		if !r.has("latency_ms.p50") {
			continue
		}
		c.Groups = append(c.Groups, group{coordinate(y + textBase + 6), shorten(r.label, longestLabel)})
		y += groupHeight
		for i, x := range r.results {
			if _, ok := x.number("latency_ms.p50"); !ok {
				continue
			}
			b := newSpan(p.refs[i], x, s, y)
			c.Spans = append(c.Spans, b)
			desc = append(desc, r.label+", run "+b.Letter+": "+b.Text+" ms.")
			y += barHeight
		}
	}
	c.Height, c.Desc = coordinate(y+6), strings.Join(desc, " ")

	return c
}

func newSpan(ref runRef, x result, s scale, y float64) span {
	const middle = barTop + barThick/2
	b := span{
		runRef: ref, TextY: coordinate(y + textBase), Y: coordinate(y + middle), Top: coordinate(y + middle - 6), End: coordinate(y + middle + 6),
		From: coordinate(s.to), To: coordinate(s.from),
	}
	var texts []string
	for _, q := range percentiles {
		v, ok := x.number("latency_ms." + q)
		if !ok || v <= 0 {
			continue
		}
		m := mark{ref, s.at(v), q, q + " " + number(v) + " ms"}
		b.Marks = append(b.Marks, m)
		b.From, b.To = min(b.From, m.At), max(b.To, m.At)
		texts = append(texts, q+" "+number(v))
	}
	b.Text = strings.Join(texts, " · ")

	return b
}
