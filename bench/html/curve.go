// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Sizes of a plot of curves: heights in pixels, widths in percent. The template moves all of it to the right of the labels of the
// upright axis, which is why 100 % is not used up.
const (
	curveHeight = 250
	curveTop    = 26.0
	curveBottom = 204.0
	curveLeft   = 1.5
	curveRight  = 78.0
)

// curveChart has a curve for each run.
type curveChart struct {
	chart
	Across       []tick // Ticks are those of the upright axis
	AcrossUnit   string
	Curves       []curve
	Limits       []tick // lines that should not be crossed
	Knees        []knee
	Bottom, Left coordinate
	Top, Right   coordinate
}

// curve is one run; a thin one is its floor.
type curve struct {
	runRef
	Thin     bool
	Segments []segment
	Points   []point
	End      *label // the name of the run; nil for a thin or an empty one
}

// label stands at a curve's last point, moved up or down where it would cover another.
type label struct{ X, Y coordinate }

type segment struct{ X1, Y1, X2, Y2 coordinate }

type point struct {
	X, Y  coordinate
	Loose bool // not on the curve
	Hint  string
}

// knee is the load of the last step that held.
type knee struct {
	runRef
	X     coordinate
	TextY coordinate
	Label string
	End   bool // the label is left of the line
}

// line is a curve before it is drawn.
type line struct {
	ref  runRef
	thin bool
	dots []dot
}

type dot struct {
	x, y  float64
	loose bool // past the knee, or tried again
	note  string
}

// axes say how to draw.
type axes struct {
	id, title       string
	across, upright string // units
	log             bool   // upright axis
	limit           float64
}

// draw is nil if there are not two points to connect.
func draw(a axes, lines []line) *curveChart {
	x, y, ok := fit(a, lines)
	if !ok {
		return nil
	}
	c := &curveChart{
		chart:  chart{ID: a.id, Title: a.title, Height: curveHeight, Unit: a.upright, Ticks: y.ticks()},
		Across: thinned(x.ticks()), AcrossUnit: a.across,
		Top: curveTop, Bottom: curveBottom, Left: curveLeft, Right: curveRight,
	}
	if a.limit > 0 && a.limit <= y.high {
		c.Limits = []tick{{y.at(a.limit), short(a.limit)}}
	}
	var desc []string
	for _, l := range lines {
		k := curve{runRef: l.ref, Thin: l.thin}
		name := "Run " + l.ref.Letter
		if l.thin {
			name += ", floor"
		}
		var texts []string
		var last *point
		for _, d := range l.dots {
			hint := plural(d.x, a.across) + ": " + number(d.y) + " " + a.upright + d.note
			p := point{x.at(d.x), y.at(d.y), d.loose, name + ", " + hint}
			if last != nil && !d.loose {
				k.Segments = append(k.Segments, segment{last.X, last.Y, p.X, p.Y})
			}
			if !d.loose {
				last = &p
			}
			k.Points = append(k.Points, p)
			texts = append(texts, hint)
		}
		c.Curves = append(c.Curves, k)
		desc = append(desc, name+": "+strings.Join(texts, "; ")+".")
	}
	c.Desc = strings.Join(desc, " ")
	c.placeLabels()

	return c
}

// placeLabels keeps names of curves that end near each other apart.
func (c *curveChart) placeLabels() {
	const apart = 12
	var all []*label
	for i := range c.Curves {
		k := &c.Curves[i]
		if k.Thin || len(k.Points) == 0 {
			continue
		}
		last := k.Points[len(k.Points)-1]
		k.End = &label{last.X, last.Y}
		all = append(all, k.End)
	}
	slices.SortStableFunc(all, func(a, b *label) int { return cmp.Compare(a.Y, b.Y) })
	for i := 1; i < len(all); i++ {
		all[i].Y = max(all[i].Y, all[i-1].Y+apart)
	}
	for i, bottom := len(all)-1, coordinate(curveBottom); i >= 0; i, bottom = i-1, bottom-apart {
		all[i].Y = min(all[i].Y, bottom)
	}
}

// fit finds scales for all dots; the one across is logarithmic where loads differ by far.
func fit(a axes, lines []line) (x, y scale, ok bool) {
	least, most := math.Inf(1), 0.0
	bottom, top, count := math.Inf(1), a.limit, 0
	for _, l := range lines {
		if !l.thin {
			count = max(count, len(l.dots))
		}
		for _, d := range l.dots {
			least, most = min(least, d.x), max(most, d.x)
			bottom, top = min(bottom, d.y), max(top, d.y)
		}
	}
	if count < 2 || most <= least {
		return x, y, false
	}
	x = linear(most, curveLeft, curveRight)
	if least > 0 && most/least >= 15 {
		x = logarithmic(least, most, curveLeft, curveRight)
	}
	y = linear(top, curveBottom, curveTop)
	if a.log && bottom > 0 {
		y = logarithmic(bottom, top, curveBottom, curveTop)
	}

	return x, y, true
}

// thinned leaves out labels that would touch each other on a phone.
func thinned(ticks []tick) []tick {
	var out []tick
	for _, t := range ticks {
		if n := len(out); n == 0 || t.At-out[n-1].At >= coordinate(4+2*len([]rune(t.Label))) {
			out = append(out, t)
		}
	}

	return out
}

func sortDots(dots []dot) {
	slices.SortStableFunc(dots, func(a, b dot) int { return cmp.Compare(a.x, b.x) })
}
