// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strings"
	"testing"
	"time"
)

// TestCodecs follows the codec of a source into its streams and their events.
func TestCodecs(t *testing.T) {
	r := New(Config{DefaultApp: App{MultiRoom: true}})
	now := time.Unix(1, 0)
	do := func(cmd Command) any {
		t.Helper()
		reply, _, err := r.Apply(now, cmd)
		if err != nil {
			t.Fatalf("%T: %v", cmd, err)
		}
		return reply
	}
	do(CreateSession{App: "a", ID: "s", User: User{ID: "u", Name: "u"}, Mode: ModeMulti})
	do(SetLines{Session: "s", Lines: []Line{{Mid: "0", Kind: Video, Direction: LineUp}}})
	for _, room := range []string{"r1", "r2"} {
		do(JoinRoom{Session: "s", Room: room})
		if st := do(Publish{Session: "s", Room: room, Stream: "x", VideoMid: "0"}).(Stream); st.VideoCodec != "" {
			t.Errorf("codec %q before media", st.VideoCodec)
		}
	}
	before := r.Revision()
	do(SetSourceLive{Session: "s", Mid: "0", Live: true, Codec: "video/VP8"})
	do(SetSourceLive{Session: "s", Mid: "0", Live: true, Codec: "video/VP8"}) // nothing new
	do(SetSourceLive{Session: "s", Mid: "0", Live: true, Codec: "video/AV1"}) // the publisher has changed its mind
	do(SetSourceLive{Session: "s", Mid: "0", Live: false})                    // keeps what is known
	events, ok := r.EventsAfter(before, 0)
	if !ok {
		t.Fatal("events are gone")
	}
	var told []string
	for _, e := range events {
		if p, is := e.Payload.(StreamChangedEvent); is {
			told = append(told, e.Room+" "+p.Stream.VideoCodec)
		}
	}
	want := "r1 video/VP8,r2 video/VP8,r1 video/AV1,r2 video/AV1,r1 video/AV1,r2 video/AV1"
	if got := strings.Join(told, ","); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	streams := r.SessionStreams("s")
	if len(streams) != 2 || streams[0].VideoCodec != "video/AV1" || streams[0].State != StreamWaiting || streams[1].Room != "r2" {
		t.Errorf("streams %+v", streams)
	}
	if _, _, err := r.Apply(now, SetSourceLive{Session: "s", Mid: "0", Live: true, Codec: strings.Repeat("x", 65)}); err == nil {
		t.Error("an endless codec name was taken")
	}
	if r.SessionStreams("nobody") != nil || r.Subscribers("a", "r1", "nothing") != 0 {
		t.Error("facts about what does not exist")
	}
}

// TestRoomLoudest asks for the number of voices of rooms that are there, and of others.
func TestRoomLoudest(t *testing.T) {
	r := New(Config{DefaultApp: App{MultiRoom: true, Loudest: 3}})
	two := uint32(2)
	for _, cmd := range []Command{
		CreateSession{App: "a", ID: "s", User: User{ID: "u", Name: "u"}, Mode: ModeMulti},
		JoinRoom{Session: "s", Room: "r1"},
		JoinRoom{Session: "s", Room: "r2"},
		SetRoomAudio{App: "a", Room: "r2", Loudest: &two},
	} {
		if _, _, err := r.Apply(time.Unix(1, 0), cmd); err != nil {
			t.Fatalf("%T: %v", cmd, err)
		}
	}
	for room, want := range map[string]uint32{"r1": 3, "r2": 2, "r3": 0} {
		if got := r.RoomLoudest("a", room); got != want {
			t.Errorf("%s forwards %d, want %d", room, got, want)
		}
	}
	if got := r.RoomLoudest("b", "r1"); got != 0 {
		t.Errorf("a room of another app forwards %d", got)
	}
}
