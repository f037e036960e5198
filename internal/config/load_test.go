// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPrecedence(t *testing.T) {
	file := write(t, "grpc:\n  address: 127.0.0.1:1\nhttp:\n  address: 127.0.0.1:2\npprof:\n  address: 127.0.0.1:3\n")
	src := Sources{
		File:    file,
		Environ: []string{"SFU_HTTP_ADDRESS=127.0.0.1:12", "SFU_PPROF_ADDRESS=127.0.0.1:13", "SFU_LOG_LEVEL=", "OTHER=1"},
		Settings: []Setting{
			{Path: "pprof.address", Value: "127.0.0.1:23", Source: "flag --set"},
			{Path: "log.pion_level", Value: "debug", Source: "flag --set"},
			{Path: "log.pion_level", Value: "off", Source: "flag --set"},
		},
	}
	l, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want, origin, path string }{
		{l.Config.Media.UDPAddress, ":7782", "", "media.udp_address"},
		{l.Config.GRPC.Address, "127.0.0.1:1", file + ":2:12", "grpc.address"},
		{l.Config.HTTP.Address, "127.0.0.1:12", "environment SFU_HTTP_ADDRESS", "http.address"},
		{l.Config.Pprof.Address, "127.0.0.1:23", "flag --set", "pprof.address"},
		{l.Config.Log.Level, "info", "", "log.level"},
		{l.Config.Log.PionLevel, "off", "flag --set", "log.pion_level"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %s, want %s", c.path, c.got, c.want)
		}
		if at, set := l.Origins[c.path]; set != (c.origin != "") || set && at.String() != c.origin {
			t.Errorf("%s comes from %q, want %q", c.path, at, c.origin)
		}
	}
}

// TestAppsInherit covers the one place where order is not plain: another app starts from the finished default one.
func TestAppsInherit(t *testing.T) {
	file := write(t, "apps:\n  school:\n    limits: {rooms_per_user: 10}\n  default:\n    limits: {sessions: 77}\n")
	l, err := Load(Sources{
		File:    file,
		Environ: []string{"SFU_APPS_DEFAULT_LIMITS_MESSAGE_BYTES=99", "SFU_APPS_DEFAULT_MULTI_ROOM=false"},
		Settings: []Setting{
			{Path: "apps.school.multi_room", Value: "true", Source: "flag --set"},
			{Path: "apps.a.b.limits.rooms", Value: "3", Source: "flag --set"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	def, school, ab := l.Config.Apps[DefaultAppID], l.Config.Apps["school"], l.Config.Apps["a.b"]
	if def.MultiRoom || def.Limits.RoomsPerUser != 5 || def.Limits.Sessions != 77 || def.Limits.MessageBytes != 99 {
		t.Errorf("default: %+v", def)
	}
	if !school.MultiRoom || school.Limits.RoomsPerUser != 10 || school.Limits.Sessions != 77 || school.Limits.MessageBytes != 99 {
		t.Errorf("school: %+v", school)
	}
	if ab.MultiRoom || ab.Limits.Rooms != 3 || ab.Limits.Sessions != 77 {
		t.Errorf("a.b: %+v", ab)
	}
	r := l.Config.router()
	if r.DefaultApp.MultiRoom || len(r.Apps) != 2 || r.Apps["school"].ID != "school" || r.Apps["school"].Limits.RoomsPerUser != 10 {
		t.Errorf("for the router: %+v", r)
	}
}

func TestFileIsFound(t *testing.T) {
	named, envNamed := write(t, "log: {level: debug}\n"), write(t, "log: {level: warn}\n")
	searched := write(t, "log: {level: error}\n")
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for _, c := range []struct {
		name  string
		src   Sources
		level string
		file  string
	}{
		{"flag first", Sources{File: named, Environ: []string{"SFU_CONFIG=" + envNamed}, Search: []string{searched}}, "debug", named},
		{"then the variable", Sources{Environ: []string{"SFU_CONFIG=" + envNamed}, Search: []string{searched}}, "warn", envNamed},
		{"then the search path", Sources{Search: []string{missing, searched}}, "error", searched},
		{"then none", Sources{Search: []string{missing}}, "info", ""},
	} {
		l, err := Load(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if l.File != c.file || l.Config.Log.Level != c.level || (c.file == "") != slices.Equal(l.Searched, []string{missing}) {
			t.Errorf("%s: file %q, level %s, searched %q", c.name, l.File, l.Config.Log.Level, l.Searched)
		}
	}
	for _, src := range []Sources{{File: missing}, {Environ: []string{"SFU_CONFIG=" + missing}}, {Search: []string{t.TempDir()}}} {
		if _, err := Load(src); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", src, err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	l, err := Load(Sources{Search: []string{}, Environ: []string{"SFU_PORT_7780_TCP=x", "SFU_MEDIA_UPD_ADDRESS=:1", "SFU_SERVICE_HOST="}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"SFU_MEDIA_UPD_ADDRESS", "SFU_PORT_7780_TCP"}; !slices.Equal(l.UnknownEnv, want) {
		t.Errorf("unknown: %v, want %v", l.UnknownEnv, want)
	}
}

// TestBadInput is the table of B14: each problem with its place.
func TestBadInput(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct{ name, yaml, want string }{
		{"unknown key", "grpc:\n  adddress: \":1\"\n", "2:3: grpc.adddress: unknown key; did you mean address?"},
		{"unknown section", "log: {}\ngprc:\n  address: x\n", "2:1: gprc: unknown key; did you mean grpc?"},
		{"unknown key in an app", "apps:\n  x:\n    limits:\n      rooms: 1\n      room: 2\n", "5:7: apps.x.limits.room: unknown key; did you mean rooms?"},
		{"unknown key in a list", "media:\n  external_addresses:\n    - address: 203.0.113.7\n      prot: 1\n", "4:7: media.external_addresses[0].prot: unknown key; did you mean port?"},
		{"text for a number", "node:\n  rooms: many\n", "2:10: node.rooms: want a whole number, not the text \"many\""},
		{"quoted number", "node:\n  rooms: \"7\"\n", "2:10: node.rooms: want a whole number, not the text \"7\""},
		{"number for text", "http:\n  address: 7780\n", "2:12: http.address: want text"},
		{"number for a duration", "drain_deadline: 30\n", "1:17: drain_deadline: want a duration with its unit, like 500ms, 30s or 5m, not the number 30"},
		{"duration without unit", "drain_deadline: \"30\"\n", "1:17: drain_deadline: want a duration"},
		{"text for a boolean", "media: {loopback: yes}\n", "1:19: media.loopback: want true or false, not the text \"yes\""},
		{"fraction", "node:\n  rooms: 1.5\n", "2:10: node.rooms: want a whole number, not the number 1.5"},
		{"hexadecimal", "node:\n  rooms: 0x10\n", "2:10: node.rooms: want a whole number, not \"0x10\""},
		{"overflow", "node:\n  rooms: 99999999999999999999\n", "2:10: node.rooms: want a whole number"},
		{"not a number", "forwarding:\n  retransmit_share: .nan\n", "2:21: forwarding.retransmit_share: want a number, not the number .nan"},
		{"negative", "node:\n  rooms: -1\n", "2:10: node.rooms: -1 is out of range: want 1 to 1000000"},
		{"too fast a start", "congestion:\n  start_bitrate: 21000000\n", "2:18: congestion.start_bitrate: 21000000 is out of range: want 10000 to 20000000"},
		{"a start below the least", "congestion:\n  start_bitrate: 20000\n", "2:18: congestion.start_bitrate: 20000 is below congestion.min_bitrate, 30000"},
		{"a start above the most", "congestion:\n  max_bitrate: 300000\n  start_bitrate: 300001\n", "3:18: congestion.start_bitrate: 300001 is above congestion.max_bitrate, 300000"},
		{"a switch that is none", "congestion: {enabled: 1}\n", "1:23: congestion.enabled: want true or false, not the number 1"},
		{"too many voices", "apps:\n  school:\n    loudest_audio: 65\n", "3:20: apps.school.loudest_audio: 65 is out of range: want 0 to 64"},
		{"no cache", "media:\n  cache_bytes: 0\n", "2:16: media.cache_bytes: 0 is out of range: want 4096 to 16777216"},
		{"negative duration", "forwarding:\n  hold: -1ms\n", "2:9: forwarding.hold: -1ms is out of range: want 0s to 20ms"},
		{"too much", "media:\n  consent_timeout: 31s\n", "2:20: media.consent_timeout: 31s is out of range: want 2s to 30s"},
		{"null", "node:\n  rooms:\n", "node.rooms: want a whole number, not nothing (leave the key out"},
		{"list for a section", "log: [a]\n", "1:6: log: want keys and values here, not a list"},
		{"section for text", "log:\n  level:\n    a: b\n", "log.level: want text"},
		{"text for a list", "media:\n  interfaces: eth0\n", "2:15: media.interfaces: want a list, not the text \"eth0\""},
		{"not one of", "log:\n  level: loud\n", "2:10: log.level: want one of debug, info, warn, error, not \"loud\""},
		{"not one of, in a map", "log:\n  pion_scopes:\n    ice: loud\n", "3:10: log.pion_scopes.ice: want one of"},
		{"set twice", "log:\n  level: info\n  level: debug\n", "3:3: "},
		{"port clash", "http:\n  address: 127.0.0.1:7000\ngrpc:\n  address: 127.0.0.1:7000\n", "4:12: grpc.address: 127.0.0.1:7000 clashes with http.address (127.0.0.1:7000)"},
		{"port clash with everywhere", "http:\n  address: 127.0.0.1:7782\n", "media.tcp_address: :7782 clashes with http.address (127.0.0.1:7782)"},
		{"port clash by name", "http:\n  address: localhost:7781\n", "grpc.address: 127.0.0.1:7781 clashes with http.address (localhost:7781)"},
		{"no port", "http:\n  address: localhost\n", "2:12: http.address: want host:port"},
		{"port too high", "http:\n  address: localhost:65536\n", "2:12: http.address: want a port from 0 to 65535"},
		{"off where it cannot be", "http:\n  address: \"off\"\n", "2:12: http.address: want host:port"},
		{"open profiler", "pprof:\n  address: :7784\n", "2:12: pprof.address: want a loopback address"},
		{"missing file", "grpc:\n  token_file: " + missing + "\n", "2:15: grpc.token_file: cannot read \"" + missing + "\": no such file or directory"},
		{"directory", "grpc:\n  token_file: /\n", "2:15: grpc.token_file: \"/\" is a directory, not a file"},
		{"certificate without key", "grpc:\n  tls_cert_file: " + os.Args[0] + "\n", "2:18: grpc.tls_cert_file: needs grpc.tls_key_file too"},
		{"names without mTLS", "grpc:\n  allowed_names: [a]\n", "2:18: grpc.allowed_names: needs grpc.client_ca_file too"},
		{"certificate of the pages without key", "http:\n  tls_cert_file: " + os.Args[0] + "\n", "2:18: http.tls_cert_file: needs http.tls_key_file too"},
		{"missing keys of tokens", "tokens:\n  key_file: " + missing + "\n", "2:13: tokens.key_file: cannot read"},
		{"origin that browsers do not send", "signal:\n  allowed_origins: [\"https://example.org/\"]\n", "signal.allowed_origins[0]: want an origin as browsers send it"},
		{"origin with the usual port", "whip:\n  allowed_origins: [\"https://example.org:443\"]\n", "whip.allowed_origins[0]: want an origin as browsers send it"},
		{"every origin", "whip:\n  allowed_origins: [\"*\"]\n", "whip.allowed_origins[0]: want an origin as browsers send it"},
		{"node without a name", "signal:\n  nodes: [{address: \"a:1\"}]\n", "signal.nodes[0].id: want 1 to 63 letters"},
		{"node without an address", "signal:\n  nodes: [{id: a}]\n", "signal.nodes[0].address: want host:port"},
		{"two nodes of one name", "signal:\n  nodes:\n    - {id: a, address: \"a:1\"}\n    - {id: a, address: \"b:1\"}\n", "4:12: signal.nodes[1].id: another node is called a already"},
		{"node's certificate without a key", "signal:\n  nodes: [{id: a, address: \"a:1\", tls_ca_file: " + os.Args[0] + ", tls_cert_file: " + os.Args[0] + "}]\n", "signal.nodes[0].tls_cert_file: needs signal.nodes[0].tls_key_file too"},
		{"node's name without TLS", "signal:\n  nodes: [{id: a, address: \"a:1\", tls_server_name: b}]\n", "signal.nodes[0].tls_ca_file: is needed for TLS"},
		{"node's file that is not there", "signal:\n  nodes:\n    - id: a\n      address: \"a:1\"\n      token_file: " + missing + "\n", "5:19: signal.nodes[0].token_file: cannot read"},
		{"unknown key of a node", "signal:\n  nodes: [{id: a, adddress: \"a:1\"}]\n", "signal.nodes[0].adddress: unknown key; did you mean address?"},
		{"a frame too short", "signal:\n  max_frame_bytes: 1\n", "2:20: signal.max_frame_bytes: 1 is out of range: want 16384 to 16777216"},
		{"no sessions", "whip: {max_sessions: 0}\n", "whip.max_sessions: 0 is out of range: want 1 to 1000000"},
		{"a switch of the admin page that is none", "admin:\n  token_only: sometimes\n", "2:15: admin.token_only: want true or false"},
		{"external name", "media:\n  external_addresses:\n    - {address: example.com}\n", "3:17: media.external_addresses[0].address: want an IP address that clients can reach, not \"example.com\""},
		{"ICE server without a URL", "media:\n  ice_servers:\n    - username: u\n", "3:15: media.ice_servers[0].urls: want at least one URL"},
		{"ICE server of another kind", "media:\n  ice_servers: [{urls: [\"http://example.com\"]}]\n", "2:24: media.ice_servers[0].urls: want stun:host:port, turn:host:port or turns:host:port, not \"http://example.com\""},
		{"external of two families", "media:\n  external_addresses: [{address: 203.0.113.7, internal: \"::1\"}]\n", "2:57: media.external_addresses[0].internal: ::1 and 203.0.113.7 are not of the same family"},
		{"app id", "apps:\n  a b: {}\n", "2:3: apps.a b: want an app id"},
		{"broadcast", "apps:\n  default:\n    limits:\n      broadcast_per_user_per_second: 11\n", "4:38: apps.default.limits.broadcast_per_user_per_second: 11 is more than the whole room may send"},
		{"control character", "http:\n  address: \"a\\u0007:1\"\n", "2:12: http.address: \"a\\a:1\" has control or broken characters in it"},
		{"syntax", "log:\n  level: info\n bad\n", ":3:"},
		{"tab", "log:\n\tlevel: info\n", ":2:"},
		{"unclosed", "log: {level: info\n", ":1:"},
		{"two documents", "log: {}\n---\nlog: {}\n", "a second document: want one"},
		{"anchor", "log: &a {}\n", "1:6: log: want keys and values here, not an anchor or alias"},
		{"merge key", "log:\n  <<: {}\n", "2:3: log: want a key here"},
		{"nested in brackets", "log: " + strings.Repeat("[", 100_000), "1:38: nested more than 32 levels deep"},
		{"nested in lines", nestedLines(1000), "33:33: nested more than 32 levels deep"},
		{"nested in one line", strings.Repeat("- ", 1000), "1:65: nested more than 32 levels deep"},
		{"too large", strings.Repeat("#", maxFileBytes+1), "f.yaml: file of 1048577 bytes: more than 1048576"},
		{"not a mapping", "hello\n", "1:1: want keys and values here, not the text \"hello\""},
	} {
		_, err := Parse("f.yaml", []byte(c.yaml))
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want an ErrInvalid", c.name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant in it: %s", c.name, err, c.want)
		}
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	text := "grpc:\n  adddress: x\nnode:\n  rooms: -1\n  sessions: many\nlog:\n  level: loud\n"
	_, err := Load(Sources{
		File:    write(t, text),
		Environ: []string{"SFU_HTTP_ADDRESS=here"}, Settings: []Setting{{Path: "no.such", Value: "1", Source: "flag --set"}},
	})
	var all *Error
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all.Problems {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Origin.Line, p.Origin.Column, p.Path))
	}
	want := []string{"0:0 http.address", "0:0 no", "2:3 grpc.adddress", "4:10 node.rooms", "5:13 node.sessions", "7:10 log.level"}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q\n%v", got, want, err)
	}
	for _, excerpt := range []string{"     4 |   rooms: -1\n       |          ^", "     2 |   adddress: x\n       |   ^"} {
		if !strings.Contains(err.Error(), excerpt) {
			t.Errorf("no excerpt\n%s\nin\n%v", excerpt, err)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"media.udp_adddress", "x", "flag --set: media.udp_adddress: unknown key; did you mean udp_address?"},
		{"media", "x", "flag --set: media: want keys and values here"},
		{"media.udp_address.x", "x", "media.udp_address: has no keys below it"},
		{"", "x", "unknown key"},
		{"node.rooms", "", "flag --set: node.rooms: want a whole number, not \"\""},
		{"apps", "[", "apps: want a map"},
		{"apps.x", "1", "apps.x"},
		{"apps.x.y", "1", "apps.x.y: unknown key"},
		{"media.external_addresses", "203.0.113.7,x", "media.external_addresses[1].address: want an IP address"},
		{"media.external_addresses", "[{address: 1}]", "media.external_addresses[0].address: want text"},
		{"grpc.allowed_names", "a\x00b", "grpc.allowed_names[0]: \"a\\x00b\" has control"},
	} {
		_, err := Load(Sources{Search: []string{}, Settings: []Setting{{c.path, c.value, "flag --set"}}})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want in it: %s", c.path, c.value, err, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	c := Default()
	c.GRPC.Address, c.HTTP.Address = ":7781", "0.0.0.0:7780"
	c.Signal.Nodes = []SignalNode{{ID: "a", Address: "a.internal:7781", TokenFile: os.Args[0]}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"no authentication", "without TLS", "metrics are open", "neither camera nor microphone", "set tokens.key_file", "signal.nodes[0]: the token"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning with %q in:\n%s", want, all)
		}
	}
}

// TestProxyWarning: with keys for clients and a port that only this machine reaches, a proxy is what clients come by.
func TestProxyWarning(t *testing.T) {
	c := Default()
	c.Tokens.KeyFile = os.Args[0]
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "admin.token_only") {
		t.Errorf("warnings %q", w)
	}
	c.Admin.TokenOnly = true
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("with admin.token_only: %q", w)
	}
}

func TestZeroMeansWhatItSays(t *testing.T) {
	c := Default()
	c.Forwarding.Hold, c.Media.SpeakersEvery, c.GRPC.RequestsPerSecond, c.Media.TCPAddress = 0, 0, 0, Off
	s, err := c.SFU()
	if err != nil {
		t.Fatal(err)
	}
	if s.Forward.Hold >= 0 || s.SpeakerEvery >= 0 || s.TCPAddress != "" || c.Control().RequestRate >= 0 {
		t.Errorf("hold %v, speakers %v, tcp %q, rate %v", s.Forward.Hold, s.SpeakerEvery, s.TCPAddress, c.Control().RequestRate)
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", 10 * time.Minute: "10m",
		time.Hour + time.Second: "1h0m1s", 500 * time.Millisecond: "500ms",
	} {
		got := shortDuration(d)
		if back, err := time.ParseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}

// nestedLines is a file in which every line is below the one before.
func nestedLines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sfu.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
