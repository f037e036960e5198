// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// TestCrossRoomCall: hosts A and B publish in a room each, and have an audience there. Told by its host, each audience logs in to
// the other room too and plays the stream there, and leaves it again when told so, while its own host's stream plays on.
func TestCrossRoomCall(t *testing.T) {
	s := newStage(t, chromium.Start(t, chromium.Config{}))
	type side struct {
		room           string
		host, audience *client
	}
	sides := [2]side{}
	for i, room := range []string{"a", "b"} {
		host, audience := s.engine("host-"+room), s.engine("audience-"+room)
		host.login(room)
		host.films(room)
		audience.login(room)
		audience.tell("follow", named(audience.user), room)
		audience.play(room, host.user)
		audience.plays(room, host.user)
		sides[i] = side{room, host, audience}
	}
	for i, at := range sides {
		other := sides[1-i]
		before := at.audience.report()
		at.host.orders(at.room, map[string]string{"visit": other.room, "play": other.host.user})
		at.audience.plays(other.room, other.host.user)
		now := at.audience.plays(at.room, at.host.user)
		if now.Negotiations != before.Negotiations || now.Needed != before.Needed {
			t.Errorf("%s: %d negotiations for the second room", at.audience.user, now.Negotiations-before.Negotiations)
		}
		at.audience.rooms("a", "b")
	}
	for i, at := range sides {
		other := sides[1-i]
		at.audience.stays(at.room, at.host.user, func() lines {
			left := at.audience.report().Players[other.room+"/"+other.host.user]
			at.host.orders(at.room, map[string]string{"leave": other.room})
			at.audience.until("having left "+other.room, func(now report) bool { return len(now.Rooms) == 1 })
			return left
		}, func() {
			at.host.orders(at.room, map[string]string{"visit": other.room, "play": other.host.user})
			at.audience.plays(other.room, other.host.user)
		})
		at.audience.rooms(at.room)
	}
	for _, at := range sides {
		at.host.knows(at.room, []string{at.audience.user}, []string{})
		at.host.onePeer()
		at.audience.onePeer()
	}
}

// orders tells everybody in a room what to do.
func (c *client) orders(room string, what map[string]string) {
	c.t.Helper()
	text, err := json.Marshal(what)
	must(c.t, err)
	c.must("sendBroadcastMessage", room, string(text))
}

// stays checks that a player is not disturbed by leaving something else, of whose lines nothing more comes. A busy machine
// freezes video all by itself, at times; leaving that did it would do it every time. again undoes the leaving.
func (c *client) stays(room, stream string, leave func() lines, again func()) {
	c.t.Helper()
	const times = 3
	key := room + "/" + stream
	for attempt := 1; ; attempt++ {
		before := c.plays(room, stream).video(key)
		left := leave()
		c.silent(room, stream, left)
		now := c.plays(room, stream).video(key)
		if now.FreezeCount == before.FreezeCount && now.TotalFreezesDuration == before.TotalFreezesDuration && now.PacketsLost == before.PacketsLost {
			c.t.Logf("%s: %d pictures of %s while leaving, no freeze", c.user, now.FramesDecoded-before.FramesDecoded, key)
			return
		}
		what := fmt.Sprintf("before %+v, after %+v", before, now)
		if attempt == times {
			c.t.Errorf("%s: leaving one room shows in the other: %s", c.user, what)
			return
		}
		c.t.Logf("%s: attempt %d: %s", c.user, attempt, what)
		again()
	}
}
