// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// growthKey parts curves that cannot be in one plot.
type growthKey struct{ scenario, axis string }

func (k growthKey) title() string {
	if k.axis == "sessions" {
		return shorten(k.scenario, longestLabel)
	}

	return shorten(k.scenario+" by "+k.axis, longestLabel)
}

// growthTable has the points of a curve, of all runs.
type growthTable struct {
	Title, Across string
	Rows          []growthRow
}

type growthRow struct {
	runRef
	Size  string
	Cells []cell
}

// growthColumns are metrics by their paths.
var growthColumns = []metric{
	{Label: "sessions", path: "sessions"},
	{Label: "packets/s", path: perSec, better: higher},
	{Label: "CPU a packet, µs", path: cpu, better: lower},
	{Label: "node / floor", path: ratio, unit: "×", better: lower},
	{Label: "p99, ms", path: p99, better: lower},
	{Label: "lost packets", path: "lost", better: lower},
	{Label: "resident, MB", path: rss, better: lower},
	{Label: "goroutines", path: "memory.goroutines", better: lower},
	{Label: "CPU a join, ms", path: "join.cpu_ms", better: lower},
}

// grownKeys are in the order of the files.
func grownKeys(p *page) []growthKey {
	var out []growthKey
	for _, run := range p.runs {
		for _, g := range run.growths {
			if k := (growthKey{g.scenario, g.axis}); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}

	return out
}

func grownCharts(p *page) []*curveChart {
	var out []*curveChart
	for i, k := range grownKeys(p) {
		for j, a := range []axes{
			{title: "CPU per packet", upright: "µs", across: k.axis},
			{title: "resident memory", upright: "MB", across: "sessions"},
		} {
			a.id, a.title = fmt.Sprintf("curve%d-%d", i, j), k.title()+": "+a.title
			across, paths := size, []string{cpu, floorCPU}
			if a.across == "sessions" {
				across = "sessions"
			}
			if j == 1 {
				paths = []string{rss}
			}
			if c := draw(a, p.grownLines(k, across, paths)); c != nil {
				out = append(out, c)
			}
		}
	}

	return out
}

// grownLines are the values of figures over another; those after the first are thin.
func (p *page) grownLines(k growthKey, across string, paths []string) []line {
	var out []line
	for j, path := range paths {
		for i, run := range p.runs {
			for _, g := range run.growths {
				if g.scenario != k.scenario || g.axis != k.axis {
					continue
				}
				l := line{ref: p.refs[i], thin: j > 0}
				for _, r := range g.points {
					x, okX := r.number(across)
					if y, ok := r.number(path); ok && okX && y > 0 {
						l.dots = append(l.dots, dot{x: x, y: y})
					}
				}
				if sortDots(l.dots); len(l.dots) > 0 {
					out = append(out, l)
				}
			}
		}
	}

	return out
}

// grownPoint is one that has to be found among those of other runs.
type grownPoint struct {
	run int
	*report
}

func grownTables(p *page) []growthTable {
	var out []growthTable
	for _, k := range grownKeys(p) {
		var all []grownPoint
		for i, run := range p.runs {
			for _, g := range run.growths {
				for _, r := range g.points {
					if g.scenario == k.scenario && g.axis == k.axis {
						all = append(all, grownPoint{i, r})
					}
				}
			}
		}
		slices.SortStableFunc(all, func(a, b grownPoint) int {
			return cmp.Or(cmp.Compare(a.numbers[size], b.numbers[size]), cmp.Compare(a.run, b.run))
		})
		t := growthTable{Title: k.title(), Across: k.axis}
		for _, q := range all {
			base := slices.IndexFunc(all, func(o grownPoint) bool { return o.run == 0 && o.numbers[size] == q.numbers[size] })
			row := growthRow{runRef: p.refs[q.run], Size: short(q.numbers[size])}
			for _, m := range growthColumns {
				c := cell{Text: m.plain(q.report)}
				if q.run > 0 && base >= 0 && m.better != neither {
					c.Diff = compared(m.path, all[base].report, q.report, m.better)
				}
				row.Cells = append(row.Cells, c)
			}
			t.Rows = append(t.Rows, row)
		}
		out = append(out, t)
	}

	return out
}

// plain is the value as it stands: counts without decimals, and loss as a number, for points do not say of how many.
func (m metric) plain(r *report) string {
	v, ok := r.number(m.path)
	switch {
	case !ok:
		return "–"
	case v == math.Trunc(v):
		return grouped(v, 0)
	default:
		return number(v)
	}
}

// compared is nil if one of the two does not have the figure.
func compared(path string, base, r *report, way direction) *difference {
	a, okA := base.number(path)
	b, okB := r.number(path)
	if !okA || !okB {
		return nil
	}
	d := differs(a, b, way)

	return &d
}
