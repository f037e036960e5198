// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// sessionOf is the engine's session of a client.
func (c *client) session() *session {
	c.t.Helper()
	s, err := c.n.find(c.id, router.Fence{})
	if err != nil {
		c.t.Fatal(err)
	}

	return s
}

func TestWish(t *testing.T) {
	for name, c := range map[string]struct {
		preference       router.Preference
		priority, weight uint32
		want             rtpforward.Wish
	}{
		"nothing":      {want: plainWish},
		"lowest layer": {router.Preference{MaxSpatial: new(uint8(0)), MaxTemporal: new(uint8(2))}, 0, 1, rtpforward.Wish{Preference: rtpforward.Preference{Spatial: 1, Temporal: 3}, Weight: 1, Priority: 1}},
		"a tile":       {router.Preference{Width: 320, Height: 180, FPS: 15}, 1, 7, rtpforward.Wish{Preference: rtpforward.Preference{Width: 320, Height: 180, FrameRate: 15}, Weight: 7, Priority: 2}},
		"the most": {
			router.Preference{MaxSpatial: new(uint8(255)), Width: 1 << 20, Height: 1 << 31, FPS: 70000},
			255, 1000,
			rtpforward.Wish{Preference: rtpforward.Preference{Spatial: 255, Width: 65535, Height: 65535, FrameRate: 65535}, Weight: 1000, Priority: 256},
		},
		"more than that": {router.Preference{}, 1 << 31, 1 << 31, rtpforward.Wish{Weight: 1000, Priority: 1000}},
	} {
		if diff := cmp.Diff(c.want, wishOf(c.preference, c.priority, c.weight)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// wish is what a slot's DownTrack was told last.
func (c *client) wish(mid string) rtpforward.Wish {
	c.t.Helper()
	s := c.session()
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.slots[mid].wish
}

// TestWishReachesTheSlot has preference, priority and weight come with the subscription, change, and go with it.
func TestWishReachesTheSlot(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("a", "b")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate()
	alice.publish("a", "cam", nil, camera)
	alice.publish("b", "cam", nil, camera)
	bob := newClient(t, n).join("b").slots(videoKind).negotiate()
	must[router.JoinReply](t, n, router.JoinRoom{Session: bob.id, Room: "a", Weight: 3})
	sub := must[router.Subscription](t, n, router.Subscribe{
		Session: bob.id, Room: "a", Stream: "cam", Video: true, Priority: 4, Preference: router.Preference{MaxSpatial: new(uint8(1))},
	})
	check := func(what string, want rtpforward.Wish) {
		t.Helper()
		if diff := cmp.Diff(want, bob.wish(sub.VideoMid)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("subscribed", rtpforward.Wish{Preference: rtpforward.Preference{Spatial: 2}, Weight: 3, Priority: 5})
	must[any](t, n, router.UpdateSubscription{ID: sub.ID, Preference: &router.Preference{Height: 180}})
	check("prefers something else", rtpforward.Wish{Preference: rtpforward.Preference{Height: 180}, Weight: 3, Priority: 5})
	var user string
	n.Read(func(r *router.Router) {
		s, _ := r.Session(bob.id)
		user = s.User.ID
	})
	must[router.Member](t, n, router.UpdateMember{App: "app", Room: "a", User: user, Weight: new(uint32(9))})
	check("the room weighs more", rtpforward.Wish{Preference: rtpforward.Preference{Height: 180}, Weight: 9, Priority: 5})
	must[router.Subscription](t, n, router.SwitchSubscription{ID: sub.ID, Room: "b", Stream: "cam"})
	check("in another room", rtpforward.Wish{Preference: rtpforward.Preference{Height: 180}, Weight: 1, Priority: 5})
	must[router.Stopped](t, n, router.Unsubscribe{ID: sub.ID})
	bob.subscribe("b", "cam", false, true)
	check("another subscription in the slot", plainWish)
}

// TestShownIsCoalesced notes states faster than they are told of.
func TestShownIsCoalesced(t *testing.T) {
	var b shownSlots
	now := time.Unix(1_000_000, 0)
	state := func(mid string, spatial int8) rtpforward.SlotState {
		return rtpforward.SlotState{Mid: mid, Current: layers.Layer{Spatial: spatial}, Target: layers.Layer{Spatial: spatial}}
	}
	take := func(what string, wait time.Duration, want ...rtpforward.SlotState) {
		t.Helper()
		got, left := b.take(now)
		slices.SortFunc(got, func(x, y rtpforward.SlotState) int { return int(x.Mid[0]) - int(y.Mid[0]) })
		if diff := cmp.Diff(want, got); diff != "" || left != wait {
			t.Errorf("%s: to wait %v, %s", what, left, diff)
		}
	}
	if b.again("0", now) || b.told("0") {
		t.Error("something is known of a slot that has shown nothing")
	}
	take("nothing", 0)
	if !b.note(state("0", 0)) || b.note(state("0", 0)) || !b.note(state("1", 2)) {
		t.Error("new is what is not, or the other way round")
	}
	take("the first", 0, state("0", 0), state("1", 2))
	for i := range int8(10) {
		b.note(state("0", i%3))
	}
	take("ten at once", shownEvery)
	now = now.Add(shownEvery / 2)
	b.note(state("1", 1))
	b.note(state("0", 2))
	take("half of the time later", shownEvery/2)
	now = now.Add(shownEvery / 2)
	take("then", 0, state("0", 2), state("1", 1))
	if !b.again("1", now) || b.told("1") || !b.told("0") {
		t.Error("what was forgotten counts as told")
	}
	take("told again", shownEvery)
	now = now.Add(shownEvery)
	take("told again, then", 0, state("1", 1))
}

// TestShownIsTold has a shard say what a slot shows; the router hears of the newest, and once more when it has forgotten.
func TestShownIsTold(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate()
	alice.publish("r", "cam", nil, camera)
	bob := newClient(t, n).join("r").slots(videoKind).negotiate()
	sub := bob.subscribe("r", "cam", false, true)
	s := bob.session()
	s.mu.Lock()
	closed := s.slots[sub.VideoMid].down.Close() // or the shard would have a say too
	s.mu.Unlock()
	<-closed
	subscription := func() (now router.Subscription) {
		n.Read(func(r *router.Router) { now, _ = r.Subscription(sub.ID) })

		return now
	}
	shows := func(what string, spatial, target int8, state router.SubscriptionState) {
		t.Helper()
		eventually(t, what, func() bool {
			now := subscription()

			return now.Spatial == spatial && now.TargetSpatial == target && now.State == state
		})
	}
	say := func(current, target int8, limit rtpforward.Limit) {
		s.slotShows(rtpforward.SlotState{
			Mid: sub.VideoMid, Current: layers.Layer{Spatial: current}, Target: layers.Layer{Spatial: target}, Limit: limit,
		})
	}
	for i := range int8(100) {
		say(i%2, 1, rtpforward.LimitNone)
	}
	shows("the newest of many", 1, 1, router.SubscriptionActive)
	say(-1, -1, rtpforward.LimitBandwidth)
	shows("paused by bandwidth", -1, -1, router.SubscriptionPausedByBandwidth)
	say(-1, 0, rtpforward.LimitBandwidth)
	shows("on its way back", -1, 0, router.SubscriptionActive)
	say(2, 2, rtpforward.LimitNone)
	shows("back", 2, 2, router.SubscriptionActive)
	must[any](t, n, router.UpdateSubscription{ID: sub.ID, Paused: new(true)})
	must[any](t, n, router.UpdateSubscription{ID: sub.ID, Paused: new(false)})
	if now := subscription(); now.Spatial >= 0 {
		t.Fatalf("the router remembers over a pause: %+v", now)
	}
	shows("told again after a pause", 2, 2, router.SubscriptionActive)
	s.slotShows(rtpforward.SlotState{Mid: "no such"}) // crossed the end of a slot
	say(1, 1, rtpforward.LimitPreference)
	shows("goes on", 1, 1, router.SubscriptionActive)
}

// layer makes the statistics of a simulcast layer.
func layerStats(spatial int8, rid string, height uint16, live bool) rtpforward.LayerStats {
	return rtpforward.LayerStats{
		Layer: layers.Layer{Spatial: spatial, Temporal: 2}, RID: rid, Width: height * 2, Height: height, TemporalLayers: 3, Bitrate: 1000, Live: live,
	}
}

func TestVideoLayers(t *testing.T) {
	stats := []rtpforward.LayerStats{layerStats(0, "q", 180, true), layerStats(1, "h", 360, false), layerStats(-1, "x", 0, false), layerStats(9, "f", 720, true)}
	want := []router.VideoLayer{
		{Spatial: 0, RID: "q", Width: 360, Height: 180, TemporalLayers: 3, Bitrate: 1000, Live: true, Wanted: true},
		{Spatial: 1, RID: "h", Width: 720, Height: 360, TemporalLayers: 3, Bitrate: 1000, Wanted: true},
		{Spatial: 9, RID: "f", Width: 1440, Height: 720, TemporalLayers: 3, Bitrate: 1000, Live: true, Wanted: true},
	}
	if diff := cmp.Diff(want, videoLayers(stats, 0)); diff != "" {
		t.Errorf("before anybody says which are wanted: %s", diff)
	}
	want[0].Wanted, want[2].Wanted = false, false
	if diff := cmp.Diff(want, videoLayers(stats, wantedKnown|2)); diff != "" {
		t.Errorf("the middle one is wanted: %s", diff)
	}
	if got := videoLayers([]rtpforward.LayerStats{{}}, wantedKnown); got[0].TemporalLayers != 1 || got[0].Wanted {
		t.Errorf("nothing is known of the layer: %+v", got)
	}
}

// TestPublisherIsTold has layers come, change and lose their takers: the room is told, the publisher on its data channel, and
// again on the next channel; of what changes quickly only the newest.
func TestPublisherIsTold(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	first := alice.channel()
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate().connected()
	alice.publish("r", "cam", nil, camera)
	s := alice.session()
	src := &source{mid: camera.mid(), video: true} // in place of the session's, which has no layers
	now := time.Now()
	// report does what the loop does, with layers and a time of the test's.
	report := func(stats ...rtpforward.LayerStats) (again time.Duration) {
		t.Helper()
		if err := s.call(context.Background(), func() { again = s.reportLayersOf(src, stats, now) }); err != nil {
			t.Fatal(err)
		}

		return again
	}
	known := func() (list []router.VideoLayer) {
		n.Read(func(r *router.Router) {
			st, _ := r.Stream("app", "r", "cam")
			list = st.Layers
		})

		return list
	}
	low, high := layerStats(0, "q", 180, true), layerStats(1, "f", 720, true)
	if again := report(); again != 0 {
		t.Errorf("no layers, and to look again after %v", again)
	}
	if again := report(low); again != layersSettle || len(known()) != 1 {
		t.Errorf("again after %v, the room knows %+v", again, known())
	}
	alice.heard(`{"type":"layers","mid":"` + src.mid + `","layers":[{"rid":"q","spatial":0,"wanted":true}]}`)
	if again := report(low, high); again != layersEvery || len(known()) != 1 {
		t.Errorf("right after: again after %v, the room knows %+v", again, known())
	}
	now = now.Add(layersEvery)
	if again := report(low, high); again != layersSettle || len(known()) != 2 {
		t.Errorf("then: again after %v, the room knows %+v", again, known())
	}
	alice.heard(`{"rid":"q","spatial":0,"wanted":true},{"rid":"f","spatial":1,"wanted":true}`)
	now = now.Add(layersEvery)
	high.Bitrate = 5
	if again := report(low, high); again != layersSettle-layersEvery {
		t.Errorf("another bitrate only: again after %v", again)
	}
	s.onWanted(src, 1)
	now = now.Add(layersSettle)
	if report(low, high); known()[1].Wanted || !known()[0].Wanted {
		t.Errorf("one is not wanted, the room knows %+v", known())
	}
	alice.heard(`{"rid":"q","spatial":0,"wanted":true},{"rid":"f","spatial":1,"wanted":false}`)

	now = now.Add(layersSettle)
	high.Live = false
	if report(low, high); known()[1].Live {
		t.Errorf("it has stopped, the room knows %+v", known())
	}
	told := len(alice.layersHeard())
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the channel is gone", func() bool { return !n.Transport(alice.id).DataChannel })
	alice.channel()
	eventually(t, "told on the next channel", func() bool { return len(alice.layersHeard()) > told })
	heard := alice.layersHeard()
	if diff := cmp.Diff([]layerText{{"q", 0, true}, {"f", 1, false}}, heard[len(heard)-1]); diff != "" {
		t.Error(diff)
	}
	if told != 3 || len(heard) != 4 {
		t.Errorf("told %d times, and %d on the next channel: of what is not new, too", told, len(heard)-told)
	}
}

// channel opens a data channel for what the node tells.
func (c *client) channel() *webrtc.DataChannel {
	c.t.Helper()
	dc, err := c.pc.CreateDataChannel(channelLabel, &webrtc.DataChannelInit{Protocol: new(channelProtocol)})
	if err != nil {
		c.t.Fatal(err)
	}
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.texts = append(c.texts, string(m.Data))
	})

	return dc
}

// layersHeard are the layers that the client was told of, in order.
func (c *client) layersHeard() (list [][]layerText) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.texts {
		var body struct {
			Type   string
			Layers []layerText
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			c.t.Fatal(err)
		}
		if body.Type == "layers" {
			list = append(list, body.Layers)
		}
	}

	return list
}

// TestAlarm asks for several times, in any order: it goes off at the first and the last of them.
func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarm
		var mu sync.Mutex
		var rung []time.Duration
		start := time.Now()
		ring := func() {
			mu.Lock()
			defer mu.Unlock()
			rung = append(rung, time.Since(start))
		}
		for _, after := range []time.Duration{3, 1, 2, 5, 4} {
			a.set(time.Now(), after*time.Second, ring)
		}
		time.Sleep(10 * time.Second)
		a.set(time.Now(), time.Second, ring)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(rung)
		if diff := cmp.Diff([]time.Duration{time.Second, 3 * time.Second, 5 * time.Second, 11 * time.Second}, slices.Compact(rung)); diff != "" {
			t.Error(diff)
		}
	})
}
