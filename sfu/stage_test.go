// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hall is a stage whose levels a test sets, and time that passes when it says so.
type hall struct {
	*stage
	t   *testing.T
	now time.Time
}

func newHall(t *testing.T, places int, streams ...string) *hall {
	h := &hall{&stage{places: places, voices: make(map[string]*voice)}, t, time.Unix(1_000_000, 0)}
	for _, stream := range streams {
		h.voice(stream, h.now).source = sourceKey{mid: stream}
	}

	return h
}

// say sets levels by stream, those that are not named being silent, and decides every 100 ms for so long.
func (h *hall) say(levels map[string]uint8, during time.Duration) {
	for end := h.now.Add(during); h.now.Before(end); h.now = h.now.Add(loudestEvery) {
		for stream, v := range h.voices {
			v.level = levelSilence
			if level, ok := levels[stream]; ok {
				v.level = level
			}
		}
		h.decide(h.now)
	}
}

// on is who has a place.
func (h *hall) on() string {
	var list []string
	for stream, v := range h.voices {
		if v.place {
			list = append(list, stream)
		}
	}
	slices.Sort(list)

	return strings.Join(list, " ")
}

func (h *hall) want(what, on string) {
	h.t.Helper()
	if got := h.on(); got != on {
		h.t.Errorf("%s: %q have places, want %q", what, got, on)
	}
}

const moment = loudestEvery // one decision

// TestStage goes through a conversation on a stage of two places.
func TestStage(t *testing.T) {
	h := newHall(t, 2, "a", "b", "c", "d")
	h.want("before anybody speaks", "a b")
	h.say(nil, time.Second)
	h.want("while nobody speaks", "a b")
	h.say(map[string]uint8{"c": 30}, moment)
	h.want("one who speaks takes a silent one's place at once", "a c")
	h.say(map[string]uint8{"c": 30, "d": 35}, moment)
	h.want("so does the next", "c d")
	h.say(map[string]uint8{"c": 30, "d": 35, "a": 31}, 5*time.Second)
	h.want("hardly louder than one who speaks", "c d")
	h.say(map[string]uint8{"c": 30, "d": 35, "a": 20}, placeHold-moment)
	h.want("louder, but one was among the loudest just before", "c d")
	h.say(map[string]uint8{"c": 30, "d": 35, "a": 20}, moment)
	h.want("louder for long enough", "a c")
	h.say(map[string]uint8{"c": 30, "d": 35}, time.Second)
	h.want("the loud one has paused", "a c")
	h.say(map[string]uint8{"c": 30, "d": 35, "a": 20}, time.Second)
	h.want("and goes on", "a c")
	h.say(map[string]uint8{"d": 35}, placeHold+moment)
	h.want("one goes on alone", "a d")
	h.say(nil, time.Hour)
	h.want("places stay with who spoke last", "a d")
}

// TestStageChanges has streams come and go, be muted, and places be more and fewer.
func TestStageChanges(t *testing.T) {
	h := newHall(t, 2, "a", "b", "c")
	h.say(map[string]uint8{"b": 20, "c": 30}, time.Second)
	h.want("two speak", "b c")
	h.voices["b"].muted = true
	h.say(map[string]uint8{"b": 20, "c": 30}, moment)
	h.want("one of them is muted", "a c")
	h.voices["b"].muted = false
	h.say(map[string]uint8{"b": 20, "c": 30}, moment)
	h.want("and is not any more", "b c")
	delete(h.voices, "c")
	h.voice("d", h.now)
	h.want("one comes in place of one that goes", "b d")
	h.voice("e", h.now)
	h.want("and one too many", "b d")
	h.places = 3
	h.say(nil, moment)
	h.want("a third place, for a silent one too", "a b d")
	h.places = 1
	h.say(map[string]uint8{"d": 40, "b": 20}, moment)
	h.want("a single place, for who spoke last", "b")
	h.say(map[string]uint8{"d": 45}, placeHold+moment)
	h.want("nobody is muffled for good", "d")
	h.say(map[string]uint8{"a": speakerLevel + 1}, time.Minute)
	h.want("noise is no speech", "d")
	h.forget(h.now)
	h.want("those that no stream has come for are forgotten", "")
	if len(h.voices) != 2 {
		t.Errorf("%d voices are left", len(h.voices))
	}
}

// TestStageHolds plays random levels, and holds every decision against what a stage promises.
func TestStageHolds(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var streams []string
		for i := range 1 + r.IntN(8) {
			streams = append(streams, fmt.Sprint(i))
		}
		h := newHall(t, 1+r.IntN(4), streams...)
		for range 200 {
			before := make(map[string]voice)
			for stream, v := range h.voices {
				before[stream] = *v
			}
			levels := make(map[string]uint8)
			for _, stream := range streams {
				if r.IntN(2) == 0 {
					levels[stream] = uint8(r.IntN(80))
				}
			}
			h.say(levels, moment)
			at := h.now.Add(-moment)
			for stream, v := range h.voices {
				switch was := before[stream]; {
				case was.place && !v.place && at.Sub(was.heard) < placeHold:
					t.Fatalf("seed %d: %s has lost its place %v after it was among the loudest", seed, stream, at.Sub(was.heard))
				case !was.place && v.place && !v.audible() && len(streams) > h.places:
					t.Fatalf("seed %d: %s was given a place for silence", seed, stream)
				}
			}
			if want := min(h.places, len(streams)); h.taken() != want {
				t.Fatalf("seed %d: %d have places, not %d", seed, h.taken(), want)
			}
		}
	}
}

// TestStagesFollowRooms: a room becomes a stage and stops to be one, and what is not told of is found again.
func TestStagesFollowRooms(t *testing.T) {
	g := newStages()
	room := roomKey{"app", "r"}
	stream := func(id string) streamKey { return streamKey{"app", "r", id} }
	if g.gate(room, "a") != nil {
		t.Error("a gate in a room that forwards all")
	}
	g.enter(stream("a"), sourceKey{mid: "0"}, false)
	if !g.limit(room, 2, true) || g.limit(room, 3, true) || g.rooms[room].places != 3 || !g.rooms[room].fresh {
		t.Error("the room does not become a stage, or becomes one twice")
	}
	gate := g.gate(room, "a")
	g.enter(stream("a"), sourceKey{mid: "0"}, false)
	if gate == nil || g.gate(room, "a") != gate || g.gate(roomKey{"app", "other"}, "a") != nil || g.gate(room, "b") == gate {
		t.Error("gates are not one for each stream of the room")
	}
	g.leave(stream("b"))
	g.enter(stream("c"), sourceKey{mid: "1"}, true)
	g.prune(map[roomKey]uint32{room: 3}, map[streamKey]sourceKey{stream("c"): {}})
	if diff := cmp.Diff([]string{"c"}, slices.Collect(maps.Keys(g.rooms[room].voices))); diff != "" {
		t.Errorf("voices: %s", diff)
	}
	g.prune(map[roomKey]uint32{room: 0}, nil)
	if g.limit(room, 0, true) || len(g.rooms) != 0 || g.gate(room, "c") != nil {
		t.Error("the room is a stage still")
	}
}
