// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestActiveSpeakers: watchers are told who speaks in a room, loudest first, and only of that room.
func TestActiveSpeakers(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.SpeakerEvery = 10 * time.Millisecond })
	people := st.enter([]string{"ann", "bob", "cem"}, func(string) cast { return cast{sends: true} })
	for name, p := range people {
		st.join(p, "room", "other")
		st.publish(p, "room", name)
		p.audio.Loudness(100)
	}
	ann, bob := people["ann"], people["bob"]
	st.publish(ann, "other", "ann-too")
	st.sources = []*sfutest.Source{ann.audio, bob.audio, people["cem"].audio}
	w := watch(t, st.API, &sfuv1.WatchEventsRequest{
		Filter: &sfuv1.EventFilter{Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_ACTIVE_SPEAKERS}},
	})
	mute := func(on bool) error {
		_, err := st.Stream.MuteStream(st.ctx, &sfuv1.MuteStreamRequest{AppId: app, RoomId: "room", StreamId: "ann", AudioMuted: new(on)})
		return err
	}
	seen := 0 // events before the step
	for _, step := range []struct {
		what     string
		ann, bob uint8
		mute     bool
		want     []string // of "room"
	}{
		{"ann speaks", 20, 100, false, []string{"ann"}},
		{"bob too, louder", 20, 10, false, []string{"bob", "ann"}},
		{"ann is louder by far", 2, 10, false, []string{"ann", "bob"}}, // by less than 6 dB nobody is told
		{"ann is muted", 2, 10, true, []string{"bob"}},
		{"ann is heard again", 2, 10, false, []string{"ann", "bob"}},
		{"nobody speaks", 127, 127, false, nil},
	} {
		ann.audio.Loudness(step.ann)
		bob.audio.Loudness(step.bob)
		st.must(mute(step.mute))
		told := func() bool {
			st.advance(100 * time.Millisecond)
			events := w.Events()
			return slices.ContainsFunc(events[seen:], func(e *sfuv1.Event) bool {
				return e.GetRoomId() == "room" && slices.Equal(speakersOf(e), step.want)
			})
		}
		if !sfutest.Eventually(st.ctx, told) {
			t.Fatalf("%s: never told; last: %v", step.what, lastOf(w.Events()))
		}
		seen = len(w.Events())
	}
	for _, e := range w.Events() {
		names := speakersOf(e)
		if e.GetRoomId() == "other" && slices.Equal(names, []string{"ann-too"}) || len(names) == 0 {
			continue
		}
		if e.GetRoomId() == "other" || slices.Contains(names, "cem") {
			t.Errorf("in %s speak %v", e.GetRoomId(), names)
		}
		for _, s := range e.GetActiveSpeakers().GetSpeakers() {
			if s.GetUserId() != s.GetStreamId() || s.GetLevel() > 50 {
				t.Errorf("told of %v", s)
			}
		}
	}
}

func speakersOf(e *sfuv1.Event) []string {
	var names []string
	for _, s := range e.GetActiveSpeakers().GetSpeakers() {
		names = append(names, s.GetStreamId())
	}
	return names
}

func lastOf(events []*sfuv1.Event) string {
	if len(events) == 0 {
		return "none"
	}
	return fmt.Sprint(events[len(events)-1])
}
