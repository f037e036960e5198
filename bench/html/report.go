// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
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
	r.rename()
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

// renames are what the same figures are called in reports of idle sessions and in points of growth curves.
var renames = map[string]string{
	"rss_mb": rss, "heap_mb": "memory.heap_mb", "rss_kb_per_session": "memory.rss_kb_per_session", "goroutines": "memory.goroutines",
	"goroutines_per_session": "memory.goroutines_per_session", "cpu_ms_per_join": "join.cpu_ms", "latency_p50_ms": "latency_ms.p50",
	"latency_p99_ms": p99, "floor_us_per_packet": floorCPU,
}

func (r *report) rename() {
	for from, to := range renames {
		v, ok := r.numbers[from]
		if _, taken := r.numbers[to]; ok && !taken {
			r.numbers[to] = v
			delete(r.numbers, from)
		}
	}
}

// fillIn derives what older reports do not say, and takes away zeros that mean "not measured".
func (r *report) fillIn() {
	if _, ok := r.numbers["members"]; !ok && (r.scenario == "meeting" || r.scenario == "audio") && r.numbers["sessions"] > 0 {
		r.numbers["members"] = r.numbers["sessions"]
	}
	if axis, v := r.texts["size.axis"], r.numbers["size.value"]; slices.Contains(sizes, axis) {
		if _, ok := r.numbers[axis]; !ok && v > 0 {
			r.numbers[axis] = v
		}
		delete(r.numbers, "size.value")
	}
	for path := range r.numbers {
		timed := strings.HasPrefix(path, "join.") || strings.HasPrefix(path, "leave.silence") || strings.HasPrefix(path, "latency_ms.") ||
			strings.HasPrefix(path, "cpu_") || strings.HasPrefix(path, "floor.")
		if timed && r.numbers[path] == 0 && path != "join.timed" && path != "join.without_a_packet" {
			delete(r.numbers, path)
		}
	}
	if n, ok := r.numbers["packets_expected"]; ok && n == 0 {
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
var sizes = []string{"subscribers", "members", "users", "rooms", "rooms_per_user", "groups", "joins a second"}

// load tells equal loads from others: only equal ones can be compared.
type load struct {
	scenario string
	label    string
	sizes    []float64 // in the order of the variable, then size, sessions and subscriptions
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
	if v := r.numbers["size.value"]; v != 0 {
		parts = append(parts, plural(v, cmp.Or(r.texts["size.axis"], "size")))
	}
	if n, ok := r.numbers["sessions"]; ok && len(parts) == 1 {
		parts = append(parts, plural(n, "sessions"))
	}
	l.sizes = append(l.sizes, r.numbers["size.value"], r.numbers["sessions"], r.numbers["subscribed_tracks"])
	l.label = strings.Join(parts, ", ")

	return l
}

func (l load) equal(m load) bool { return l.scenario == m.scenario && slices.Equal(l.sizes, m.sizes) }

// growth is one scenario at several sizes, as bench measures with -grow.
type growth struct {
	scenario, axis string
	points         []*report // their size is in numbers[size]
}

const size = "size"

// ramp is a load that was raised until it was too much.
type ramp struct {
	scenario, axis string // the axis is empty in older files
	steps          []*report
	ended          string // why, if not for the load
	// knee is the last step that held and beyond the one past it; nil if the ramp did not get there.
	knee, beyond *report
	kept         float64 // throughput beyond as a share of the knee's; 0: not known
}
