// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"strings"
	"time"
)

// field is what the tags of one struct field say.
type field struct {
	key    string
	doc    string
	min    string
	max    string
	enum   []string
	kind   string // "address", "file"; empty: what the type says
	off    bool   // an address that may be "off"
	reload bool
	index  int
	typ    reflect.Type
}

var durationType = reflect.TypeFor[time.Duration]()

// fieldsOf lists the keys of a struct in the order of the file.
func fieldsOf(t reflect.Type) []field {
	out := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		out = append(out, field{
			key: f.Tag.Get("yaml"), doc: f.Tag.Get("doc"), min: f.Tag.Get("min"), max: f.Tag.Get("max"),
			enum: splitList(f.Tag.Get("enum")), kind: f.Tag.Get("kind"),
			off: f.Tag.Get("off") != "", reload: f.Tag.Get("reload") != "",
			index: i, typ: f.Type,
		})
	}
	return out
}

// scalar reports whether a type is written as one value.
func scalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64: // Int64 is a time.Duration
		return true
	default:
		return false
	}
}

// splitList splits at commas; nil when there is nothing.
func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// EnvName is the environment variable of a key: media.udp_address is SFU_MEDIA_UDP_ADDRESS.
func EnvName(path string) string {
	return "SFU_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Key describes one key for documentation and for tests.
type Key struct {
	Path    string // "apps.<id>.limits.rooms_per_user" for keys of every app
	Env     string // empty: cannot be set by an environment variable
	Type    string // in words, for example "duration"
	Doc     string
	Default string // as written in YAML
	Range   string // in words; empty: none
	Reload  bool
	Section bool // holds other keys
}

// Keys lists every key in the order of the file.
func Keys() []Key {
	cfg := Default()
	return appendKeys(nil, "", false, reflect.ValueOf(cfg))
}

func appendKeys(out []Key, path string, reload bool, v reflect.Value) []Key {
	for _, f := range fieldsOf(v.Type()) {
		p, fv := join(path, f.key), v.Field(f.index)
		k := Key{Path: p, Doc: f.doc, Reload: reload || f.reload, Type: f.typeWords(), Range: f.rangeWords()}
		switch {
		case f.typ.Kind() == reflect.Struct:
			k.Section = true
			out = appendKeys(append(out, k), p, k.Reload, fv)
		case f.typ == reflect.TypeFor[map[string]App]():
			k.Section = true
			out = appendKeys(append(out, k), p+".<id>", k.Reload, fv.MapIndex(reflect.ValueOf(DefaultAppID)))
		default:
			k.Default, k.Env = inline(fv), EnvName(p)
			if id, ok := strings.CutPrefix(p, "apps.<id>."); ok {
				k.Env = EnvName("apps." + DefaultAppID + "." + id)
			}
			out = append(out, k)
		}
	}
	return out
}

// typeWords names the type for people.
func (f field) typeWords() string {
	switch {
	case f.kind == "address":
		return "host:port"
	case f.kind == "file":
		return "file name"
	case len(f.enum) > 0 && f.typ.Kind() == reflect.String:
		return strings.Join(f.enum, ", ")
	case f.typ == durationType:
		return "duration"
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "true, false"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		if f.typ.Elem().Kind() != reflect.Struct {
			return "list"
		}
		var names []string
		for _, item := range fieldsOf(f.typ.Elem()) {
			names = append(names, item.key)
		}
		return "list of {" + strings.Join(names, ", ") + "}"
	case reflect.Map:
		return "map"
	case reflect.Struct:
		return "section"
	default:
		return "text"
	}
}

func (f field) rangeWords() string {
	if f.min == "" && f.max == "" {
		return ""
	}
	return f.min + " to " + f.max
}
