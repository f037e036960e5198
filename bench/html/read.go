// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

const (
	largestFile = 64 << 20 // bytes
	mostReports = 5000     // of one file
	deepestList = 6        // levels of lists and objects around a report
)

// Errors of [Read]; what is returned names the file and the place in it.
var (
	// ErrSyntax is a file that is not JSON, or is cut off.
	ErrSyntax = errors.New("not JSON")
	// ErrNoReport is JSON without a report of bench in it.
	ErrNoReport = errors.New("no report of bench in it")
	// ErrTooMuch is a file beyond 64 MiB or 5 000 reports.
	ErrTooMuch = errors.New("too much for one page")
)

// Read takes in a file as bench prints it with -json: objects one after the other, lists of them, ramps, or objects that hold any
// of these. name is for the page and for errors. A file holds several runs if its reports are of several versions, machines or
// configurations.
func Read(name string, from io.Reader) ([]*Run, error) {
	data, err := io.ReadAll(io.LimitReader(from, largestFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("%s: %w: more than %d MiB", name, ErrTooMuch, largestFile>>20)
	}
	f := &file{name: name, data: data}
	for at := skipSpace(data, 0); at < len(data); at = skipSpace(data, at) {
		var raw json.RawMessage
		dec := json.NewDecoder(bytes.NewReader(data[at:]))
		if err := dec.Decode(&raw); err != nil {
			return nil, f.failed(at, err)
		}
		if err := f.walk(raw, at, deepestList); err != nil {
			return nil, err
		}
		at += int(dec.InputOffset())
	}
	if len(f.runs) == 0 {
		return nil, fmt.Errorf("%s: offset %d: %w", name, len(data), ErrNoReport)
	}

	return f.runs, nil
}

func skipSpace(data []byte, at int) int {
	for at < len(data) && strings.IndexByte(" \t\r\n", data[at]) >= 0 {
		at++
	}

	return at
}

// file is what has been read so far.
type file struct {
	name  string
	data  []byte
	runs  []*Run
	all   []*report // of runs
	count int
}

// failed says where in the file it was: err is of a value that begins at base.
func (f *file) failed(base int, err error) error {
	at := base
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		at, err = len(f.data), errors.New("ends in the middle of a value")
	case errors.As(err, &syntax):
		at += int(syntax.Offset) - 1 // counted after the offending byte
	case errors.As(err, &kind):
		at += int(kind.Offset)
	}
	at = min(max(at, 0), len(f.data))
	line := 1 + bytes.Count(f.data[:at], []byte("\n"))

	return fmt.Errorf("%s: offset %d, line %d: %w: %w", f.name, at, line, ErrSyntax, err)
}

// walk finds reports and ramps in a value that begins at base.
func (f *file) walk(raw json.RawMessage, base, levels int) error {
	if levels == 0 || len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
		return nil
	}
	parts, err := split(raw)
	if err != nil {
		return f.failed(base, err)
	}
	if steps, ok := list(parts, "steps"); ok {
		return f.ramp(raw, parts, steps, base)
	}
	if curves, ok := list(parts, "curves"); ok {
		return f.curves(raw, curves, base)
	}
	if _, ok := list(parts, "flows"); ok {
		return f.link(raw, base)
	}
	if _, ok := find(parts, "scenario"); ok {
		r, err := f.report(raw, base)
		if err != nil {
			return err
		}
		f.all = append(f.all, r)
		run := f.runOf(r)
		run.reports = append(run.reports, r)

		return nil
	}
	_, profiled := list(parts, "mutex")
	for _, p := range parts {
		known := len(f.all)
		if err := f.walk(p.raw, base+p.at, levels-1); err != nil {
			return err
		}
		for _, r := range f.all[known:] {
			if profiled { // which costs by itself: not to be mixed with others
				r.scenario += " (locks profiled)"
			}
		}
	}

	return nil
}

func (f *file) report(raw json.RawMessage, base int) (*report, error) {
	if f.count++; f.count > mostReports {
		return nil, fmt.Errorf("%s: offset %d: %w: more than %d reports", f.name, base, ErrTooMuch, mostReports)
	}
	r, err := newReport(raw)
	if err != nil {
		return nil, f.failed(base, err)
	}

	return r, nil
}

func (f *file) ramp(raw json.RawMessage, parts []part, steps part, base int) error {
	about, err := f.report(raw, base)
	if err != nil {
		return err
	}
	r := &ramp{axis: about.texts["axis"], ended: about.texts["ended"], kept: about.numbers["throughput_kept"]}
	if r.steps, err = f.reports(steps, base); err != nil || len(r.steps) == 0 {
		return err
	}
	r.scenario = r.steps[0].scenario
	for name, to := range map[string]**report{"knee": &r.knee, "beyond": &r.beyond} {
		if p, ok := find(parts, name); ok && p.raw[0] == '{' {
			if *to, err = f.report(p.raw, base+p.at); err != nil {
				return err
			}
		}
	}
	run := f.runOf(r.steps[0])
	run.ramps = append(run.ramps, r)

	return nil
}

// reports are the objects of a list that is part of a value at base.
func (f *file) reports(of part, base int) ([]*report, error) {
	parts, err := split(of.raw)
	if err != nil {
		return nil, f.failed(base+of.at, err)
	}
	var out []*report
	for _, p := range parts {
		if p.raw[0] != '{' {
			continue
		}
		r, err := f.report(p.raw, base+of.at+p.at)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}

	return out, nil
}

// curves reads growth: what is around the curves says of which run they are.
func (f *file) curves(raw json.RawMessage, curves part, base int) error {
	about, err := f.report(raw, base)
	if err != nil {
		return err
	}
	parts, err := split(curves.raw)
	if err != nil {
		return f.failed(base+curves.at, err)
	}
	for _, p := range parts {
		if p.raw[0] != '{' {
			continue
		}
		at := base + curves.at + p.at
		c, err := f.report(p.raw, at)
		if err != nil {
			return err
		}
		members, err := split(p.raw)
		if err != nil {
			return f.failed(at, err)
		}
		points, ok := list(members, "points")
		if !ok {
			continue
		}
		g := &growth{scenario: c.scenario, axis: cmp.Or(c.texts["axis"], size)}
		if g.points, err = f.reports(points, at); err != nil {
			return err
		}
		if len(g.points) > 0 {
			run := f.runOf(about)
			run.growths = append(run.growths, g)
		}
	}

	return nil
}

// part is a member of an object or an element of a list, and where it begins in the bytes of those.
type part struct {
	key string
	raw json.RawMessage
	at  int
}

func find(parts []part, key string) (part, bool) {
	for _, p := range parts {
		if p.key == key {
			return p, true
		}
	}

	return part{}, false
}

// list finds a member that is a list.
func list(parts []part, key string) (part, bool) {
	p, ok := find(parts, key)

	return p, ok && p.raw[0] == '['
}

func split(raw json.RawMessage) ([]part, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, err
	}
	var out []part
	for dec.More() {
		var p part
		if open == json.Delim('{') {
			t, err := dec.Token()
			if err != nil {
				return nil, err
			}
			p.key, _ = t.(string)
		}
		if err := dec.Decode(&p.raw); err != nil {
			return nil, err
		}
		p.at = int(dec.InputOffset()) - len(p.raw)
		out = append(out, p)
	}

	return out, nil
}

// stem is what a run is called by default.
func stem(name string) string {
	base := filepath.Base(name)

	return clean(strings.TrimSuffix(base, filepath.Ext(base)))
}
