// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/control"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func TestSeedRoomModeIsFixed(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	request := &sfuv1.CreateSessionRequest{AppId: app, SessionId: "s-1", User: &sfuv1.User{Id: "ann", Name: "Ann"}, RoomMode: multi}
	first, err := n.Session.CreateSession(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.Session.CreateSession(t.Context(), request)
	if err != nil || again.GetSession().GetEpoch() != first.GetSession().GetEpoch() {
		t.Errorf("the same call again: epoch %d and %v, want epoch %d", again.GetSession().GetEpoch(), err, first.GetSession().GetEpoch())
	}
	for _, mode := range []sfuv1.RoomMode{single, sfuv1.RoomMode_ROOM_MODE_UNSPECIFIED} {
		other := proto.CloneOf(request)
		other.RoomMode = mode
		_, err = n.Session.CreateSession(t.Context(), other)
		wantError(t, err, codes.FailedPrecondition, "ROOM_MODE_FIXED", "1001020")
	}
	reply, err := n.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: "s-1"})
	if err != nil || reply.GetSession().GetRoomMode() != multi {
		t.Errorf("after the refused change: %v, %v", reply, err)
	}
}

// TestSeedSixthRoom lets each of several users join forty rooms at once, two hundred calls in all, some leaving meanwhile: the
// order of events tells that nobody was in six rooms at any time.
func TestSeedSixthRoom(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	w := watch(t, n.API, nil)
	for _, user := range []string{"ann", "bob", "cem"} {
		s := signIn(t, n.API, user, multi)
		var mu sync.Mutex
		joined := make(map[string]bool)
		var calls sync.WaitGroup
		for i := range 200 {
			room := fmt.Sprintf("room-%d", i%40)
			calls.Go(func() {
				_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: s.id, RoomId: room})
				if err != nil {
					wantError(t, err, codes.ResourceExhausted, "USER_ROOM_LIMIT", "1002037")
					return
				}
				mu.Lock()
				defer mu.Unlock()
				joined[room] = true
			})
		}
		calls.Wait()
		if len(joined) != 5 || len(s.session().GetRoomIds()) != 5 {
			t.Errorf("%s joined %d rooms and is in %q, want 5", user, len(joined), s.session().GetRoomIds())
		}
		for i := range 200 {
			calls.Go(func() {
				room := fmt.Sprintf("room-%d", i%20)
				var err error
				if i%3 == 0 {
					_, err = n.Room.LeaveRoom(t.Context(), &sfuv1.LeaveRoomRequest{SessionId: s.id, RoomId: room})
				} else {
					_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: s.id, RoomId: room})
				}
				if code := status.Code(err); err != nil && code != codes.ResourceExhausted && code != codes.NotFound {
					t.Errorf("%v", err)
				}
			})
		}
		calls.Wait()
	}
	reach(t, w, n.API)
	in := make(map[string]int)
	for _, e := range w.Events() {
		if m := e.GetMemberJoined(); m != nil {
			in[m.GetMember().GetUser().GetId()]++
		}
		if m := e.GetMemberLeft(); m != nil {
			in[m.GetMember().GetUser().GetId()]--
		}
		for user, rooms := range in {
			if rooms > 5 {
				t.Fatalf("revision %d: %s is in %d rooms", e.GetRevision(), user, rooms)
			}
		}
	}
	if len(in) != 3 {
		t.Errorf("events of %d users, want 3", len(in))
	}
}

func TestSeedMultiRoomDisabled(t *testing.T) {
	t.Parallel()
	t.Run("by SetLimits", func(t *testing.T) {
		n := controlled(t, nil)
		setLimits(t, n.API, &sfuv1.Limits{MultiRoomEnabled: new(false)})
		ann := signIn(t, n.API, "ann", multi) // creating the session is allowed, joining is not
		_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "a"})
		wantError(t, err, codes.PermissionDenied, "MULTI_ROOM_DISABLED", "1002036")
		signIn(t, n.API, "bob", single).join("a")
		setLimits(t, n.API, &sfuv1.Limits{MultiRoomEnabled: new(true)})
		ann.join("a")
		ann.join("b")
		setLimits(t, n.API, &sfuv1.Limits{MultiRoomEnabled: new(false)})
		ann.wantRooms("a", "b") // what was joined stays
		_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "c"})
		wantError(t, err, codes.PermissionDenied, "MULTI_ROOM_DISABLED", "1002036")
	})
	t.Run("by configuration", func(t *testing.T) {
		n := controlled(t, func(c *sfu.Config, _ *control.Config) {
			c.Router.DefaultApp.MultiRoom = false
			c.Router.Apps = map[string]router.App{"paid": {MultiRoom: true}}
		})
		ann := signIn(t, n.API, "ann", multi)
		_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "a"})
		wantError(t, err, codes.PermissionDenied, "MULTI_ROOM_DISABLED", "1002036")
		paid, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "paid", User: &sfuv1.User{Id: "ann", Name: "Ann"}, RoomMode: multi})
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range []string{"a", "b"} {
			if _, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: paid.GetSession().GetId(), RoomId: room}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSeedUserMismatch(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.join("a")
	for _, other := range []*sfuv1.User{
		{Id: "bob", Name: ann.user.GetName()},
		{Id: "ann", Name: "another name"},
		{Id: "ann"},
		{Name: ann.user.GetName()},
		{},
		{Id: "ann", Name: strings.ToUpper(ann.user.GetName())},
	} {
		for _, room := range []string{"a", "b"} {
			_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: room, User: other})
			wantError(t, err, codes.FailedPrecondition, "USER_MISMATCH", "1002018")
		}
	}
	ann.wantRooms("a")
	if _, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "b", User: ann.user}); err != nil {
		t.Error(err)
	}
	_, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{
		AppId: app, SessionId: ann.id, User: &sfuv1.User{Id: "ann", Name: "another name"}, RoomMode: multi,
	})
	wantError(t, err, codes.FailedPrecondition, "USER_MISMATCH", "1002018")
}

func TestSeedRoomIsRequiredInMulti(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.join("a")
	ann.negotiate(1, 1)
	_, err := n.Stream.Publish(t.Context(), ann.publishing("", "cam", 0))
	f := wantError(t, err, codes.InvalidArgument, "ROOM_ID_REQUIRED", "1003070")
	if v := f.bad.GetFieldViolations(); len(v) != 1 || v[0].GetField() != "room_id" {
		t.Errorf("BadRequest %v, want the field room_id", v)
	}
	_, err = n.Subscription.Subscribe(t.Context(), &sfuv1.SubscribeRequest{SessionId: ann.id, StreamId: "cam", Audio: true})
	wantError(t, err, codes.InvalidArgument, "ROOM_ID_REQUIRED", "1004070")
	_, err = n.Subscription.SetSubscriptions(t.Context(), &sfuv1.SetSubscriptionsRequest{SessionId: ann.id, Generation: 1})
	wantError(t, err, codes.InvalidArgument, "ROOM_ID_REQUIRED", "1004070")
	_, err = n.Stream.Publish(t.Context(), ann.publishing("b", "cam", 0))
	wantError(t, err, codes.FailedPrecondition, "NOT_IN_ROOM", "1000002")
	_, err = n.Subscription.Subscribe(t.Context(), &sfuv1.SubscribeRequest{SessionId: ann.id, RoomId: "b", StreamId: "cam", Audio: true})
	wantError(t, err, codes.FailedPrecondition, "NOT_IN_ROOM", "1000002")
	if room := getRoom(t, n.API, "a"); len(room.GetStreams()) != 0 {
		t.Errorf("streams %v after refused calls", room.GetStreams())
	}
}

func TestSeedSingleMode(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", single)
	first := ann.join("a")
	again := ann.join("a")
	if !again.GetRepeatedJoin() || !proto.Equal(first.GetMember(), again.GetMember()) || again.GetIncarnation() != first.GetIncarnation() {
		t.Errorf("joining again: %v, want the member %v", again, first.GetMember())
	}
	_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "b"})
	wantError(t, err, codes.FailedPrecondition, "SINGLE_ROOM_MODE", "1002001")
	ann.wantRooms("a")

	ann.negotiate(1, 1)
	if st := ann.publish("", "cam", 0); st.GetRoomId() != "a" {
		t.Errorf("published without a room in %q, want a", st.GetRoomId())
	}
	if sub := ann.subscribe("", "cam"); sub.GetSubscription().GetRoomId() != "a" || sub.GetSubscription().GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		t.Errorf("subscribed without a room: %v", sub)
	}
	wantEnded(t, ann.leave(""), 1, 1, 1)
	if got := ann.subscriptions(""); len(got) != 0 {
		t.Errorf("subscriptions %v after leaving", got)
	}
	_, err = n.Stream.Publish(t.Context(), ann.publishing("", "cam", 0))
	wantError(t, err, codes.FailedPrecondition, "NOT_IN_ROOM", "1000002")
	ann.join("b")
	ann.wantRooms("b")
}

// inRooms puts two users into rooms; each publishes one source in all of them, and plays the other's stream in each.
func inRooms(t *testing.T, a, b *signaler, rooms ...string) {
	t.Helper()
	for _, s := range []*signaler{a, b} {
		s.negotiate(1, len(rooms))
		for _, room := range rooms {
			s.join(room)
			s.publish(room, s.user.GetId()+"-cam", 0)
		}
	}
	for _, room := range rooms {
		a.subscribe(room, b.user.GetId()+"-cam")
		b.subscribe(room, a.user.GetId()+"-cam")
	}
}

// wantIntact checks that both users play each other in the room.
func wantIntact(t *testing.T, a, b *signaler, room string) {
	t.Helper()
	if got := getRoom(t, a.API, room); len(got.GetMembers()) != 2 || len(got.GetStreams()) != 2 {
		t.Errorf("room %s has %d members and %d streams, want 2 and 2", room, len(got.GetMembers()), len(got.GetStreams()))
	}
	for _, s := range []*signaler{a, b} {
		got := s.subscriptions(room)
		if len(got) != 1 || got[0].GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
			t.Errorf("subscriptions of %s in %s: %v, want one, active", s.user.GetId(), room, got)
		}
	}
}

func TestSeedLeaveOneRoom(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b", "c")
	w := watch(t, n.API, nil)
	before := revision(t, n.API)
	wantEnded(t, ann.leave("b"), 1, 1, 2) // her own subscription, and his to her stream
	ann.wantRooms("a", "c")
	bob.wantRooms("a", "b", "c")
	wantIntact(t, ann, bob, "a")
	wantIntact(t, ann, bob, "c")
	reach(t, w, n.API)
	for _, e := range w.Events() { // what slots show is told when it changes
		if e.GetRevision() > before && e.GetRoomId() != "b" && e.GetRoomId() != "" && e.GetLayers() == nil {
			t.Errorf("leaving b made an event of room %s: %v", e.GetRoomId(), e)
		}
	}
	_, err := n.Room.LeaveRoom(t.Context(), &sfuv1.LeaveRoomRequest{SessionId: ann.id, RoomId: "b"})
	wantError(t, err, codes.NotFound, "NOT_A_MEMBER", "1002002")
	_, err = n.Room.LeaveRoom(t.Context(), &sfuv1.LeaveRoomRequest{SessionId: "nobody", RoomId: "b"})
	wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
	_, err = n.Room.LeaveRoom(t.Context(), &sfuv1.LeaveRoomRequest{SessionId: ann.id}) // MULTI names its room
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("leaving without a room in MULTI mode: %v, want INVALID_ARGUMENT", err)
	}
}

func TestSeedLeaveAllRooms(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b", "c", "d", "e")
	all := &sfuv1.LeaveAllRoomsRequest{SessionId: ann.id}
	reply, err := n.Room.LeaveAllRooms(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 5, 5, 10)
	ann.wantRooms()
	bob.wantRooms("a", "b", "c", "d", "e")
	if got := bob.subscriptions(""); len(got) != 0 {
		t.Errorf("subscriptions to who has left: %v", got)
	}
	if reply, err = n.Room.LeaveAllRooms(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 0, 0, 0)
	ann.join("a") // the session is still there, with its slots and sources
	ann.publish("a", "ann-cam", 0)
	if got := ann.subscribe("a", "bob-cam").GetSubscription(); got.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		t.Errorf("after all rooms: %v, want it active at once", got)
	}
}

func TestSeedLeaveInAnyOrder(t *testing.T) {
	t.Parallel()
	rooms := []string{"a", "b", "c"}
	n := controlled(t, nil)
	bob := signIn(t, n.API, "bob", multi)
	bob.negotiate(1, len(rooms))
	for _, room := range rooms {
		bob.join(room)
		bob.publish(room, "bob-cam", 0)
	}
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, len(rooms))
	for _, order := range [][]string{{"a", "b", "c"}, {"a", "c", "b"}, {"b", "a", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"c", "b", "a"}} {
		for _, room := range rooms {
			ann.join(room)
			ann.publish(room, "ann-cam", 0)
			ann.subscribe(room, "bob-cam")
			bob.subscribe(room, "ann-cam")
		}
		left := slices.Clone(rooms)
		for _, room := range order {
			wantEnded(t, ann.leave(room), 1, 1, 2)
			left = slices.DeleteFunc(left, func(r string) bool { return r == room })
			ann.wantRooms(left...)
			for _, other := range left {
				wantIntact(t, ann, bob, other)
			}
		}
	}
}

func TestSeedIdentifiers(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.negotiate(1, 1)
	const punctuation = "~!@#$%^&*()_+=-`;',.<>\\"
	join := func(id string) error {
		_, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: id})
		if err == nil {
			ann.leave(id)
		}
		return err
	}
	create := func(user *sfuv1.User) error {
		reply, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: user, RoomMode: multi})
		if err == nil {
			_, err = n.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: reply.GetSession().GetId()})
		}
		return err
	}
	publish := func(id string) error {
		ann.join("streams")
		_, err := n.Stream.Publish(t.Context(), ann.publishing("streams", id, 0))
		if err == nil {
			_, err = n.Stream.Unpublish(t.Context(), &sfuv1.UnpublishRequest{SessionId: ann.id, RoomId: "streams", StreamId: id})
		}
		return err
	}
	long := strings.Repeat
	for _, row := range []struct {
		name         string
		call         func(string) error
		reason       string
		empty, chars string // numeric codes, as is the next
		long         string
		good, bad    []string
	}{
		{
			"room id", join, "ROOM_ID_INVALID", "1002011", "1002012", "1002013",
			[]string{"a", "0", "Aa9", punctuation, long("r", 127)},
			[]string{"", long("r", 128), "a b", "a/b", "a\tb", "a\x00b", "ä", "a:b", "a|b", "a\"b", "[a]", "{a}", "a?b"},
		},
		{
			"user id", func(id string) error { return create(&sfuv1.User{Id: id, Name: "x"}) }, "USER_ID_INVALID", "1002005", "1002006", "1002007",
			[]string{"a", "0", punctuation, long("u", 63)},
			[]string{"", long("u", 64), "a b", "a/b", "ü", "a\nb"},
		},
		{
			"user name", func(name string) error { return create(&sfuv1.User{Id: "names", Name: name}) }, "USER_NAME_INVALID", "1002008", "1002009", "1002010",
			[]string{"x", "Jörg Müller", "名前", long("n", 255)},
			[]string{"", long("n", 256), long("名", 86), "a\x00b", "a\nb"},
		},
		{
			"stream id", publish, "STREAM_ID_INVALID", "1000015", "1000016", "1000014",
			[]string{"a", "A-b_9", long("s", 255)},
			[]string{"", long("s", 256), "a.b", "a b", "a/b", "a%b", "ö", "a=b", "a&b"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, id := range row.good {
				if err := row.call(id); err != nil {
					t.Errorf("%.40q: %v", id, err)
				}
			}
			for _, id := range row.bad {
				zego := row.chars
				switch {
				case id == "":
					zego = row.empty
				case len(id) > len(row.good[len(row.good)-1]): // the last good one is as long as may be
					zego = row.long
				}
				f := wantError(t, row.call(id), codes.InvalidArgument, row.reason, zego)
				if len(f.bad.GetFieldViolations()) == 0 {
					t.Errorf("%.40q: no BadRequest", id)
				}
			}
		})
	}
}

// TestSeedJoinIsComplete joins many users at the same time and checks that snapshot and later events leave no gap: whoever folds
// both has everybody.
func TestSeedJoinIsComplete(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	w := watch(t, n.API, nil)
	const users = 24
	replies := make([]*sfuv1.JoinRoomResponse, users)
	var joins sync.WaitGroup
	for i := range users {
		s := signIn(t, n.API, fmt.Sprintf("user-%02d", i), multi)
		joins.Go(func() {
			var err error
			if replies[i], err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: s.id, RoomId: "hall"}); err != nil {
				t.Error(err)
			}
		})
	}
	joins.Wait()
	reach(t, w, n.API)
	events := w.Events()
	for i, reply := range replies {
		have := make(map[string]bool)
		for _, m := range reply.GetSnapshot().GetMembers() {
			have[m.GetUser().GetId()] = true
		}
		if !have[fmt.Sprintf("user-%02d", i)] {
			t.Errorf("the snapshot of user %d has not user %d", i, i)
		}
		for _, e := range events {
			m := e.GetMemberJoined().GetMember()
			if m == nil || e.GetRoomId() != "hall" || e.GetRevision() <= reply.GetRevision() {
				continue
			}
			if have[m.GetUser().GetId()] {
				t.Errorf("user %d is told twice of %s", i, m.GetUser().GetId())
			}
			have[m.GetUser().GetId()] = true
		}
		if len(have) != users {
			t.Errorf("user %d knows %d members, want %d", i, len(have), users)
		}
	}
}
