// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"slices"
	"strings"
)

// grows lists what a scenario's curves are drawn over: the sizes that differ between its rows.
func grows(rows []row) []int {
	var out []int
	for k := range sizes {
		if slices.ContainsFunc(rows, func(r row) bool { return r.load.sizes[k] != rows[0].load.sizes[k] }) {
			out = append(out, k)
		}
	}

	return out
}

// families are the rows of each scenario.
func families(rows []row) [][]row {
	var out [][]row
	for i, r := range rows {
		if i == 0 || rows[i-1].load.scenario != r.load.scenario {
			out = append(out, nil)
		}
		last := len(out) - 1
		out[last] = append(out[last], r)
	}

	return out
}

// growthCharts are cost over load for each scenario that was played with several, and memory over sessions; and those of curves that
// were measured as such.
func growthCharts(p *page) []*curveChart {
	out := grownCharts(p)
	add := func(c *curveChart) {
		if c != nil {
			out = append(out, c)
		}
	}
	for i, family := range families(p.rows) {
		for _, k := range grows(family) {
			for j, cut := range cuts(family, k) {
				a := axes{
					id:     fmt.Sprintf("grow%d-%d-%d", i, k, j),
					title:  shorten(cut.label, longestLabel) + ": CPU per packet",
					across: strings.ReplaceAll(sizes[k], "_", " "), upright: "µs",
				}
				lines := append(p.lines(cut.rows, sizes[k], cpu, false), p.lines(cut.rows, sizes[k], floorCPU, true)...)
				add(draw(a, lines))
			}
		}
		a := axes{
			id: fmt.Sprintf("memory%d", i), title: shorten(family[0].load.scenario, longestLabel) + ": resident memory",
			across: "sessions", upright: "MB",
		}
		add(draw(a, p.lines(family, "sessions", rss, false)))
	}

	return out
}

// cut is what is left of a scenario when all sizes but one are held.
type cut struct {
	label string
	rows  []row
}

// cuts parts rows by all sizes but the k-th. Where no two rows are left that way, sizes have grown together and there is one cut.
func cuts(rows []row, k int) []cut {
	var out []cut
	for _, r := range rows {
		held := heldSizes(r.load, k, grows(rows))
		i := slices.IndexFunc(out, func(c cut) bool { return c.label == held })
		if i < 0 {
			i = len(out)
			out = append(out, cut{label: held})
		}
		out[i].rows = append(out[i].rows, r)
	}
	if !slices.ContainsFunc(out, func(c cut) bool { return len(c.rows) > 1 }) {
		return []cut{{rows[0].load.scenario, rows}}
	}

	return out
}

func heldSizes(l load, k int, growing []int) string {
	parts := []string{l.scenario}
	for _, i := range growing {
		if i != k && l.sizes[i] != 0 {
			parts = append(parts, plural(l.sizes[i], sizes[i]))
		}
	}

	return strings.Join(parts, ", ")
}

// lines are the values of one figure over another, one line a run.
func (p *page) lines(rows []row, across, upright string, thin bool) []line {
	var out []line
	for i, ref := range p.refs {
		l := line{ref: ref, thin: thin}
		for _, r := range rows {
			x, okX := r.results[i].number(across)
			y, okY := r.results[i].number(upright)
			if okX && okY && y > 0 {
				l.dots = append(l.dots, dot{x: x, y: y})
			}
		}
		sortDots(l.dots)
		if len(l.dots) > 0 {
			out = append(out, l)
		}
	}

	return out
}
