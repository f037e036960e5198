// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what the router does now")

// script runs one file of testdata. A line that begins with "> " is a command; what follows it, indented, is what came of
// it: the reply or the error, the events, the effects. Lines that begin with # are kept as they are.
//
// Sessions are named after their users unless user= says otherwise; everything is of the app "app" unless app= does.
type script struct {
	t   *testing.T
	cfg Config
	r   *Router
	now time.Time
	out strings.Builder
}

var scriptStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// words are the arguments of a script command: plain ones in order, and key=value ones.
type words struct {
	plain []string
	named map[string]string
}

func parseWords(line string) (verb string, w words) {
	fields := strings.Fields(line)
	w.named = make(map[string]string)
	for _, f := range fields[1:] {
		if k, v, ok := strings.Cut(f, "="); ok && k != "" {
			w.named[k] = v
		} else {
			w.plain = append(w.plain, f)
		}
	}

	return fields[0], w
}

// at returns plain argument i; "-" and an absent one are empty.
func (w words) at(i int) string {
	if i >= len(w.plain) || w.plain[i] == "-" {
		return ""
	}

	return w.plain[i]
}

func (w words) number(t *testing.T, key string) int {
	t.Helper()
	v, ok := w.named[key]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%s: %v", key, v, err)
	}

	return n
}

func (w words) duration(t *testing.T, key string) time.Duration {
	t.Helper()
	v, ok := w.named[key]
	if !ok {
		return 0
	}

	return duration(t, v)
}

func duration(t *testing.T, v string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, cfg: Config{Epoch: 1, DefaultApp: App{MultiRoom: true}}, now: scriptStart}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&s.out, line)
			s.step(line[2:])
		case line == "", strings.HasPrefix(line, "#"):
			fmt.Fprintln(&s.out, line)
		case strings.HasPrefix(line, "  "): // what was expected; written anew
		default:
			t.Fatalf("%s: what is %q?", file, line)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(s.out.String()), 0o644); err != nil {
			t.Fatal(err)
		}

		return
	}
	if d := cmp.Diff(strings.Split(string(raw), "\n"), strings.Split(s.out.String(), "\n")); d != "" {
		t.Errorf("-expected +got (rewrite with -update, then read the diff):\n%s", d)
	}
}

func (s *script) step(line string) {
	verb, w := parseWords(line)
	if verb == "config" {
		s.configure(w)

		return
	}
	if s.r == nil {
		s.r = New(s.cfg)
	}
	if verb == "wait" {
		s.now = s.now.Add(duration(s.t, w.at(0)))

		return
	}
	if s.query(verb, w) {
		return
	}
	s.apply(s.command(verb, w))
}

// apply carries a command out and prints what came of it.
func (s *script) apply(cmd Command) {
	before, snapshot := s.r.Revision(), s.r.Snapshot(nil)
	reply, effects, err := s.r.Apply(s.now, cmd)
	if err != nil {
		s.say("%s", showError(err))
		if d := cmp.Diff(snapshot, s.r.Snapshot(nil)); d != "" || len(effects) != 0 {
			s.t.Errorf("%#v failed and changed something:\n%s", cmd, d)
		}

		return
	}
	s.say("%s", s.reply(reply))
	events, ok := s.r.EventsAfter(before, 0)
	if !ok {
		s.say("events are gone from the ring")
	}
	for _, e := range events {
		s.say("%s", s.event(e))
	}
	for _, e := range effects {
		s.say("  %s", showEffect(e))
	}
}

func (s *script) say(format string, args ...any) { fmt.Fprintf(&s.out, "  "+format+"\n", args...) }

func (s *script) configure(w words) {
	if s.r != nil {
		s.t.Fatal("config must come first")
	}
	a := &s.cfg.DefaultApp
	for k, v := range w.named {
		switch k {
		case "multi":
			a.MultiRoom = v == "yes"
		case "duplicate":
			a.DuplicateUser = map[string]DuplicateUserPolicy{"reject": DuplicateReject, "replace": DuplicateReplace}[v]
		case "scope":
			a.StreamIDScope = map[string]StreamIDScope{"app": ScopeApp, "room": ScopeRoom}[v]
		case "loudest":
			a.Loudest = uint32(w.number(s.t, k))
		case "apps":
			s.cfg.OnlyNamedApps = true
			s.cfg.Apps = map[string]App{v: {MultiRoom: true}}
		case "ttl":
			s.cfg.SessionTTL = duration(s.t, v)
		case "grace":
			s.cfg.ReconnectGrace = duration(s.t, v)
		case "node_rooms":
			s.cfg.NodeRooms = w.number(s.t, k)
		case "node_sessions":
			s.cfg.NodeSessions = w.number(s.t, k)
		case "ring":
			s.cfg.EventRingCount = w.number(s.t, k)
		case "bans":
			s.cfg.Bans = w.number(s.t, k)
		case "dedup":
			s.cfg.MessageDedup = w.number(s.t, k)
		default:
			s.limits(&a.Limits, w)
		}
	}
}

// limits reads those limits that scripts set.
func (s *script) limits(l *Limits, w words) {
	for key, field := range map[string]*int{
		"rooms_per_user": &l.RoomsPerUser, "members": &l.MembersPerRoom, "rooms": &l.Rooms, "sessions": &l.Sessions,
		"streams": &l.StreamsPerUser, "subscriptions": &l.SubscriptionsPerUser, "message_bytes": &l.MessageBytes,
		"metadata_bytes": &l.MetadataBytes, "metadata_keys": &l.MetadataKeys, "broadcasts": &l.BroadcastPerSecond,
	} {
		if n := w.number(s.t, key); n != 0 {
			*field = n
		}
	}
}
