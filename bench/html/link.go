// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	mostFlows  = 8      // of one link; what is beyond is not shown
	mostValues = 20_000 // of one series
	mostBounds = 100
)

// link is what one access link has shown, as bench measures with -links and in its scenarios of links.
type link struct {
	name, kind string
	about      *report
	flows      []flow
	bounds     []bound
}

// flow is one sender over the link.
type flow struct {
	Name    string             `json:"name"`
	Figures map[string]float64 `json:"figures"`
	Every   float64            `json:"every_ms"`
	series
}

// series are values that are Every ms apart: kbit/s, ms, and numbers of layers.
type series struct {
	Capacity []float64 `json:"capacity"`
	Estimate []float64 `json:"estimate"`
	Sent     []float64 `json:"sent"`
	Received []float64 `json:"received"`
	Rival    []float64 `json:"rival"`
	Delay    []float64 `json:"delay"`
	Layer    []float64 `json:"layer"`
	Target   []float64 `json:"target"`
}

func (s *series) all() []*[]float64 {
	return []*[]float64{&s.Capacity, &s.Estimate, &s.Sent, &s.Received, &s.Rival, &s.Delay, &s.Layer, &s.Target}
}

// bound is something asked of the link.
type bound struct {
	What  string  `json:"what"`
	Unit  string  `json:"unit"`
	Got   float64 `json:"got"`
	Limit float64 `json:"limit"`
	Upper bool    `json:"upper"`
	Held  bool    `json:"held"`
}

// link reads one; parts of another type than expected are an error, since nothing of it could be drawn.
func (f *file) link(raw json.RawMessage, base int) error {
	about, err := f.report(raw, base)
	if err != nil {
		return err
	}
	var body struct {
		Flows  []flow  `json:"flows"`
		Bounds []bound `json:"bounds"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return f.failed(base, err)
	}
	l := &link{name: about.texts["link"], kind: about.texts["kind"], about: about}
	l.flows = body.Flows[:min(len(body.Flows), mostFlows)]
	l.bounds = body.Bounds[:min(len(body.Bounds), mostBounds)]
	for i := range l.flows {
		l.flows[i].tidy()
	}
	for i := range l.bounds {
		l.bounds[i].What, l.bounds[i].Unit = clean(l.bounds[i].What), clean(l.bounds[i].Unit)
	}
	run := f.runOf(about)
	run.links = append(run.links, l)

	return nil
}

// tidy bounds what comes from a file.
func (f *flow) tidy() {
	f.Name = clean(f.Name)
	if f.Every = min(max(f.Every, 1), 60_000); math.IsNaN(f.Every) {
		f.Every = 1000
	}
	for _, s := range f.all() {
		*s = (*s)[:min(len(*s), mostValues)]
	}
	figures := make(map[string]float64, len(f.Figures))
	for k, v := range f.Figures {
		if len(figures) < mostLeaves {
			figures[clean(k)] = v
		}
	}
	f.Figures = figures
}

// linkView is a link as the page shows it.
type linkView struct {
	runRef
	Title   string
	Kind    string
	Charts  []*timeChart
	Figures []string // names, in the order of columns
	Rows    []linkRow
	Bounds  []boundView
	Missed  int
}

type linkRow struct {
	Name  string
	Color int
	Cells []string
}

type boundView struct{ Text, Class, Mark string }

func linkViews(p *page) []linkView {
	var out []linkView
	for i, run := range p.runs {
		for j, l := range run.links {
			v := linkView{runRef: p.refs[i], Title: l.name, Kind: kinds[l.kind]}
			v.Charts = l.charts(fmt.Sprintf("link%d-%d", i, j))
			v.figures(l)
			for _, b := range l.bounds {
				v.Bounds = append(v.Bounds, b.view())
				if !b.Held {
					v.Missed++
				}
			}
			out = append(out, v)
		}
	}

	return out
}

// kinds are what is said of a link besides its name.
var kinds = map[string]string{"simulated": "simulated", "node": "real node, emulated link"}

// figures are those that any flow has, the known ones first.
func (v *linkView) figures(l *link) {
	var keys []string
	for _, f := range l.flows {
		for k := range f.Figures {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		i, j := slices.Index(figureKeys, a), slices.Index(figureKeys, b)
		switch {
		case i >= 0 && j >= 0:
			return i - j
		case i >= 0:
			return -1
		case j >= 0:
			return 1
		default:
			return strings.Compare(a, b)
		}
	})
	for _, k := range keys {
		name, ok := figureNames[k]
		if !ok {
			name = strings.ReplaceAll(k, "_", " ")
		}
		v.Figures = append(v.Figures, name)
	}
	for i, f := range l.flows {
		row := linkRow{Name: f.Name, Color: i % colors}
		for _, k := range keys {
			row.Cells = append(row.Cells, figureText(k, f.Figures))
		}
		v.Rows = append(v.Rows, row)
	}
}

var figureKeys = []string{"received", "q95", "q50", "rival", "ready", "layer", "changes", "freezes"}

var figureNames = map[string]string{
	"received": "received, kbit/s", "q95": "95 % wait, ms", "q50": "50 % wait, ms", "rival": "rival, kbit/s", "ready": "80 % after, s",
}

func figureText(key string, all map[string]float64) string {
	v, ok := all[key]
	switch {
	case !ok:
		return "–"
	case v < 0 && key == "ready":
		return "never"
	default:
		return short(v)
	}
}

func (b bound) view() boundView {
	sign, got := "≥", strings.TrimSpace(short(b.Got)+" "+b.Unit)
	if b.Upper {
		sign = "≤"
		if b.Got < 0 {
			got = "never"
		}
	}
	v := boundView{Text: b.What + ": " + got + " (" + sign + " " + short(b.Limit) + ")", Class: "better", Mark: "pass"}
	if !b.Held {
		v.Class, v.Mark = "worse", "miss"
	}

	return v
}
