// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"strings"
)

// Sizes in pixels of a plot with a line for each run of each load.
const (
	axisHeight  = 26
	groupHeight = 26
	barHeight   = 34
	textBase    = 12 // from the top of a line to the baseline of its text
	barTop      = 17
	barThick    = 10
)

// chart is what all plots have.
type chart struct {
	ID          string
	Title, Desc string // Desc says in words what is to be seen
	Height      coordinate
	Unit        string
	Ticks       []tick
}

// group is the heading of a load in a plot.
type group struct {
	Y     coordinate
	Label string
}

// barChart is the cost of each run of each load, over its floor.
type barChart struct {
	chart
	Groups []group
	Bars   []bar
}

type bar struct {
	runRef
	Y, TextY, BarY, FloorTop, FloorEnd coordinate
	Text, Hint                         string
	User, System                       coordinate // widths, percent; System begins where User ends
	Total                              coordinate // in place of them, where there is no split
	Floor                              coordinate
	HasFloor                           bool
}

// costChart is nil if nothing has been measured.
func costChart(p *page) *barChart {
	c := &barChart{chart: chart{
		ID: "cost", Title: "CPU time per packet delivered, over the floor", Unit: "µs per packet",
	}}
	most := 0.0
	for _, r := range p.rows {
		for _, x := range r.results {
			v, _ := x.number(cpu)
			f, _ := x.number(floorCPU)
			most = max(most, v, f)
		}
	}
	if most == 0 {
		return nil
	}
	s := linear(most, 0, 100)
	s.to = 96 // room for half of the last label
	c.Ticks = s.ticks()
	y, desc := float64(axisHeight), []string{"Bars from 0 in µs, in front the time in user space, then that in the kernel; a line where the floor is."}
	for _, r := range p.rows {
		if !r.has(cpu) {
			continue
		}
		c.Groups = append(c.Groups, group{coordinate(y + textBase + 6), shorten(r.label, longestLabel)})
		y += groupHeight
		for i, x := range r.results {
			if _, ok := x.number(cpu); !ok {
				continue
			}
			b := newBar(p.refs[i], x, s, y)
			c.Bars = append(c.Bars, b)
			desc = append(desc, r.label+", run "+b.Letter+": "+b.Text+".")
			y += barHeight
		}
	}
	c.Height, c.Desc = coordinate(y+6), strings.Join(desc, " ")

	return c
}

// newBar fits its text into a phone's width: some 45 characters.
func newBar(ref runRef, x result, s scale, y float64) bar {
	total, user, system := x.numbers[cpu], x.numbers["cpu_user_us_per_packet"], x.numbers["cpu_system_us_per_packet"]
	b := bar{
		runRef: ref, Y: coordinate(y), TextY: coordinate(y + textBase), BarY: coordinate(y + barTop),
		FloorTop: coordinate(y + barTop - 3), FloorEnd: coordinate(y + barTop + barThick + 3),
		Text: number(total) + " µs",
	}
	if user+system > 0 {
		b.User, b.System = s.at(user), s.at(user+system)-s.at(user)
		b.Text += " = " + number(user) + " + " + number(system)
	} else {
		b.Total = s.at(total)
	}
	if f, ok := x.number(floorCPU); ok {
		b.Floor, b.HasFloor = s.at(f), true
		b.Text += " · floor " + number(f)
	}
	if q, ok := x.number(ratio); ok {
		b.Text += " · " + number(q) + " ×"
	}
	b.Hint = b.Text
	if x.of > 1 {
		b.Hint += fmt.Sprintf("; the middle one of %d: %s to %s µs", x.of, number(x.least), number(x.most))
	}

	return b
}

// has says whether any run has the figure.
func (r row) has(path string) bool {
	for _, x := range r.results {
		if _, ok := x.number(path); ok {
			return true
		}
	}

	return false
}
