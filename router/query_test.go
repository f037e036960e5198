// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crowd is a node of two apps with three rooms each, four users each, everybody in every room of its app.
func crowd(t *testing.T) *Router {
	t.Helper()
	r := New(Config{Epoch: 1, DefaultApp: App{MultiRoom: true}})
	for _, app := range []string{"b", "a"} {
		for i := range 4 {
			id := fmt.Sprint(app, i)
			c := Connect{
				Create: CreateSession{App: app, ID: SessionID(id), User: User{ID: id, Name: id}, Mode: ModeMulti},
				Lines:  []Line{{Mid: "0", Kind: Audio, Direction: LineUp}, {Mid: "1", Kind: Audio, Direction: LineDown}},
			}
			for _, room := range []string{"z", "x", "y"} {
				c.Joins = append(c.Joins, JoinRoom{Room: room})
				c.Publishes = append(c.Publishes, Publish{Room: room, Stream: id, AudioMid: "0"})
			}
			c.Subscriptions = []Subscribe{{Room: "y", Stream: app + "0", Audio: true}, {Room: "x", Stream: "later", Audio: true}}
			if _, _, err := r.Apply(scriptStart, c); err != nil {
				t.Fatal(err)
			}
		}
	}

	return r
}

func TestPages(t *testing.T) {
	r := crowd(t)
	for size := 1; size <= 9; size++ {
		var sessions, rooms []string
		for token, more := "", true; more; more = token != "" {
			list, next, err := r.Sessions(SessionFilter{}, Page{Size: size, Token: token})
			if err != nil || len(list) > size {
				t.Fatalf("%d sessions of %d: %v", len(list), size, err)
			}
			for _, s := range list {
				sessions = append(sessions, string(s.ID))
			}
			token = next
		}
		for token, more := "", true; more; more = token != "" {
			list, next, err := r.Rooms(RoomFilter{}, Page{Size: size, Token: token})
			if err != nil || len(list) > size {
				t.Fatalf("%d rooms of %d: %v", len(list), size, err)
			}
			for _, rm := range list {
				rooms = append(rooms, rm.App+"/"+rm.ID)
			}
			token = next
		}
		if want := []string{"a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"}; !slices.Equal(sessions, want) {
			t.Errorf("by %d: sessions %v", size, sessions)
		}
		if want := []string{"a/x", "a/y", "a/z", "b/x", "b/y", "b/z"}; !slices.Equal(rooms, want) {
			t.Errorf("by %d: rooms %v", size, rooms)
		}
	}
}

func TestFilters(t *testing.T) {
	r := crowd(t)
	for _, c := range []struct {
		filter SessionFilter
		want   int
	}{{SessionFilter{}, 8}, {SessionFilter{App: "a"}, 4}, {SessionFilter{User: "b1"}, 1}, {SessionFilter{App: "a", User: "b1"}, 0}, {SessionFilter{Room: "x"}, 8}, {SessionFilter{Room: "none"}, 0}} {
		if list, next, err := r.Sessions(c.filter, Page{}); len(list) != c.want || next != "" || err != nil {
			t.Errorf("%+v: %d sessions, next %q, %v", c.filter, len(list), next, err)
		}
	}
	for _, c := range []struct {
		filter RoomFilter
		want   int
	}{{RoomFilter{}, 6}, {RoomFilter{App: "b"}, 3}, {RoomFilter{Prefix: "x"}, 2}, {RoomFilter{App: "b", Prefix: "q"}, 0}} {
		if list, _, err := r.Rooms(c.filter, Page{}); len(list) != c.want || err != nil {
			t.Errorf("%+v: %d rooms, %v", c.filter, len(list), err)
		}
	}
	only := r.Snapshot(func(app, room string, session SessionID) bool {
		return app == "a" && (room == "" || room == "y") && (session == "" || session == "a1")
	})
	if len(only.Sessions) != 1 || len(only.Rooms) != 1 || len(only.Subscriptions) != 1 || only.Revision != r.Revision() {
		t.Errorf("filtered snapshot: %d sessions, %d rooms, %d subscriptions", len(only.Sessions), len(only.Rooms), len(only.Subscriptions))
	}
}

// Summaries say of the same rooms what they hold, and hold nothing of it themselves.
func TestRoomSummaries(t *testing.T) {
	r := crowd(t)
	for _, page := range []Page{{}, {Size: 2}, {Size: 4, Token: "a/y"}} {
		rooms, next, err := r.Rooms(RoomFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		var want []RoomSummary
		for _, rm := range rooms {
			want = append(want, RoomSummary{
				App: rm.App, ID: rm.ID, Incarnation: rm.Incarnation, Revision: rm.Revision, Opened: rm.Opened,
				Members: len(rm.Members), Streams: len(rm.Streams),
			})
		}
		got, after, err := r.RoomSummaries(RoomFilter{}, page)
		if diff := cmp.Diff(want, got); diff != "" || after != next || err != nil {
			t.Errorf("%+v: next %q, want %q, %v\n%s", page, after, next, err, diff)
		}
		if len(got) == 0 || got[0].Members == 0 {
			t.Errorf("%+v: nothing to compare: %+v", page, got)
		}
	}
	if _, _, err := r.RoomSummaries(RoomFilter{}, Page{Token: "no slash"}); !errors.Is(err, ErrArgument) {
		t.Errorf("a bad token: %v", err)
	}
}

func TestLookups(t *testing.T) {
	r := crowd(t)
	id, ok := r.SessionOfUser("a", "a2")
	if !ok || id != "a2" {
		t.Errorf("session of a2: %q %v", id, ok)
	}
	if _, ok := r.SessionOfUser("b", "a2"); ok {
		t.Error("a user of another app")
	}
	if st, err := r.Stream("a", "y", "a2"); err != nil || st.Session != "a2" || st.AudioMid != "0" {
		t.Errorf("stream: %+v %v", st, err)
	}
	if list, err := r.Streams("a", "y"); err != nil || len(list) != 4 || list[3].ID != "a3" {
		t.Errorf("streams: %+v %v", list, err)
	}
	subs, err := r.Subscriptions("a2", "y")
	if err != nil || len(subs) != 1 || subs[0].State != SubscriptionActive {
		t.Fatalf("subscriptions: %+v %v", subs, err)
	}
	if sub, err := r.Subscription(subs[0].ID); err != nil || sub != subs[0] {
		t.Errorf("subscription: %+v %v", sub, err)
	}
	if lines, err := r.Lines("a2"); err != nil || lines[1].Subscription != subs[0].ID || lines[1].Source != "a0" {
		t.Errorf("lines: %+v %v", lines, err)
	}
	if n := r.Subscribers("a", "y", "a0"); n != 4 {
		t.Errorf("%d subscribers", n)
	}
}

func TestLookupsOfNothing(t *testing.T) {
	r := crowd(t)
	fails := func(name string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	_, err := r.Session("none")
	fails("session", err, ErrSessionNotFound)
	_, err = r.Lines("none")
	fails("lines", err, ErrSessionNotFound)
	_, err = r.Subscriptions("none", "")
	fails("subscriptions", err, ErrSessionNotFound)
	_, err = r.Subscriptions("a0", "none")
	fails("subscriptions in a room", err, ErrNotInRoom)
	_, err = r.Subscription("none")
	fails("subscription", err, ErrSubscriptionNotFound)
	_, err = r.Room("a", "none")
	fails("room", err, ErrRoomNotFound)
	_, err = r.Room("none", "y")
	fails("room of no app", err, ErrRoomNotFound)
	_, err = r.Streams("a", "none")
	fails("streams", err, ErrRoomNotFound)
	_, err = r.Stream("a", "y", "none")
	fails("stream", err, ErrStreamNotFound)
	_, err = r.App("a/b")
	fails("app", err, ErrAppIDInvalid)
	_, _, err = r.Rooms(RoomFilter{}, Page{Size: -1})
	fails("page of rooms", err, ErrArgument)
	_, _, err = r.Apply(scriptStart, nil)
	fails("no command", err, ErrArgument)
	if r.Subscribers("a", "y", "none") != 0 {
		t.Error("a stream that is not there has subscribers")
	}
	if audio, video := r.Missing("none"); audio != 0 || video != 0 {
		t.Error("a session that is not there lacks slots")
	}
}
