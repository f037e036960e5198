// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

// FuzzConfig holds for any file: it is refused with a place or a reason, or it is valid, and then it prints as a file that
// means the same and builds the configuration of every package.
func FuzzConfig(f *testing.F) {
	sample, err := os.ReadFile("../../configs/sfu.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(sample), "", "---\n", "{}", "log: {level: debug}\n", "apps:\n  a: {}\n  default: {multi_room: false}\n",
		"media:\n  external_addresses: [{address: 203.0.113.7, port: 1}]\n", "log:\n  level: &a info\n  format: *a\n",
		"log: |\n  x\n", "a: [b, {c: d}]\n", "\"log\": {\"level\": \"info\"}\n", "? log\n: x\n", "log:\n\t- x\n", "!!map {}\n", "%YAML 1.2\n---\nlog: {}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "file") {
			return // may name any file of the machine
		}
		c, err := Parse("fuzz", text)
		if err != nil {
			var all *Error
			if !errors.As(err, &all) || len(all.Problems) == 0 || all.Error() == "" {
				t.Fatalf("an error without a problem: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Parse takes what Validate refuses: %v", err)
		}
		again, err := Parse("printed", []byte(Print(c, nil)))
		if err != nil {
			t.Fatalf("what is printed does not read back: %v\n%s", err, Print(c, nil))
		}
		if !reflect.DeepEqual(flatten(c), flatten(again)) {
			t.Fatalf("what is printed reads back as something else: %v", Diff(c, again))
		}
		if _, err := c.SFU(); err != nil {
			t.Fatal(err)
		}
		_ = c.Control()
	})
}

// FuzzSetting holds for any key and value given by a flag.
func FuzzSetting(f *testing.F) {
	f.Add("node.rooms", "7")
	f.Add("apps.a.b.limits.rooms", "7")
	f.Add("media.external_addresses", "203.0.113.7,::1")
	f.Add("log.pion_scopes", "{ice: debug}")
	f.Add("apps", "{x: {multi_room: true}}")
	f.Add("..", ".")
	f.Fuzz(func(t *testing.T, path, value string) {
		if strings.Contains(path+value, "file") {
			return
		}
		l, err := Load(Sources{Search: []string{}, Settings: []Setting{{Path: path, Value: value, Source: "flag --set"}}})
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if err := l.Config.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}
