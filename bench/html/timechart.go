// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"strings"
)

// Sizes of a plot over time: the plot itself is an SVG of its own, stretched to the width that there is.
const (
	timeWidth  = 1000.0
	timeHeight = 190.0
	timeTop    = 24.0
	timePoints = 400 // drawn of a series; more are put together
)

// timeChart has lines over time.
type timeChart struct {
	chart
	Seconds []tick
	Lines   []timeLine
	Keys    []timeKey
	Box     string // the plot's own coordinates
	Bottom  coordinate
	Inner   coordinate // height of the plot
}

// timeLine is one series.
type timeLine struct {
	Name  string
	Class string // color and style
	Path  string
}

// timeKey is a line of the legend.
type timeKey struct{ Name, Class string }

// lineOf is a series before it is drawn.
type lineOf struct {
	name, class string
	every       float64 // ms
	values      []float64
	peak        bool // where values are put together, the largest counts
	steps       bool
}

// charts are those of a link: rates, what waits, and layers where there are any.
func (l *link) charts(id string) []*timeChart {
	var rates, waits, layers []lineOf
	for i, f := range l.flows {
		color := fmt.Sprintf("line%d ", i%colors)
		if i == 0 {
			rates = append(rates, lineOf{"the link carries", "grey-line capacity", f.Every, f.Capacity, false, true})
		}
		rates = append(rates,
			lineOf{f.Name + ": estimate", color + "estimate", f.Every, f.Estimate, false, false},
			lineOf{f.Name + ": sent", color + "sent", f.Every, f.Sent, false, false},
			lineOf{f.Name + ": received", color + "received", f.Every, f.Received, false, false},
			lineOf{f.Name + ": the other flow", color + "rival", f.Every, f.Rival, false, false})
		waits = append(waits, lineOf{f.Name, color + "estimate", f.Every, f.Delay, true, false})
		layers = append(layers, lineOf{f.Name + ": target", color + "received", f.Every, f.Target, false, true},
			lineOf{f.Name + ": shown", color + "estimate", f.Every, f.Layer, false, true})
	}
	var out []*timeChart
	for _, c := range []*timeChart{
		drawTime(id+"-rate", l.name+": rate", "kbit/s", rates),
		drawTime(id+"-delay", l.name+": longest wait in the bottleneck", "ms", waits),
		drawTime(id+"-layer", l.name+": layer shown, 1 the smallest, 0 none", "", raised(layers)),
	} {
		if c != nil {
			out = append(out, c)
		}
	}

	return out
}

// raised moves layers up by one, so that none is 0.
func raised(lines []lineOf) []lineOf {
	for i, l := range lines {
		up := make([]float64, len(l.values))
		for k, v := range l.values {
			up[k] = v + 1
		}
		lines[i].values = up
	}

	return lines
}

// drawTime is nil if there is nothing to draw.
func drawTime(id, title, unit string, lines []lineOf) *timeChart {
	length, top := 0.0, 0.0
	for _, l := range lines {
		length = max(length, float64(len(l.values))*l.every/1000)
		for _, v := range l.values {
			top = max(top, v)
		}
	}
	if length == 0 {
		return nil
	}
	x, y := scale{0, length, 0, timeWidth, false}, linear(top, timeHeight, 0)
	c := &timeChart{
		chart: chart{ID: id, Title: title, Height: timeTop + timeHeight + 30, Unit: unit}, Bottom: timeTop + timeHeight,
		Box: fmt.Sprintf("0 0 %.0f %.0f", timeWidth, timeHeight), Inner: timeHeight,
	}
	for _, t := range y.ticks() {
		c.Ticks = append(c.Ticks, tick{t.At + timeTop, t.Label})
	}
	axis := linear(length, 0, curveRight)
	full := scale{0, length, 0, 100, false}
	step := niceStep(length)
	for i := 0.0; i*step <= min(length, axis.high)+1e-9; i++ {
		c.Seconds = append(c.Seconds, tick{full.at(i * step), short(i * step)})
	}
	var desc []string
	for _, l := range lines {
		if len(l.values) == 0 {
			continue
		}
		c.Lines = append(c.Lines, timeLine{l.name, l.class, l.path(x, y)})
		c.Keys = append(c.Keys, timeKey{l.name, l.class})
		desc = append(desc, fmt.Sprintf("%s: %s to %s %s.", l.name, short(least(l.values)), short(most(l.values)), unit))
	}
	c.Desc = strings.Join(desc, " ")

	return c
}

// path is the line's, of timePoints at most.
func (l *lineOf) path(x, y scale) string {
	group := max((len(l.values)+timePoints-1)/timePoints, 1)
	var b strings.Builder
	var before coordinate
	for i := 0; i < len(l.values); i += group {
		part := l.values[i:min(i+group, len(l.values))]
		at, v := x.at((float64(i)+float64(len(part))/2)*l.every/1000), y.at(l.together(part))
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%v %v", at, v)
		case l.steps && v != before:
			fmt.Fprintf(&b, "H%vV%v", at, v)
		case l.steps:
			fmt.Fprintf(&b, "H%v", at)
		default:
			fmt.Fprintf(&b, "L%v %v", at, v)
		}
		before = v
	}

	return b.String()
}

func (l *lineOf) together(part []float64) float64 {
	switch {
	case l.peak:
		return most(part)
	case l.steps:
		return part[len(part)-1]
	}
	sum := 0.0
	for _, v := range part {
		sum += v
	}

	return sum / float64(len(part))
}

func most(values []float64) float64 {
	out := values[0]
	for _, v := range values {
		out = max(out, v)
	}

	return out
}

func least(values []float64) float64 {
	out := values[0]
	for _, v := range values {
		out = min(out, v)
	}

	return out
}
