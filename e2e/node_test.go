// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

func TestGetNode(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(_ *sfu.Config, face *control.Config) { face.Version = "v0.0.0-test" })
	reply, err := n.Node.GetNode(t.Context(), &sfuv1.GetNodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	node := reply.GetNode()
	if node.GetVersion() != "v0.0.0-test" || node.GetEpoch() == 0 || node.GetStartTime() == nil || node.GetState().GetDraining() {
		t.Errorf("%v", node)
	}
	media := slices.IndexFunc(node.GetAddresses(), func(a *sfuv1.BoundAddress) bool {
		return a.GetPurpose() == "media" && a.GetNetwork() == "udp" && a.GetAddress() == n.Media().String()
	})
	if media < 0 {
		t.Errorf("addresses %v, want media on %v", node.GetAddresses(), n.Media())
	}
	for _, want := range []string{"multi_room", "ice_lite", "codec:video/VP8", "codec:audio/opus"} {
		if !slices.Contains(node.GetCapabilities(), want) {
			t.Errorf("capabilities %q lack %s", node.GetCapabilities(), want)
		}
	}
	if !slices.IsSorted(node.GetCapabilities()) {
		t.Errorf("capabilities %q are not sorted", node.GetCapabilities())
	}
}

func TestGetLoad(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	watch(t, n.API, nil)
	reply, err := n.Node.GetLoad(t.Context(), &sfuv1.GetLoadRequest{})
	if err != nil {
		t.Fatal(err)
	}
	l := reply.GetLoad()
	if l.GetSessions() != 2 || l.GetRooms() != 2 || l.GetMembers() != 4 || l.GetStreams() != 4 || l.GetSubscriptions() != 4 || l.GetWatchers() != 1 {
		t.Errorf("%v, want 2 sessions, 2 rooms, 4 members, 4 streams, 4 subscriptions, 1 watcher", l)
	}
	if l.GetGoroutines() == 0 || l.GetHeap() == 0 || l.GetCpuTime().GetUser().AsDuration() <= 0 || len(l.GetShards()) == 0 || l.GetTime() == nil {
		t.Errorf("%v, want figures of the process", l)
	}
	for _, s := range l.GetShards() {
		if s.GetQueueCapacity() == 0 {
			t.Errorf("shard %v without a queue", s)
		}
	}
	// A subscription is answered when it is accepted; its slots are bound a moment later.
	sinks := uint64(0)
	if !sfutest.Eventually(deadline(t), func() bool {
		reply, err := n.Node.GetLoad(t.Context(), &sfuv1.GetLoadRequest{})
		if err != nil {
			return false
		}
		sinks = 0
		for _, s := range reply.GetLoad().GetShards() {
			sinks += s.GetSinks()
		}
		return sinks == 8
	}) {
		t.Errorf("%d sinks, want the 8 slots", sinks)
	}
}

var secrets = regexp.MustCompile(`(?i)ice-?pwd|ice_?pwd|private|password|"(pwd|key|secret)"`)

func TestDumpState(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	dump := func(request *sfuv1.DumpStateRequest) *sfuv1.DumpStateResponse {
		t.Helper()
		reply, err := n.Node.DumpState(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(reply.GetState())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{reply.GetInternals(), string(text)} {
			if found := secrets.FindString(s); found != "" {
				t.Errorf("the dump holds %q", found)
			}
		}
		return reply
	}
	all := dump(&sfuv1.DumpStateRequest{})
	if s := all.GetState(); len(s.GetSessions()) != 2 || len(s.GetRooms()) != 2 || len(s.GetSubscriptions()) != 4 || len(all.GetInternals()) < 10 {
		t.Errorf("%d sessions, %d rooms, %d subscriptions, internals %.100q", len(s.GetSessions()), len(s.GetRooms()), len(s.GetSubscriptions()), all.GetInternals())
	}
	if s := dump(&sfuv1.DumpStateRequest{AppId: app, RoomId: "a"}).GetState(); len(s.GetRooms()) != 1 || s.GetRooms()[0].GetRoom().GetId() != "a" ||
		len(s.GetSessions()) != 2 || len(s.GetSubscriptions()) != 2 {
		t.Errorf("of room a: %v", s)
	}
	one := dump(&sfuv1.DumpStateRequest{SessionId: ann.id})
	if s := one.GetState(); len(s.GetSessions()) != 1 || s.GetSessions()[0].GetId() != ann.id {
		t.Errorf("of a session: %v", s.GetSessions())
	}
	other := dump(&sfuv1.DumpStateRequest{AppId: "other"})
	if s := other.GetState(); len(s.GetSessions())+len(s.GetRooms()) != 0 {
		t.Errorf("of another app: %v", s)
	}
	for what, c := range map[string]struct {
		internals string
		ann, bob  bool
	}{
		"of all": {all.GetInternals(), true, true}, "of ann": {one.GetInternals(), true, false}, "of another app": {other.GetInternals(), false, false},
	} {
		if hasAnn, hasBob := strings.Contains(c.internals, `"ID":"`+ann.id+`"`), strings.Contains(c.internals, `"ID":"`+bob.id+`"`); hasAnn != c.ann || hasBob != c.bob {
			t.Errorf("internals %s: ann %v, bob %v", what, hasAnn, hasBob)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	conn, err := grpc.NewClient(n.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	serving := func() grpc_health_v1.HealthCheckResponse_ServingStatus {
		reply, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return reply.GetStatus()
	}
	if got := serving(); got != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health %v before draining", got)
	}
	ann := signIn(t, n.API, "ann", multi)
	ann.join("a")
	w := watch(t, n.API, nil)
	reply, err := n.Node.Drain(t.Context(), &sfuv1.DrainRequest{})
	if err != nil || !reply.GetState().GetDraining() || reply.GetSessions() != 1 {
		t.Fatalf("%v, %v, want draining with one session left", reply, err)
	}
	e := await(t, w, "draining", func(e *sfuv1.Event) bool { return e.GetNodeState().GetDraining() })
	if e.GetNodeState().GetDeadline() != nil {
		t.Errorf("%v, want no deadline", e)
	}
	if got := serving(); got != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health %v while draining", got)
	}
	_, err = n.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: &sfuv1.User{Id: "bob", Name: "Bob"}})
	wantRetry(t, wantError(t, err, codes.Unavailable, "DRAINING", ""))
	_, err = n.Session.Connect(t.Context(), &sfuv1.ConnectRequest{AppId: app, User: &sfuv1.User{Id: "bob", Name: "Bob"}, OfferSdp: offerOf(t, 0, 1)})
	wantRetry(t, wantError(t, err, codes.Unavailable, "DRAINING", ""))
	_, err = n.Room.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: ann.id, RoomId: "new"})
	wantRetry(t, wantError(t, err, codes.Unavailable, "DRAINING", ""))
	ann.join("a") // what is there goes on
	ann.negotiate(1, 1)
	ann.publish("a", "cam", 0)
	if node, err := n.Node.GetNode(t.Context(), &sfuv1.GetNodeRequest{}); err != nil || !node.GetNode().GetState().GetDraining() {
		t.Errorf("%v, %v, want draining", node, err)
	}
	if undrained, err := n.Node.Undrain(t.Context(), &sfuv1.UndrainRequest{}); err != nil || undrained.GetState().GetDraining() {
		t.Errorf("%v, %v", undrained, err)
	}
	if got := serving(); got != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health %v after draining", got)
	}
	ann.join("new")
	signIn(t, n.API, "bob", multi)

	if _, err := n.Node.Drain(t.Context(), &sfuv1.DrainRequest{Deadline: timestamppb.New(time.Now().Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	if reply, err := n.Node.GetNode(t.Context(), &sfuv1.GetNodeRequest{}); err != nil || reply.GetNode().GetState().GetDeadline() == nil {
		t.Errorf("%v, %v, want the deadline", reply.GetNode().GetState(), err)
	}
	late := watch(t, n.API, nil)
	reach(t, w, n.API)
	sameState(t, "a snapshot while draining", late.State(), w.State())
	if _, err := n.Node.Drain(t.Context(), &sfuv1.DrainRequest{Deadline: timestamppb.New(time.Now().Add(50 * time.Millisecond))}); err != nil {
		t.Fatal(err)
	}
	e = await(t, w, "the end of the session", func(e *sfuv1.Event) bool {
		return e.GetSessionId() == ann.id && e.GetSessionState().GetSession().GetState() == sfuv1.SessionState_SESSION_STATE_CLOSED
	})
	if e.GetSessionState().GetReason() != sfuv1.EndReason_END_REASON_DRAINED {
		t.Errorf("closed for %v, want DRAINED", e.GetSessionState().GetReason())
	}
	if !sfutest.Eventually(deadline(t), func() bool { return n.SFU.Load().Counts.Sessions == 0 }) {
		t.Error("sessions are left after the drain's deadline")
	}
}

func TestSessionNeverConnected(t *testing.T) {
	n := sfutest.StartNode(t, func(c *sfu.Config, _ *control.Config) {
		c.TickEvery = 20 * time.Millisecond
		c.Router.SessionTTL = 100 * time.Millisecond
	})
	w := watch(t, n.API, nil)
	ann := signIn(t, n.API, "ann", multi)
	e := await(t, w, "the end of the session", func(e *sfuv1.Event) bool {
		return e.GetSessionId() == ann.id && e.GetSessionState().GetSession().GetState() == sfuv1.SessionState_SESSION_STATE_CLOSED
	})
	if e.GetSessionState().GetReason() != sfuv1.EndReason_END_REASON_NEVER_CONNECTED {
		t.Errorf("closed for %v, want NEVER_CONNECTED", e.GetSessionState().GetReason())
	}
	_, err := n.Session.GetSession(t.Context(), &sfuv1.GetSessionRequest{SessionId: ann.id})
	wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
}

func TestCloseSession(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	ann, bob := signIn(t, n.API, "ann", multi), signIn(t, n.API, "bob", multi)
	inRooms(t, ann, bob, "a", "b")
	w := watch(t, n.API, nil)
	reply, err := n.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: ann.id, Reason: "tab closed"})
	if err != nil {
		t.Fatal(err)
	}
	wantEnded(t, reply.GetEnded(), 2, 2, 4)
	e := await(t, w, "the end", func(e *sfuv1.Event) bool {
		return e.GetSessionState().GetSession().GetState() == sfuv1.SessionState_SESSION_STATE_CLOSED
	})
	if s := e.GetSessionState(); s.GetReason() != sfuv1.EndReason_END_REASON_SESSION_CLOSED || s.GetDetail() != "tab closed" {
		t.Errorf("%v, want SESSION_CLOSED with its detail", s)
	}
	_, err = n.Session.CloseSession(t.Context(), &sfuv1.CloseSessionRequest{SessionId: ann.id})
	wantError(t, err, codes.NotFound, "SESSION_NOT_FOUND", "")
	bob.wantRooms("a", "b")
}
