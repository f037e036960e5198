// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHealthFollowsTheNode(t *testing.T) {
	s, target := start(t, Config{})
	conn := dial(t, target, nil)
	health, node := healthv1.NewHealthClient(conn), sfuv1.NewNodeServiceClient(conn)
	check := func(service string, want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		reply, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || reply.GetStatus() != want {
			t.Errorf("health of %q: %v, %v; want %v", service, reply.GetStatus(), err, want)
		}
	}
	check("", healthv1.HealthCheckResponse_NOT_SERVING)
	s.SetServing(true)
	check("", healthv1.HealthCheckResponse_SERVING)
	check("sfu.v1.RoomService", healthv1.HealthCheckResponse_SERVING)
	if _, err := node.Drain(t.Context(), &sfuv1.DrainRequest{}); err != nil {
		t.Fatal(err)
	}
	check("", healthv1.HealthCheckResponse_NOT_SERVING)
	_, err := sfuv1.NewSessionServiceClient(conn).CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}})
	if retry, ok := detail[*errdetails.RetryInfo](t, err); status.Code(err) != codes.Unavailable || !ok || retry.GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("a session on a draining node: %v", err)
	}
	if _, err := node.Undrain(t.Context(), &sfuv1.UndrainRequest{}); err != nil {
		t.Fatal(err)
	}
	check("sfu.v1.NodeService", healthv1.HealthCheckResponse_SERVING)
}

func TestCallsAreLimitedByCaller(t *testing.T) {
	s, target := start(t, Config{RequestRate: 0.001, RequestBurst: 3})
	node := sfuv1.NewNodeServiceClient(dial(t, target, nil))
	var got []codes.Code
	for range 5 {
		_, err := node.GetNode(t.Context(), &sfuv1.GetNodeRequest{})
		got = append(got, status.Code(err))
		if err != nil {
			if info, _ := detail[*errdetails.ErrorInfo](t, err); info.GetReason() != "CALL_RATE" {
				t.Errorf("refused as %v", info)
			}
		}
	}
	want := []codes.Code{codes.OK, codes.OK, codes.OK, codes.ResourceExhausted, codes.ResourceExhausted}
	if !slices.Equal(got, want) {
		t.Errorf("calls ended %v, want %v", got, want)
	}
	if s.Stats().Refused["rate"] != 2 {
		t.Errorf("refused: %v", s.Stats().Refused)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s, target := start(t, Config{MaxConnections: 1})
	if got := getNode(t.Context(), dial(t, target, nil)); got != codes.OK {
		t.Fatalf("first connection: %v", got)
	}
	second, err := net.Dial("tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := second.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the second connection stayed open: %v", err)
	}
	if st := s.Stats(); st.Connections != 1 || st.Refused["connections"] != 1 {
		t.Errorf("stats: %+v", st)
	}
}

func TestRequestIDs(t *testing.T) {
	_, target := start(t, Config{})
	sessions := sfuv1.NewSessionServiceClient(dial(t, target, nil))
	request := func(user string) *sfuv1.CreateSessionRequest {
		return &sfuv1.CreateSessionRequest{RequestId: "once", AppId: "a", User: &sfuv1.User{Id: user, Name: user}}
	}
	var ids sync.Map
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			reply, err := sessions.CreateSession(t.Context(), request("u"))
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(reply.GetSession().GetId(), true)
		})
	}
	group.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("one request_id made %d sessions", n)
	}
	_, err := sessions.CreateSession(t.Context(), request("other"))
	if info, _ := detail[*errdetails.ErrorInfo](t, err); status.Code(err) != codes.InvalidArgument || info.GetReason() != "REQUEST_ID_REUSED" {
		t.Errorf("reused with another body: %v", err)
	}
	long := request("u")
	long.RequestId = strings.Repeat("x", 65)
	if _, err := sessions.CreateSession(t.Context(), long); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an overlong request_id: %v", err)
	}
}

func TestWatchesEndWithTheServer(t *testing.T) {
	s, target := start(t, Config{})
	events := sfuv1.NewEventServiceClient(dial(t, target, nil))
	stream, err := events.WatchEvents(t.Context(), &sfuv1.WatchEventsRequest{WatcherId: "w"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || !first.GetSnapshot().GetLast() {
		t.Fatalf("first item %v: %v", first, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.GracefulStop(ctx)
	if ctx.Err() != nil {
		t.Error("a watch held the server up")
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestStatsCountCalls(t *testing.T) {
	s, target := start(t, Config{})
	rooms := sfuv1.NewRoomServiceClient(dial(t, target, nil))
	for range 3 {
		_, err := rooms.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: "a", RoomId: "r"})
		if status.Code(err) != codes.NotFound {
			t.Fatal(err)
		}
	}
	for _, c := range s.Stats().Calls {
		if c.Method == "sfu.v1.RoomService/GetRoom" && c.Code == "NOT_FOUND" && c.Count == 3 {
			var sum uint64
			for _, n := range c.Buckets {
				sum += n
			}
			if sum != 3 || c.Seconds <= 0 {
				t.Errorf("buckets %v, %v seconds", c.Buckets, c.Seconds)
			}
			return
		}
	}
	t.Errorf("not counted: %+v", s.Stats().Calls)
}

func TestArgumentBounds(t *testing.T) {
	_, target := start(t, Config{})
	conn := dial(t, target, nil)
	ctx := t.Context()
	big := strings.Repeat("x", 300)
	calls := map[string]func() error{
		"room mode": func() error {
			_, err := sfuv1.NewSessionServiceClient(conn).CreateSession(ctx, &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}, RoomMode: 9})
			return err
		},
		"labels": func() error {
			_, err := sfuv1.NewSessionServiceClient(conn).CreateSession(ctx, &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}, Labels: map[string]string{"k": big}})
			return err
		},
		"message kind": func() error {
			_, err := sfuv1.NewMessageServiceClient(conn).SendRoomMessage(ctx, &sfuv1.SendRoomMessageRequest{AppId: "a", RoomId: "r", Payload: []byte("x")})
			return err
		},
		"kick reason": func() error {
			_, err := sfuv1.NewRoomServiceClient(conn).KickUser(ctx, &sfuv1.KickUserRequest{AppId: "a", RoomId: "r", UserId: "u", Reason: big})
			return err
		},
		"priority": func() error {
			_, err := sfuv1.NewSubscriptionServiceClient(conn).Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: "s", RoomId: "r", StreamId: "t", Audio: true, Priority: 256})
			return err
		},
		"layer": func() error {
			eight := uint32(8)
			_, err := sfuv1.NewSubscriptionServiceClient(conn).Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: "s", RoomId: "r", StreamId: "t", Audio: true, Preference: &sfuv1.Preference{MaxSpatial: &eight}})
			return err
		},
		"limits": func() error {
			_, err := sfuv1.NewNodeServiceClient(conn).SetLimits(ctx, &sfuv1.SetLimitsRequest{AppId: "a"})
			return err
		},
		"no moves": func() error {
			_, err := sfuv1.NewRoomServiceClient(conn).MoveMembers(ctx, &sfuv1.MoveMembersRequest{AppId: "a"})
			return err
		},
		"dump without app": func() error {
			_, err := sfuv1.NewNodeServiceClient(conn).DumpState(ctx, &sfuv1.DumpStateRequest{RoomId: "r"})
			return err
		},
		"watcher id": func() error {
			stream, err := sfuv1.NewEventServiceClient(conn).WatchEvents(ctx, &sfuv1.WatchEventsRequest{})
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		},
	}
	for name, call := range calls {
		err := call()
		bad, ok := detail[*errdetails.BadRequest](t, err)
		if status.Code(err) != codes.InvalidArgument || !ok || bad.GetFieldViolations()[0].GetField() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionAnswersTellTheTransport(t *testing.T) {
	_, target := start(t, Config{
		ICEServers: []ICEServer{{URLs: []string{"turn:example.org"}, Username: "u", Credential: "c"}},
		Addresses:  []Address{{Purpose: "http", Network: "tcp", Address: "127.0.0.1:7780"}},
	})
	conn := dial(t, target, nil)
	sessions := sfuv1.NewSessionServiceClient(conn)
	made, err := sessions.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	servers := made.GetSession().GetIceServers()
	if len(servers) != 1 || servers[0].GetUrls()[0] != "turn:example.org" || servers[0].GetCredential() != "c" {
		t.Errorf("ICE servers %v", servers)
	}
	if s := made.GetSession(); s.GetOfferId() != 0 || s.GetDataChannel() || s.GetSrtpProfile() != "" {
		t.Errorf("a transport before the first offer: %v", s)
	}
	node, err := sfuv1.NewNodeServiceClient(conn).GetNode(t.Context(), &sfuv1.GetNodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	purposes := make(map[string]bool)
	for _, a := range node.GetNode().GetAddresses() {
		purposes[a.GetPurpose()] = true
	}
	for _, want := range []string{"grpc", "http", "media", "candidate"} {
		if !purposes[want] {
			t.Errorf("GetNode does not tell the address for %s: %v", want, node.GetNode().GetAddresses())
		}
	}
}

func TestPaging(t *testing.T) {
	list := []string{"a", "b", "c", "d", "e"}
	self := func(s string) string { return s }
	var got []string
	page := &sfuv1.Page{Size: 2}
	for range len(list) {
		part, next := pageOf(list, page, self)
		got = append(got, part...)
		if next == "" {
			break
		}
		page.Token = next
	}
	if !slices.Equal(got, list) {
		t.Errorf("pages give %v", got)
	}
	if part, next := pageOf(list, &sfuv1.Page{Token: "bb"}, self); !slices.Equal(part, list[2:]) || next != "" {
		t.Errorf("after a token between items: %v, %q", part, next)
	}
}
