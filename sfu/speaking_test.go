// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/router"
)

// TestSpeaking plays who is loud enough, and looks at what a room is told.
func TestSpeaking(t *testing.T) {
	type loud map[string]uint8
	now := time.Unix(1_000_000, 0)
	sp := &speaking{}
	muted := make(map[string]bool)
	step := func(what string, after time.Duration, levels loud, told ...string) {
		t.Helper()
		now = now.Add(after)
		var list []router.Speaker
		for stream, level := range levels {
			list = append(list, router.Speaker{Stream: stream, Level: level})
		}
		changed := sp.update(now, list, func(stream string) bool { return !muted[stream] })
		if changed != (told != nil) {
			t.Errorf("%s: told is %v", what, changed)
		}
		if told == nil {
			return
		}
		got := []string{}
		for _, s := range sp.told {
			got = append(got, s.Stream)
		}
		if diff := cmp.Diff(told, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	const tick = 300 * time.Millisecond
	step("silence", tick, nil)
	step("one begins", tick, loud{"a": 30}, "a")
	step("two at once, one louder", tick, loud{"a": 30, "b": 27}, "b", "a")
	step("a word's pause", tick, loud{"b": 27})
	step("and on", tick, loud{"a": 26, "b": 27})
	step("a little louder than the first", 10*tick, loud{"a": 22, "b": 27})
	step("by far", tick, loud{"a": 21, "b": 27}, "a", "b")
	step("one stops", tick, loud{"a": 21})
	step("just before that counts", speakerHold-2*tick, loud{"a": 21})
	step("and when it does", tick, loud{"a": 21}, "a")
	muted["a"] = true
	step("muted", tick, nil, []string{}...)
	if len(sp.told) != 0 {
		t.Errorf("one who was muted speaks on: %+v", sp.told)
	}
}

// TestSpeakingIsBounded has more speak than are told of, all about as loud: the list does not change all the time.
func TestSpeakingIsBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	sp := &speaking{}
	told := 0
	for i := range 100 {
		var list []router.Speaker
		for who := range 2 * maxSpeakers {
			list = append(list, router.Speaker{Stream: string(rune('a' + who)), Level: uint8(30 + (who+i)%4)})
		}
		if sp.update(now.Add(time.Duration(i)*time.Second), list, func(string) bool { return true }) {
			told++
		}
	}
	if told != 1 || len(sp.told) != maxSpeakers || len(sp.heard) != maxSpeakers {
		t.Errorf("told %d times, %d speakers, %d remembered", told, len(sp.told), len(sp.heard))
	}
}
