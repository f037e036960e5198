// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// together is how many tests run at a time: most of what they do is to wait for sockets and timers. Those that count goroutines, or
// send so much in real time that they need the machine for themselves, are not parallel, and run before the others.
func together() int {
	if raced {
		return 4
	}
	return 8
}

func TestMain(m *testing.M) {
	flag.Parse()
	given := false // by who runs the tests
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(together()))
	}
	goleak.VerifyTestMain(m)
}

const (
	app    = "demo"
	multi  = sfuv1.RoomMode_ROOM_MODE_MULTI
	single = sfuv1.RoomMode_ROOM_MODE_SINGLE
	// patience is how long a test waits for what has to come; nothing that works takes that long, on the slowest machine.
	patience = time.Minute
)

// controlled starts a node whose sessions may stay without a connection for the whole test.
func controlled(t *testing.T, change func(*sfu.Config, *control.Config)) *sfutest.Node {
	t.Helper()
	return sfutest.StartNode(t, func(c *sfu.Config, face *control.Config) {
		c.Router.SessionTTL = time.Hour
		if change != nil {
			change(c, face)
		}
	})
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// signaler is one user as a signaling tier sees it: a session, and the calls made for it. Its methods fail the test on errors;
// what is meant to fail is called through API.
type signaler struct {
	*sfutest.API
	t     *testing.T
	user  *sfuv1.User
	id    string // of the session
	epoch uint64
	offer uint64
}

func signIn(t *testing.T, api *sfutest.API, user string, mode sfuv1.RoomMode) *signaler {
	t.Helper()
	u := &sfuv1.User{Id: user, Name: "name of " + user}
	reply, err := api.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: app, User: u, RoomMode: mode})
	if err != nil {
		t.Fatalf("creating a session of %s: %v", user, err)
	}
	return &signaler{API: api, t: t, user: u, id: reply.GetSession().GetId(), epoch: reply.GetSession().GetEpoch()}
}

func (s *signaler) join(room string) *sfuv1.JoinRoomResponse {
	s.t.Helper()
	reply, err := s.Room.JoinRoom(s.t.Context(), &sfuv1.JoinRoomRequest{SessionId: s.id, RoomId: room})
	if err != nil {
		s.t.Fatalf("%s joining %s: %v", s.user.GetId(), room, err)
	}
	return reply
}

func (s *signaler) leave(room string) *sfuv1.Ended {
	s.t.Helper()
	reply, err := s.Room.LeaveRoom(s.t.Context(), &sfuv1.LeaveRoomRequest{SessionId: s.id, RoomId: room})
	if err != nil {
		s.t.Fatalf("%s leaving %s: %v", s.user.GetId(), room, err)
	}
	return reply.GetEnded()
}

// negotiate offers up audio and video lines, then down ones; mids count from "0" in that order.
func (s *signaler) negotiate(up, down int) *sfuv1.NegotiateResponse {
	s.t.Helper()
	s.offer++
	reply, err := s.Session.Negotiate(s.t.Context(), &sfuv1.NegotiateRequest{SessionId: s.id, OfferSdp: offerOf(s.t, up, down), OfferId: s.offer})
	if err != nil {
		s.t.Fatalf("%s negotiating: %v", s.user.GetId(), err)
	}
	return reply
}

// offerOf is the SDP of a client that sends up pairs of audio and video, and has slots for down pairs. It never connects.
func offerOf(t testing.TB, up, down int) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	for i := range up + down {
		direction := webrtc.RTPTransceiverDirectionSendonly
		if i >= up {
			direction = webrtc.RTPTransceiverDirectionRecvonly
		}
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: direction}); err != nil {
				t.Fatal(err)
			}
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return offer.SDP
}

// publish announces the pair-th uplinked pair of audio and video.
func (s *signaler) publish(room, stream string, pair int) *sfuv1.Stream {
	s.t.Helper()
	reply, err := s.Stream.Publish(s.t.Context(), s.publishing(room, stream, pair))
	if err != nil {
		s.t.Fatalf("%s publishing %s in %s: %v", s.user.GetId(), stream, room, err)
	}
	return reply.GetStream()
}

func (s *signaler) publishing(room, stream string, pair int) *sfuv1.PublishRequest {
	return &sfuv1.PublishRequest{
		SessionId: s.id, RoomId: room, StreamId: stream, AudioMid: fmt.Sprint(2 * pair), VideoMid: fmt.Sprint(2*pair + 1),
	}
}

func (s *signaler) subscribe(room, stream string) *sfuv1.SubscribeResponse {
	s.t.Helper()
	reply, err := s.Subscription.Subscribe(s.t.Context(), &sfuv1.SubscribeRequest{
		SessionId: s.id, RoomId: room, StreamId: stream, Audio: true, Video: true,
	})
	if err != nil {
		s.t.Fatalf("%s subscribing to %s in %s: %v", s.user.GetId(), stream, room, err)
	}
	return reply
}

// session is the session as the node has it.
func (s *signaler) session() *sfuv1.Session {
	s.t.Helper()
	reply, err := s.Session.GetSession(s.t.Context(), &sfuv1.GetSessionRequest{SessionId: s.id})
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.GetSession()
}

func (s *signaler) wantRooms(rooms ...string) {
	s.t.Helper()
	if got := s.session().GetRoomIds(); !slices.Equal(got, rooms) {
		s.t.Errorf("%s is in rooms %q, want %q", s.user.GetId(), got, rooms)
	}
}

// subscriptions lists those of a room, "" of all.
func (s *signaler) subscriptions(room string) []*sfuv1.Subscription {
	s.t.Helper()
	reply, err := s.Subscription.ListSubscriptions(s.t.Context(), &sfuv1.ListSubscriptionsRequest{SessionId: s.id, RoomId: room})
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.GetSubscriptions()
}

func getRoom(t *testing.T, api *sfutest.API, room string) *sfuv1.GetRoomResponse {
	t.Helper()
	reply, err := api.Room.GetRoom(t.Context(), &sfuv1.GetRoomRequest{AppId: app, RoomId: room})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// watch starts a Watcher that is dropped with the test, and after which the test fails if the node broke the order of events.
func watch(t *testing.T, api *sfutest.API, request *sfuv1.WatchEventsRequest) *sfutest.Watcher {
	t.Helper()
	w := sfutest.NewWatcher(api, request)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Drop()
		for _, fault := range w.Faults() {
			t.Errorf("events: %s", fault)
		}
	})
	if err := w.Begun(deadline(t)); err != nil {
		t.Fatal(err)
	}
	return w
}

// revision is the node's event revision now.
func revision(t *testing.T, api *sfutest.API) uint64 {
	t.Helper()
	reply, err := api.Node.GetNode(t.Context(), &sfuv1.GetNodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return reply.GetNode().GetRevision()
}

// reach waits until the watcher has everything that has happened so far.
func reach(t *testing.T, w *sfutest.Watcher, api *sfutest.API) {
	t.Helper()
	if err := w.Reach(deadline(t), revision(t, api)); err != nil {
		t.Fatal(err)
	}
}

// await waits for an event.
func await(t *testing.T, w *sfutest.Watcher, what string, match func(*sfuv1.Event) bool) *sfuv1.Event {
	t.Helper()
	e, err := w.Event(deadline(t), what, match)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// setLimits changes the limits of the app that the tests use.
func setLimits(t *testing.T, api *sfutest.API, limits *sfuv1.Limits) *sfuv1.Limits {
	t.Helper()
	reply, err := api.Node.SetLimits(t.Context(), &sfuv1.SetLimitsRequest{AppId: app, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return reply.GetLimits()
}

// failure is what the details of an error say.
type failure struct {
	info  *errdetails.ErrorInfo
	retry *errdetails.RetryInfo
	bad   *errdetails.BadRequest
}

// detailsOf unpacks an error.
func detailsOf(err error) (f failure) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			f.info = d
		case *errdetails.RetryInfo:
			f.retry = d
		case *errdetails.BadRequest:
			f.bad = d
		}
	}
	return f
}

// wantError checks code, reason, domain and numeric code ("" for none) of an error, and that the API's list of reasons has it.
func wantError(t *testing.T, err error, code codes.Code, reason, zego string) failure {
	t.Helper()
	f, st := detailsOf(err), status.Convert(err)
	if st.Code() != code || f.info.GetReason() != reason || f.info.GetMetadata()["zego_code"] != zego {
		t.Errorf("error %v (reason %q, code %q), want %v %s %q", err, f.info.GetReason(), f.info.GetMetadata()["zego_code"], code, reason, zego)
		return f
	}
	if f.info.GetDomain() != "sfu" {
		t.Errorf("%s: domain %q, want sfu", reason, f.info.GetDomain())
	}
	if _, ok := sfuv1.ErrorReason_value["ERROR_REASON_"+reason]; !ok {
		t.Errorf("reason %s is none of sfu.v1.ErrorReason", reason)
	}
	return f
}

// wantRetry checks that an error says when to try again.
func wantRetry(t *testing.T, f failure) {
	t.Helper()
	if f.retry.GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("%s: no RetryInfo", f.info.GetReason())
	}
}

func wantEnded(t *testing.T, got *sfuv1.Ended, rooms, streams, subscriptions uint32) {
	t.Helper()
	if got.GetRooms() != rooms || got.GetStreams() != streams || got.GetSubscriptions() != subscriptions {
		t.Errorf("ended %v, want %d rooms, %d streams, %d subscriptions", got, rooms, streams, subscriptions)
	}
}
