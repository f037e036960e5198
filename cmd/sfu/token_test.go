// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchyard-media/sfu/internal/auth"
)

// newKeyFile makes a key file as an operator does.
func newKeyFile(t *testing.T, apps ...string) string {
	t.Helper()
	name, text := filepath.Join(t.TempDir(), "keys"), "# made for a test\n"
	for _, app := range apps {
		line, errs, code := output(t, nil, "token", "key", "--app", app)
		if code != 0 || len(strings.Fields(line)) != 3 {
			t.Fatalf("sfu token key: %d %q %s", code, line, errs)
		}
		text += line
	}
	settled(t, name, text)
	return name
}

func TestTokenCommand(t *testing.T) {
	name := newKeyFile(t, "demo", "*")
	keys, err := auth.LoadKeys(name)
	if err != nil {
		t.Fatal(err)
	}
	all := auth.Grants{Publish: true, Subscribe: true, Message: true}
	config := filepath.Join(t.TempDir(), "sfu.yaml")
	settled(t, config, "tokens: {key_file: "+name+"}\n")
	for _, c := range []struct {
		args []string
		env  []string
		want auth.Claims
	}{
		{[]string{"--key-file", name, "--app=demo", "--user=ada", "--room=lobby"}, nil, auth.Claims{
			App: "demo", UserID: "ada", UserName: "ada", Rooms: []auth.Room{{Room: "lobby", Grants: all}},
		}},
		{[]string{"-c", config, "--app=demo", "--user=ada", "--name=Ada L.", "--room=a,b", "--room=c", "--prefix=class-", "--grant=subscribe", "--group=g"}, nil, auth.Claims{
			App: "demo", UserID: "ada", UserName: "Ada L.", Group: "g", Rooms: []auth.Room{
				{Room: "a,b", Grants: auth.Grants{Subscribe: true}}, {Room: "c", Grants: auth.Grants{Subscribe: true}}, {Prefix: "class-", Grants: auth.Grants{Subscribe: true}},
			},
		}},
		{[]string{"make", "--app=other", "--user=ada", "--any-room", "--manage"}, []string{"SFU_TOKENS_KEY_FILE=" + name}, auth.Claims{
			App: "other", UserID: "ada", UserName: "ada", Rooms: []auth.Room{{Any: true, Grants: auth.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}}},
		}},
		{[]string{"--app=demo", "--admin"}, []string{"SFU_CONFIG=" + config}, auth.Claims{App: "demo", Admin: true}},
	} {
		out, errs, code := output(t, c.env, append([]string{"token"}, c.args...)...)
		got, err := keys.Check(strings.TrimSuffix(out, "\n"))
		if code != 0 || err != nil || errs != "" {
			t.Errorf("sfu token %q: %d %q %s: %v", c.args, code, out, errs, err)
			continue
		}
		if d := cmp.Diff(c.want, *got, cmpopts.IgnoreFields(auth.Claims{}, "Issued", "Expires")); d != "" {
			t.Errorf("sfu token %q (-want +got):\n%s", c.args, d)
		}
		if got.Expires.Sub(got.Issued) != time.Hour {
			t.Errorf("sfu token %q: good for %v", c.args, got.Expires.Sub(got.Issued))
		}
	}
	out, _, _ := output(t, nil, "token", "--key-file", name, "--app=demo", "--user=ada", "--any-room", "--ttl=10m")
	if got, err := keys.Check(strings.TrimSpace(out)); err != nil || got.Expires.Sub(got.Issued) != 10*time.Minute {
		t.Errorf("--ttl: %+v, %v", got, err)
	}
}

func TestTokenCommandRefuses(t *testing.T) {
	name := newKeyFile(t, "demo")
	with := func(args ...string) []string { return append([]string{"token", "--key-file", name}, args...) }
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{with("--user=ada", "--any-room"), 2, "--app"},
		{with("--app=demo", "--user=ada"), 1, "--room, --prefix or --any-room"},
		{with("--app=demo", "--any-room"), 1, "claim sub"},
		{with("--app=demo", "--user=a b", "--any-room"), 1, "claim sub"},
		{with("--app=other", "--user=ada", "--any-room"), 1, "no key for the app other"},
		{with("--app=demo", "--user=ada", "--any-room", "--ttl=200h"), 1, "more than 168h"},
		{with("--app=demo", "--user=ada", "--any-room", "--ttl=-1h"), 1, "exp is not after iat"},
		{with("--app=demo", "--user=ada", "--any-room", "--grant=record"), 1, `unknown grant "record"`},
		{[]string{"token", "--app=demo", "--user=ada", "--any-room"}, 1, "SFU_TOKENS_KEY_FILE"},
		{[]string{"token", "--app=demo", "--user=ada", "--any-room", "--key-file=" + name + "-none"}, 1, "no such file"},
		{[]string{"token", "key"}, 2, "--app"},
		{[]string{"token", "key", "--app=a b"}, 1, "the app is"},
		{[]string{"token", "key", "--app=demo", "--id=a/b"}, 1, "the key id is"},
	} {
		out, errs, code := output(t, nil, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("sfu %q: %d %q %q, want %d and %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}
