// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Run is a column of comparisons: reports and ramps of one file, of one version on one machine with one configuration. It is not
// changed after [Read].
type Run struct {
	name       string
	file       string
	conditions conditions
	settings   []string
	reports    []*report
	ramps      []*ramp
	growths    []*growth
	links      []*link
}

// conditions are what must be equal in reports of one run.
type conditions struct {
	Version, Model, Kernel, Go string
	CPUs, Rest                 float64
	TransportCC, Settings      string
	Binary, Args               string
}

func conditionsOf(r *report) conditions {
	return conditions{
		Version: r.texts["node_version"], Model: r.texts["machine.model"], Kernel: r.texts["machine.kernel"], Go: r.texts["machine.go"],
		CPUs: r.numbers["machine.cpus"], Rest: r.numbers["clients_rest_ms"], TransportCC: r.texts["clients_offer_transport_cc"],
		Settings: strings.Join(r.settings, "\n"), Binary: r.texts["node_binary"], Args: r.texts["node_args"],
	}
}

// partial says whether the report was of a kind that does not name all conditions: idle sessions and growth.
func (c conditions) partial() bool { return c.TransportCC == "" }

// fits says whether reports of both can be of one run: what one of them does not say is not held against it.
func (c conditions) fits(d conditions) bool {
	if !c.partial() && !d.partial() || c.Args != d.Args {
		return c == d
	}
	for _, pair := range [][2]string{
		{c.Version, d.Version}, {c.Model, d.Model}, {c.Kernel, d.Kernel}, {c.Go, d.Go}, {c.Settings, d.Settings}, {c.Binary, d.Binary},
	} {
		if pair[0] != pair[1] && pair[0] != "" && pair[1] != "" {
			return false
		}
	}

	return c.CPUs == d.CPUs || c.CPUs == 0 || d.CPUs == 0
}

// runOf finds the run that a report belongs to.
func (f *file) runOf(r *report) *Run {
	c := conditionsOf(r)
	for _, run := range f.runs {
		if run.conditions.fits(c) {
			if run.conditions.partial() && !c.partial() {
				run.conditions, run.settings = c, r.settings
			}

			return run
		}
	}
	run := &Run{name: stem(f.name), file: clean(f.name), conditions: c, settings: r.settings}
	f.runs = append(f.runs, run)

	return run
}

// started is the earliest start; zero: none says it.
func (r *Run) started() time.Time {
	var first time.Time
	each := func(p *report) {
		if t := p.started(); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, p := range r.reports {
		each(p)
	}
	for _, p := range r.ramps {
		each(p.steps[0])
	}
	for _, p := range r.links {
		each(p.about)
	}

	return first
}

// row is one load, with what each run says of it.
type row struct {
	load    load
	label   string
	results []result // one a run
}

// result is the middle one, by CPU time, of the reports that a run has of a load.
type result struct {
	*report     // nil: none
	of          int
	least, most float64 // CPU µs per packet
}

// rowsOf lists the loads: scenarios in the order in which they come, each from small to large.
func rowsOf(runs []*Run) []row {
	var rows []row
	order := make(map[string]int)
	for i, run := range runs {
		for _, r := range run.reports {
			l := r.load()
			if _, ok := order[l.scenario]; !ok {
				order[l.scenario] = len(order)
			}
			k := slices.IndexFunc(rows, func(o row) bool { return o.load.equal(l) })
			if k < 0 {
				k = len(rows)
				rows = append(rows, row{load: l, label: l.label, results: make([]result, len(runs))})
			}
			if rows[k].results[i].report == nil {
				rows[k].results[i] = middle(run.reports, l)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(order[a.load.scenario], order[b.load.scenario]), slices.Compare(a.load.sizes, b.load.sizes))
	})
	tellApart(rows)

	return rows
}

func middle(reports []*report, l load) result {
	var same []*report
	for _, r := range reports {
		if r.load().equal(l) {
			same = append(same, r)
		}
	}
	slices.SortStableFunc(same, func(a, b *report) int { return cmp.Compare(a.numbers[cpu], b.numbers[cpu]) })

	return result{same[(len(same)-1)/2], len(same), same[0].numbers[cpu], same[len(same)-1].numbers[cpu]}
}

// tellApart adds what is not in labels, where two are the same.
func tellApart(rows []row) {
	seen := make(map[string]int)
	for _, r := range rows {
		seen[r.load.label]++
	}
	for i := range rows {
		if l := &rows[i].load; seen[l.label] > 1 {
			n := len(l.sizes)
			rows[i].label += " (" + plural(l.sizes[n-2], "sessions") + ", " + plural(l.sizes[n-1], "subscribed_tracks") + ")"
		}
	}
}
