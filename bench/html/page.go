// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const (
	colors     = 8    // runs with a color of their own; then they repeat, and letters tell
	disturbing = 0.25 // cores of other processes above which a figure is marked
)

// runRef is how a run is named wherever its figures stand.
type runRef struct {
	Letter string
	Name   string
	Color  int
}

// page is what the template shows.
type page struct {
	Title   string
	Runs    []runCard
	Several bool
	Changes []changes
	Noise   string

	Groups  []headGroup
	Columns []metric
	Rows    []tableRow
	Lists   []otherList
	// Disturbed says that a mark in the table has to be explained.
	Disturbed bool

	Cost    *barChart
	Latency *spanChart
	Growth  []*curveChart
	Grown   []growthTable
	Ramps   []rampView
	Links   []linkView

	runs []*Run
	refs []runRef
	rows []row
}

// Width is the number of columns of the table.
func (p *page) Width() int { return len(p.Columns) + 1 }

// GrowthColumns are those of the tables of growth curves.
func (p *page) GrowthColumns() []metric { return growthColumns }

// headGroup is a heading over several columns.
type headGroup struct {
	Label string
	Span  int
}

// tableRow is a load.
type tableRow struct {
	Label   string
	Results []tableLine
}

// tableLine is what one run says of it.
type tableLine struct {
	runRef
	Cells   []cell
	Repeats string
	Others  string // disturbed by so much
}

type cell struct {
	Text, Note string
	Diff       *difference // to the first run; nil: this is the first
}

// otherList has the figures of a load that the table leaves out.
type otherList struct {
	Label string
	Runs  []runRef
	Rows  []otherRow
}

type otherRow struct {
	Path  string
	Cells []cell
}

func newPage(runs []*Run) *page {
	p := &page{Title: "Switchyard: bench", runs: runs, rows: rowsOf(runs), Several: len(runs) > 1, Noise: fmt.Sprintf("±%.0f\u00A0%%", noise*100), Columns: metrics}
	p.name()
	for i, r := range runs {
		p.Runs = append(p.Runs, newCard(p.refs[i], r, runs[0]))
	}
	for _, m := range metrics {
		if n := len(p.Groups); n > 0 && p.Groups[n-1].Label == m.group {
			p.Groups[n-1].Span++

			continue
		}
		p.Groups = append(p.Groups, headGroup{m.group, 1})
	}
	for _, r := range p.rows {
		p.Rows = append(p.Rows, p.tableRow(r))
		if l := p.otherList(r); len(l.Rows) > 0 {
			p.Lists = append(p.Lists, l)
		}
	}
	for i := 1; i < len(runs); i++ {
		p.Changes = append(p.Changes, p.changes(i))
	}
	p.Cost, p.Latency, p.Growth, p.Ramps = costChart(p), latencyChart(p), growthCharts(p), rampViews(p)
	p.Grown, p.Links = grownTables(p), linkViews(p)

	return p
}

// name gives letters to runs, and makes the names of two from files of one name different.
func (p *page) name() {
	count := make(map[string]int)
	for _, r := range p.runs {
		count[r.name]++
	}
	seen := make(map[string]int)
	for i, r := range p.runs {
		name := r.name
		if count[r.name] > 1 && r.variant() != "" {
			name = r.name + ": " + r.variant()
		}
		if seen[name]++; count[r.name] > 1 && (name == r.name || seen[name] > 1) {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		p.refs = append(p.refs, runRef{letter(i), name, i % colors})
	}
}

// variant is what tells apart nodes that were measured in turn.
func (r *Run) variant() string {
	c := r.conditions
	parts := slices.DeleteFunc([]string{filepath.Base(c.Binary), c.Args, strings.Join(r.settings, " ")}, func(s string) bool { return s == "" || s == "." })

	return shorten(strings.Join(parts, " "), longestLabel)
}

// letter counts A to Z, AA, AB.
func letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}

	return letter(i/26-1) + letter(i%26)
}

func (p *page) tableRow(r row) tableRow {
	out := tableRow{Label: r.label}
	for i, x := range r.results {
		if x.report == nil {
			continue
		}
		l := tableLine{runRef: p.refs[i]}
		for _, m := range metrics {
			c := cell{Text: m.text(x.report), Note: note(m, x.report)}
			if i > 0 {
				c.Diff = against(r.results[0], x, m)
			}
			l.Cells = append(l.Cells, c)
		}
		if x.of > 1 {
			l.Repeats = fmt.Sprintf("middle of %d, %s to %s µs", x.of, number(x.least), number(x.most))
		}
		if v := x.numbers["load_generator.other_processes_cpu_cores"]; v >= disturbing {
			l.Others, p.Disturbed = grouped(v, 2), true
		}
		out.Results = append(out.Results, l)
	}

	return out
}

// note is a second line in a cell.
func note(m metric, r *report) string {
	switch m.path {
	case cpu:
		user, okU := r.number("cpu_user_us_per_packet")
		system, okS := r.number("cpu_system_us_per_packet")
		if okU || okS {
			return number(user) + " + " + number(system)
		}
	case ratio:
		if f, ok := r.number(floorCPU); ok {
			return "floor " + number(f) + " µs"
		}
	case "lost":
		if v, ok := r.number("lost"); ok {
			return grouped(v, 0) + " of " + grouped(r.numbers["packets_expected"], 0)
		}
	}

	return ""
}

// against is nil if one of the two does not have the figure.
func against(base, x result, m metric) *difference {
	if base.report == nil || x.report == nil {
		return nil
	}
	a, okA := m.value(base.report)
	b, okB := m.value(x.report)
	if !okA || !okB {
		return nil
	}
	d := differs(a, b, m.better)

	return &d
}

func (p *page) otherList(r row) otherList {
	l := otherList{Label: r.label}
	for i, x := range r.results {
		if x.report != nil {
			l.Runs = append(l.Runs, p.refs[i])
		}
	}
	for _, path := range r.otherPaths() {
		o := otherRow{Path: path}
		m := metric{path: path}
		for i, x := range r.results {
			if x.report == nil {
				continue
			}
			c := cell{Text: m.plain(x.report)}
			if i > 0 {
				c.Diff = against(r.results[0], x, m)
			}
			o.Cells = append(o.Cells, c)
		}
		l.Rows = append(l.Rows, o)
	}

	return l
}
