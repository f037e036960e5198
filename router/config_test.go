// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// Every limit has a default: a field that is added and forgotten would be zero, and refuse everything.
func TestEveryLimitIsFilled(t *testing.T) {
	v := reflect.ValueOf(Limits{}.or(defaultLimits))
	if n := len((&Limits{}).fields()); n != v.NumField() {
		t.Errorf("fields lists %d of %d limits", n, v.NumField())
	}
	for i := range v.NumField() {
		if v.Field(i).Int() <= 0 {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	apps := map[string]App{"a": {Limits: Limits{RoomsPerUser: 9}}}
	cfg := Config{Apps: apps, DefaultApp: App{Limits: Limits{Rooms: 7, RoomsPerUser: 6}}}.withDefaults()
	a, d := cfg.Apps["a"], cfg.DefaultApp
	if a.ID != "a" || a.Limits.RoomsPerUser != 9 || a.Limits.Rooms != 7 || a.Limits.MembersPerRoom != 1000 {
		t.Errorf("app a: %+v", a)
	}
	if d.Limits.RoomsPerUser != 6 || d.Limits.SubscriptionsPerUser != 256 {
		t.Errorf("default app: %+v", d)
	}
	if apps["a"].ID != "" {
		t.Error("the caller's map was written")
	}
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		switch f := v.Type().Field(i); f.Name {
		case "Epoch", "OnlyNamedApps", "Apps", "DefaultApp":
		default:
			if v.Field(i).Int() <= 0 {
				t.Errorf("%s has no default", f.Name)
			}
		}
	}
}

func TestAppSettings(t *testing.T) {
	r := New(Config{Epoch: 1, Apps: map[string]App{"named": {MultiRoom: true}}, DefaultApp: App{Limits: Limits{Rooms: 7}}})
	for id, multi := range map[string]bool{"named": true, "other": false} {
		a, err := r.App(id)
		if err != nil || a.ID != id || a.MultiRoom != multi || a.Limits.Rooms != 7 {
			t.Errorf("app %s: %+v, %v", id, a, err)
		}
	}
	// An app set at run time stays when its last session ends; one that was only used does not.
	for _, cmd := range []Command{
		SetApp{App: App{ID: "set", MultiRoom: true}},
		CreateSession{App: "set", ID: "s1", User: User{"u", "u"}, Mode: ModeMulti},
		CreateSession{App: "used", ID: "s2", User: User{"u", "u"}, Mode: ModeMulti},
		CloseSession{Session: "s1"},
		CloseSession{Session: "s2"},
	} {
		if _, _, err := r.Apply(scriptStart, cmd); err != nil {
			t.Fatalf("%#v: %v", cmd, err)
		}
	}
	if a, _ := r.App("set"); !a.MultiRoom {
		t.Error("the settings are gone with the last session")
	}
	if len(r.apps) != 2 {
		t.Errorf("%d apps are kept", len(r.apps))
	}
}

// ChangeApp sees what holds, and sets all or nothing.
func TestChangeApp(t *testing.T) {
	r := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}, OnlyNamedApps: true, Apps: map[string]App{"a": {Limits: Limits{Rooms: 7}}}})
	raise := func(id string, by int, err error) error {
		_, _, applied := r.Apply(scriptStart, ChangeApp{ID: id, Change: func(a App) (App, error) {
			a.ID, a.Limits.Rooms = "another", a.Limits.Rooms+by

			return a, err
		}})

		return applied
	}
	for range 3 {
		if err := raise("a", 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	before := r.Revision()
	for name, c := range map[string]struct{ got, want error }{
		"refused":     {raise("a", 1, ErrDraining), ErrDraining},
		"negative":    {raise("a", -100, nil), ErrArgument},
		"not an id":   {raise("a b", 1, nil), ErrAppIDInvalid},
		"unknown app": {raise("b", 1, nil), ErrUnknownApp},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if a, err := r.App("a"); err != nil || a.ID != "a" || a.Limits.Rooms != 13 || r.Revision() != before {
		t.Errorf("%+v, %v, %d events more", a, err, r.Revision()-before)
	}
	if len(r.apps) != 1 {
		t.Errorf("%d apps are kept", len(r.apps))
	}
}

// Users must not reach each other's state through what a reply shares.
func TestRepliesAreCopies(t *testing.T) {
	r := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}})
	labels, layer := map[string]string{"k": "v"}, uint8(2)
	payload := []byte("hello")
	apply := func(cmd Command) any {
		t.Helper()
		reply, _, err := r.Apply(scriptStart, cmd)
		if err != nil {
			t.Fatalf("%#v: %v", cmd, err)
		}

		return reply
	}
	apply(CreateSession{App: "app", ID: "s", User: User{"u", "u"}, Mode: ModeMulti, Labels: labels, TTL: time.Hour})
	apply(JoinRoom{Session: "s", Room: "r"})
	sub, _ := apply(Subscribe{Session: "s", Room: "r", Stream: "x", Audio: true, Preference: Preference{MaxSpatial: &layer}}).(Subscription)
	apply(SendMessage{App: "app", Room: "r", From: "u", Kind: MessageBroadcast, Payload: payload})
	joined, _ := apply(JoinRoom{Session: "s", Room: "r"}).(JoinReply)
	labels["k"], layer, payload[0] = "changed", 7, 'X'
	joined.Room.Members[0].User.ID = "changed"
	if s, _ := r.Session("s"); s.Labels["k"] != "v" {
		t.Error("labels are the caller's")
	}
	if got, _ := r.Subscription(sub.ID); *got.Preference.MaxSpatial != 2 {
		t.Error("the preference is the caller's")
	}
	if rm, _ := r.Room("app", "r"); rm.Members[0].User.ID != "u" {
		t.Error("the members are the caller's")
	}
	events, _ := r.EventsAfter(r.Revision()-1, 0)
	if m, _ := events[0].Payload.(MessageEvent); string(m.Payload) != "hello" {
		t.Errorf("the payload is the caller's: %s", m.Payload)
	}
}
