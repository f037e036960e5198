// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	r := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}})
	now := time.Unix(0, 0)
	do := func(c Command) any {
		reply, eff, err := r.Apply(now, c)
		t.Logf("%T -> %+v err=%v", c, reply, err)
		for _, e := range eff {
			t.Logf("   %T%+v", e, e)
		}
		return reply
	}
	for _, u := range []string{"a", "b"} {
		do(CreateSession{App: "x", ID: SessionID(u), User: User{u, u}, Mode: ModeMulti})
		do(SetLines{Session: SessionID(u), Lines: []Line{{Mid: "0", Kind: Audio, Direction: LineUp}, {Mid: "1", Kind: Video, Direction: LineUp}, {Mid: "2", Kind: Audio, Direction: LineDown}}})
		do(JoinRoom{Session: SessionID(u), Room: "r"})
	}
	do(Subscribe{Session: "b", Room: "r", Stream: "s", Audio: true, Video: true})
	do(Publish{Session: "a", Room: "r", Stream: "s", AudioMid: "0", VideoMid: "1"})
	do(SetLines{Session: "b", Lines: []Line{{Mid: "0", Kind: Audio, Direction: LineUp}, {Mid: "1", Kind: Video, Direction: LineUp}, {Mid: "2", Kind: Audio, Direction: LineDown}, {Mid: "3", Kind: Video, Direction: LineDown}}})
	do(LeaveRoom{Session: "a", Room: "r"})
	ev, _ := r.EventsAfter(0, 0)
	for _, e := range ev {
		t.Logf("%d %s/%d %s %+v", e.Revision, e.Room, e.RoomRevision, e.Payload.Kind(), e.Payload)
	}
}
