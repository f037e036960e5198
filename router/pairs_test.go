// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// wellKept holds a session's lists of idle slots against what its lines say.
func (s *session) wellKept() error {
	mids := func(list []*line) (out []string) {
		for _, l := range list {
			out = append(out, l.mid)
		}

		return out
	}
	byPair := func(list []*line) []string {
		slices.SortFunc(list, func(a, b *line) int { return a.pair - b.pair })

		return mids(list)
	}
	var pairs []*line
	for _, k := range bothKinds {
		var alone, left []*line
		for _, l := range s.lines {
			if l.idle != (l.direction == LineDown && l.sub == nil) {
				return fmt.Errorf("line %s of %s: idle %v", l.mid, s.id, l.idle)
			}
			if l.kind != k || !l.idle {
				continue
			}
			i := slices.IndexFunc(s.lines, func(o *line) bool { return o.kind != k && o.pair == l.pair })
			switch {
			case i < 0:
				alone = append(alone, l)
			case !s.lines[i].idle:
				left = append(left, l)
			case k == Audio:
				pairs = append(pairs, l)
			}
		}
		if d := gocmp.Diff(append(byPair(alone), byPair(left)...), mids(s.lone[k])); d != "" {
			return fmt.Errorf("lone slots of %s: -lines +list\n%s", s.id, d)
		}
	}
	if d := gocmp.Diff(byPair(pairs), mids(s.pairs)); d != "" {
		return fmt.Errorf("idle pairs of %s: -lines +list\n%s", s.id, d)
	}

	return nil
}

// idleNow counts a session's idle pairs, and the idle slots of each kind that are in none.
func idleNow(lines []Line) (pairs int, lone [kinds]int) {
	idle := func(l Line) bool { return l.Direction == LineDown && l.Subscription == "" }
	for _, l := range lines {
		if !idle(l) {
			continue
		}
		if slices.ContainsFunc(lines, func(o Line) bool { return o.Kind != l.Kind && o.Pair == l.Pair && idle(o) }) {
			pairs += int(l.Kind) - int(Audio) // once
		} else {
			lone[l.Kind]++
		}
	}

	return pairs, lone
}

// TestPairPreference: whatever the order of slots and of comings and goings, who wants both kinds gets a pair while there
// is an idle one, and who wants one kind leaves the pairs alone while there is another idle slot. Switches keep slots.
func TestPairPreference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, now := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}}), time.Unix(1000, 0)
		do := func(cmd Command) any {
			reply, _, err := r.Apply(now, cmd)
			if err != nil {
				t.Fatalf("%#v: %v", cmd, err)
			}

			return reply
		}
		n := rapid.IntRange(0, 12).Draw(t, "slots")
		lines := make([]Line, n)
		for i := range lines {
			lines[i] = Line{Mid: fmt.Sprint(i), Kind: rapid.SampledFrom(bothKinds[:]).Draw(t, "kind"), Direction: LineDown}
		}
		rooms := []JoinRoom{{Room: "r"}, {Room: "q"}}
		do(Connect{
			Create: CreateSession{App: "app", ID: "p", User: User{ID: "P", Name: "P"}, Mode: ModeMulti}, Joins: rooms,
			Lines: []Line{{Mid: "a", Kind: Audio, Direction: LineUp}, {Mid: "v", Kind: Video, Direction: LineUp}},
		})
		do(Connect{
			Create: CreateSession{App: "app", ID: "s", User: User{ID: "S", Name: "S"}, Mode: ModeMulti}, Joins: rooms,
			Lines: lines[:rapid.IntRange(0, n).Draw(t, "first slots")],
		})
		for i := range 12 {
			for _, room := range []string{"r", "q"} {
				do(Publish{Session: "p", Room: room, Stream: fmt.Sprint(i), AudioMid: "a", VideoMid: "v"})
			}
		}
		var subs []Subscription
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			before, err := r.Lines("s")
			if err != nil {
				t.Fatal(err)
			}
			switch at := rapid.IntRange(0, 11).Draw(t, "at"); {
			case rapid.Bool().Draw(t, "subscribe"):
				stream := fmt.Sprint(at)
				if slices.ContainsFunc(subs, func(sub Subscription) bool { return sub.Stream == stream }) {
					continue
				}
				wants := rapid.IntRange(1, 3).Draw(t, "wants")
				sub := do(Subscribe{Session: "s", Room: "r", Stream: stream, Audio: wants&1 != 0, Video: wants&2 != 0}).(Subscription)
				subs = append(subs, sub)
				after, _ := r.Lines("s")
				preferred(t, sub, before, after)
			case at == 0:
				do(SetLines{Session: "s", Lines: lines})
			case at < len(subs):
				was := subs[at]
				room := map[string]string{"r": "q", "q": "r"}[was.Room]
				subs[at] = do(SwitchSubscription{ID: was.ID, Room: room, Stream: was.Stream}).(Subscription)
				if now := subs[at]; was.State == SubscriptionActive && (now.AudioMid != was.AudioMid || now.VideoMid != was.VideoMid) {
					t.Fatalf("a switch moved %+v to %+v", was, now)
				}
			case len(subs) > 0:
				i := at % len(subs)
				do(Unsubscribe{ID: subs[i].ID})
				subs = slices.Delete(subs, i, i+1)
			}
			if err := r.sessions["s"].wellKept(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// preferred checks what a new subscription was bound to.
func preferred(t *rapid.T, sub Subscription, before, after []Line) {
	t.Helper()
	if sub.State != SubscriptionActive {
		return
	}
	at := func(mid string) Line {
		return after[slices.IndexFunc(after, func(l Line) bool { return l.Mid == mid })]
	}
	pairs, lone := idleNow(before)
	left, _ := idleNow(after)
	if sub.AudioMid != "" && sub.VideoMid != "" {
		if got := at(sub.AudioMid).Pair == at(sub.VideoMid).Pair; got != (pairs > 0) {
			t.Fatalf("%d idle pairs, and %s and %s are bound: %+v", pairs, sub.AudioMid, sub.VideoMid, before)
		}

		return
	}
	k := Audio
	if sub.VideoMid != "" {
		k = Video
	}
	if lone[k] > 0 && left != pairs {
		t.Fatalf("%d idle pairs are %d after %s%s was bound: %+v", pairs, left, sub.AudioMid, sub.VideoMid, before)
	}
	single := func(l Line) bool {
		return !slices.ContainsFunc(before, func(o Line) bool { return o.Kind != l.Kind && o.Pair == l.Pair })
	}
	for _, l := range before {
		if l.Kind == k && l.Direction == LineDown && l.Subscription == "" && single(l) && !single(at(sub.AudioMid+sub.VideoMid)) {
			t.Fatalf("%s is bound and %s has no counterpart: %+v", sub.AudioMid+sub.VideoMid, l.Mid, before)
		}
	}
}
