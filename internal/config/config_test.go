// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/admin"
	"github.com/switchyard-media/sfu/internal/signaling"
	"github.com/switchyard-media/sfu/internal/whip"
)

var update = flag.Bool("update", false, "write the generated files in configs and docs again")

// generated are the committed files that are made from the structs.
var generated = []struct {
	path string
	text func() string
}{
	{"../../configs/sfu.yaml", func() string { return Sample(Default()) }},
	{"../../configs/sfu.schema.json", Schema},
	{"../../docs/configuration.md", Reference},
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	for _, g := range generated {
		if *update {
			if err := os.WriteFile(g.path, []byte(g.text()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(g.path)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(g.text(), string(got)); diff != "" {
			t.Errorf("%s is not what the code says; run go test ./internal/config -update\n%s", filepath.Base(g.path), diff)
		}
	}
}

func TestSampleFileIsTheDefault(t *testing.T) {
	l, err := Load(Sources{File: "../../configs/sfu.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), l.Config); diff != "" {
		t.Errorf("configs/sfu.yaml differs from Default() (-default +file):\n%s", diff)
	}
	for _, k := range Keys() {
		if _, ok := l.Origins[strings.Replace(k.Path, "<id>", DefaultAppID, 1)]; !ok && !(k.Section && k.Path == "apps") {
			t.Errorf("configs/sfu.yaml does not set %s", k.Path)
		}
	}
}

func TestDefaultIsValidAndBuilds(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("the defaults warn: %q", w)
	}
	if _, err := c.SFU(); err != nil {
		t.Error(err)
	}
	if !Loopback(c.HTTP.Address) || !Loopback(c.GRPC.Address) || !Loopback(c.Pprof.Address) {
		t.Error("without configuration something but media listens beyond loopback")
	}
}

// TestEveryKeyIsDocumented holds each key to a sentence, a place in the schema and, except in lists and sections, a
// variable of its own.
func TestEveryKeyIsDocumented(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal([]byte(Schema()), &schema); err != nil {
		t.Fatal(err)
	}
	reference := Reference()
	seen := make(map[string]string)
	for _, k := range Keys() {
		if len(k.Doc) < 8 || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: documented by %q, want a sentence", k.Path, k.Doc)
		}
		if !inSchema(schema, strings.Split(k.Path, ".")) {
			t.Errorf("%s is not in the schema", k.Path)
		}
		name := k.Path[strings.LastIndex(k.Path, ".")+1:]
		if !strings.Contains(reference, "`"+name) && !strings.Contains(reference, "."+name+"`\n") {
			t.Errorf("%s is not in the reference", k.Path)
		}
		if k.Section {
			continue
		}
		if other, dup := seen[k.Env]; dup || k.Env == "" {
			t.Errorf("%s: variable %q is also that of %q", k.Path, k.Env, other)
		}
		seen[k.Env] = k.Path
	}
	if len(seen) < 60 {
		t.Errorf("%d keys found, want all of them", len(seen))
	}
}

func inSchema(s map[string]any, path []string) bool {
	if len(path) == 0 {
		return s["description"] != nil
	}
	if path[0] == "<id>" {
		next, ok := s["additionalProperties"].(map[string]any)
		return ok && inSchema(next, path[1:])
	}
	properties, _ := s["properties"].(map[string]any)
	next, ok := properties[path[0]].(map[string]any)
	return ok && inSchema(next, path[1:])
}

// TestEveryKeyCanBeSet sets each scalar to another valid value by a variable and by a flag, and reads it back.
func TestEveryKeyCanBeSet(t *testing.T) {
	def := flatten(Default())
	for _, k := range Keys() {
		if k.Section || strings.HasSuffix(k.Path, "_file") || k.Path == "grpc.allowed_names" {
			continue // these need a file or each other: see cmd/sfu and TestBadInput
		}
		path := strings.Replace(k.Path, "<id>", DefaultAppID, 1)
		value := otherValue(k, def[path].text)
		for _, src := range []Sources{
			{Search: []string{}, Environ: []string{k.Env + "=" + value}},
			{Search: []string{}, Settings: []Setting{{Path: path, Value: value, Source: "flag --set"}}},
		} {
			l, err := Load(src)
			if err != nil {
				t.Errorf("%s=%s: %v", path, value, err)
				continue
			}
			if got := flatten(l.Config)[path].text; got == def[path].text {
				t.Errorf("%s=%s by %+v: still %s", path, value, src, got)
			}
			if changes := Diff(Default(), l.Config); len(changes) != 1 || changes[0].Path != path {
				t.Errorf("%s=%s: changed %v", path, value, changes)
			}
		}
	}
}

// otherValue is a valid value that is not the default.
func otherValue(k Key, def string) string {
	switch {
	case k.Path == "pprof.address":
		return Off
	case k.Type == "host:port":
		return "127.0.0.1:0"
	case k.Type == "true, false":
		if def == "true" {
			return "false"
		}
		return "true"
	case k.Path == "media.external_addresses":
		return "203.0.113.7, 2001:db8::7"
	case k.Path == "media.ice_servers":
		return "stun:stun.example.org:3478"
	case k.Path == "signal.nodes":
		return "a=a.internal:7781, 127.0.0.1:7781"
	case strings.HasSuffix(k.Path, ".allowed_origins"):
		return "https://example.org, http://localhost:8080"
	case k.Path == "log.pion_scopes":
		return "{ice: debug}"
	case k.Type == "list":
		return "eth0"
	case strings.HasSuffix(k.Path, "broadcast_per_user_per_second"), strings.HasSuffix(k.Path, "broadcast_per_second"):
		return "3"
	case k.Range != "":
		_, high, _ := strings.Cut(k.Range, " to ")
		return high
	}
	for choice := range strings.SplitSeq(k.Type, ", ") {
		if choice != def && choice != `"`+def+`"` {
			return choice
		}
	}
	return "?"
}

func TestPrintReadsBack(t *testing.T) {
	c := Default()
	c.Media.ExternalAddresses = []ExternalAddress{{Address: "203.0.113.7", Port: 5000, Internal: "10.0.0.1"}, {Address: "2001:db8::7"}}
	c.Media.Interfaces = []string{"eth0", "0"}
	c.Media.TCPAddress = Off
	c.Log.PionScopes = map[string]string{"ice": "debug", "dtls": "off"}
	c.Apps["on"] = c.Apps[DefaultAppID]
	c.Apps["a.b-c"] = App{DuplicateUser: "reject", StreamIDScope: "app", Limits: c.Apps[DefaultAppID].Limits}
	got, err := Parse("printed", []byte(Print(c, map[string]Origin{"media.loopback": {Source: "here", Line: 1, Column: 2}})))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Error(diff)
	}
}

func TestValidateChangesNothing(t *testing.T) {
	c := Default()
	c.HTTP.Address, c.Node.Rooms = "nonsense", -1
	before := flatten(c)
	if err := c.Validate(); err == nil {
		t.Error("a bad configuration is valid")
	}
	if !reflect.DeepEqual(before, flatten(c)) {
		t.Error("Validate changed the configuration")
	}
}

func TestReloadableKeys(t *testing.T) {
	var got []string
	for _, k := range Keys() {
		if k.Reload && !strings.HasPrefix(k.Path, "apps") {
			got = append(got, k.Path)
		}
	}
	if want := []string{"log.level", "log.pion_level", "log.pion_scopes"}; !slices.Equal(got, want) {
		t.Errorf("reloadable: %v, want %v", got, want)
	}
	old, changed := Default(), Default()
	old.Apps["gone"], old.Apps["kept"] = old.Apps[DefaultAppID], old.Apps[DefaultAppID]
	for _, id := range []string{DefaultAppID, "kept", "new"} {
		app := old.Apps[DefaultAppID]
		app.Limits.Rooms = 7
		changed.Apps[id] = app
	}
	for _, c := range Diff(old, changed) {
		id := strings.Split(c.Path, ".")[1]
		if want := id == "kept" || id == "new"; c.Reload != want {
			t.Errorf("%s: %q to %q may be reloaded: %v", c.Path, c.Old, c.New, c.Reload)
		}
	}
}

// TestAdaptiveKeysArrive follows the keys about adaptive media to those who act on them.
func TestAdaptiveKeysArrive(t *testing.T) {
	c, err := Parse("f.yaml", []byte(`
congestion: {enabled: false, start_bitrate: 400000, min_bitrate: 50000, max_bitrate: 5000000}
media: {start_from_cache: true, cache_bytes: 100000, cache_age: 700ms, unwanted_after: 3s}
apps:
  default: {loudest_audio: 3}
  school: {loudest_audio: 5}
  church: {}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := c.forward()
	if !f.NoCongestionControl || f.StartBitrate != 400_000 || f.LeastBitrate != 50_000 || f.MostBitrate != 5_000_000 {
		t.Errorf("congestion: %+v", f)
	}
	if !f.StartFromCache || f.CacheBytes != 100_000 || f.CacheAge != 700*time.Millisecond || f.UnwantedAfter != 3*time.Second {
		t.Errorf("media: %+v", f)
	}
	if r := c.router(); r.DefaultApp.Loudest != 3 || r.Apps["school"].Loudest != 5 || r.Apps["church"].Loudest != 3 {
		t.Errorf("apps: %+v", r)
	}
	def := Default().forward()
	if def.NoCongestionControl || def.StartFromCache || def.StartBitrate != 300_000 {
		t.Errorf("default: %+v", def)
	}
}

// TestClientKeysArrive follows the keys about clients to those who act on them: each has a value of its own.
func TestClientKeysArrive(t *testing.T) {
	c, err := Parse("f.yaml", []byte(`
media: {ice_servers: [{urls: ["stun:a.example:3478"], username: u, credential: c}]}
signal:
  max_clients: 11
  max_per_address: 12
  max_frame_bytes: 20013
  queue_frames: 17
  queue_bytes: 70014
  requests_per_second: 15
  request_burst: 16
  ping_interval: 1s
  hello_timeout: 2s
  request_timeout: 3s
  allowed_origins: [https://a.example]
whip: {max_sessions: 21, max_body_bytes: 5022, requests_per_second: 23, request_burst: 24, session_ttl: 25s, allowed_origins: [https://b.example]}
admin: {token_only: true, allow_mutation: false, max_streams: 31}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(signaling.Config{
		MaxClients: 11, MaxPerAddress: 12, MaxFrame: 20013, Queue: 17, QueueBytes: 70014, Rate: 15, Burst: 16,
		PingInterval: time.Second, HelloTimeout: 2 * time.Second, RequestTimeout: 3 * time.Second, AllowedOrigins: []string{"https://a.example"},
	}, c.SignalTier()); diff != "" {
		t.Errorf("signal: %s", diff)
	}
	if diff := cmp.Diff(whip.Config{
		MaxSessions: 21, MaxBody: 5022, Rate: 23, Burst: 24, SessionTTL: 25 * time.Second, AllowedOrigins: []string{"https://b.example"},
		ICEServers: []whip.ICEServer{{URLs: []string{"stun:a.example:3478"}, Username: "u", Credential: "c"}},
	}, c.WHIPFace()); diff != "" {
		t.Errorf("whip: %s", diff)
	}
	if diff := cmp.Diff(admin.Config{TokenOnly: true, MaxStreams: 31}, c.AdminFace()); diff != "" {
		t.Errorf("admin: %s", diff)
	}
}

// TestDemoTokens says when tokens for the demo are handed out.
func TestDemoTokens(t *testing.T) {
	for _, c := range []struct {
		tokens Tokens
		want   bool
	}{{Tokens{Demo: true}, true}, {Tokens{}, false}, {Tokens{Demo: true, KeyFile: "f"}, false}} {
		if got := (Config{Tokens: c.tokens}).DemoTokens(); got != c.want {
			t.Errorf("%+v: %v", c.tokens, got)
		}
	}
	if !Default().DemoTokens() {
		t.Error("without configuration the demo has no tokens")
	}
}

// TestNodesOfTier says which nodes a tier is in front of when none is named.
func TestNodesOfTier(t *testing.T) {
	c := Default()
	c.GRPC.TokenFile = "f"
	if diff := cmp.Diff([]SignalNode{{ID: "local", Address: "127.0.0.1:7781", TokenFile: "f"}}, c.NodesOfTier()); diff != "" {
		t.Error(diff)
	}
	for item, want := range map[string]SignalNode{
		"a=b:1": {ID: "a", Address: "b:1"}, "b.c:1": {ID: "b.c-1", Address: "b.c:1"}, "six=[::1]:1": {ID: "six", Address: "[::1]:1"}, ":7": {ID: "7", Address: ":7"},
	} {
		l, err := Load(Sources{Search: []string{}, Settings: []Setting{{"signal.nodes", item, "flag --node"}}})
		if err != nil {
			t.Errorf("%s: %v", item, err)
		} else if diff := cmp.Diff([]SignalNode{want}, l.Config.NodesOfTier()); diff != "" {
			t.Errorf("%s: %s", item, diff)
		}
	}
}
