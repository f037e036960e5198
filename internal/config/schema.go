// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"reflect"
	"strconv"
)

// Schema is a JSON Schema (draft 2020-12) of the file, for editors; a file that it takes may still be refused by Validate.
func Schema() string {
	s := schemaOf(field{typ: reflect.TypeFor[Config]()}, reflect.ValueOf(Default()))
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Switchyard configuration"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "" // maps of strings and numbers always marshal
	}
	return string(text) + "\n"
}

type object = map[string]any

// schemaOf describes one key with its default.
func schemaOf(f field, v reflect.Value) object {
	s := object{}
	if f.doc != "" {
		s["description"] = f.doc
	}
	switch {
	case f.typ == durationType:
		s["type"], s["pattern"] = "string", `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`
		s["default"] = plain(v)
		return s
	case f.typ == reflect.TypeFor[map[string]App]():
		s["type"] = []string{"object", "null"}
		s["additionalProperties"] = schemaOf(field{typ: reflect.TypeFor[App]()}, v.MapIndex(reflect.ValueOf(DefaultAppID)))
		return s
	}
	switch f.typ.Kind() {
	case reflect.Struct:
		properties := object{}
		for _, sub := range fieldsOf(f.typ) {
			properties[sub.key] = schemaOf(sub, v.Field(sub.index))
		}
		s["type"], s["properties"], s["additionalProperties"] = []string{"object", "null"}, properties, false
	case reflect.Slice:
		s["type"] = []string{"array", "null"}
		s["items"] = schemaOf(field{typ: f.typ.Elem()}, reflect.Zero(f.typ.Elem()))
	case reflect.Map:
		s["type"] = []string{"object", "null"}
		s["additionalProperties"] = schemaOf(field{typ: f.typ.Elem(), enum: f.enum}, reflect.Zero(f.typ.Elem()))
	default:
		scalarSchema(s, f, v)
	}
	return s
}

func scalarSchema(s object, f field, v reflect.Value) {
	switch f.typ.Kind() {
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Float64:
		s["type"] = "number"
	case reflect.String:
		s["type"] = "string"
	default:
		s["type"] = "integer"
	}
	if !v.IsZero() || f.typ.Kind() != reflect.String {
		s["default"] = v.Interface()
	}
	if len(f.enum) > 0 {
		s["enum"] = f.enum
	}
	if x, err := strconv.ParseFloat(f.min, 64); err == nil {
		s["minimum"] = x
	}
	if x, err := strconv.ParseFloat(f.max, 64); err == nil {
		s["maximum"] = x
	}
}
