// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is one key that differs between two configurations.
type Change struct {
	Path     string
	Old, New string // as written in YAML; empty: not there
	Reload   bool   // may be changed while the node runs
}

// Diff lists the keys that differ, sorted by path.
func Diff(from, to Config) []Change {
	a, b := flatten(from), flatten(to)
	var out []Change
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if a[path].text != b[path].text {
			c := Change{Path: path, Old: a[path].text, New: b[path].text, Reload: paths[path].reload}
			if strings.HasPrefix(path, "apps.") && (c.New == "" || strings.HasPrefix(path, "apps."+DefaultAppID+".")) {
				c.Reload = false // the router can neither forget an app nor change the one that it copies from
			}
			out = append(out, c)
		}
	}
	return out
}

type leaf struct {
	text   string
	reload bool
}

func flatten(c Config) map[string]leaf {
	out := make(map[string]leaf)
	flattenInto(out, "", false, reflect.ValueOf(c))
	return out
}

func flattenInto(out map[string]leaf, path string, reload bool, v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		p, fv, r := join(path, f.key), v.Field(f.index), reload || f.reload
		switch {
		case fv.Kind() == reflect.Struct:
			flattenInto(out, p, r, fv)
		case fv.Type() == reflect.TypeFor[map[string]App]():
			for id, app := range fv.Interface().(map[string]App) {
				flattenInto(out, join(p, id), r, reflect.ValueOf(app))
			}
		default:
			out[p] = leaf{text: inline(fv), reload: r}
		}
	}
}
