// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

func (c *client) connectRequest(room, publish, subscribe string) ConnectRequest {
	c.offerID++
	req := ConnectRequest{Offer: c.offer(nil), OfferID: c.offerID}
	req.Command.Create = router.CreateSession{App: "app", ID: "mine", User: router.User{ID: "u", Name: "U"}, Mode: router.ModeMulti}
	req.Command.Joins = []router.JoinRoom{{Room: room}}
	if publish != "" {
		req.Command.Publishes = []router.Publish{{Room: room, Stream: publish, AudioMid: "0"}}
	}
	if subscribe != "" {
		req.Command.Subscriptions = []router.Subscribe{{Room: room, Stream: subscribe, Audio: true}}
	}

	return req
}

func TestConnect(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	sub := bob.subscribe("r", "s", true, false)

	alice := newClient(t, n)
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.slots(audioKind)
	req := alice.connectRequest("r", "s", "s")
	got, err := n.Connect(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Reply.Streams) != 1 || got.Reply.Session.ID != "mine" || len(got.Answer.Lines) != 2 {
		t.Errorf("reply %+v", got.Reply)
	}
	if s := got.Reply.Subscriptions; len(s) != 1 || s[0].State != router.SubscriptionActive || s[0].AudioMid != "1" {
		t.Errorf("subscriptions %+v", s)
	}
	alice.id = "mine"
	alice.take(got.Answer)
	alice.connected()
	voice.run()
	bob.more(bob.answer.Lines[0].Mid)
	alice.more("1")

	again, err := n.Connect(context.Background(), req)
	if err != nil {
		t.Fatalf("a repeat: %v", err)
	}
	if diff := cmp.Diff(got.Answer, again.Answer); diff != "" {
		t.Errorf("a repeat is answered differently: %s", diff)
	}
	req.OfferID++
	if _, err := n.Connect(context.Background(), req); !errors.Is(err, router.ErrSessionExists) {
		t.Errorf("another offer for the same session: %v", err)
	}
	_ = sub
}

// TestConnectAllOrNothing fails a join in its last part, and in its offer: nothing is left, not even events.
func TestConnectAllOrNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	var before uint64
	n.Read(func(r *router.Router) { before = r.Revision() })
	for name, spoil := range map[string]func(*ConnectRequest){
		"subscription": func(r *ConnectRequest) {
			r.Command.Subscriptions = []router.Subscribe{{Room: "elsewhere", Stream: "x", Audio: true}}
		},
		"publication": func(r *ConnectRequest) {
			r.Command.Publishes = []router.Publish{{Room: "r", Stream: "s", AudioMid: "no such"}}
		},
		"offer": func(r *ConnectRequest) { r.Offer = strings.Replace(r.Offer, "a=rtcp-mux\r\n", "", 1) },
	} {
		c := newClient(t, n)
		c.source(webrtc.MimeTypeOpus)
		req := c.connectRequest("r", "s", "")
		spoil(&req)
		if _, err := n.Connect(context.Background(), req); err == nil {
			t.Errorf("%s: went through", name)
		}
	}
	n.Read(func(r *router.Router) {
		if now := r.Revision(); now != before {
			t.Errorf("%d events of failed joins", now-before)
		}
	})
	n.aliveMu.Lock()
	defer n.aliveMu.Unlock()
	if len(n.alive) != 0 {
		t.Errorf("%d sessions are still there", len(n.alive))
	}
}

func TestIdempotent(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	ctx := context.Background()
	var runs atomic.Int64
	release, began := make(chan struct{}), make(chan struct{})
	do := func() (any, error) {
		if runs.Add(1) == 1 {
			close(began)
		}
		<-release

		return "answer", nil
	}
	body := [32]byte{1}
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			if got, err := n.Idempotent(ctx, "M", "id", body, do); got != "answer" || err != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	<-began
	if _, err := n.Idempotent(ctx, "M", "id", [32]byte{2}, do); !errors.Is(err, ErrRequestIDReused) {
		t.Errorf("another body in flight: %v", err)
	}
	close(release)
	waiting.Wait()
	if got, err := n.Idempotent(ctx, "M", "id", body, do); got != "answer" || err != nil || runs.Load() != 1 {
		t.Errorf("%v, %v after %d runs", got, err, runs.Load())
	}
	for name, call := range map[string]func() (any, error){
		"another method": func() (any, error) { return n.Idempotent(ctx, "N", "id", body, do) },
		"no id":          func() (any, error) { return n.Idempotent(ctx, "M", "", body, do) },
	} {
		before := runs.Load()
		if _, err := call(); err != nil || runs.Load() != before+1 {
			t.Errorf("%s was not run for itself", name)
		}
	}
	fails := func() (any, error) { runs.Add(1); return nil, ErrBusy }
	before := runs.Load()
	for range 2 {
		if _, err := n.Idempotent(ctx, "M", "fails", body, fails); !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
	}
	if runs.Load() != before+2 {
		t.Error("a failure was kept")
	}
}

func TestIdempotencyIsBounded(t *testing.T) {
	q := newRequests(3, 1<<20, time.Minute)
	now := time.Now()
	for _, id := range []string{"a", "b", "c", "d"} {
		r, mine, err := q.enter(requestKey{"M", id}, [32]byte{}, now)
		if err != nil || !mine {
			t.Fatalf("%s: %v %v", id, mine, err)
		}
		if _, err := q.run(r, func() (any, error) { return id, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, mine, _ := q.enter(requestKey{"M", "d"}, [32]byte{}, now); mine {
		t.Error("the latest is forgotten")
	}
	if q.order.Len() > 3 || len(q.byKey) != q.order.Len() {
		t.Errorf("%d entries, %d keys", q.order.Len(), len(q.byKey))
	}
	if _, mine, _ := q.enter(requestKey{"M", "d"}, [32]byte{}, now.Add(time.Hour)); !mine {
		t.Error("kept for longer than said")
	}
}

// TestWatchRebuilds has a watcher come and go at every batch; what it has seen in the end is what one that stayed has.
func TestWatchRebuilds(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	ctx := context.Background()
	stay, err := n.Watch(WatchRequest{FromNow: true, Snapshot: SnapshotNever})
	if err != nil {
		t.Fatal(err)
	}
	defer stay.Close()
	c := newClient(t, n).join()
	var at uint64
	var come []uint64
	for i := range 30 {
		must[router.JoinReply](t, n, router.JoinRoom{Session: c.id, Room: "r"})
		must[router.Stopped](t, n, router.LeaveRoom{Session: c.id, Room: "r"})
		if i%3 != 0 {
			continue
		}
		w, err := n.Watch(WatchRequest{Epoch: n.epoch, After: at, Snapshot: SnapshotOnGap})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := w.Next(ctx, time.Second, 7)
		if err != nil || batch.Resync {
			t.Fatalf("%+v, %v", batch, err)
		}
		for _, e := range batch.Events {
			come = append(come, e.Revision)
		}
		at = batch.Revision
		w.Close()
	}
	var stayed []uint64
	for len(stayed) < len(come) {
		batch, err := stay.Next(ctx, time.Second, 0)
		if err != nil || batch.Resync {
			t.Fatalf("%+v, %v", batch, err)
		}
		for _, e := range batch.Events {
			stayed = append(stayed, e.Revision)
		}
	}
	if diff := cmp.Diff(stayed[:len(come)], come); diff != "" {
		t.Errorf("they have seen different things: %s", diff)
	}
}

func TestWatchGap(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Router.EventRingCount = 10 })
	ctx := context.Background()
	c := newClient(t, n).join()
	slow, err := n.Watch(WatchRequest{FromNow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	for range 20 {
		must[router.JoinReply](t, n, router.JoinRoom{Session: c.id, Room: "r"})
		must[router.Stopped](t, n, router.LeaveRoom{Session: c.id, Room: "r"})
	}
	must[router.JoinReply](t, n, router.JoinRoom{Session: c.id, Room: "last"})
	batch, err := slow.Next(ctx, time.Second, 0)
	if err != nil || !batch.Resync || batch.Snapshot == nil {
		t.Fatalf("%+v, %v", batch, err)
	}
	if s := batch.Snapshot; s.Revision != batch.Revision || len(s.Rooms) != 1 || s.Rooms[0].ID != "last" {
		t.Errorf("snapshot %+v", s)
	}
	must[router.JoinReply](t, n, router.JoinRoom{Session: c.id, Room: "next"})
	next, err := slow.Next(ctx, time.Second, 0)
	if err != nil || len(next.Events) == 0 || next.Events[0].Revision != batch.Revision+1 {
		t.Errorf("after the snapshot: %+v, %v", next, err)
	}
	for name, req := range map[string]WatchRequest{
		"another epoch": {Epoch: 1, After: next.Revision},
		"the future":    {Epoch: n.epoch, After: next.Revision + 1000},
		"new":           {},
		"always":        {Epoch: n.epoch, After: next.Revision, Snapshot: SnapshotAlways},
	} {
		w, err := n.Watch(req)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := w.Next(ctx, time.Second, 0); err != nil || !b.Resync || b.Snapshot == nil {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
		w.Close()
	}
	oldest, err := n.Watch(WatchRequest{Snapshot: SnapshotNever})
	if err != nil {
		t.Fatal(err)
	}
	defer oldest.Close()
	if b, err := oldest.Next(ctx, time.Second, 0); err != nil || b.Resync || len(b.Events) != 10 {
		t.Errorf("from the oldest kept event on: %d events, %v, %v", len(b.Events), b.Resync, err)
	}
	if n.Load().Watchers != 2 || n.Load().Resyncs == 0 {
		t.Errorf("load %+v", n.Load())
	}
}

func TestWatchFilterAndHeartbeat(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	ctx := context.Background()
	c := newClient(t, n).join()
	w, err := n.Watch(WatchRequest{FromNow: true, Rooms: []string{"mine"}, Kinds: []string{"member_joined"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c.join("other", "mine")
	batch, err := w.Next(ctx, time.Second, 0)
	if err != nil || len(batch.Events) != 1 || batch.Events[0].Room != "mine" {
		t.Fatalf("%+v, %v", batch, err)
	}
	beat, err := w.Next(ctx, time.Millisecond, 0)
	var now uint64
	n.Read(func(r *router.Router) { now = r.Revision() })
	if err != nil || len(beat.Events) != 0 || beat.Resync || beat.Revision != now {
		t.Errorf("heartbeat %+v at revision %d, %v", beat, now, err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Next(canceled, 0, 0); !errors.Is(err, ErrDeadline) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.TickEvery = 5 * time.Millisecond })
	ctx := context.Background()
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	if err := n.Drain(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	drained := n.Drained()
	if !n.Info().Draining {
		t.Error("does not say that it drains")
	}
	if _, err := Do[router.Session](ctx, n.Node, router.CreateSession{App: "app", User: router.User{ID: "x", Name: "X"}, Mode: router.ModeMulti}); !errors.Is(err, router.ErrDraining) {
		t.Errorf("a new session: %v", err)
	}
	select {
	case <-drained:
		t.Error("drained with a session")
	default:
	}
	if err := n.Undrain(ctx); err != nil {
		t.Fatal(err)
	}
	newClient(t, n).join("r")
	if err := n.Drain(ctx, 0); err != nil {
		t.Fatal(err)
	}
	<-n.Drained()
	if _, err := n.find(c.id, router.Fence{}); !errors.Is(err, router.ErrSessionNotFound) {
		t.Errorf("a session has outlived the deadline: %v", err)
	}
}

// TestPanicEndsOneSession lets a session's loop panic: it ends, the node and the others do not.
func TestPanicEndsOneSession(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	a := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	b := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	s, err := n.find(a.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := n.Watch(WatchRequest{FromNow: true, Sessions: []router.SessionID{a.id}, Kinds: []string{"session_state"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s.post(func() { panic("injected") })
	<-s.done
	batch, err := w.Next(context.Background(), patience, 0)
	if err != nil || len(batch.Events) != 1 {
		t.Fatalf("%+v, %v", batch, err)
	}
	if e, ok := batch.Events[0].Payload.(router.SessionEvent); !ok || e.Reason != router.ReasonMediaFailed {
		t.Errorf("event %+v", batch.Events[0].Payload)
	}
	if n.Load().Panics != 1 {
		t.Errorf("%d panics counted", n.Load().Panics)
	}
	if b.state() != router.ConnectionConnected {
		t.Error("the other session suffered")
	}
}

// TestStopDoesNotWaitForNegotiation leaves a room while the session's loop is stuck.
func TestStopDoesNotWaitForNegotiation(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate().connected()
	alice.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	bob.more(bob.subscribe("r", "s", true, false).AudioMid)
	s, err := n.find(bob.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	release, stuck := make(chan struct{}), make(chan struct{})
	s.post(func() { close(stuck); <-release })
	<-stuck
	ssrc := bob.ssrc("0")
	must[router.Stopped](t, n, router.LeaveRoom{Session: bob.id, Room: "r"})
	after, sent := n.tap.count(ssrc), voice.sent.Load()
	eventually(t, "the publisher goes on", func() bool { return voice.sent.Load() >= sent+10 })
	if now := n.tap.count(ssrc); now != after {
		t.Errorf("%d packets left after the answer", now-after)
	}
	close(release)
}

func TestDumpHasNoSecrets(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	b, err := json.Marshal(n.Dump())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{attribute(c.answer.SDP, "ice-pwd"), attribute(c.pc.LocalDescription().SDP, "ice-pwd")} {
		if secret == "" || strings.Contains(string(b), secret) {
			t.Errorf("the dump has %q", secret)
		}
	}
	if !strings.Contains(string(b), string(c.id)) {
		t.Error("the dump does not have the session")
	}
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"consent":     func(c *Config) { c.ConsentTimeout = time.Hour },
		"udp address": func(c *Config) { c.UDPAddress = "256.0.0.1:1" },
		"tcp address": func(c *Config) { c.UDPAddress, c.TCPAddress = "127.0.0.1:0", "nowhere:-1" },
		"external":    func(c *Config) { c.External = []ExternalAddress{{}} },
		"interfaces":  func(c *Config) { c.UDPAddress, c.Interfaces = ":0", []string{"no such"} },
	} {
		cfg := Config{}
		change(&cfg)
		if n, err := NewNode(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			_ = n.Close(context.Background())
		} else if len(err.Error()) < 20 {
			t.Errorf("%s: %q does not say much", name, err)
		}
	}
}

func TestClosedNode(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	w, err := n.Watch(WatchRequest{FromNow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	result := make(chan error, 1)
	go func() {
		_, err := w.Next(context.Background(), 0, 0)
		result <- err
	}()
	if err := n.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("a watcher that waits: %v", err)
	}
	if _, err := Do[router.Stopped](context.Background(), n.Node, router.LeaveAllRooms{Session: c.id}); !errors.Is(err, ErrClosed) {
		t.Errorf("Do: %v", err)
	}
	if _, err := n.Negotiate(context.Background(), c.id, router.Fence{}, "", 9); !errors.Is(err, ErrClosed) {
		t.Errorf("Negotiate: %v", err)
	}
	if _, err := n.Watch(WatchRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Watch: %v", err)
	}
}
