// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
	"slices"
	"strings"
)

// changes are what differs between a run and the first.
type changes struct {
	runRef
	Base    string
	Equal   int // loads in both
	Tallies []*tally
	Loads   []loadChanges
}

// tally counts how a key figure does over all loads.
type tally struct {
	Name  string
	Kinds []tallied // better and worse
	Same  int       // loads where it is within the noise

	better, worse []named
}

// tallied is a number of loads and how far they go.
type tallied struct {
	Class, Text, Loads string
}

type named struct {
	load string
	by   difference
}

type loadChanges struct {
	Label string
	Items []change
}

type change struct {
	Name, From, To string
	difference
}

// changes lists the key figures of the i-th run that differ from the first by more than noise.
func (p *page) changes(i int) changes {
	c := changes{runRef: p.refs[i], Base: p.refs[0].Letter}
	for _, m := range metrics {
		if m.key {
			c.Tallies = append(c.Tallies, &tally{Name: m.name})
		}
	}
	for _, r := range p.rows {
		base, x := r.results[0], r.results[i]
		if base.report == nil || x.report == nil {
			continue
		}
		c.Equal++
		if l := c.load(r.label, base, x); len(l.Items) > 0 {
			c.Loads = append(c.Loads, l)
		}
	}
	c.Tallies = slices.DeleteFunc(c.Tallies, func(t *tally) bool { return len(t.better)+len(t.worse)+t.Same == 0 })
	for _, t := range c.Tallies {
		t.Kinds = append(tallyOf("better", t.better), tallyOf("worse", t.worse)...)
	}

	return c
}

// load compares one load and adds it to the tallies.
func (c *changes) load(label string, base, x result) loadChanges {
	l := loadChanges{Label: label}
	for _, m := range metrics {
		d := against(base, x, m)
		if !m.key || d == nil {
			continue
		}
		t := c.Tallies[slices.IndexFunc(c.Tallies, func(t *tally) bool { return t.Name == m.name })]
		switch d.Class {
		case "better":
			t.better = append(t.better, named{label, *d})
		case "worse":
			t.worse = append(t.worse, named{label, *d})
		default:
			t.Same++
		}
		if d.Word != "" {
			l.Items = append(l.Items, change{m.name, m.text(base.report), withUnit(m.text(x.report), m.unit), *d})
		}
	}

	return l
}

// tallyOf is empty for no load, names one, and counts more.
func tallyOf(word string, all []named) []tallied {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b named) int { return cmp.Compare(a.by.by, b.by.by) })
	first, last := all[0], all[len(all)-1]
	t := tallied{Class: word, Text: first.by.Text + " " + word, Loads: "in " + first.load}
	if len(all) > 1 {
		t.Loads = "in " + plural(float64(len(all)), "loads")
	}
	if first.by.Text != last.by.Text {
		t.Text = first.by.Text + " to " + last.by.Text + " " + word
	}

	return []tallied{t}
}

func withUnit(text, unit string) string {
	if unit == "" || strings.HasSuffix(text, unit) {
		return text
	}

	return text + " " + unit
}
