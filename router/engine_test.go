// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "fmt"

// engine carries effects out the way a media engine would, and refuses those that make no sense.
type engine struct {
	slots map[slotKey]bound
	ended map[SessionID]bool // since the last command
}

type slotKey struct {
	session SessionID
	mid     string
}

type bound struct {
	kind         Kind
	sub          SubscriptionID
	room, stream string
	source       SessionID
	sourceMid    string
	paused       bool
	weight       uint32
}

// apply carries the effects of one command out; exists tells whether a session exists after it, existed before it.
func (g *engine) apply(effects []Effect, exists, existed func(SessionID) bool) error {
	g.ended = map[SessionID]bool{}
	for _, e := range effects {
		if id := e.Target(); g.ended[id] || !exists(id) && !existed(id) {
			return fmt.Errorf("%T for session %s, that is gone", e, id)
		}
		if err := g.one(e); err != nil {
			return fmt.Errorf("%#v: %w", e, err)
		}
	}
	for id := range g.ended {
		if exists(id) {
			return fmt.Errorf("session %s was ended and exists", id)
		}
	}

	return nil
}

func (g *engine) one(e Effect) error {
	switch e := e.(type) {
	case BindSlot:
		key := slotKey{e.Session, e.Mid}
		if old, ok := g.slots[key]; ok && old.sub != e.Subscription {
			return fmt.Errorf("slot is bound to %s", old.sub)
		}
		g.slots[key] = bound{e.Kind, e.Subscription, e.Room, e.Stream, e.Source, e.SourceMid, e.Paused, e.Weight}
	case UnbindSlot:
		key := slotKey{e.Session, e.Mid}
		old, ok := g.slots[key]
		if !ok || old.sub != e.Subscription || old.kind != e.Kind || old.room != e.Room || old.stream != e.Stream {
			return fmt.Errorf("slot is bound to %+v", old)
		}
		delete(g.slots, key)
	case UpdateSlot:
		key := slotKey{e.Session, e.Mid}
		old, ok := g.slots[key]
		if !ok || old.sub != e.Subscription || old.kind != e.Kind {
			return fmt.Errorf("slot is bound to %+v", old)
		}
		old.paused, old.weight = e.Paused, e.Weight
		g.slots[key] = old
	case EndSession:
		for key := range g.slots {
			if key.session == e.Session {
				return fmt.Errorf("slot %s is still bound", key.mid)
			}
		}
		g.ended[e.Session] = true
	}

	return nil
}

// matches holds the engine against the router's state: every bound line, and nothing else, with the right pause.
func (g *engine) matches(s Snapshot) error {
	n := 0
	subs := map[SubscriptionID]Subscription{}
	for _, sub := range s.Subscriptions {
		subs[sub.ID] = sub
	}
	muted, weights := map[string]Stream{}, map[slotKey]uint32{}
	for _, rm := range s.Rooms {
		for _, m := range rm.Members {
			weights[slotKey{m.Session, rm.ID}] = m.Weight
		}
		for _, st := range rm.Streams {
			muted[rm.ID+"/"+st.ID] = st
		}
	}
	for _, x := range s.Sessions {
		for _, l := range x.Lines {
			if l.Subscription == "" {
				continue
			}
			n++
			st := muted[l.Room+"/"+l.Stream]
			mute := st.AudioMuted
			if l.Kind == Video {
				mute = st.VideoMuted
			}
			want := bound{l.Kind, l.Subscription, l.Room, l.Stream, l.Source, l.SourceMid, mute || subs[l.Subscription].Paused, weights[slotKey{x.ID, l.Room}]}
			if got := g.slots[slotKey{x.ID, l.Mid}]; got != want {
				return fmt.Errorf("slot %s of %s: engine has %+v, router %+v", l.Mid, x.ID, got, want)
			}
		}
	}
	if n != len(g.slots) {
		return fmt.Errorf("engine has %d bound slots, router %d", len(g.slots), n)
	}

	return nil
}
