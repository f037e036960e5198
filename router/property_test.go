// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// modelLimits are low, so that random commands run into all of them.
var modelLimits = Limits{RoomsPerUser: 3, MembersPerRoom: 3, Rooms: 3, Sessions: 4, StreamsPerUser: 4, SubscriptionsPerUser: 5}

// machine runs one sequence of commands on the router, the model, the replica of a watcher, and a media engine.
type machine struct {
	t       *rapid.T
	r       *Router
	w       world
	watcher *replica
	engine  *engine
	before  Snapshot
}

// TestModel is the property of all this: after any commands the router is where the plain model is, what it has told is
// enough to know it, and what it has asked for is what it says is bound.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1000, 0)
		r := New(Config{
			Epoch: 1, SessionTTL: modelTTL, ReconnectGrace: modelGrace,
			DefaultApp: App{MultiRoom: true, Loudest: modelLoudest, Limits: modelLimits},
		})
		m := &machine{
			t: t, r: r, w: newWorld(start, modelLimits), before: r.Snapshot(nil), watcher: newReplica(Snapshot{}),
			engine: &engine{slots: map[slotKey]bound{}},
		}
		m.furnish()
		for range m.below("length", 1, 120) {
			m.step(m.draw())
		}
		m.finish()
	})
}

// finish ends every session, and bans by waiting: nothing may be left behind.
func (m *machine) finish() {
	for _, id := range sessionIDs {
		if _, ok := m.w.sessions[string(id)]; ok {
			m.one(CloseSession{Session: id})
		}
	}
	m.w.now = m.w.now.Add(time.Hour)
	m.one(Tick{})
	if n := len(m.r.apps) + len(m.r.sessions) + len(m.r.subs) + len(m.r.bans) + len(m.r.deadlines); n != 0 {
		m.t.Fatalf("%d apps, sessions, subscriptions, bans and deadlines are left", n)
	}
}

func (m *machine) step(cmd Command) {
	if tick, ok := cmd.(Tick); ok {
		for range m.below("seconds", 1, 12) {
			m.w.now = m.w.now.Add(time.Second)
			m.one(tick)
		}

		return
	}
	m.one(cmd)
}

func (m *machine) one(cmd Command) {
	t := m.t
	next := m.w.clone()
	var want string
	var wantItems []string
	if batch, ok := cmd.(MoveMembers); ok {
		wantItems = next.moveAll(batch)
	} else {
		want = next.apply(cmd)
	}
	reply, effects, err := m.r.Apply(m.w.now, cmd)
	if got := reasonOf(err); got != want {
		t.Fatalf("%#v: router says %q, the model %q", cmd, got, want)
	}
	after := m.r.Snapshot(nil)
	if err != nil {
		if len(effects) != 0 || !reflect.DeepEqual(after, m.before) {
			t.Fatalf("%#v failed and changed something: %v\n%s", cmd, effects, gocmp.Diff(m.before, after))
		}

		return
	}
	m.w = next
	if results, ok := reply.([]MoveResult); ok {
		for i, r := range results {
			if reasonOf(r.Err) != wantItems[i] {
				t.Fatalf("%#v: item %d: %v, the model %q", cmd, i, r.Err, wantItems[i])
			}
		}
	}
	m.agree(cmd, after)
	m.told(cmd, after)
	m.carriedOut(cmd, effects, after)
	m.clean(cmd)
	m.before = after
}

// clean looks for leftovers in the indexes, which no call shows but which would grow.
func (m *machine) clean(cmd Command) {
	for i, x := range m.r.deadlines {
		if x.index != i || x.owner.due(m.r).IsZero() || !x.at.Equal(x.owner.due(m.r)) {
			m.t.Fatalf("after %#v: timer %d is due at %v, its owner at %v", cmd, i, x.at, x.owner.due(m.r))
		}
	}
	for _, s := range m.r.sessions {
		if err := s.wellKept(); err != nil {
			m.t.Fatalf("after %#v: %v", cmd, err)
		}
	}
	for _, a := range m.r.apps {
		for id, n := range a.streams {
			if n <= 0 {
				m.t.Fatalf("after %#v: stream id %s is kept %d times", cmd, id, n)
			}
		}
		for _, rm := range a.rooms {
			for id, x := range rm.wishes {
				if len(x.subs) == 0 {
					m.t.Fatalf("after %#v: nobody wishes for %s in %s any more", cmd, id, rm.id)
				}
			}
		}
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		return "no *Error: " + err.Error()
	}

	return e.Reason
}

// agree holds the router against the model.
func (m *machine) agree(cmd Command, after Snapshot) {
	if d := gocmp.Diff(m.w.dump(), dumpSnapshot(after)); d != "" {
		m.t.Fatalf("after %#v: -model +router\n%s", cmd, d)
	}
	for k := range m.w.streams {
		if got, want := m.r.Subscribers("app", k.room, k.id), len(m.w.subsOf(k.room, k.id)); got != want {
			m.t.Fatalf("after %#v: %d subscribers to %v, want %d", cmd, got, k, want)
		}
	}
	want := Counts{Sessions: len(m.w.sessions), Rooms: m.w.roomCount(), Members: len(m.w.members), Streams: len(m.w.streams), Subscriptions: len(m.w.subs)}
	if got := m.r.Counts(); got != want {
		m.t.Fatalf("after %#v: counts %+v, want %+v", cmd, got, want)
	}
}

// told holds what a watcher knows against the router.
func (m *machine) told(cmd Command, after Snapshot) {
	events, ok := m.r.EventsAfter(m.watcher.revision, 0)
	if !ok {
		m.t.Fatalf("after %#v: events are gone", cmd)
	}
	for _, e := range events {
		if err := m.watcher.apply(e); err != nil {
			m.t.Fatalf("after %#v: %v", cmd, err)
		}
	}
	if got := m.watcher.snapshot(m.r.Epoch()); !reflect.DeepEqual(got, after) {
		m.t.Fatalf("after %#v: -router +watcher\n%s", cmd, gocmp.Diff(after, got))
	}
	for id := range m.w.sessions {
		var missing NegotiationNeededEvent
		for _, sub := range m.w.subs {
			need := m.w.needs(sub)
			if sub.session == id && sub.state == SubscriptionNeedsNegotiation {
				missing.Audio += count(need[Audio])
				missing.Video += count(need[Video])
			}
		}
		missing.Audio = max(0, missing.Audio-m.w.idle(id, Audio))
		missing.Video = max(0, missing.Video-m.w.idle(id, Video))
		if audio, video := m.r.Missing(SessionID(id)); (NegotiationNeededEvent{audio, video}) != missing {
			m.t.Fatalf("after %#v: %s lacks %+v, router says %d and %d", cmd, id, missing, audio, video)
		}
		if told := m.watcher.missing[SessionID(id)]; missing != (NegotiationNeededEvent{}) && told != missing {
			m.t.Fatalf("after %#v: %s lacks %+v, told was %+v", cmd, id, missing, told)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}

	return 0
}

func (w *world) idle(session string, k Kind) int {
	n := 0
	for i, l := range w.sessions[session].lines {
		mid := fmt.Sprint(i)
		taken := false
		for _, sub := range w.subs {
			taken = taken || sub.session == session && sub.slot[k] == mid
		}
		if l.kind == k && l.dir == LineDown && !taken {
			n++
		}
	}

	return n
}

// carriedOut holds a media engine against the router.
func (m *machine) carriedOut(cmd Command, effects []Effect, after Snapshot) {
	in := func(s Snapshot) func(SessionID) bool {
		return func(id SessionID) bool {
			return slices.ContainsFunc(s.Sessions, func(x Session) bool { return x.ID == id })
		}
	}
	if err := m.engine.apply(effects, in(after), in(m.before)); err != nil {
		m.t.Fatalf("after %#v: %v", cmd, err)
	}
	if err := m.engine.matches(after); err != nil {
		m.t.Fatalf("after %#v: %v", cmd, err)
	}
}
