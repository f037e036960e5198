// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// switchWithin is how soon after a switch the other stream's picture has to be there, on loopback.
const switchWithin = 500 * time.Millisecond

// TestSwitches: a played stream is switched between two rooms, 50 times, without any negotiation, and the other picture is there
// soon each time. Two more viewers, who stay, tell what is the machine's doing: a late picture is the machine's when they did not
// get their pictures either.
func TestSwitches(t *testing.T) {
	const switches, rounds = 50, 3
	s := newStage(t, chromium.Start(t, chromium.Config{}))
	rooms := [2]string{"a", "b"}
	var stayers [2]*client
	for i, room := range rooms {
		host := s.engine("host-" + room)
		host.login(room)
		host.must("paint", "picture", 320, 180, switchPicturesPerSecond, i*rangeOfOne*4+margin, rangeOfOne-2*margin)
		host.must("publish", host.user, "picture", in{room})
		stayers[i] = s.engine("stayer-" + room)
		stayers[i].login(room)
		stayers[i].play(room, host.user)
		stayers[i].plays(room, host.user)
	}
	bob := s.engine("bob")
	bob.login(rooms[:]...)
	bob.play("a", "host-a")
	before := bob.plays("a", "host-a")
	descriptions := chromium.Call[[]string](bob.Tab, "peers.descriptions")
	at := 0
	for round := 1; ; round++ {
		var times []time.Duration
		var late []string
		for i := range switches {
			at = 1 - at
			took, blamed := bob.switches(rooms[1-at], rooms[at], at*4, stayers[at])
			times = append(times, took)
			if blamed != "" {
				late = append(late, fmt.Sprintf("switch %d: %s", i, blamed))
			}
		}
		slices.Sort(times)
		t.Logf("round %d: pictures after %v in the middle and %v at most", round, times[switches/2], times[switches-1])
		if times[switches/2] > switchWithin {
			late = append(late, fmt.Sprintf("half of them took longer than %v", times[switches/2]))
		}
		if len(late) == 0 {
			break
		}
		if round == rounds {
			t.Errorf("late pictures in every one of %d rounds: %q", rounds, late)
			break
		}
		t.Logf("%q", late)
	}
	now := bob.onePeer()
	if now.Needed != before.Needed || now.Negotiations != before.Negotiations {
		t.Errorf("%d negotiationneeded events, %d negotiations", now.Needed-before.Needed, now.Negotiations-before.Negotiations)
	}
	if diff := cmp.Diff(descriptions, chromium.Call[[]string](bob.Tab, "peers.descriptions")); diff != "" {
		t.Errorf("descriptions changed:\n%s", diff)
	}
	if diff := cmp.Diff(before.Players["a/host-a"], now.Players[rooms[at]+"/host-"+rooms[at]]); diff != "" {
		t.Errorf("other lines:\n%s", diff)
	}
	for i, c := range stayers {
		c.plays(rooms[i], "host-"+rooms[i])
	}
}

const switchPicturesPerSecond = 20

// switches switches a player to another room, and answers when the first picture from there was seen, counted from the call. It
// says why the picture was late, if it was and another viewer of the same stream got most of its pictures meanwhile.
func (c *client) switches(from, to string, which int, stayer *client) (took time.Duration, late string) {
	c.t.Helper()
	known, other := c.count(from, "host-"+from), stayer.count(to, "host-"+to)
	call := fmt.Sprintf(`(async () => {
		const began = page.now();
		await page.must('switchTo', {streamID: 'host-%[1]s', roomID: %[1]q}, {streamID: 'host-%[2]s', roomID: %[2]q});
		return began;
	})()`, from, to)
	began := chromium.Eval[float64](c.Tab, call)
	var first picture
	chromium.Until(c.Tab, "the picture of "+to, chromium.Expression(c.t, "page.seen", to+"/host-"+to, known), func(seen []picture) bool {
		i := slices.IndexFunc(seen, func(p picture) bool { return p.At > began && p.right() && p.of() == which })
		if i >= 0 {
			first = seen[i]
		}
		return i >= 0
	})
	took = time.Duration((first.At - began) * float64(time.Millisecond))
	if took <= switchWithin {
		return took, ""
	}
	got := 0
	for _, p := range stayer.seen(to, "host-"+to, other) {
		if p.At > began && p.At < first.At {
			got++
		}
	}
	if due := int(took.Seconds() * switchPicturesPerSecond); got < due*2/3 {
		c.t.Logf("%v for the picture of %s, where another viewer has got %d of %d pictures: the machine was busy", took, to, got, due)
		return took, ""
	}
	return took, fmt.Sprintf("%v, while another viewer has got %d pictures", took, got)
}
