// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"testing"
	"time"
)

func TestBanned(t *testing.T) {
	t.Parallel()
	r := New(Config{Epoch: 1})
	now := time.Unix(1_800_000_000, 0)
	if _, _, err := r.Apply(now, KickUser{App: "demo", Room: "r1", User: "ada", Ban: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		room, user string
		at         time.Time
		want       bool
	}{
		{"r1", "ada", now, true},
		{"r1", "ada", now.Add(59 * time.Second), true},
		{"r1", "ada", now.Add(time.Minute), false},
		{"r2", "ada", now, false},
		{"r1", "bob", now, false},
	} {
		until, banned := r.Banned(c.at, "demo", c.room, c.user)
		if banned != c.want || banned && !until.Equal(now.Add(time.Minute)) {
			t.Errorf("%s in %s at %v: %v, %v", c.user, c.room, c.at, until, banned)
		}
	}
}

func TestCheckIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		app, room, stream string
		want              error
	}{
		{"demo", "r/1", "cam", ErrRoomIDInvalid},
		{"demo", "r 1", "cam", ErrRoomIDInvalid},
		{"demo", "r1", "c a", ErrStreamIDInvalid},
		{"", "r1", "cam", ErrAppIDInvalid},
		{"demo", "r1", "cam", nil},
	} {
		if err := CheckIDs(c.app, c.room, c.stream); !errors.Is(err, c.want) {
			t.Errorf("%q %q %q: %v, want %v", c.app, c.room, c.stream, err, c.want)
		}
	}
}
