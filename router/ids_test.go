// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	user := func(id, name string) error { return checkUser(User{ID: id, Name: name}) }
	for name, c := range map[string]struct {
		got, want error
	}{
		"room":                 {checkRoomID("class 1"), ErrRoomIDInvalid},
		"room, all characters": {checkRoomID("aZ09~!@#$%^&*()_+=-`;',.<>\\"), nil},
		"room, slash":          {checkRoomID("a/b"), ErrRoomIDInvalid},
		"room, not ASCII":      {checkRoomID("größe"), ErrRoomIDInvalid},
		"room, NUL":            {checkRoomID("a\x00"), ErrRoomIDInvalid},
		"room, empty":          {checkRoomID(""), ErrRoomIDInvalid},
		"room, longest":        {checkRoomID(long(127)), nil},
		"room, too long":       {checkRoomID(long(128)), ErrRoomIDInvalid},
		"user, longest":        {user(long(63), "n"), nil},
		"user, too long":       {user(long(64), "n"), ErrUserIDInvalid},
		"user, empty":          {user("", "n"), ErrUserIDInvalid},
		"name, UTF-8":          {user("u", "Ännchen 李"), nil},
		"name, longest":        {user("u", long(255)), nil},
		"name, too long":       {user("u", long(256)), ErrUserNameInvalid},
		"name, empty":          {user("u", ""), ErrUserNameInvalid},
		"name, not UTF-8":      {user("u", "a\xff"), ErrUserNameInvalid},
		"name, control":        {user("u", "a\nb"), ErrUserNameInvalid},
		"name, C1 control":     {user("u", "a\u0085b"), ErrUserNameInvalid},
		"stream":               {checkStreamID("Cam-1_b"), nil},
		"stream, dot":          {checkStreamID("a.b"), ErrStreamIDInvalid},
		"stream, longest":      {checkStreamID(long(255)), nil},
		"stream, too long":     {checkStreamID(long(256)), ErrStreamIDInvalid},
		"stream, empty":        {checkStreamID(""), ErrStreamIDInvalid},
		"app":                  {checkAppID("a.b-c_1"), nil},
		"app, too long":        {checkAppID(long(64)), ErrAppIDInvalid},
		"app, slash":           {checkAppID("a/b"), ErrAppIDInvalid},
		"text":                 {checkText("because\nof", 255, "reason"), nil},
		"text, too long":       {checkText(long(256), 255, "reason"), ErrArgument},
		"text, not UTF-8":      {checkText("\xff", 255, "reason"), ErrArgument},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// Each thing that can be wrong has a number of its own, under one reason.
func TestCodesOfIDs(t *testing.T) {
	name := func(s string) error { return checkUser(User{ID: "u", Name: s}) }
	for _, c := range []struct {
		check              func(string) error
		longest            int
		chars              string
		empty, wrong, long int
	}{
		{checkRoomID, 127, "a/b", 1002011, 1002012, 1002013},
		{checkUserID, 63, "a/b", 1002005, 1002006, 1002007},
		{name, 255, "a\nb", 1002008, 1002009, 1002010},
		{checkStreamID, 255, "a.b", 1000015, 1000016, 1000014},
	} {
		for id, want := range map[string]int{
			"": c.empty, c.chars: c.wrong, strings.Repeat("x", c.longest+1): c.long, strings.Repeat("x", c.longest): 0,
		} {
			var e *Error
			if errors.As(c.check(id), &e); e == nil && want != 0 || e != nil && e.Code != want {
				t.Errorf("%.20q: %+v, want code %d", id, e, want)
			}
		}
	}
}

// FuzzIDs holds the id checks against their definition, character by character.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"", "a", "a/b", "~!@#", "größe", "a\x00", "\xff", strings.Repeat("x", 128)} {
		f.Add(s)
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	made := func(s, chars string, longest int) bool {
		return s != "" && len(s) <= longest && strings.Trim(s, chars) == ""
	}
	f.Fuzz(func(t *testing.T, s string) {
		const punctuation = "~!@#$%^&*()_+=-`;',.<>\\"
		if got, want := checkRoomID(s) == nil, made(s, alnum+punctuation, 127); got != want {
			t.Errorf("room id %q: %v", s, got)
		}
		if got, want := checkUserID(s) == nil, made(s, alnum+punctuation, 63); got != want {
			t.Errorf("user id %q: %v", s, got)
		}
		if got, want := checkStreamID(s) == nil, made(s, alnum+"-_", 255); got != want {
			t.Errorf("stream id %q: %v", s, got)
		}
		if got, want := checkAppID(s) == nil, made(s, alnum+".-_", 63); got != want {
			t.Errorf("app id %q: %v", s, got)
		}
	})
}

// Ids of two processes differ, whatever was done in them.
func TestIDsOfProcesses(t *testing.T) {
	seen := map[SessionID]bool{}
	for epoch := range uint64(3) {
		r := New(Config{Epoch: epoch})
		for _, user := range []string{"a", "b"} {
			reply, _, err := r.Apply(scriptStart, CreateSession{App: "app", User: User{ID: user, Name: user}, Mode: ModeSingle})
			s, _ := reply.(Session)
			if err != nil || seen[s.ID] {
				t.Fatalf("epoch %d: session id %q again (%v)", epoch, s.ID, err)
			}
			seen[s.ID] = true
		}
	}
}

// A caller may have taken an id that the router would make.
func TestIDTaken(t *testing.T) {
	r := New(Config{Epoch: 1})
	create := func(id SessionID, user string) SessionID {
		t.Helper()
		reply, _, err := r.Apply(scriptStart, CreateSession{App: "app", ID: id, User: User{ID: user, Name: user}, Mode: ModeSingle})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := reply.(Session)

		return s.ID
	}
	create("s1-3", "a")
	if got := create("", "b"); got == "s1-3" || got == "" {
		t.Errorf("made id %q", got)
	}
	if n := r.Counts().Sessions; n != 2 {
		t.Errorf("%d sessions", n)
	}
}
