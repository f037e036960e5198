// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
)

// stockLimit is the largest message that a gRPC client takes when nobody tells it otherwise.
const stockLimit = 4 << 20

func TestSnapshotItemsFitStockClients(t *testing.T) {
	f := &face{node: startNode(t)}
	full := &router.Snapshot{Revision: 7}
	for r := range 40 { // 6000 members: far more than fits into one message
		room := router.Room{App: "a", ID: fmt.Sprintf("room-%02d", r), Incarnation: 1}
		for m := range 150 {
			id := router.SessionID(fmt.Sprintf("session-%02d-%03d", r, m))
			user := router.User{ID: string(id), Name: strings.Repeat("n", 200)}
			room.Members = append(room.Members, router.Member{App: "a", Room: room.ID, Session: id, User: user, Metadata: strings.Repeat("m", 500)})
			full.Sessions = append(full.Sessions, router.Session{ID: id, App: "a", User: user, Rooms: []string{room.ID}})
			full.Subscriptions = append(full.Subscriptions, router.Subscription{ID: "sub-" + router.SubscriptionID(id), App: "a", Session: id, User: user, Room: room.ID})
		}
		full.Rooms = append(full.Rooms, room)
	}
	parts := f.snapshot(full, 9)
	whole := &sfuv1.Snapshot{}
	for i, part := range parts {
		if n := proto.Size(part); n > snapshotBytes+100 {
			t.Errorf("item %d of %d has %d bytes", i, len(parts), n)
		}
		if part.GetRevision() != 7 || part.GetNodeEpoch() != 9 || part.GetLast() != (i == len(parts)-1) || (part.GetNodeState() != nil) != part.GetLast() {
			t.Errorf("item %d: %d %d %v %v", i, part.GetRevision(), part.GetNodeEpoch(), part.GetLast(), part.GetNodeState())
		}
		whole.Sessions = append(whole.Sessions, part.GetSessions()...)
		whole.Rooms = append(whole.Rooms, part.GetRooms()...)
		whole.Subscriptions = append(whole.Subscriptions, part.GetSubscriptions()...)
	}
	want := &sfuv1.Snapshot{
		Sessions: each(full.Sessions, f.session), Rooms: each(full.Rooms, roomSnapshotOf), Subscriptions: each(full.Subscriptions, subscriptionOf),
	}
	if !proto.Equal(whole, want) {
		t.Error("the items together are not the snapshot")
	}
	if len(parts) < 3 || len(parts) > 20 || proto.Size(want) < stockLimit {
		t.Errorf("%d items for %d bytes", len(parts), proto.Size(want))
	}
}

func TestSnapshotNeverCutsARoom(t *testing.T) {
	f := &face{node: startNode(t)}
	big := router.Room{App: "a", ID: "b", Members: make([]router.Member, 100)}
	for i := range big.Members {
		big.Members[i] = router.Member{User: router.User{ID: fmt.Sprint(i)}, Metadata: strings.Repeat("m", snapshotBytes/50)}
	}
	parts := f.snapshot(&router.Snapshot{Rooms: []router.Room{{App: "a", ID: "a"}, big, {App: "a", ID: "c"}}}, 1)
	var got [][]string
	for _, part := range parts {
		got = append(got, each(part.GetRooms(), func(r *sfuv1.RoomSnapshot) string { return fmt.Sprint(r.GetRoom().GetId(), " ", len(r.GetMembers())) }))
	}
	if diff := cmp.Diff([][]string{{"a 0"}, {"b 100"}, {"c 0"}}, got); diff != "" {
		t.Error(diff)
	}
	if parts := f.snapshot(&router.Snapshot{Revision: 3}, 1); len(parts) != 1 || !parts[0].GetLast() || parts[0].GetRevision() != 3 {
		t.Errorf("an empty node: %v", parts)
	}
}
