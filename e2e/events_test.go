// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// changes makes random changes of a node's state through its API. Calls may be refused; what counts is that they are many and
// of all sorts.
type changes struct {
	t      *testing.T
	api    *sfutest.API
	random *rand.Rand
	users  []*signaler
	rooms  []string
}

func newChanges(t *testing.T, api *sfutest.API, seed uint64) *changes {
	c := &changes{t: t, api: api, random: rand.New(rand.NewPCG(seed, 1)), rooms: []string{"a", "b", "c", "d", "e", "f", "g"}}
	for i := range 12 {
		s := signIn(t, api, fmt.Sprintf("user-%d", i), multi)
		s.negotiate(1, 3)
		c.users = append(c.users, s)
	}
	return c
}

// one makes one call.
func (c *changes) one() {
	ctx := c.t.Context()
	s, room := c.users[c.random.IntN(len(c.users))], c.rooms[c.random.IntN(len(c.rooms))]
	other := c.users[c.random.IntN(len(c.users))]
	stream := other.user.GetId() + "-cam"
	var err error
	switch c.random.IntN(16) {
	case 0, 1, 2:
		_, err = c.api.Room.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: s.id, RoomId: room})
	case 3:
		_, err = c.api.Room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: s.id, RoomId: room})
	case 4, 5:
		_, err = c.api.Stream.Publish(ctx, s.publishing(room, s.user.GetId()+"-cam", 0))
	case 6:
		_, err = c.api.Stream.Unpublish(ctx, &sfuv1.UnpublishRequest{SessionId: s.id, RoomId: room, StreamId: s.user.GetId() + "-cam"})
	case 7, 8:
		_, err = c.api.Subscription.Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: s.id, RoomId: room, StreamId: stream, Audio: true, Video: c.random.IntN(2) == 0})
	case 9:
		if list, listErr := c.api.Subscription.ListSubscriptions(ctx, &sfuv1.ListSubscriptionsRequest{SessionId: s.id}); listErr == nil && len(list.GetSubscriptions()) > 0 {
			_, err = c.api.Subscription.Unsubscribe(ctx, &sfuv1.UnsubscribeRequest{SubscriptionId: list.GetSubscriptions()[0].GetId()})
		}
	case 10:
		value := fmt.Sprint(c.random.IntN(100))
		request := &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: room, Key: fmt.Sprint("key", c.random.IntN(3)), Value: &value}
		if c.random.IntN(3) == 0 {
			request.Value = nil
		}
		_, err = c.api.Room.SetRoomMetadata(ctx, request)
	case 11:
		muted := c.random.IntN(2) == 0
		_, err = c.api.Stream.MuteStream(ctx, &sfuv1.MuteStreamRequest{AppId: app, RoomId: room, StreamId: stream, AudioMuted: &muted})
	case 12:
		text := fmt.Sprint("text ", c.random.IntN(10))
		_, err = c.api.Room.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{AppId: app, RoomId: room, UserId: s.user.GetId(), Metadata: &text})
	case 13:
		_, err = c.api.Room.SwitchRoom(ctx, &sfuv1.SwitchRoomRequest{SessionId: s.id, From: room, To: c.rooms[c.random.IntN(len(c.rooms))]})
	case 14:
		_, err = c.api.Message.SendRoomMessage(ctx, message(room, s.user.GetId(), command, "x", other.user.GetId()))
	case 15:
		c.rare(s, room)
	}
	if slices.Contains([]codes.Code{codes.Unknown, codes.Internal, codes.Unavailable, codes.DeadlineExceeded}, status.Code(err)) {
		c.t.Errorf("change: %v", err)
	}
}

// rare makes a change that takes much away.
func (c *changes) rare(s *signaler, room string) {
	ctx := c.t.Context()
	switch c.random.IntN(4) {
	case 0:
		_, _ = c.api.Room.CloseRoom(ctx, &sfuv1.CloseRoomRequest{AppId: app, RoomId: room, Reason: "over"})
	case 1:
		_, _ = c.api.Room.KickUser(ctx, &sfuv1.KickUserRequest{AppId: app, RoomId: room, UserId: s.user.GetId()})
	case 2:
		_, _ = c.api.Room.LeaveAllRooms(ctx, &sfuv1.LeaveAllRoomsRequest{SessionId: s.id})
	case 3: // a guest comes and goes
		reply, err := c.api.Session.CreateSession(ctx, &sfuv1.CreateSessionRequest{
			AppId: app, User: &sfuv1.User{Id: "guest", Name: "Guest"}, Labels: map[string]string{"room": room},
		})
		if err == nil && c.random.IntN(2) == 0 {
			_, _ = c.api.Session.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: reply.GetSession().GetId()})
		}
	}
}

func sameState(t *testing.T, name string, got, want *sfutest.State) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%.4000s", name, diff)
	}
}

// TestWatcherThatReturns makes ten thousand changes while some watchers drop and return at random moments, each in its own way of
// asking for snapshots. In the end all know the same as one that never left, and as the node itself.
func TestWatcherThatReturns(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	c := newChanges(t, n.API, 2026)
	steady := watch(t, n.API, nil)
	modes := map[string]sfuv1.SnapshotMode{
		"on gap": sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP, "always": sfuv1.SnapshotMode_SNAPSHOT_MODE_ALWAYS,
		"unspecified": sfuv1.SnapshotMode_SNAPSHOT_MODE_UNSPECIFIED,
	}
	returning := make(map[string]*sfutest.Watcher)
	for name, mode := range modes {
		returning[name] = watch(t, n.API, &sfuv1.WatchEventsRequest{WatcherId: name, Snapshot: mode})
	}
	// This one has no snapshot ever, and begins with the first event of the node.
	returning["never"] = watch(t, n.API, &sfuv1.WatchEventsRequest{
		WatcherId: "never", Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER, AfterRevision: proto.Uint64(0),
	})
	away := make(map[string]bool)
	begin := revision(t, n.API)
	calls := 0
	for ; revisionEvery(t, n.API, calls, begin); calls++ {
		c.one()
		for name, w := range returning {
			if c.random.IntN(40) != 0 {
				continue
			}
			if away[name] {
				if err := w.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				w.Drop()
			}
			away[name] = !away[name]
		}
	}
	reach(t, steady, n.API)
	want := steady.State()
	for name, w := range returning {
		if away[name] {
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		reach(t, w, n.API)
		sameState(t, name, w.State(), want)
		if r := w.Resyncs(); len(r) > 0 {
			t.Errorf("%s: resync %v without a gap", name, r)
		}
	}
	fresh := watch(t, n.API, nil)
	reach(t, fresh, n.API)
	sameState(t, "a fresh snapshot", fresh.State(), want)
	if len(want.Rooms) == 0 || len(want.Subscriptions) == 0 {
		t.Errorf("%d rooms and %d subscriptions in the end: too little has happened", len(want.Rooms), len(want.Subscriptions))
	}
	if again := returning["always"].Snapshots(); again < 2 {
		t.Errorf("%d snapshots with ALWAYS, want one each time", again)
	}
	t.Logf("%d calls made %d changes", calls, want.Revision-begin)
}

// revisionEvery says whether the node has to change more; it looks now and then only.
func revisionEvery(t *testing.T, api *sfutest.API, calls int, begin uint64) bool {
	t.Helper()
	return calls%100 != 0 || revision(t, api) < begin+10000
}

// TestWatcherTooSlow has a ring of few events and a watcher that does not read for a while: it gets a Resync and then the state, and
// nobody has waited for it.
func TestWatcherTooSlow(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) { c.Router.EventRingCount = 64 })
	conn, err := grpc.NewClient(n.Target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := sfutest.NewAPI(conn).Event.WatchEvents(t.Context(), &sfuv1.WatchEventsRequest{WatcherId: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	steady := watch(t, n.API, nil)
	c := newChanges(t, n.API, 7)
	begin := revision(t, n.API)
	for calls := 0; calls%100 != 0 || revision(t, n.API) < begin+4000; calls++ {
		c.one()
	}
	// Only now the slow one reads.
	reachesResync(t, stream)
	reach(t, steady, n.API)
	late := watch(t, n.API, nil)
	reach(t, late, n.API)
	sameState(t, "with a slow watcher beside it", steady.State(), late.State())
}

// reachesResync reads what is left in the stream's windows until the Resync, and expects a whole snapshot right after it.
func reachesResync(t *testing.T, stream grpc.ServerStreamingClient[sfuv1.WatchEventsResponse]) {
	t.Helper()
	last := uint64(0)
	for {
		item, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		switch v := item.GetItem().(type) {
		case *sfuv1.WatchEventsResponse_Event:
			last = v.Event.GetRevision()
		case *sfuv1.WatchEventsResponse_Resync:
			if v.Resync.GetReason() != sfuv1.ResyncReason_RESYNC_REASON_SLOW || v.Resync.GetRevision() <= last {
				t.Errorf("after revision %d: %v, want reason SLOW and a later revision", last, v.Resync)
			}
			item, err = stream.Recv()
			if err != nil || item.GetSnapshot().GetRevision() < v.Resync.GetRevision() {
				t.Errorf("after the resync: %v, %v, want a snapshot", item, err)
			}
			return
		}
	}
}

func TestResyncReasons(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(c *sfu.Config, _ *control.Config) { c.Router.EventRingCount = 16 })
	ann := signIn(t, n.API, "ann", multi)
	for range 20 {
		ann.join("a")
		ann.leave("a")
	}
	ann.join("a")
	now := revision(t, n.API)
	node, err := n.Node.GetNode(t.Context(), &sfuv1.GetNodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	epoch := node.GetNode().GetEpoch()
	reference := watch(t, n.API, nil).State()
	for _, row := range []struct {
		name         string
		after, epoch uint64
		reason       sfuv1.ResyncReason
	}{
		{"too old", 1, epoch, sfuv1.ResyncReason_RESYNC_REASON_TOO_OLD},
		{"too old, epoch not checked", 1, 0, sfuv1.ResyncReason_RESYNC_REASON_TOO_OLD},
		{"another process", now, epoch + 1, sfuv1.ResyncReason_RESYNC_REASON_EPOCH},
		{"of the future", now + 1000, epoch, sfuv1.ResyncReason_RESYNC_REASON_FUTURE},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := watch(t, n.API, &sfuv1.WatchEventsRequest{AfterRevision: &row.after, NodeEpoch: row.epoch})
			if err := w.Resynced(deadline(t), 1); err != nil {
				t.Fatal(err)
			}
			got := w.Resyncs()[0]
			if got.GetReason() != row.reason || got.GetNodeEpoch() != epoch {
				t.Errorf("%v, want %v of epoch %d", got, row.reason, epoch)
			}
			sameState(t, "after the resync", w.State(), reference)
		})
	}
	t.Run("without a snapshot", func(t *testing.T) {
		w := watch(t, n.API, &sfuv1.WatchEventsRequest{AfterRevision: proto.Uint64(1), Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
		if r := w.Resyncs(); len(r) != 1 || w.Snapshots() != 0 {
			t.Errorf("resyncs %v and %d snapshots, want one and none", r, w.Snapshots())
		}
		ann.join("b")
		await(t, w, "what comes later", func(e *sfuv1.Event) bool { return e.GetMemberJoined().GetMember().GetRoomId() == "b" })
		ann.leave("b")
	})
	t.Run("no gap", func(t *testing.T) {
		at := revision(t, n.API)
		w := watch(t, n.API, &sfuv1.WatchEventsRequest{AfterRevision: new(at - 2), NodeEpoch: epoch})
		reach(t, w, n.API)
		if len(w.Resyncs()) != 0 || w.Snapshots() != 0 || len(w.Events()) != 2 {
			t.Errorf("resyncs %v, %d snapshots, %d events, want the two events only", w.Resyncs(), w.Snapshots(), len(w.Events()))
		}
	})
	t.Run("no gap, epoch not checked", func(t *testing.T) {
		w := watch(t, n.API, &sfuv1.WatchEventsRequest{AfterRevision: new(revision(t, n.API) - 2)})
		reach(t, w, n.API)
		if len(w.Resyncs()) != 0 || w.Snapshots() != 0 || len(w.Events()) != 2 {
			t.Errorf("resyncs %v, %d snapshots, %d events, want the two events only", w.Resyncs(), w.Snapshots(), len(w.Events()))
		}
	})
}

func TestWatchFromNow(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann := signIn(t, n.API, "ann", multi)
	ann.join("a")
	never := watch(t, n.API, &sfuv1.WatchEventsRequest{Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
	always := watch(t, n.API, &sfuv1.WatchEventsRequest{Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_ALWAYS, AfterRevision: proto.Uint64(1)})
	ann.join("b")
	for name, w := range map[string]*sfutest.Watcher{"never": never, "always": always} {
		reach(t, w, n.API)
		if got := len(w.Events()); got != 2 { // room opened, member joined
			t.Errorf("%s: %d events, want the two of now", name, got)
		}
	}
	if never.Snapshots() != 0 || always.Snapshots() != 1 {
		t.Errorf("%d and %d snapshots, want 0 and 1", never.Snapshots(), always.Snapshots())
	}
}

// TestWatchFilters compares what filtered watchers get with the same filter over everything.
func TestWatchFilters(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	c := newChanges(t, n.API, 11)
	other, err := n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "other", User: &sfuv1.User{Id: "user-0", Name: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	session := c.users[0].id
	filters := map[string]struct {
		filter *sfuv1.EventFilter
		picks  func(*sfuv1.Event) bool
	}{
		"room": {&sfuv1.EventFilter{Rooms: []string{"b"}}, func(e *sfuv1.Event) bool {
			return e.GetRoomId() == "b" || e.GetRoomId() == "" && e.GetSessionId() == ""
		}},
		"session": {&sfuv1.EventFilter{Sessions: []string{session}}, func(e *sfuv1.Event) bool {
			return e.GetSessionId() == session || e.GetRoomId() == "" && e.GetSessionId() == ""
		}},
		"room or session": {&sfuv1.EventFilter{Rooms: []string{"e"}, Sessions: []string{session}}, func(e *sfuv1.Event) bool {
			return e.GetRoomId() == "e" || e.GetSessionId() == session || e.GetRoomId() == "" && e.GetSessionId() == ""
		}},
		"app": {&sfuv1.EventFilter{Apps: []string{"other"}}, func(e *sfuv1.Event) bool { return e.GetAppId() == "other" || e.GetAppId() == "" }},
		"kind": {&sfuv1.EventFilter{Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_STREAM_ADDED, sfuv1.EventKind_EVENT_KIND_MESSAGE}}, func(e *sfuv1.Event) bool {
			return e.GetStreamAdded() != nil || e.GetMessage() != nil
		}},
		"room and kind": {&sfuv1.EventFilter{Rooms: []string{"c", "d"}, Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_MEMBER_JOINED}}, func(e *sfuv1.Event) bool {
			return e.GetMemberJoined() != nil && (e.GetRoomId() == "c" || e.GetRoomId() == "d")
		}},
	}
	all := watch(t, n.API, nil)
	watchers := make(map[string]*sfutest.Watcher)
	for name, f := range filters {
		watchers[name] = watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: f.filter, Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
	}
	begin := revision(t, n.API)
	for calls := range 1500 {
		if calls%100 == 0 {
			if _, err := n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: other.GetSession().GetId(), RoomId: "b"}); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Room.LeaveAllRooms(t.Context(), &sfuv1.LeaveAllRoomsRequest{SessionId: other.GetSession().GetId()}); err != nil {
				t.Fatal(err)
			}
		}
		c.one()
	}
	reach(t, all, n.API)
	for name, f := range filters {
		w := watchers[name]
		reach(t, w, n.API)
		var want []uint64
		for _, e := range all.Events() {
			if e.GetRevision() > begin && f.picks(e) {
				want = append(want, e.GetRevision())
			}
		}
		var got []uint64
		for _, e := range w.Events() {
			got = append(got, e.GetRevision())
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s: revisions (-want +got), %d wanted:\n%.1000s", name, len(want), diff)
		}
	}
}

func TestWatchSnapshotIsCut(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	ann.join("a")
	ann.join("b")
	bob.join("b")
	w := watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: &sfuv1.EventFilter{Rooms: []string{"a"}}})
	if s := w.State(); len(s.Rooms) != 1 || s.Rooms[sfutest.RoomKey{App: app, Room: "a"}] == nil {
		t.Errorf("snapshot for room a has rooms %v", s.Rooms)
	}
	w = watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: &sfuv1.EventFilter{Sessions: []string{bob.id}}})
	if s := w.State(); len(s.Sessions) != 1 || s.Sessions[bob.id] == nil {
		t.Errorf("snapshot for bob has sessions %v", s.Sessions)
	}
	w = watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: &sfuv1.EventFilter{Apps: []string{"other"}}})
	if s := w.State(); len(s.Rooms)+len(s.Sessions) != 0 {
		t.Errorf("snapshot for another app: %v", s)
	}
}

func TestWatchRefusals(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	for name, request := range map[string]*sfuv1.WatchEventsRequest{
		"no id":               {},
		"unknown mode":        {WatcherId: "w", Snapshot: 42},
		"unknown kind":        {WatcherId: "w", Filter: &sfuv1.EventFilter{Kinds: []sfuv1.EventKind{4711}}},
		"heartbeat too short": {WatcherId: "w", HeartbeatInterval: durationpb.New(time.Millisecond)},
		"heartbeat negative":  {WatcherId: "w", HeartbeatInterval: durationpb.New(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := n.Event.WatchEvents(t.Context(), request)
			if err == nil {
				_, err = stream.Recv()
			}
			wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT", "1000017")
		})
	}
}
