// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/internal/config"
)

func TestCommands(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	settled(t, bad, "grpc:\n  adddress: x\nnode:\n  rooms: -1\n")
	for _, c := range []struct {
		args        []string
		env         []string
		code        int
		out, errors []string
	}{
		{[]string{"--help"}, nil, 0, []string{"serve", "config check", "doctor", "version"}, nil},
		{[]string{"serve", "--help"}, nil, 0, []string{"--config", "--set", "--udp-address", "--drain-deadline"}, nil},
		{[]string{"config", "--help"}, nil, 0, []string{"check", "print", "schema"}, nil},
		{[]string{"signal", "--help"}, nil, 0, []string{"--listen", "--node", "--config"}, nil},
		{[]string{"token", "--help"}, nil, 0, []string{"token make", "token key"}, nil},
		{[]string{"token", "make", "--help"}, nil, 0, []string{"--key-file", "--any-room", "--ttl", "--admin"}, nil},
		{[]string{"signal", "--listen=nowhere"}, nil, 1, nil, []string{"flag --listen: signal.address: want host:port"}},
		{[]string{"signal", "--node=a b"}, nil, 1, nil, []string{"signal.nodes[0]"}},
		{[]string{"doctor", "--help"}, nil, 0, []string{"--strict"}, nil},
		{[]string{"version"}, nil, 0, []string{"sfu ", "go ", "pion  ice/v4 4.", "pion  srtp/v3 3."}, nil},
		{[]string{"config", "check"}, nil, 0, []string{"valid: no file (looked for sfu.yaml, /etc/sfu/sfu.yaml)"}, nil},
		{[]string{"config", "check", "-c", bad}, nil, 1, nil, []string{bad + ":2:3: grpc.adddress: unknown key; did you mean address?", bad + ":4:10: node.rooms", "2 |   adddress: x"}},
		{nil, []string{"SFU_CONFIG=" + bad}, 1, nil, []string{bad + ":2:3"}},
		{[]string{"doctor", "-c", bad}, nil, 1, []string{"PROBLEM", bad + ":2:3"}, nil},
		{[]string{"config", "check", "--set", "grpc.address=:7781"}, []string{"SFU_NOTHING=1"}, 0, []string{"warning: grpc.address :7781", "warning: environment variable SFU_NOTHING"}, nil},
		{[]string{"config", "check", "--config", filepath.Join(t.TempDir(), "none")}, nil, 1, nil, []string{"cannot read the file named by --config", "no such file"}},
		{[]string{"config", "print", "--log-level=debug"}, []string{"SFU_LOG_LEVEL=warn", "SFU_LOG_FORMAT=json"}, 0, []string{"level: debug  # flag --log-level", "format: json  # environment SFU_LOG_FORMAT"}, nil},
		{[]string{"config", "print", "--log-level=debug", "--set=log.level=error"}, nil, 0, []string{"level: debug  # flag --log-level"}, nil},
		{[]string{"config", "print", "--external-address=203.0.113.7", "--external-address=2001:db8::7"}, nil, 0, []string{`[{address: "203.0.113.7"}, {address: "2001:db8::7"}]`}, nil},
		{[]string{"config", "print", "--set", "media.external_addresses=[{address: 203.0.113.7, port: 50000}]"}, nil, 0, []string{`[{address: "203.0.113.7", port: 50000}]`}, nil},
		{[]string{"config", "print", "--sample"}, nil, 0, []string{"# Switchyard, the whole configuration"}, nil},
		{[]string{"--nope"}, nil, 2, nil, []string{"unknown flag --nope"}},
		{[]string{"nope"}, nil, 2, nil, []string{"nope"}},
		{[]string{"--set", "nope"}, nil, 1, nil, []string{"--set nope: want key=value"}},
		{[]string{"--log-level", "loud"}, nil, 1, nil, []string{"flag --log-level: log.level: want one of debug, info, warn, error"}},
	} {
		out, errs, code := output(t, c.env, c.args...)
		if code != c.code {
			t.Errorf("sfu %q: exit code %d, want %d\n%s%s", c.args, code, c.code, out, errs)
		}
		for _, want := range c.out {
			if !strings.Contains(out, want) {
				t.Errorf("sfu %q: no %q in\n%s", c.args, want, out)
			}
		}
		for _, want := range c.errors {
			if !strings.Contains(errs, want) {
				t.Errorf("sfu %q: no %q in the errors\n%s", c.args, want, errs)
			}
		}
	}
}

// TestPrintedConfigurationIsOne feeds what is printed back in.
func TestPrintedConfigurationIsOne(t *testing.T) {
	out, _, _ := output(t, nil, "config", "print", "--set=apps.a.b.limits.rooms=3", "--external-address=203.0.113.7")
	got, err := config.Parse("printed", []byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if got.Apps["a.b"].Limits.Rooms != 3 || len(got.Media.ExternalAddresses) != 1 {
		t.Errorf("%+v", got)
	}
	schema, _, _ := output(t, nil, "config", "schema")
	if !json.Valid([]byte(schema)) {
		t.Error("the schema is not JSON")
	}
}

// TestConfigurationIsFound covers the one search path that tests can have: the working directory.
func TestConfigurationIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	settled(t, "sfu.yaml", "log: {level: error}\n")
	var out, errs bytes.Buffer
	if code := run(&process{args: []string{"config", "print"}, stdout: &out, stderr: &errs}); code != 0 {
		t.Fatal(errs.String())
	}
	if !strings.HasPrefix(out.String(), "# sfu.yaml\n") || !strings.Contains(out.String(), "level: error  # sfu.yaml:1:14") {
		t.Error(out.String())
	}
}

func TestProductionExample(t *testing.T) {
	text, err := os.ReadFile("../../configs/production.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // the example names files of a machine that this is not
	for _, name := range []string{"tls/node.crt", "tls/node.key", "tls/signaling-ca.crt", "token-keys"} {
		here := filepath.Join(dir, filepath.Base(name))
		settled(t, here, "")
		text = bytes.ReplaceAll(text, []byte("/etc/sfu/"+name), []byte(here))
	}
	c, err := config.Parse("production.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings() {
		if !strings.HasPrefix(w, "http.address") {
			t.Error(w)
		}
	}
	unit, err := os.ReadFile("../../configs/sfu.service")
	if err != nil {
		t.Fatal(err)
	}
	if c.DrainDeadline.String() != "1h0m0s" || !strings.Contains(string(unit), "TimeoutStopSec=65min") {
		t.Error("the unit has to wait longer than the example drains")
	}
}

// TestFlagsSetKeys holds every flag to a key that exists, and its name to the one that messages use.
func TestFlagsSetKeys(t *testing.T) {
	help, _, _ := output(t, nil, "serve", "--help")
	keys := config.Keys()
	typ := reflect.TypeFor[layers]()
	for f := range typ.Fields() {
		key := f.Tag.Get("key")
		if key == "" {
			continue
		}
		if !slices.ContainsFunc(keys, func(k config.Key) bool { return k.Path == key && !k.Section }) {
			t.Errorf("--%s sets %s, which is no key", flagName(f), key)
		}
		if !strings.Contains(help, "--"+flagName(f)) || flagFor(key) != "--"+flagName(f) {
			t.Errorf("the help does not know --%s", flagName(f))
		}
	}
	if flagFor("node.rooms") != "--set node.rooms=" {
		t.Error(flagFor("node.rooms"))
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	levels := &logLevels{}
	levels.set(config.Log{Level: "info", PionLevel: "warn", PionScopes: map[string]string{"ice": "debug", "dtls": "off"}})
	log := newLogger(&out, "auto", levels)
	ice, dtls, other := log.With(pionKey, "ice"), log.With("a", 1).WithGroup("g").With(pionKey, "dtls"), log.With(pionKey, "srtp")
	speak := func() string {
		out.Reset()
		log.Debug("own-debug")
		log.Info("own-info")
		ice.Debug("ice-debug")
		dtls.Error("dtls-error")
		other.Info("other-info")
		other.Warn("other-warn")
		var said []string
		for line := range strings.Lines(out.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("not JSON although no terminal looks: %s", line)
			}
			said = append(said, m[slog.MessageKey].(string))
		}
		return strings.Join(said, " ")
	}
	if got, want := speak(), "own-info ice-debug other-warn"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	levels.set(config.Log{Level: "debug", PionLevel: "off"})
	if got, want := speak(), "own-debug own-info"; got != want {
		t.Errorf("after a reload said %q, want %q", got, want)
	}
	out.Reset()
	newLogger(&out, "text", levels).Info("x", "k", "v")
	if !strings.Contains(out.String(), "msg=x k=v") {
		t.Errorf("text: %s", out.String())
	}
}

func TestAppOfPath(t *testing.T) {
	c := config.Default()
	c.Apps["a"], c.Apps["a.b"] = config.App{}, config.App{}
	for path, want := range map[string]string{
		"apps.a.limits.rooms": "a", "apps.a.b.limits.rooms": "a.b", "apps.default.multi_room": "default",
		"apps.x.limits.rooms": "", "log.level": "",
	} {
		if got := appOf(c, path); got != want {
			t.Errorf("%s is of app %q, want %q", path, got, want)
		}
	}
}

func TestReachable(t *testing.T) {
	for address, want := range map[string]string{
		"[::]:7780": "localhost:7780", "0.0.0.0:7780": "localhost:7780", "127.0.0.1:7780": "127.0.0.1:7780", "10.0.0.1:1": "10.0.0.1:1",
	} {
		if got := reachable(address); got != want {
			t.Errorf("%s is reached at %s, want %s", address, got, want)
		}
	}
}
