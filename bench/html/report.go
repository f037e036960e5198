// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	deepest    = 6   // levels of objects in a report
	mostLeaves = 500 // numbers in a report; what is beyond is not shown
)

// report is one scenario played once.
type report struct {
	scenario string
	numbers  map[string]float64 // by path: latency_ms.p50
	texts    map[string]string  // the same of strings and booleans
	settings []string
}

// newReport reads one object. A field of another type than expected is a field that is not there.
func newReport(raw []byte) (*report, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	r := &report{numbers: make(map[string]float64), texts: make(map[string]string)}
	r.flatten("", fields, deepest)
	r.scenario = r.texts["scenario"]
	settings, _ := fields["node_settings"].([]any)
	for _, s := range settings {
		if s, ok := s.(string); ok {
			r.settings = append(r.settings, clean(s))
		}
	}
	r.fillIn()

	return r, nil
}

func (r *report) flatten(prefix string, fields map[string]any, levels int) {
	for k, v := range fields {
		path := prefix + clean(k)
		switch v := v.(type) {
		case float64:
			if len(r.numbers) < mostLeaves {
				r.numbers[path] = v
			}
		case string:
			r.text(path, clean(v))
		case bool:
			r.text(path, fmt.Sprint(v))
		case map[string]any:
			if levels > 1 {
				r.flatten(path+".", v, levels-1)
			}
		}
	}
}

func (r *report) text(path, s string) {
	if len(r.texts) < mostLeaves {
		r.texts[path] = s
	}
}

// fillIn derives what older reports do not say, and takes away zeros that mean "not measured".
func (r *report) fillIn() {
	if _, ok := r.numbers["members"]; !ok && (r.scenario == "meeting" || r.scenario == "audio") && r.numbers["sessions"] > 0 {
		r.numbers["members"] = r.numbers["sessions"]
	}
	for path := range r.numbers {
		timed := strings.HasPrefix(path, "join.") || strings.HasPrefix(path, "leave.silence") || strings.HasPrefix(path, "latency_ms.") ||
			strings.HasPrefix(path, "cpu_") || strings.HasPrefix(path, "floor.")
		if timed && r.numbers[path] == 0 && path != "join.timed" && path != "join.without_a_packet" {
			delete(r.numbers, path)
		}
	}
	if r.numbers["packets_expected"] == 0 {
		delete(r.numbers, "lost")
	}
}

// number gives the value of a path, or false.
func (r *report) number(path string) (float64, bool) {
	if r == nil {
		return 0, false
	}
	v, ok := r.numbers[path]

	return v, ok
}

func (r *report) started() time.Time {
	t, _ := time.Parse(time.RFC3339, r.texts["started"]) // not a time: zero, shown as unknown

	return t
}

// sizes are what a load can be scaled by, in the order of labels.
var sizes = []string{"subscribers", "members", "users", "rooms", "rooms_per_user", "groups", "rate", "joins_per_second"}

// load tells equal loads from others: only equal ones can be compared.
type load struct {
	scenario string
	label    string
	sizes    []float64 // in the order of the variable, then sessions and subscriptions
}

func (r *report) load() load {
	l := load{scenario: r.scenario}
	parts := []string{r.scenario}
	for _, name := range sizes {
		v := r.numbers[name]
		l.sizes = append(l.sizes, v)
		if v != 0 {
			parts = append(parts, plural(v, name))
		}
	}
	if n, ok := r.numbers["sessions"]; ok && len(parts) == 1 {
		parts = append(parts, plural(n, "sessions"))
	}
	l.sizes = append(l.sizes, r.numbers["sessions"], r.numbers["subscribed_tracks"])
	l.label = strings.Join(parts, ", ")

	return l
}

func (l load) equal(m load) bool { return l.scenario == m.scenario && slices.Equal(l.sizes, m.sizes) }

// ramp is a load that was raised until it was too much.
type ramp struct {
	steps []*report
	// knee is the last step that held and beyond the one past it; nil if the ramp did not get there.
	knee, beyond *report
	kept         float64 // throughput beyond as a share of the knee's; 0: not known
}
