// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	broadcast = sfuv1.MessageKind_MESSAGE_KIND_BROADCAST
	barrage   = sfuv1.MessageKind_MESSAGE_KIND_BARRAGE
	command   = sfuv1.MessageKind_MESSAGE_KIND_COMMAND
)

func message(room, from string, kind sfuv1.MessageKind, payload string, to ...string) *sfuv1.SendRoomMessageRequest {
	return &sfuv1.SendRoomMessageRequest{AppId: app, RoomId: room, FromUser: from, Kind: kind, Payload: []byte(payload), ToUsers: to}
}

// serverCommand is a command that no member sends.
func serverCommand(room, payload string, to ...string) *sfuv1.SendRoomMessageRequest {
	request := message(room, "house", command, payload, to...)
	request.FromServer = true
	return request
}

func send(t *testing.T, api *sfutest.API, request *sfuv1.SendRoomMessageRequest) *sfuv1.SendRoomMessageResponse {
	t.Helper()
	reply, err := api.Message.SendRoomMessage(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// fullRoom puts users into a room.
func fullRoom(t *testing.T, api *sfutest.API, room string, users ...string) map[string]*signaler {
	t.Helper()
	all := make(map[string]*signaler)
	for _, user := range users {
		all[user] = signIn(t, api, user, multi)
		all[user].join(room)
	}
	return all
}

func TestMessageKindsAndSizes(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	fullRoom(t, n.API, "a", "ann", "bob", "cem")
	w := watch(t, n.API, nil)
	binary := string([]byte{0, 0xff, 0xfe, '\n'}) + strings.Repeat("x", 1020) // 1024 bytes, not UTF-8
	for _, row := range []struct {
		name              string
		request           *sfuv1.SendRoomMessageRequest
		accepted, dropped uint32
		all               bool
		to                []string
	}{
		{"broadcast", message("a", "ann", broadcast, "hello"), 2, 0, true, nil},
		{"barrage", message("a", "ann", barrage, "hey"), 2, 0, true, nil},
		{"command to all", message("a", "ann", command, "do"), 2, 0, true, nil},
		{"command to one", message("a", "ann", command, "do", "bob"), 1, 0, false, []string{"bob"}},
		{"command to some, one of them not here", message("a", "ann", command, "do", "cem", "zoe", "bob"), 2, 1, false, []string{"bob", "cem"}},
		{"command to nobody here", message("a", "ann", command, "do", "zoe"), 0, 1, false, nil},
		{"as long as allowed", message("a", "bob", command, binary, "ann"), 1, 0, false, []string{"ann"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.request.ClientMessageId = row.name
			reply := send(t, n.API, row.request)
			if reply.GetAccepted() != row.accepted || reply.GetDropped() != row.dropped || reply.GetMessageId() == "" {
				t.Errorf("reply %v, want %d accepted and %d dropped", reply, row.accepted, row.dropped)
			}
			m := await(t, w, "the message", func(e *sfuv1.Event) bool { return e.GetMessage().GetId() == reply.GetMessageId() }).GetMessage()
			to := slices.Sorted(slices.Values(m.GetToUsers()))
			if m.GetAll() != row.all || !slices.Equal(to, row.to) || !bytes.Equal(m.GetPayload(), row.request.GetPayload()) ||
				m.GetKind() != row.request.GetKind() || m.GetClientMessageId() != row.name || m.GetFrom().GetId() != row.request.GetFromUser() ||
				m.GetFrom().GetName() != "name of "+row.request.GetFromUser() || m.GetSendTime() == nil {
				t.Errorf("event %v of %v", m, row.request)
			}
		})
	}
	for _, row := range []struct {
		name         string
		request      *sfuv1.SendRoomMessageRequest
		code         codes.Code
		reason, zego string
	}{
		{"a byte too long", message("a", "ann", command, strings.Repeat("x", 1025), "bob"), codes.InvalidArgument, "MESSAGE_TOO_LONG", "1009002"},
		{"empty", message("a", "ann", command, "", "bob"), codes.InvalidArgument, "MESSAGE_EMPTY", "1009001"},
		{"no kind", message("a", "ann", 0, "x"), codes.InvalidArgument, "INVALID_ARGUMENT", "1000017"},
		{"unknown kind", message("a", "ann", 77, "x"), codes.InvalidArgument, "INVALID_ARGUMENT", "1000017"},
		{"broadcast to some", message("a", "ann", broadcast, "x", "bob"), codes.InvalidArgument, "INVALID_ARGUMENT", "1000017"},
		{"from a stranger", message("a", "zoe", command, "x"), codes.FailedPrecondition, "NOT_IN_ROOM", "1000002"},
		{"no such room", message("z", "ann", command, "x"), codes.NotFound, "ROOM_NOT_FOUND", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := n.Message.SendRoomMessage(t.Context(), row.request)
			wantError(t, err, row.code, row.reason, row.zego)
		})
	}
	if reply := send(t, n.API, serverCommand("a", "closing", "bob")); reply.GetAccepted() != 1 {
		t.Errorf("from the server side: %v", reply)
	}
}

func TestMessageGrant(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	fullRoom(t, n.API, "a", "ann", "bob")
	grants := &sfuv1.Grants{Publish: true, Subscribe: true}
	if _, err := n.Room.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{AppId: app, RoomId: "a", UserId: "ann", Grants: grants}); err != nil {
		t.Fatal(err)
	}
	_, err := n.Message.SendRoomMessage(t.Context(), message("a", "ann", command, "x"))
	wantError(t, err, codes.PermissionDenied, "MESSAGE_DENIED", "1009010")
	send(t, n.API, message("a", "bob", command, "x"))
}

// TestMessageRates sends each kind until it is refused. Limits are lowered to what the test surely sends within a fraction of
// the time that a token takes to come back.
func TestMessageRates(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	setLimits(t, n.API, &sfuv1.Limits{Messages: &sfuv1.MessageLimits{
		BroadcastPerSecond: proto.Uint32(1), BarragePerSecond: proto.Uint32(1), CommandToOnePerSecond: proto.Uint32(1), CommandToManyPerSecond: proto.Uint32(1),
	}})
	fullRoom(t, n.API, "a", "ann", "bob", "cem")
	fullRoom(t, n.API, "b", "dia", "eva")
	for _, row := range []struct {
		name string
		make func(room, from string) *sfuv1.SendRoomMessageRequest
	}{
		{"broadcast", func(room, from string) *sfuv1.SendRoomMessageRequest { return message(room, from, broadcast, "x") }},
		{"barrage", func(room, from string) *sfuv1.SendRoomMessageRequest { return message(room, from, barrage, "x") }},
		{"command to one", func(room, from string) *sfuv1.SendRoomMessageRequest { return message(room, from, command, "x", "cem") }},
		{"command to many", func(room, from string) *sfuv1.SendRoomMessageRequest { return message(room, from, command, "x") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			var refused error
			for range 50 { // at least one of them comes within a second of the one before
				if _, refused = n.Message.SendRoomMessage(t.Context(), row.make("a", "ann")); refused != nil {
					break
				}
			}
			wantRetry(t, wantError(t, refused, codes.ResourceExhausted, "MESSAGE_RATE", "1009015"))
			send(t, n.API, row.make("b", "dia")) // another room has its own
		})
	}
}

func TestMessageRateOfOneUser(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	setLimits(t, n.API, &sfuv1.Limits{Messages: &sfuv1.MessageLimits{BroadcastPerSecond: proto.Uint32(10000), BroadcastPerUserPerSecond: proto.Uint32(1)}})
	fullRoom(t, n.API, "a", "ann", "bob")
	var refused error
	for range 50 {
		if _, refused = n.Message.SendRoomMessage(t.Context(), message("a", "ann", broadcast, "x")); refused != nil {
			break
		}
	}
	wantRetry(t, wantError(t, refused, codes.ResourceExhausted, "MESSAGE_RATE", "1009015"))
	send(t, n.API, message("a", "bob", broadcast, "x"))
}

func TestMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	fullRoom(t, n.API, "a", "ann", "bob")
	w := watch(t, n.API, nil)
	request := message("a", "ann", command, "once")
	request.ClientMessageId = "m-1"
	ids := make([]string, 50)
	var calls sync.WaitGroup
	for i := range ids {
		calls.Go(func() {
			reply, err := n.Message.SendRoomMessage(t.Context(), request)
			if err != nil {
				t.Error(err)
			}
			ids[i] = reply.GetMessageId()
		})
	}
	calls.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Errorf("different ids for one message: %q", slices.Compact(ids))
	}
	other := proto.CloneOf(request)
	other.FromUser = "bob" // somebody else's id of the same text is another message
	if reply := send(t, n.API, other); reply.GetMessageId() == ids[0] {
		t.Error("two users share a message")
	}
	reach(t, w, n.API)
	sent := 0
	for _, e := range w.Events() {
		if e.GetMessage() != nil {
			sent++
		}
	}
	if sent != 2 {
		t.Errorf("%d messages sent, want 2", sent)
	}
}

// TestMessageReachesMembersOnly sends in three rooms, and looks at everything that watchers of single rooms, sessions and apps and
// the data channels of clients see.
func TestMessageReachesMembersOnly(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := map[string][]string{"ann": {"a", "b"}, "bob": {"b", "c"}, "cem": {"c"}}
	clients := make(map[string]*sfutest.Client)
	for user, rooms := range in {
		c := n.ClientWith(t, sfutest.ClientConfig{User: user, DataChannel: true})
		if err := c.AddSlots(1, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Negotiate(ctx); err != nil {
			t.Fatal(err)
		}
		for _, room := range rooms {
			if _, err := c.Join(ctx, room); err != nil {
				t.Fatal(err)
			}
		}
		clients[user] = c
		open := func() bool {
			_, _ = n.Message.SendRoomMessage(ctx, serverCommand(rooms[0], "open?", user)) // a rate that is exceeded meanwhile is no matter
			return carried(c.Messages(), "open?") > 0
		}
		if !sfutest.Eventually(ctx, open) {
			t.Fatalf("nothing comes on the data channel of %s", user)
		}
	}
	watchers := map[string]*sfutest.Watcher{}
	for _, room := range []string{"a", "b", "c"} {
		watchers[room] = watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: &sfuv1.EventFilter{Rooms: []string{room}}})
	}
	elsewhere := watch(t, n.API, &sfuv1.WatchEventsRequest{Filter: &sfuv1.EventFilter{Apps: []string{"other"}}})

	const rounds = 5
	for i := range rounds {
		for _, room := range []string{"a", "b", "c"} {
			request := serverCommand(room, fmt.Sprintf("room=%s;%d;", room, i))
			if reply := send(t, n.API, request); int(reply.GetAccepted()) != membersOf(in, room) {
				t.Errorf("room %s: accepted %d, want %d", room, reply.GetAccepted(), membersOf(in, room))
			}
		}
	}
	for user, rooms := range in {
		c := clients[user]
		last := fmt.Sprintf("room=%s;%d;", rooms[len(rooms)-1], rounds-1)
		if !sfutest.Eventually(ctx, func() bool { return carried(c.Messages(), last) > 0 }) {
			t.Fatalf("%s did not get %q on its data channel: %q", user, last, c.Messages())
		}
		for _, room := range []string{"a", "b", "c"} {
			for i := range rounds {
				want := 0
				if slices.Contains(rooms, room) {
					want = 1
				}
				if got := carried(c.Messages(), fmt.Sprintf("room=%s;%d;", room, i)); got != want {
					t.Errorf("%s got message %d of room %s %d times, want %d", user, i, room, got, want)
				}
			}
		}
	}
	for room, w := range watchers {
		reach(t, w, n.API)
		got := 0
		for _, e := range w.Events() {
			if e.GetRoomId() != room && e.GetRoomId() != "" {
				t.Errorf("the watcher of %s got %v", room, e)
			}
			if e.GetMessage() != nil {
				got++
			}
		}
		if got != rounds {
			t.Errorf("the watcher of %s got %d messages, want %d", room, got, rounds)
		}
	}
	reach(t, elsewhere, n.API)
	for _, e := range elsewhere.Events() {
		if e.GetAppId() != "" {
			t.Errorf("the watcher of another app got %v", e)
		}
	}
}

func membersOf(in map[string][]string, room string) int {
	members := 0
	for _, rooms := range in {
		if slices.Contains(rooms, room) {
			members++
		}
	}
	return members
}

// carried counts the data channel messages that have the payload, as text or in base64.
func carried(messages []string, payload string) int {
	encoded := base64.StdEncoding.EncodeToString([]byte(payload))
	n := 0
	for _, m := range messages {
		if strings.Contains(m, payload) || strings.Contains(m, encoded) {
			n++
		}
	}
	return n
}
