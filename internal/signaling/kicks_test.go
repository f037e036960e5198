// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"testing"
	"time"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestKicked puts a user out of one of its rooms. It hears so, and does not come back by its token, neither through this tier
// nor through one that has never heard of the kick; its other room goes on.
func TestKicked(t *testing.T) {
	node := startNode(t, nil)
	keys := newKeys(t)
	x := startTier(t, keys, nil, node)
	host := x.user("host")
	host.login("r1")
	earlier := claims("bad")
	earlier.Issued = time.Now().Add(-time.Minute)
	bad := x.as(earlier)
	bad.negotiate(1, 1)
	bad.login("r1")
	bad.login("r2")
	bad.ask(publishing("r1", "one"))
	bad.ask(publishing("r2", "two"))

	host.ask(kicking("r1", "bad", 0))
	over := bad.notice("the end of the room", func(n *signalv1.Notice) bool { return n.GetRoomEnded() != nil }).GetRoomEnded()
	diff(t, "the end", &signalv1.RoomEnded{RoomId: "r1", Reason: sfuv1.EndReason_END_REASON_KICKED, Detail: "be gone", Code: 1002055}, over)
	// The stream goes before its user, as in the event log.
	var order []string
	host.notice("the leaving", func(n *signalv1.Notice) bool {
		if len(n.GetStreams().GetRemoved()) > 0 {
			order = append(order, "stream")
		}
		return len(n.GetUsers().GetRemoved()) > 0
	})
	if len(order) == 0 {
		t.Error("the user went before its stream")
	}

	again := func(p *peer) {
		t.Helper()
		p.refused(login("r1"), "PERMISSION_DENIED", "KICKED", 1002055)
		p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchRoom{SwitchRoom: &signalv1.SwitchRoom{
			FromRoomId: "r2", ToRoomId: "r1",
		}}}, "PERMISSION_DENIED", "KICKED", 1002055)
		p.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{
			RoomId: "r1", Token: x.sign(earlier),
		}}}, "PERMISSION_DENIED", "KICKED", 1002055)
		p.refused(playing("r1", "one"), "FAILED_PRECONDITION", "NOT_IN_ROOM", 1000002)
		p.refused(publishing("r1", "one"), "FAILED_PRECONDITION", "NOT_IN_ROOM", 1000002)
		p.refused(saying("r1", "hello"), "NOT_FOUND", "NOT_A_MEMBER", 1002002)
	}
	again(bad)
	bad.ask(unpublishing("r2", "two"))
	bad.ask(publishing("r2", "two"))

	// A tier that was not there learns of it from the node.
	other := startTier(t, keys, nil, node)
	moved := other.connect()
	moved.hello = moved.ask(hello(&signalv1.Hello{Token: x.sign(earlier), Resume: &signalv1.Resume{
		SessionId: bad.hello.GetSession().GetId(), SessionEpoch: bad.hello.GetSession().GetEpoch(),
	}})).GetWelcome()
	if rooms := moved.hello.GetRooms(); len(rooms) != 1 || rooms[0].GetRoomId() != "r2" {
		t.Errorf("it goes on in %v", rooms)
	}
	again(moved)

	// The backend lets it in again by issuing another token.
	later := claims("bad")
	later.Issued = time.Now().Add(3 * time.Second) // within the leeway of clocks
	moved.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{
		RoomId: "r1", Token: x.sign(later),
	}}})
}

// TestBanned keeps somebody out whatever the token.
func TestBanned(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	host := x.user("host")
	host.login("r1")
	host.ask(kicking("r1", "bad", 600)) // before it is there
	later := claims("bad")
	later.Issued = time.Now().Add(3 * time.Second)
	bad := x.as(later)
	if f := bad.refused(login("r1"), "PERMISSION_DENIED", "BANNED", 1002066); f.GetRetryAfterMs() == 0 {
		t.Error("it is not told for how long")
	}
	bad.login("r2")
}
