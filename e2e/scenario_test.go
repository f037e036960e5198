// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestScenarioCrossRoomCall: two hosts talk across two rooms, the audience of each joins the other's room to see both.
func TestScenarioCrossRoomCall(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"host-a", "host-b", "a-1", "a-2", "b-1", "only-a"}, func(name string) cast {
		return cast{sends: name == "host-a" || name == "host-b", audio: 2, video: 2}
	})
	a, b := people["host-a"], people["host-b"]
	st.join(a, "room-a")
	st.publish(a, "room-a", "host")
	st.join(b, "room-b")
	st.publish(b, "room-b", "host") // the same stream id: it names another stream in another room
	for _, name := range []string{"a-1", "a-2", "only-a"} {
		st.join(people[name], "room-a")
		st.subscribe(people[name], "room-a", "host", a)
	}
	st.join(people["b-1"], "room-b")
	st.subscribe(people["b-1"], "room-b", "host", b)
	st.begin()
	st.advance(500 * time.Millisecond)
	// The call: hosts and audiences join the other room, nobody leaves anything or negotiates.
	for _, name := range []string{"host-a", "a-1", "a-2"} {
		st.join(people[name], "room-b")
		st.subscribe(people[name], "room-b", "host", b)
	}
	for _, name := range []string{"host-b", "b-1"} {
		st.join(people[name], "room-a")
		st.subscribe(people[name], "room-a", "host", a)
	}
	st.begin()
	st.advance(2 * time.Second)
	// It ends: everybody leaves the other room, the first room goes on.
	log := st.tap(a)
	for _, name := range []string{"host-a", "a-1", "a-2"} {
		st.leave(people[name], "room-b")
		log.stop(st.remote(people[name]), b.audio, b.video)
		st.over(people[name], b.audio, b.video)
	}
	for _, name := range []string{"host-b", "b-1"} {
		st.leave(people[name], "room-a")
		log.stop(st.remote(people[name]), a.audio, a.video)
		st.over(people[name], a.audio, a.video)
	}
	st.advance(500 * time.Millisecond)
	st.verify()
	log.check(t)
}

// TestScenarioSuperSmallClass: one teacher, 24 students in six groups of four, one assistant in all groups; everybody on one
// PeerConnection, playing the teacher from the class and its group from the group's room.
func TestScenarioSuperSmallClass(t *testing.T) {
	t.Parallel()
	const groups, each = 6, 4
	st := newStage(t, nil)
	setLimits(t, st.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(groups + 1)})
	names := []string{"teacher", "assistant"}
	for g := range groups {
		for i := range each {
			names = append(names, student(g, i))
		}
	}
	people := st.enter(names, func(name string) cast {
		slots := 1 + each // the teacher, the others of the group, the assistant
		switch name {
		case "teacher":
			slots = 0
		case "assistant":
			slots = 1 + groups*each
		}
		return cast{sends: true, audio: slots, video: slots, config: sfutest.ClientConfig{Lean: true}}
	})
	teacher, assistant := people["teacher"], people["assistant"]
	for _, name := range names {
		st.join(people[name], "class")
	}
	st.publish(teacher, "class", "teacher")
	st.subscribe(assistant, "class", "teacher", teacher)
	for g := range groups {
		room := fmt.Sprintf("group-%d", g)
		st.join(assistant, room)
		st.publish(assistant, room, "assistant") // sent once, published six times
		for i := range each {
			s := people[student(g, i)]
			st.join(s, room)
			st.publish(s, room, fmt.Sprintf("student-%d", i)) // the same ids in every group
			st.subscribe(assistant, room, fmt.Sprintf("student-%d", i), s)
		}
		for i := range each {
			s := people[student(g, i)]
			st.subscribe(s, "class", "teacher", teacher)
			st.subscribe(s, room, "assistant", assistant)
			for j := range each {
				if j != i {
					st.subscribe(s, room, fmt.Sprintf("student-%d", j), people[student(g, j)])
				}
			}
		}
	}
	st.begin()
	st.advance(2 * time.Second)
	st.verify()
}

func student(group, i int) string { return fmt.Sprintf("student-%d-%d", group, i) }

// TestScenarioPublishOnce: one uplink appears in five rooms, and disappears from them one by one, each time in another way.
func TestScenarioPublishOnce(t *testing.T) {
	t.Parallel()
	// Much longer than what is asked for at once takes to come, to be merged, and to be answered on a slow machine.
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.Forward.KeyframeEvery = 5 * time.Second })
	rooms := []string{"r0", "r1", "r2", "r3", "r4"}
	people := st.enter(append([]string{"ann", "eve"}, rooms...), func(name string) cast {
		slots := 1
		if name == "eve" {
			slots = len(rooms)
		}
		return cast{sends: name == "ann", audio: slots, video: slots}
	})
	ann, eve := people["ann"], people["eve"]
	inRoom := make(map[string][]playing) // of the one who is in this room only, and of eve
	for _, room := range rooms {
		st.join(ann, room)
		st.publish(ann, room, "ann-in-"+room)
		for _, p := range []*person{people[room], eve} {
			st.join(p, room)
			inRoom[room] = append(inRoom[room], st.subscribe(p, room, "ann-in-"+room, ann))
		}
	}
	st.begin()
	st.advance(2200 * time.Millisecond) // past a keyframe of the clip, so that no wish is left
	st.oneRequest(ann, people, rooms)
	st.advance(200 * time.Millisecond)

	log := st.tap(ann)
	stops := []func(room string) error{
		func(room string) error {
			_, err := st.Stream.Unpublish(st.ctx, &sfuv1.UnpublishRequest{SessionId: ann.ID, RoomId: room, StreamId: "ann-in-" + room})
			return err
		},
		func(room string) error { _, err := ann.Leave(st.ctx, room); return err },
		func(room string) error {
			_, err := st.Room.CloseRoom(st.ctx, &sfuv1.CloseRoomRequest{AppId: app, RoomId: room})
			return err
		},
		func(room string) error {
			_, err := st.Room.KickUser(st.ctx, &sfuv1.KickUserRequest{AppId: app, RoomId: room, UserId: ann.User})
			return err
		},
	}
	for i, stop := range stops {
		st.must(stop(rooms[i]))
		for j, p := range []*person{people[rooms[i]], eve} {
			gone := inRoom[rooms[i]][j]
			log.silence(st.remote(p), p, gone.GetAudioMid(), gone.GetVideoMid())
			gone.end()
		}
		st.advance(200 * time.Millisecond)
	}
	st.verify()
	log.check(t)
	load, err := st.API.Node.GetLoad(st.ctx, &sfuv1.GetLoadRequest{})
	st.must(err)
	if sent := st.Ledger.Sent(ann.audio.Number) + st.Ledger.Sent(ann.video.Number); load.GetLoad().GetPacketsIn() != uint64(sent) {
		t.Errorf("%d packets reached the node, %d were sent once", load.GetLoad().GetPacketsIn(), sent)
	}
}

// oneRequest has everybody ask for a keyframe on every line at the same time, before any can come, and wants one request upward.
func (st *stage) oneRequest(ann *person, people map[string]*person, rooms []string) {
	st.t.Helper()
	load, err := st.API.Node.GetLoad(st.ctx, &sfuv1.GetLoadRequest{})
	st.must(err)
	before, asked := ann.video.PLIs(), 0
	for _, name := range append([]string{"eve"}, rooms...) {
		lines := make(map[uint32]bool)
		for _, p := range people[name].Packets(0) {
			lines[p.SSRC] = true
		}
		var packets []rtcp.Packet
		for ssrc := range lines { // audio too: that is nothing to ask a keyframe of
			packets = append(packets, &rtcp.PictureLossIndication{MediaSSRC: ssrc})
			asked++
		}
		st.must(people[name].PeerConnection().WriteRTCP(packets))
	}
	arrived := 0
	counted := func() bool {
		now, err := st.API.Node.GetLoad(st.ctx, &sfuv1.GetLoadRequest{})
		if err != nil {
			return false
		}
		arrived = int(now.GetLoad().GetPlisIn() - load.GetLoad().GetPlisIn())
		return arrived >= asked
	}
	if !sfutest.Eventually(st.ctx, counted) || !sfutest.Eventually(st.ctx, func() bool { return ann.video.PLIs() > before }) {
		st.t.Fatalf("%d requests were sent, %d arrived, %d came to the publisher", asked, arrived, ann.video.PLIs()-before)
	}
	st.advance(time.Second)
	if got := ann.video.PLIs() - before; got != 1 {
		st.t.Errorf("%d keyframe requests reached the publisher for %d at the same time, want 1", got, asked)
	}
}
