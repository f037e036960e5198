// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestSlotsSwitch switches one subscription a hundred times between streams of five rooms, over one pair of slots.
func TestSlotsSwitch(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.Forward.KeyframeEvery = time.Millisecond })
	rooms := []string{"r0", "r1", "r2", "r3", "r4"}
	people := st.enter(append([]string{"ann"}, rooms...), func(name string) cast {
		if name == "ann" {
			return cast{audio: 1, video: 1}
		}
		return cast{sends: true}
	})
	ann := people["ann"]
	for _, room := range rooms {
		st.join(people[room], room)
		st.publish(people[room], room, "stream-"+room)
		st.join(ann, room)
	}
	now := st.subscribe(ann, "r0", "stream-r0", people["r0"])
	offer := sessionOf(st, ann).GetOfferId()
	from := revision(t, st.API)
	rng := rand.New(rand.NewPCG(7, 7))
	at, audioMid, videoMid := 0, now.GetAudioMid(), now.GetVideoMid()
	for i := range 100 {
		st.showsFrom(ann, now)
		next := (at + 1 + rng.IntN(len(rooms)-1)) % len(rooms)
		now.end()
		after, asked := ann.Mark(), people[rooms[next]].video.PLIs()
		reply, err := st.Subscription.SwitchSubscription(st.ctx, &sfuv1.SwitchSubscriptionRequest{
			SubscriptionId: now.GetId(), RoomId: rooms[next], StreamId: "stream-" + rooms[next],
		})
		st.must(err)
		sub := reply.GetSubscription()
		if sub.GetId() != now.GetId() || sub.GetAudioMid() != audioMid || sub.GetVideoMid() != videoMid || sub.GetRoomId() != rooms[next] {
			t.Fatalf("switch %d: %v, want the lines %s and %s to stay", i, sub, audioMid, videoMid)
		}
		at = next
		p := people[rooms[at]]
		now = playing{sub, st.expect(ann, audioMid, p.audio, after), st.expect(ann, videoMid, p.video, after)}
		if !sfutest.Eventually(st.ctx, func() bool { return p.video.PLIs() > asked }) {
			t.Fatalf("switch %d: the publisher was not asked for a keyframe", i)
		}
	}
	st.showsFrom(ann, now)
	st.verifySwitches(ann, map[string]uint32{audioMid: 48000, videoMid: 90000})

	if got := sessionOf(st, ann).GetOfferId(); got != offer {
		t.Errorf("offer %d, was %d before the switches", got, offer)
	}
	w := watch(t, st.API, &sfuv1.WatchEventsRequest{
		AfterRevision: new(from), Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER,
		Filter: &sfuv1.EventFilter{Sessions: []string{ann.ID}},
	})
	reach(t, w, st.API)
	switched := 0
	for _, e := range w.Events() {
		if e.GetNegotiationNeeded() != nil {
			t.Errorf("an event asks for negotiation: %v", e)
		}
		if e.GetSubscriptionState() != nil {
			switched++
		}
	}
	if switched < 100 {
		t.Errorf("%d events tell of subscriptions, want one a switch at least", switched)
	}
}

// TestSlotPairs: a publisher's audio and video come in one MediaStream, each publisher's in another, and a slot that is added
// later for what one stream lacks stays with what there is.
func TestSlotPairs(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob", "cem", "dan"}, func(name string) cast {
		if name == "ann" {
			return cast{audio: 3, video: 2}
		}
		return cast{sends: true}
	})
	ann := people["ann"]
	st.join(ann, "room")
	for _, name := range []string{"bob", "cem", "dan"} {
		st.join(people[name], "room")
		st.publish(people[name], "room", name)
	}
	reply, err := st.Subscription.Subscribe(st.ctx, &sfuv1.SubscribeRequest{SessionId: ann.ID, RoomId: "room", StreamId: "dan", Audio: true})
	st.must(err)
	lone := reply.GetSubscription()
	alone := st.expect(ann, lone.GetAudioMid(), people["dan"].audio, 0)
	bob, cem := st.subscribe(ann, "room", "bob", people["bob"]), st.subscribe(ann, "room", "cem", people["cem"])
	st.begin()
	st.advance(100 * time.Millisecond)
	st.verify()
	streams := make(map[string]bool)
	for _, now := range []playing{bob, cem} {
		audio, video := ann.MediaStream(now.GetAudioMid()), ann.MediaStream(now.GetVideoMid())
		if audio == "" || audio != video {
			t.Errorf("%s's audio comes in stream %q, the video in %q", now.GetStreamId(), audio, video)
		}
		streams[audio] = true
	}
	single := ann.MediaStream(lone.GetAudioMid())
	streams[single] = true
	if len(streams) != 3 {
		t.Errorf("three publishers come in streams %v", streams)
	}

	// A third slot of video: it makes a pair with the audio that has had none so far.
	st.must(ann.AddSlots(0, 1))
	_, err = ann.Negotiate(st.ctx)
	st.must(err)
	reply, err = st.Subscription.Subscribe(st.ctx, &sfuv1.SubscribeRequest{SessionId: ann.ID, RoomId: "room", StreamId: "dan", Audio: true, Video: true})
	st.must(err)
	more := reply.GetSubscription()
	if more.GetId() != lone.GetId() || more.GetAudioMid() != lone.GetAudioMid() {
		t.Fatalf("%v was %v", more, lone)
	}
	st.plays = append(st.plays[:0], alone, st.expect(ann, more.GetVideoMid(), people["dan"].video, ann.Mark()))
	st.begin()
	if audio, video := ann.MediaStream(more.GetAudioMid()), ann.MediaStream(more.GetVideoMid()); audio != single || video != single {
		t.Errorf("dan's audio comes in stream %q, was %q, the video in %q", audio, single, video)
	}
}

// showsFrom sends frames of the sources that are played until both have begun to come, and two more.
func (st *stage) showsFrom(ann *person, now playing) {
	st.t.Helper()
	for _, e := range []*play{now.audio, now.video} {
		looks, more := 0, 2
		all := func() bool {
			looks++
			begun := e.begun()
			// Frames of which nothing comes go out further and further apart: on a machine that is busy otherwise they wait in
			// sockets, and those hold only so many.
			if begun || looks&(looks-1) == 0 || looks%8 == 0 {
				e.source.Step()
			}
			if begun {
				more--
			}
			return more < 0
		}
		if !sfutest.Eventually(st.ctx, all) {
			st.t.Fatalf("%v never began", e)
		}
		st.must(ann.WaitLine(st.ctx, e.mid, e.source.Number, st.Ledger.Sent(e.source.Number)-1))
	}
}

// verifySwitches checks lines that have shown several sources one after the other.
func (st *stage) verifySwitches(ann *person, rates map[string]uint32) {
	st.t.Helper()
	for _, fault := range st.faults(ann.Client) {
		st.t.Error(fault)
	}
	for mid, rate := range rates {
		var was *sfutest.Packet
		switches := 0
		for _, p := range ann.Packets(0) {
			if p.Mid != mid {
				continue
			}
			if was != nil && was.Source != p.Source {
				switches++
				// Forward, and by no more than the test can have lasted.
				if step := int32(p.Timestamp - was.Timestamp); step <= 0 || uint32(step) > 60*rate {
					st.t.Errorf("line %s: the timestamp goes on by %d of %d Hz when the source changes", mid, step, rate)
				}
			}
			was = &p
		}
		if switches != 100 {
			st.t.Errorf("line %s changed its source %d times, want 100", mid, switches)
		}
	}
}

func sessionOf(st *stage, p *person) *sfuv1.Session {
	st.t.Helper()
	reply, err := st.Session.GetSession(st.ctx, &sfuv1.GetSessionRequest{SessionId: p.ID})
	st.must(err)
	return reply.GetSession()
}

// TestSlotsDoNotGrow: comings and goings use slots again, so that the description stays as large as it was.
func TestSlotsDoNotGrow(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob"}, func(name string) cast { return cast{sends: name == "ann", audio: 1, video: 1} })
	ann, bob := people["ann"], people["bob"]
	var first int
	for i := range 200 {
		room := fmt.Sprintf("room-%d", i%7)
		st.join(ann, room)
		st.publish(ann, room, "stream")
		st.join(bob, room)
		now := st.subscribe(bob, room, "stream", ann)
		if i == 0 || i == 199 {
			st.begin()
			st.advance(100 * time.Millisecond)
			st.verify()
		}
		now.end()
		st.plays = nil
		st.leave(bob, room)
		st.leave(ann, room)
		if i == 0 {
			_, err := bob.Negotiate(st.ctx)
			st.must(err)
			first = bob.SDPSize()
		}
	}
	_, err := bob.Negotiate(st.ctx)
	st.must(err)
	if got := bob.SDPSize(); got != first {
		t.Errorf("the answer has %d bytes after 200 joins and leaves, %d after the first", got, first)
	}
	if got := len(sessionOf(st, bob).GetMedia()); got != 2 {
		t.Errorf("%d m-lines, want 2", got)
	}
}
