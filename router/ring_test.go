// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strings"
	"testing"
	"time"
)

func TestRingCount(t *testing.T) {
	g := ring{maxCount: 100, maxBytes: 1 << 30}
	for rev := uint64(1); rev <= 1000; rev++ {
		g.add(&Event{Revision: rev, Payload: RoomOpenedEvent{}})
		oldest := max(1, int(rev)-99)
		if g.count != int(rev)-oldest+1 {
			t.Fatalf("at %d: %d events are kept", rev, g.count)
		}
		events, ok := g.after(uint64(oldest-1), rev, 0)
		if !ok || len(events) != g.count || events[0].Revision != uint64(oldest) || events[len(events)-1].Revision != rev {
			t.Fatalf("at %d: after %d: %d events, %v", rev, oldest-1, len(events), ok)
		}
		if oldest > 1 {
			if _, ok := g.after(uint64(oldest-2), rev, 0); ok {
				t.Fatalf("at %d: no gap after %d", rev, oldest-2)
			}
		}
	}
	if events, ok := g.after(1000, 1000, 0); !ok || len(events) != 0 {
		t.Errorf("after the last: %v %v", events, ok)
	}
	if _, ok := g.after(1001, 1000, 0); ok {
		t.Error("a revision of the future is no gap")
	}
	if events, ok := g.after(990, 1000, 3); !ok || len(events) != 3 || events[2].Revision != 993 {
		t.Errorf("three after 990: %v %v", events, ok)
	}
}

func TestRingBytes(t *testing.T) {
	g := ring{maxCount: 1 << 20, maxBytes: 10000}
	big := strings.Repeat("x", 1000)
	for rev := uint64(1); rev <= 50; rev++ {
		g.add(&Event{Revision: rev, Payload: RoomClosedEvent{Why: big}})
		if g.bytes > 10000 {
			t.Fatalf("%d bytes are kept", g.bytes)
		}
	}
	if g.count < 5 || g.count > 9 {
		t.Errorf("%d events of about 1200 bytes in 10000", g.count)
	}
	// One event over the bound is kept all the same: a watcher that is up to date must get it.
	g.add(&Event{Revision: 51, Payload: RoomClosedEvent{Why: strings.Repeat("x", 20000)}})
	if events, ok := g.after(50, 51, 0); !ok || len(events) != 1 {
		t.Errorf("the large event is gone: %v %v", events, ok)
	}
	g.add(&Event{Revision: 52, Payload: RoomOpenedEvent{}})
	if g.count != 1 || g.bytes > 10000 {
		t.Errorf("%d events, %d bytes", g.count, g.bytes)
	}
}

// What a caller chose the length of is counted, in every payload.
func TestEventSizes(t *testing.T) {
	long := strings.Repeat("x", 5000)
	user := User{ID: "u", Name: long}
	for _, p := range []Payload{
		SessionEvent{Session: Session{User: user}},
		SessionEvent{Session: Session{Labels: map[string]string{"k": long}}},
		SessionEvent{Session: Session{Lines: make([]Line, 100)}},
		MemberJoinedEvent{Member{Metadata: long}},
		MemberLeftEvent{Member: Member{User: user}},
		MemberLeftEvent{Why: long},
		MemberKickedEvent{Why: long},
		MemberExpiringEvent{Member{User: user}},
		MemberUpdatedEvent{Member{Metadata: long}},
		StreamAddedEvent{Stream{Metadata: long}},
		StreamRemovedEvent{Stream: Stream{User: user}},
		StreamChangedEvent{Stream{ID: long}},
		StreamMutedEvent{Stream{Metadata: long}},
		SubscriptionEvent{Subscription: Subscription{User: user}},
		SpeakersEvent{Speakers: make([]Speaker, 200)},
		MessageEvent{Payload: []byte(long)},
		MessageEvent{To: make([]string, 200)},
		RoomMetadataEvent{Metadata: Metadata{Value: long}},
		RoomClosedEvent{Why: long},
	} {
		if n := (&Event{Payload: p}).size(); n < 5000 {
			t.Errorf("%T is estimated at %d bytes", p, n)
		}
	}
	for _, p := range []Payload{RoomOpenedEvent{}, NegotiationNeededEvent{}, LimitsEvent{}, NodeEvent{}} {
		if n := (&Event{Payload: p}).size(); n < 100 || n > 1000 {
			t.Errorf("%T is estimated at %d bytes", p, n)
		}
	}
}

func TestEventsAreStamped(t *testing.T) {
	r := New(Config{Epoch: 1})
	now := scriptStart
	for _, user := range []string{"a", "b", "c"} {
		now = now.Add(time.Second)
		if _, _, err := r.Apply(now, CreateSession{App: "app", User: User{ID: user, Name: user}, Mode: ModeSingle}); err != nil {
			t.Fatal(err)
		}
	}
	events, _ := r.EventsAfter(0, 0)
	for i, e := range events {
		if e.Revision != uint64(i+1) || !e.Time.Equal(scriptStart.Add(time.Duration(i+1)*time.Second)) || e.App != "app" || e.Session == "" {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if r.Revision() != 3 || len(events) != 3 {
		t.Errorf("revision %d, %d events", r.Revision(), len(events))
	}
}
