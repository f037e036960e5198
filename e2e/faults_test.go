// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// consent is short, so that a lost client is noticed within a test, and ten checks of a client long.
const (
	consent   = 2 * time.Second
	keepalive = 200 * time.Millisecond
)

// link is the access link of a client.
func (st *stage) link(up, down sfutest.Shape) *sfutest.Link {
	st.t.Helper()
	l, err := sfutest.NewLink(st.Media(), up, down, 11)
	st.must(err)
	st.t.Cleanup(l.Close)
	return l
}

// stateEvent picks the event that a session has got to a state.
func stateEvent(session string, state sfuv1.SessionState) func(*sfuv1.Event) bool {
	return func(e *sfuv1.Event) bool {
		return e.GetSessionId() == session && e.GetSessionState().GetSession().GetState() == state
	}
}

// TestFaultStuckSubscriber: one subscriber's link swallows everything. The others notice nothing, and the node notices it.
func TestFaultStuckSubscriber(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.ConsentTimeout = consent })
	link := st.link(sfutest.Shape{}, sfutest.Shape{})
	people := st.enter([]string{"ann", "bob", "cem", "dan"}, func(name string) cast {
		c := cast{sends: name == "ann", audio: 1, video: 1, config: sfutest.ClientConfig{Keepalive: keepalive}}
		if name == "dan" {
			c.config.Link = link
		}
		return c
	})
	ann, dan := people["ann"], people["dan"]
	st.join(ann, "room")
	st.publish(ann, "room", "stream")
	var stuck playing
	for _, name := range []string{"bob", "cem", "dan"} {
		st.join(people[name], "room")
		now := st.subscribe(people[name], "room", "stream", ann)
		if name == "dan" {
			stuck = now
		}
	}
	st.begin()
	w := watch(t, st.API, &sfuv1.WatchEventsRequest{})
	withheld := st.withheld(dan, stuck, ann)
	link.Set(sfutest.Shape{Blackhole: true}, sfutest.Shape{Blackhole: true})
	stuck.end()
	st.advance(2 * time.Second)
	await(t, w, "the loss of dan", stateEvent(dan.ID, sfuv1.SessionState_SESSION_STATE_DISCONNECTED))
	st.advance(100 * time.Millisecond)
	before := st.statsOf(stuck)
	if !sfutest.Eventually(st.ctx, func() bool { // what shows that something was withheld shows all that was sent before
		before = st.statsOf(stuck)
		return before.GetAudio().GetDrops()[notReady] > withheld[0] && before.GetVideo().GetDrops()[notReady] > withheld[1]
	}) {
		t.Fatalf("nothing is withheld from a client that no longer consents: %v", before)
	}
	st.advance(time.Second)
	if after := st.statsOf(stuck); after.GetVideo().GetPackets() != before.GetVideo().GetPackets() || after.GetAudio().GetPackets() != before.GetAudio().GetPackets() {
		t.Errorf("media still goes to a client that no longer consents: %v, then %v", before, after)
	}
	st.verify()
	for _, name := range []string{"ann", "bob", "cem"} {
		if got := sessionOf(st, people[name]).GetState(); got != sfuv1.SessionState_SESSION_STATE_CONNECTED {
			t.Errorf("%s is %v", name, got)
		}
	}
	// The link works again: the same session goes on.
	link.Set(sfutest.Shape{}, sfutest.Shape{})
	await(t, w, "dan back", backAgain(w, dan.ID))
	st.expect(dan, stuck.GetAudioMid(), ann.audio, dan.Mark())
	st.expect(dan, stuck.GetVideoMid(), ann.video, dan.Mark())
	st.begin()
	st.advance(200 * time.Millisecond)
}

// notReady is why a slot is sent nothing while its client is not connected.
const notReady = "not_ready"

// withheld is how many packets of audio and of video a subscription has not been sent since its client was not connected.
// Counters are published a moment late: it waits until they show all that the client has got.
func (st *stage) withheld(p *person, now playing, from *person) (n [2]uint64) {
	st.t.Helper()
	if !sfutest.Eventually(st.ctx, func() bool {
		audio, video := st.statsOf(now).GetAudio(), st.statsOf(now).GetVideo()
		n = [2]uint64{audio.GetDrops()[notReady], video.GetDrops()[notReady]}
		return audio.GetPackets() >= uint64(p.From(from.audio.Number)) && video.GetPackets() >= uint64(p.From(from.video.Number))
	}) {
		st.t.Fatalf("what %s has got is not counted: %v", p.User, st.statsOf(now))
	}
	return n
}

// backAgain picks the event that a session is connected after it was disconnected.
func backAgain(w *sfutest.Watcher, session string) func(*sfuv1.Event) bool {
	gone := stateEvent(session, sfuv1.SessionState_SESSION_STATE_DISCONNECTED)
	back := stateEvent(session, sfuv1.SessionState_SESSION_STATE_CONNECTED)
	lost := false
	return func(e *sfuv1.Event) bool {
		lost = lost || gone(e)
		return lost && back(e)
	}
}

func (st *stage) statsOf(p playing) *sfuv1.SubscriptionStats {
	st.t.Helper()
	reply, err := st.Subscription.GetSubscriptionStats(st.ctx, &sfuv1.GetSubscriptionStatsRequest{SubscriptionId: p.GetId()})
	st.must(err)
	return reply.GetStats()
}

// TestFaultNoController: with nobody watching and the gRPC face gone, media goes on.
func TestFaultNoController(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob"}, func(name string) cast { return cast{sends: name == "ann", audio: 1, video: 1} })
	st.join(people["ann"], "room")
	st.publish(people["ann"], "room", "stream")
	st.join(people["bob"], "room")
	st.subscribe(people["bob"], "room", "stream", people["ann"])
	st.begin()
	if n := st.SFU.Load().Watchers; n != 0 {
		t.Fatalf("%d watchers", n)
	}
	st.StopFace()
	if _, err := people["bob"].Join(st.ctx, "other"); err == nil {
		t.Error("the gRPC face still answers")
	}
	st.advance(3 * time.Second)
	st.verify()
}

// TestFaultPublisherKilled: a publisher vanishes without a word. After the grace its stream is gone and subscriptions wait;
// when it is back under the same stream id they go on by themselves.
func TestFaultPublisherKilled(t *testing.T) {
	st := newStage(t, func(c *sfu.Config, _ *control.Config) {
		c.ConsentTimeout = consent
		c.TickEvery = 20 * time.Millisecond
		c.Router.ReconnectGrace = 200 * time.Millisecond
	})
	bob := st.one("bob", cast{audio: 1, video: 1, config: sfutest.ClientConfig{Keepalive: keepalive}})
	st.join(bob, "room")
	w := watch(t, st.API, &sfuv1.WatchEventsRequest{})
	var quiet sfutest.Goroutines // after the first life
	var now playing
	for life := range 3 {
		link := st.link(sfutest.Shape{}, sfutest.Shape{})
		st.sources = nil
		ann := st.one("ann", cast{sends: true, config: sfutest.ClientConfig{Keepalive: keepalive, Link: link}})
		st.join(ann, "room")
		st.publish(ann, "room", "stream")
		if life == 0 {
			now = st.subscribe(bob, "room", "stream", ann)
		} else {
			now = st.resumed(bob, now, ann)
		}
		st.begin()
		st.advance(200 * time.Millisecond)
		if life == 2 {
			break
		}
		link.Set(sfutest.Shape{Blackhole: true}, sfutest.Shape{Blackhole: true})
		now.end()
		st.lost(w, ann, now, life)
		ann.Client.Close()
		link.Close()
		if life == 0 {
			quiet = st.goroutines()
		} else {
			st.noMore(quiet)
		}
		for i, shard := range st.SFU.Load().Forward.Shards {
			if shard.Sinks != 0 {
				t.Errorf("shard %d still has %d sinks", i, shard.Sinks)
			}
		}
	}
	st.verify()
}

// lost waits until the node has given up on ann, for the time-th time, and looks at what it says.
func (st *stage) lost(w *sfutest.Watcher, ann *person, now playing, times int) {
	st.t.Helper()
	waiting, gone := 0, 0
	await(st.t, w, "the subscription waiting", func(e *sfuv1.Event) bool {
		sub := e.GetSubscriptionState().GetSubscription()
		if sub.GetId() == now.GetId() && sub.GetState() == sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING {
			waiting++
		}
		return waiting > times
	})
	closed := await(st.t, w, "the end of ann's session", stateEvent(ann.ID, sfuv1.SessionState_SESSION_STATE_CLOSED))
	if got := closed.GetSessionState().GetReason(); got != sfuv1.EndReason_END_REASON_CONNECTION_LOST {
		st.t.Errorf("ann's session ended by %v", got)
	}
	removed := await(st.t, w, "the end of the stream", func(e *sfuv1.Event) bool {
		if e.GetStreamRemoved() != nil {
			gone++
		}
		return gone > times
	})
	if got := removed.GetStreamRemoved().GetReason(); got != sfuv1.EndReason_END_REASON_CONNECTION_LOST {
		st.t.Errorf("the stream ended by %v", got)
	}
}

// goroutines counts those of the process, clients included, once nothing happens. Whoever compares the count with a later one
// has waited for all that is still to come up, which media on every line and a message on every data channel prove.
func (st *stage) goroutines() sfutest.Goroutines {
	st.t.Helper()
	g, ok := sfutest.AtRest(st.ctx)
	if !ok {
		st.t.Fatalf("the process never came to rest: %v", g)
	}
	return g
}

// noMore wants no more goroutines of any origin than there were.
func (st *stage) noMore(before sfutest.Goroutines) {
	st.t.Helper()
	for _, more := range sfutest.NoMore(st.ctx, before) {
		st.t.Errorf("goroutines: %s", more)
	}
}

// resumed expects what a subscription brings now that it has come to life again.
func (st *stage) resumed(p *person, was playing, from *person) playing {
	st.t.Helper()
	after := p.Mark()
	var sub *sfuv1.Subscription
	active := func() bool {
		reply, err := st.Subscription.ListSubscriptions(st.ctx, &sfuv1.ListSubscriptionsRequest{SessionId: p.ID})
		if err != nil {
			return false
		}
		for _, s := range reply.GetSubscriptions() {
			if s.GetId() == was.GetId() && s.GetState() == sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
				sub = s
				return true
			}
		}
		return false
	}
	if !sfutest.Eventually(st.ctx, active) {
		st.t.Fatalf("subscription %s did not become active", was.GetId())
	}
	return playing{sub, st.expect(p, sub.GetAudioMid(), from.audio, after), st.expect(p, sub.GetVideoMid(), from.video, after)}
}

// TestFaultRestart: an ICE restart, of publisher and subscriber, leaves no gap.
func TestFaultRestart(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob"}, func(name string) cast { return cast{sends: name == "ann", audio: 1, video: 1} })
	ann, bob := people["ann"], people["bob"]
	st.join(ann, "room")
	st.publish(ann, "room", "stream")
	st.join(bob, "room")
	st.subscribe(bob, "room", "stream", ann)
	st.begin()
	asked := ann.video.PLIs()
	for _, p := range []*person{bob, ann, bob} {
		before := p.PeerConnection().RemoteDescription().SDP
		_, err := p.Restart(st.ctx)
		st.must(err)
		if ufragOf(p.PeerConnection().RemoteDescription().SDP) == ufragOf(before) {
			t.Error("the node kept its ICE user name")
		}
		st.advance(300 * time.Millisecond)
		// What was lost before a client looked for another way may be more than is sent again.
		if want := asked + 1; !sfutest.Eventually(st.ctx, func() bool { return ann.video.PLIs() >= want }) {
			t.Errorf("%s restarted: no keyframe asked for", p.User)
		}
		asked = ann.video.PLIs()
	}
	st.verify()
}

// TestStopAndGoOn: each way to stop media stops it with the answer, and where it can go on it does, on the same lines.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob", "eve"}, func(name string) cast {
		return cast{sends: name == "ann", audio: 1, video: 1}
	})
	ann, bob, eve := people["ann"], people["bob"], people["eve"]
	st.join(ann, "room", "other")
	st.publish(ann, "other", "stream")
	st.join(eve, "other")
	st.subscribe(eve, "other", "stream", ann) // must notice nothing of all that follows

	// The stream comes after the wish for it.
	st.join(bob, "room")
	sub, err := bob.Subscribe(st.ctx, "room", "stream")
	st.must(err)
	if sub.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING {
		t.Fatalf("a subscription to a stream that is not there: %v", sub)
	}
	st.publish(ann, "room", "stream")
	now := st.resumed(bob, playing{Subscription: sub}, ann)
	st.begin()
	log := st.tap(ann)
	at := st.remote(bob)

	for _, way := range stopsAndGoes(st, ann, bob) {
		st.advance(100 * time.Millisecond)
		st.must(way.stop(now))
		log.stop(at, ann.audio, ann.video)
		now.end()
		st.advance(200 * time.Millisecond)
		log.start(at, ann.audio, ann.video)
		if way.goOn == nil {
			log.stop(at, ann.audio, ann.video)
			continue
		}
		was := bob.Mark()
		st.must(way.goOn(&now))
		now = playing{now.Subscription, st.expect(bob, now.GetAudioMid(), ann.audio, was), st.expect(bob, now.GetVideoMid(), ann.video, was)}
		st.begin()
		if t.Failed() {
			t.Fatalf("by %s", way.name)
		}
	}
	st.advance(100 * time.Millisecond)
	st.verify()
	log.check(t)
}

// way is a way to stop what bob gets of ann, and to have it go on.
type way struct {
	name string
	stop func(now playing) error
	goOn func(now *playing) error // nil: it does not; may replace the subscription
}

func stopsAndGoes(st *stage, ann, bob *person) []way {
	mute := func(on bool) error {
		_, err := st.Stream.MuteStream(st.ctx, &sfuv1.MuteStreamRequest{
			AppId: app, RoomId: "room", StreamId: "stream", AudioMuted: new(on), VideoMuted: new(on),
		})
		return err
	}
	pause := func(id string, on bool) error {
		_, err := st.Subscription.UpdateSubscription(st.ctx, &sfuv1.UpdateSubscriptionRequest{SubscriptionId: id, Paused: new(on)})
		return err
	}
	again := func(now *playing) error {
		sub, err := bob.Subscribe(st.ctx, "room", "stream")
		now.Subscription = sub
		return err
	}
	publish := func() error {
		_, err := ann.Publish(st.ctx, "room", "stream", ann.audio, ann.video)
		return err
	}
	kick := func(p *person) error {
		_, err := st.Room.KickUser(st.ctx, &sfuv1.KickUserRequest{AppId: app, RoomId: "room", UserId: p.User})
		return err
	}
	back := func(p *person) error { _, err := p.Join(st.ctx, "room"); return err }
	return []way{
		{"mute", func(playing) error { return mute(true) }, func(*playing) error { return mute(false) }},
		{"pause", func(now playing) error { return pause(now.GetId(), true) }, func(now *playing) error { return pause(now.GetId(), false) }},
		{"unsubscribe", func(now playing) error {
			_, err := st.Subscription.Unsubscribe(st.ctx, &sfuv1.UnsubscribeRequest{SubscriptionId: now.GetId()})
			return err
		}, again},
		{"declare nothing", func(playing) error {
			_, err := st.Subscription.SetSubscriptions(st.ctx, &sfuv1.SetSubscriptionsRequest{SessionId: bob.ID, RoomId: "room", Generation: 1})
			return err
		}, again},
		{"unpublish", func(playing) error {
			_, err := st.Stream.Unpublish(st.ctx, &sfuv1.UnpublishRequest{SessionId: ann.ID, RoomId: "room", StreamId: "stream"})
			return err
		}, func(now *playing) error { return first(publish(), func() error { return again(now) }) }},
		{"take the grant away", func(playing) error { return grant(st, bob, false) }, func(now *playing) error {
			return first(grant(st, bob, true), func() error { return again(now) })
		}},
		{"kick the publisher", func(playing) error { return kick(ann) }, func(now *playing) error {
			return first(back(ann), publish, func() error { return again(now) })
		}},
		{"kick the subscriber", func(playing) error { return kick(bob) }, func(now *playing) error {
			return first(back(bob), func() error { return again(now) })
		}},
		{"leave all rooms", func(playing) error {
			_, err := st.Room.LeaveAllRooms(st.ctx, &sfuv1.LeaveAllRoomsRequest{SessionId: bob.ID})
			return err
		}, func(now *playing) error { return first(back(bob), func() error { return again(now) }) }},
		{"close the room", func(playing) error {
			_, err := st.Room.CloseRoom(st.ctx, &sfuv1.CloseRoomRequest{AppId: app, RoomId: "room"})
			return err
		}, func(now *playing) error {
			return first(back(ann), func() error { return back(bob) }, publish, func() error { return again(now) })
		}},
		{"close the session", func(playing) error {
			_, err := st.Session.CloseSession(st.ctx, &sfuv1.CloseSessionRequest{SessionId: bob.ID})
			return err
		}, nil},
	}
}

// first does one thing after the other until one fails.
func first(err error, then ...func() error) error {
	for _, do := range then {
		if err != nil {
			return err
		}
		err = do()
	}
	return err
}

func grant(st *stage, p *person, subscribe bool) error {
	_, err := st.Room.UpdateMember(st.ctx, &sfuv1.UpdateMemberRequest{
		SessionId: p.ID, RoomId: "room", Grants: &sfuv1.Grants{Publish: true, Subscribe: subscribe, Message: true},
	})
	return err
}
