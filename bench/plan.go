// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/switchyard-media/sfu/bench/load"
)

const app = "bench"

// plan is a scenario as clients: all others follow from it.
type plan struct {
	name    string
	members []load.Config // those that publish first
	probe   load.Config   // a listener more; its user is numbered
	pilot   *load.Config  // of control: a client that calls; its user is numbered
	churn   bool
	slow    string // what the last member suffers from: slowNone, slowStalled, slowLossy; empty: nothing is asked
	bare    bool   // the floor only

	tracks uint32
}

func (p *plan) track(video bool) *load.Track {
	p.tracks++

	return &load.Track{ID: p.tracks, Video: video}
}

// source is a microphone, and a camera if video.
func (p *plan) source(video bool) load.Source {
	s := load.Source{Audio: p.track(false)}
	if video {
		s.Video = p.track(true)
	}

	return s
}

// subscriptions counts tracks received, over all members.
func (p *plan) subscriptions() int {
	n := 0
	for _, m := range p.members {
		for _, w := range m.Wants {
			for _, t := range []*load.Track{w.Expect.Audio, w.Expect.Video} {
				if t != nil {
					n++
				}
			}
		}
	}

	return n
}

// viewers are listeners of the same streams.
func viewers(prefix string, n int, rooms []string, wants []load.Want) []load.Config {
	out := make([]load.Config, n)
	for i := range out {
		out[i] = load.Config{User: fmt.Sprintf("%s%d", prefix, i), Rooms: rooms, Wants: wants, SubscribeOnly: true}
	}

	return out
}

// webinar: one publishes, all others watch. With several rooms the viewers are spread over them, and each has its host.
func webinar(o *options) *plan {
	p := &plan{name: "webinar"}
	rooms := o.or(o.rooms, 1)
	var audience []load.Config
	for r := range rooms {
		room, user := numbered("hall", r, rooms), numbered("host", r, rooms)
		s := p.source(true)
		p.members = append(p.members, load.Config{
			User: user, Rooms: []string{room}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: room, Stream: user}},
		})
		wants := []load.Want{{Room: room, Stream: user, Expect: s}}
		n := o.or(o.subscribers, viewersWebinar)
		audience = append(audience, viewers(numbered("viewer", r, rooms)+"-", n*(r+1)/rooms-n*r/rooms, []string{room}, wants)...)
		p.probe = load.Config{Rooms: []string{room}, Wants: wants}
	}
	p.members = append(p.members, audience...)

	return p
}

// numbered leaves the number out where there is one only.
func numbered(name string, i, of int) string {
	if of == 1 {
		return name
	}

	return fmt.Sprintf("%s%d", name, i)
}

// churn: a webinar whose audience comes and goes.
func churn(o *options) *plan {
	p := webinar(o)
	p.name, p.churn = "churn", true

	return p
}

// bare: the receivers of a webinar and the floor, without a node between.
func bare(o *options) *plan {
	p := webinar(o)
	p.name, p.bare = "floor", true

	return p
}

// What the slow subscriber suffers from.
const (
	slowNone    = "nothing"
	slowStalled = "stalled" // it reads nothing any more
	slowLossy   = "lossy"
)

// slow: a webinar with one viewer more, who is well, who reads nothing any more, and whose network is bad; all others are
// measured apart from that one.
func slow(o *options) ([]*plan, error) {
	var plans []*plan
	for _, from := range []string{slowNone, slowStalled, slowLossy} {
		p := webinar(o)
		p.name, p.slow = "slow/"+from, from
		last := p.probe
		last.User, last.SubscribeOnly, last.Apart = "slow", true, true
		p.members = append(p.members, last)
		plans = append(plans, p)
	}

	return plans, nil
}

// control: a webinar, and clients that enter a second room, subscribe to one host there, switch to the other, and leave.
func control(o *options) *plan {
	p := webinar(o)
	p.name = "control"
	var hosts []load.Config
	pilot := load.Config{Rooms: p.probe.Rooms, IdleAudio: 1, IdleVideo: 1}
	for _, stream := range stageStreams {
		s := p.source(true)
		hosts = append(hosts, load.Config{
			User: stream, Rooms: []string{stage}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: stage, Stream: stream}},
		})
		pilot.Later = append(pilot.Later, load.Want{Room: stage, Stream: stream, Expect: s})
	}
	p.members = append(hosts, p.members...)
	p.pilot = &pilot

	return p
}

// stage is the room that pilots of control enter, and who is on it.
const stage = "stage"

var stageStreams = [2]string{"left", "right"}

// meeting: everybody publishes and receives everybody.
func meeting(name string, n int, video bool) *plan {
	p := &plan{name: name}
	wants := make([]load.Want, n)
	for i := range n {
		user := fmt.Sprintf("member%d", i)
		s := p.source(video)
		wants[i] = load.Want{Room: "room", Stream: user, Expect: s}
		p.members = append(p.members, load.Config{
			User: user, Rooms: []string{"room"}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: "room", Stream: user}},
		})
	}
	for i := range p.members {
		p.members[i].Wants = without(wants, i)
	}
	p.probe = load.Config{Rooms: []string{"room"}, Wants: wants}

	return p
}

func without(wants []load.Want, i int) []load.Want {
	return slices.Concat(wants[:i], wants[i+1:])
}

// multiroom: every user is in several rooms over one connection, speaks in the first of them and hears all of them.
func multiroom(o *options) ([]*plan, error) {
	rooms := o.or(o.rooms, 10)
	if o.roomsPerUser > rooms {
		return nil, fmt.Errorf("%w: %d rooms a user, %d rooms", errUsage, o.roomsPerUser, rooms)
	}
	p := &plan{name: "multiroom"}
	spoken := make(map[string][]load.Want) // by room
	for u := range o.users {
		m := load.Config{User: fmt.Sprintf("user%d", u)}
		for k := range o.roomsPerUser {
			m.Rooms = append(m.Rooms, fmt.Sprintf("room%d", (u+k)%rooms))
		}
		s := p.source(false)
		m.Sources = []load.Source{s}
		m.Publishes = []load.Publication{{Room: m.Rooms[0], Stream: m.User}}
		spoken[m.Rooms[0]] = append(spoken[m.Rooms[0]], load.Want{Room: m.Rooms[0], Stream: m.User, Expect: s})
		p.members = append(p.members, m)
	}
	for i := range p.members {
		p.members[i].Wants = heard(spoken, p.members[i])
	}
	both := p.members[0].Rooms[:min(2, o.roomsPerUser)]
	p.probe = load.Config{Rooms: both}
	for _, room := range both {
		p.probe.Wants = append(p.probe.Wants, spoken[room]...)
	}

	return []*plan{p}, nil
}

// heard is what is spoken in the member's rooms by others.
func heard(spoken map[string][]load.Want, m load.Config) []load.Want {
	var out []load.Want
	for _, room := range m.Rooms {
		for _, w := range spoken[room] {
			if w.Stream != m.User {
				out = append(out, w)
			}
		}
	}

	return out
}

// publishOnce: one camera in several rooms, uploaded once, and then uploaded once a room.
func publishOnce(o *options) ([]*plan, error) {
	rooms := o.or(o.rooms, 5)
	var plans []*plan
	for _, uploads := range []int{1, rooms} {
		p := &plan{name: fmt.Sprintf("publish-once/%d uploads", uploads)}
		host := load.Config{User: "host"}
		var audience []load.Config
		for range uploads {
			host.Sources = append(host.Sources, p.source(true))
		}
		for r := range rooms {
			room := fmt.Sprintf("room%d", r)
			host.Rooms = append(host.Rooms, room)
			host.Publishes = append(host.Publishes, load.Publication{Room: room, Stream: "host", Source: r % uploads})
			wants := []load.Want{{Room: room, Stream: "host", Expect: host.Sources[r%uploads]}}
			audience = append(audience, viewers(room+"-viewer", o.or(o.subscribers, viewersOnce), []string{room}, wants)...)
			p.probe = load.Config{Rooms: []string{room}, Wants: wants}
		}
		p.members = append([]load.Config{host}, audience...)
		plans = append(plans, p)
	}

	return plans, nil
}

// crossRoom: two hosts call each other over their rooms, and each room's viewers see both.
func crossRoom(o *options) *plan {
	p := &plan{name: "cross-room"}
	rooms := []string{"room0", "room1"}
	sources := []load.Source{p.source(true), p.source(true)}
	for h := range 2 {
		user, other := fmt.Sprintf("host%d", h), fmt.Sprintf("host%d", 1-h)
		p.members = append(p.members, load.Config{
			User: user, Rooms: rooms, Sources: sources[h : h+1],
			Publishes: []load.Publication{{Room: rooms[0], Stream: user}, {Room: rooms[1], Stream: user}},
			Wants:     []load.Want{{Room: rooms[h], Stream: other, Expect: sources[1-h]}},
		})
	}
	for _, room := range rooms {
		wants := []load.Want{{Room: room, Stream: "host0", Expect: sources[0]}, {Room: room, Stream: "host1", Expect: sources[1]}}
		p.members = append(p.members, viewers(room+"-viewer", o.or(o.subscribers, viewersCross), []string{room}, wants)...)
		p.probe = load.Config{Rooms: []string{room}, Wants: wants}
	}

	return p
}

// pupilBits is the bit rate of a pupil's camera: a thumbnail's.
const pupilBits = 300_000

// class is a super small class: a teacher whom all see, and groups whose pupils see and hear each other beside it, over one
// connection each. An assistant is in all groups at once: speaks there by one publication, and sees and hears everybody.
func class(o *options) *plan {
	p := &plan{name: "class"}
	const whole = "class"
	teacher, voice := p.source(true), p.source(false)
	lesson := load.Want{Room: whole, Stream: "teacher", Expect: teacher}
	p.members = []load.Config{{User: "teacher", Rooms: []string{whole}, Sources: []load.Source{teacher}, Publishes: []load.Publication{{Room: whole, Stream: "teacher"}}}}
	assistant := load.Config{User: "assistant", Rooms: []string{whole}, Sources: []load.Source{voice}, Wants: []load.Want{lesson}}
	for g := range o.or(o.rooms, 6) {
		group := fmt.Sprintf("group%d", g)
		assistant.Rooms = append(assistant.Rooms, group)
		assistant.Publishes = append(assistant.Publishes, load.Publication{Room: group, Stream: "assistant"})
		pupils, wants := p.group(group, o.or(o.subscribers, pupilsGroup))
		assistant.Wants = append(assistant.Wants, wants...)
		for i := range pupils {
			pupils[i].Rooms = []string{whole, group}
			pupils[i].Wants = append(without(wants, i), lesson, load.Want{Room: group, Stream: "assistant", Expect: voice})
		}
		p.members = append(p.members, pupils...)
	}
	p.members = append(p.members, assistant)
	p.probe = load.Config{Rooms: []string{whole}, Wants: []load.Want{lesson}}

	return p
}

// group is n pupils and what they publish.
func (p *plan) group(room string, n int) (pupils []load.Config, wants []load.Want) {
	for i := range n {
		user := fmt.Sprintf("%s-pupil%d", room, i)
		s := p.source(true)
		s.Video.Bits = pupilBits
		wants = append(wants, load.Want{Room: room, Stream: user, Expect: s})
		pupils = append(pupils, load.Config{User: user, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: room, Stream: user}}})
	}

	return pupils, wants
}
