// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writer writes a Config as YAML.
type writer struct {
	b       strings.Builder
	docs    bool
	origins map[string]Origin
}

// Sample is c as a file with a comment above every key; Sample(Default()) is configs/sfu.yaml.
func Sample(c Config) string {
	w := &writer{docs: true}
	w.b.WriteString(sampleHead)
	w.section("", 0, reflect.ValueOf(c))
	return w.b.String()
}

const sampleHead = `# Switchyard, the whole configuration: every key with its default.
#
# Read in this order, each over the one before: the defaults, one file, SFU_* environment variables, flags. The file is
# the one named by --config or SFU_CONFIG, else ./sfu.yaml, else /etc/sfu/sfu.yaml; without any the node runs on the
# defaults. A file needs only the keys that differ. Any key can be set by a variable, media.udp_address by
# SFU_MEDIA_UDP_ADDRESS, and by a flag, --set media.udp_address=:9000.
#
#   sfu config check     is it valid?
#   sfu config print     what is in force, and where it comes from
#
# SIGHUP reads it again; keys marked (reload) take effect then, and a change of any other is refused as a whole.
`

// Print is c as a file that reads back as c. Values that were set say where, when origins are given. Secrets never stand
// in a Config, only the names of the files that hold them.
func Print(c Config, origins map[string]Origin) string {
	w := &writer{origins: origins}
	w.section("", 0, reflect.ValueOf(c))
	return w.b.String()
}

func (w *writer) section(path string, depth int, v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		p, fv := join(path, f.key), v.Field(f.index)
		w.comment(depth, f)
		switch {
		case fv.Kind() == reflect.Struct:
			w.line(depth, f.key+":", "")
			w.section(p, depth+1, fv)
		case fv.Type() == reflect.TypeFor[map[string]App]():
			w.line(depth, f.key+":", "")
			w.apps(p, depth+1, fv.Interface().(map[string]App))
		default:
			w.line(depth, f.key+": "+inline(fv), p)
		}
	}
}

// apps writes the default app first.
func (w *writer) apps(path string, depth int, apps map[string]App) {
	ids := slices.DeleteFunc(slices.Sorted(maps.Keys(apps)), func(id string) bool { return id == DefaultAppID })
	for _, id := range append([]string{DefaultAppID}, ids...) {
		w.line(depth, word(id)+":", "")
		w.section(join(path, id), depth+1, reflect.ValueOf(apps[id]))
	}
	if w.docs {
		for _, l := range []string{
			"# An app of its own, with what differs:", "# school:", "#   limits:", "#     rooms_per_user: 10",
		} {
			w.line(depth, l, "")
		}
	}
}

// comment documents a key in the sample.
func (w *writer) comment(depth int, f field) {
	if !w.docs {
		return
	}
	if depth == 0 || f.typ.Kind() == reflect.Struct {
		w.b.WriteByte('\n')
	}
	text := f.doc
	if r := f.rangeWords(); r != "" {
		text += " Range: " + r + "."
	}
	if len(f.enum) > 0 && scalar(f.typ) {
		text += " One of: " + strings.Join(f.enum, ", ") + "."
	}
	if f.reload {
		text += " (reload)"
	}
	indent := strings.Repeat("  ", depth)
	for _, l := range wrap(text, 116-len(indent)) {
		w.b.WriteString(indent + "# " + l + "\n")
	}
}

func (w *writer) line(depth int, text, path string) {
	w.b.WriteString(strings.Repeat("  ", depth) + text)
	if at, ok := w.origins[path]; ok && path != "" {
		w.b.WriteString("  # " + at.String())
	}
	w.b.WriteByte('\n')
}

// wrap breaks text at spaces into lines of at most width bytes, where words allow.
func wrap(text string, width int) []string {
	var out []string
	line := ""
	for w := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(w) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(out, line)
}

// inline writes a value on one line.
func inline(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = inline(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		var items []string
		for _, k := range slices.Sorted(maps.Keys(v.Interface().(map[string]string))) {
			items = append(items, word(k)+": "+inline(v.MapIndex(reflect.ValueOf(k))))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Struct:
		var items []string
		for _, f := range fieldsOf(v.Type()) {
			if fv := v.Field(f.index); !fv.IsZero() {
				items = append(items, f.key+": "+inline(fv))
			}
		}
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.String:
		return word(v.String())
	default:
		return plain(v)
	}
}

// plain is a scalar without quotes.
func plain(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return shortDuration(time.Duration(v.Int()))
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration drops the zero minutes and seconds that Duration.String adds: 1m, not 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// word quotes text unless it is plainly a word to any YAML reader.
func word(s string) string {
	plainly := s != "" && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s))
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			plainly = false
		}
	}
	if plainly {
		return s
	}
	return strconv.Quote(s)
}
