// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"maps"
)

// Bounds of what holds, as bench has them.
const (
	kneeP99  = 50.0 // ms
	kneeLoss = 0.001
)

// rampView is a ramp as the page shows it, or ramps of several runs of one scenario in one pair of plots.
type rampView struct {
	Scenario string
	Charts   []*curveChart
	Tables   []rampTable
}

type rampTable struct {
	runRef
	Summary string
	Across  string
	Rows    []rampRow
}

type rampRow struct {
	Size, Rate, CPU, P99, Lost, Note string
	Class                            string
}

// sizeOf is what a ramp has raised, and in older files the first size that its steps differ in, or sessions.
func (r *ramp) sizeOf() string {
	if r.axis != "" {
		return r.axis
	}
	for _, name := range sizes {
		if r.steps[0].numbers[name] != r.steps[len(r.steps)-1].numbers[name] {
			return name
		}
	}

	return "sessions"
}

// sizeOn is how large a report's load is on an axis.
func (r *report) sizeOn(axis string) float64 {
	if v, ok := r.numbers["size.value"]; ok && r.texts["size.axis"] == axis {
		return v
	}

	return r.numbers[axis]
}

// rampKey parts ramps that cannot be in one plot.
type rampKey struct{ scenario, across string }

type ownedRamp struct {
	ref  runRef
	ramp *ramp
}

func rampViews(p *page) []rampView {
	var order []rampKey
	all := make(map[rampKey][]ownedRamp)
	for i, run := range p.runs {
		for _, r := range run.ramps {
			k := rampKey{r.scenario, r.sizeOf()}
			if all[k] == nil {
				order = append(order, k)
			}
			all[k] = append(all[k], ownedRamp{p.refs[i], r})
		}
	}
	var out []rampView
	for i, k := range order {
		v := rampView{Scenario: k.scenario}
		for j, a := range []axes{
			{title: "Throughput", upright: "packets/s"},
			{title: "Latency p99", upright: "ms", log: true, limit: kneeP99},
		} {
			a.id, a.across = fmt.Sprintf("ramp%d-%d", i, j), k.across
			if c := rampChart(a, []string{perSec, p99}[j], all[k]); c != nil {
				v.Charts = append(v.Charts, c)
			}
		}
		for _, r := range all[k] {
			v.Tables = append(v.Tables, r.table(k.across))
		}
		out = append(out, v)
	}

	return out
}

func rampChart(a axes, path string, ramps []ownedRamp) *curveChart {
	var lines []line
	for _, r := range ramps {
		l := line{ref: r.ref}
		for _, s := range r.ramp.steps {
			if y, ok := s.number(path); ok {
				l.dots = append(l.dots, dot{x: s.sizeOn(a.across), y: y})
			}
		}
		sortDots(l.dots)
		for i := range l.dots { // what was tried again counts as it came out last
			if i+1 < len(l.dots) && l.dots[i].x == l.dots[i+1].x {
				l.dots[i].loose, l.dots[i].note = true, ", tried again"
			}
		}
		if y, ok := r.ramp.beyond.number(path); ok {
			l.dots = append(l.dots, dot{x: r.ramp.beyond.sizeOn(a.across), y: y, loose: true, note: ", past the knee"})
		}
		lines = append(lines, l)
	}
	c := draw(a, lines)
	if c == nil {
		return nil
	}
	x, _, _ := fit(a, lines)
	for i, r := range ramps {
		if r.ramp.knee == nil {
			continue
		}
		v := r.ramp.knee.sizeOn(a.across)
		at := x.at(v)
		c.Knees = append(c.Knees, knee{r.ref, at, coordinate(curveTop + 10 + 15*float64(i%8)), "knee " + r.ref.Letter + ": " + short(v), at > curveRight/2})
		c.Desc += " The knee of run " + r.ref.Letter + " is at " + short(v) + " " + a.across + "."
	}

	return c
}

func (r ownedRamp) table(across string) rampTable {
	t := rampTable{runRef: r.ref, Across: across, Summary: "the ramp ended before a knee"}
	if k := r.ramp.knee; k != nil {
		t.Summary = fmt.Sprintf("knee at %s %s, %s packets/s", short(k.sizeOn(across)), across, number(k.numbers[perSec]))
		if r.ramp.kept > 0 {
			t.Summary += fmt.Sprintf("; past it %s of that throughput", share(r.ramp.kept))
		}
	}
	if r.ramp.ended != "" {
		t.Summary += "; " + r.ramp.ended
	}
	for _, s := range r.ramp.steps {
		row := rampRowOf(s, across)
		switch {
		case r.ramp.isKnee(s):
			row.Note, row.Class = "knee", "knee"
		case !holds(s):
			row.Note, row.Class = "did not hold", "worse"
		}
		t.Rows = append(t.Rows, row)
	}
	if b := r.ramp.beyond; b != nil {
		row := rampRowOf(b, across)
		row.Note, row.Class = "past the knee", "past"
		t.Rows = append(t.Rows, row)
	}

	return t
}

// isKnee finds the knee, which is printed apart, among the steps: a step that was tried again is of the same size.
func (r *ramp) isKnee(s *report) bool {
	return r.knee != nil && maps.Equal(s.numbers, r.knee.numbers)
}

func rampRowOf(s *report, across string) rampRow {
	figure := func(path string) string {
		if v, ok := s.number(path); ok {
			return number(v)
		}

		return "–"
	}
	lost := metric{path: "lost"}

	return rampRow{Size: short(s.sizeOn(across)), Rate: figure(perSec), CPU: figure(cpu), P99: figure(p99), Lost: lost.text(s)}
}

func holds(s *report) bool {
	return s.numbers[p99] <= kneeP99 && s.numbers["lost"] <= kneeLoss*s.numbers["packets_expected"]
}
