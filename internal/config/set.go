// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Setting is one key set outside the file.
type Setting struct {
	Path   string // for example "media.udp_address"
	Value  string // scalars as they are, lists separated by commas, anything else as YAML
	Source string // for messages, for example "flag --udp-address"
}

// set applies one setting.
func (d *decoder) set(s Setting) {
	d.source, d.lines = s.Source, nil
	d.setAt(reflect.ValueOf(d.cfg).Elem(), "", s.Path, s)
}

// setAt walks down to the key named by rest, below the struct v at path.
func (d *decoder) setAt(v reflect.Value, path, rest string, s Setting) {
	at := Origin{Source: s.Source}
	name, below, deeper := strings.Cut(rest, ".")
	fields := fieldsOf(v.Type())
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == name })
	if i < 0 {
		d.fail(join(path, name), at, "unknown key%s", suggest(name, fields))
		return
	}
	f, fv, p := fields[i], v.Field(fields[i].index), join(path, name)
	switch {
	case !deeper:
		d.setText(p, fv, f, s)
	case fv.Kind() == reflect.Struct:
		d.setAt(fv, p, below, s)
	case fv.Type() == reflect.TypeFor[map[string]App]():
		id, key := splitApp(below)
		d.app(id, at, func(p string, v reflect.Value) { d.setAt(v, p, key, s) })
	default:
		d.fail(p, at, "has no keys below it; set it as a whole")
	}
}

// splitApp splits id.key where the id may have dots in it: the key is the longest tail that an app has.
func splitApp(rest string) (id, key string) {
	for i := range len(rest) {
		if rest[i] == '.' && appHas(rest[i+1:]) {
			return rest[:i], rest[i+1:]
		}
	}
	id, key, _ = strings.Cut(rest, ".")
	return id, key
}

func appHas(key string) bool {
	return slices.ContainsFunc(Keys(), func(k Key) bool { return k.Path == "apps.<id>."+key })
}

// setText applies text to a key of any type.
func (d *decoder) setText(path string, v reflect.Value, f field, s Setting) {
	at := Origin{Source: s.Source}
	if scalar(v.Type()) {
		if err := setScalar(v, f, s.Value); err != nil {
			d.fail(path, at, "%s", err)
			return
		}
		d.origins[path] = at
		return
	}
	if v.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(s.Value), "[") {
		d.setList(path, v, s)
		return
	}
	n, _, err := parseYAML([]byte(s.Value))
	if err != nil || n == nil {
		d.fail(path, at, "want a %s, not %s", f.typeWords(), quote(s.Value))
		return
	}
	d.value(path, v, f, n)
}

// setList applies items separated by commas; a plain address stands for {address: …}, a plain URL for {urls: [URL]}, and
// name=host:port or host:port alone for a node behind the signaling tier.
func (d *decoder) setList(path string, v reflect.Value, s Setting) {
	items := splitList(s.Value)
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		p, target := fmt.Sprintf("%s[%d]", path, i), out.Index(i)
		switch target.Type() {
		case reflect.TypeFor[ExternalAddress]():
			target = target.FieldByName("Address")
		case reflect.TypeFor[ICEServer]():
			target.FieldByName("URLs").Set(reflect.MakeSlice(reflect.TypeFor[[]string](), 1, 1))
			target = target.FieldByName("URLs").Index(0)
		case reflect.TypeFor[SignalNode]():
			var id string
			id, item = nodeNamed(item)
			target.FieldByName("ID").SetString(id)
			target = target.FieldByName("Address")
		}
		if err := setScalar(target, field{}, item); err != nil {
			d.fail(p, Origin{Source: s.Source}, "%s", err)
		}
	}
	d.origins[path] = Origin{Source: s.Source}
	v.Set(out)
}

// nodeNamed splits name=host:port; a node without a name is called after its address.
func nodeNamed(item string) (id, address string) {
	if id, address, ok := strings.Cut(item, "="); ok {
		return id, address
	}
	return strings.Trim(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(item), "-"), item
}
