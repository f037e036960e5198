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
	churn   bool

	tracks uint32
}

// scenarios by name.
var scenarios = map[string]func(*options) ([]*plan, error){
	"webinar": func(o *options) ([]*plan, error) { return []*plan{webinar(o)}, nil },
	"churn": func(o *options) ([]*plan, error) {
		p := webinar(o)
		p.name, p.churn = "churn", true
		return []*plan{p}, nil
	},
	"meeting":      func(o *options) ([]*plan, error) { return []*plan{meeting("meeting", o.or(o.members, 6), true)}, nil },
	"audio":        func(o *options) ([]*plan, error) { return []*plan{meeting("audio", o.or(o.members, 30), false)}, nil },
	"multiroom":    multiroom,
	"publish-once": publishOnce,
	"cross-room":   func(o *options) ([]*plan, error) { return []*plan{crossRoom(o)}, nil },
	"class":        func(o *options) ([]*plan, error) { return []*plan{class(o)}, nil },
}

func scenarioNames() []string {
	return []string{"webinar", "meeting", "audio", "multiroom", "publish-once", "cross-room", "class", "churn"}
}

func plansOf(o *options) ([]*plan, error) {
	build := scenarios[o.scenario]
	if build == nil {
		return nil, fmt.Errorf("%w: no scenario %q", errUsage, o.scenario)
	}
	plans, err := build(o)
	for _, p := range plans {
		for i := range p.members {
			p.members[i].App, p.members[i].TransportCC = app, o.transportCC
		}
		p.probe.App, p.probe.TransportCC, p.probe.SubscribeOnly = app, o.transportCC, true
	}

	return plans, err
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

// webinar: one publishes, all others watch.
func webinar(o *options) *plan {
	p := &plan{name: "webinar"}
	s := p.source(true)
	host := load.Config{User: "host", Rooms: []string{"hall"}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: "hall", Stream: "host"}}}
	wants := []load.Want{{Room: "hall", Stream: "host", Expect: s}}
	p.members = append([]load.Config{host}, viewers("viewer", o.subscribers, []string{"hall"}, wants)...)
	p.probe = load.Config{Rooms: []string{"hall"}, Wants: wants}

	return p
}

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
	p.probe = load.Config{Rooms: p.members[0].Rooms[:1], Wants: spoken[p.members[0].Rooms[0]]}

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
			audience = append(audience, viewers(room+"-viewer", o.subscribers, []string{room}, wants)...)
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
		p.members = append(p.members, viewers(room+"-viewer", o.subscribers, []string{room}, wants)...)
		p.probe = load.Config{Rooms: []string{room}, Wants: wants}
	}

	return p
}

// class: a teacher whom all see, and small groups that see and hear each other beside it, over one connection each.
func class(o *options) *plan {
	p := &plan{name: "class"}
	s := p.source(true)
	lesson := load.Want{Room: "class", Stream: "teacher", Expect: s}
	p.members = []load.Config{{User: "teacher", Rooms: []string{"class"}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: "class", Stream: "teacher"}}}}
	for g := range o.or(o.rooms, 5) {
		group := meeting("", 0, false)
		room := fmt.Sprintf("group%d", g)
		var wants []load.Want
		for i := range o.subscribers {
			user := fmt.Sprintf("%s-student%d", room, i)
			voice := p.source(false)
			wants = append(wants, load.Want{Room: room, Stream: user, Expect: voice})
			group.members = append(group.members, load.Config{
				User: user, Rooms: []string{"class", room}, Sources: []load.Source{voice}, Publishes: []load.Publication{{Room: room, Stream: user}},
			})
		}
		for i := range group.members {
			group.members[i].Wants = append(without(wants, i), lesson)
		}
		p.members = append(p.members, group.members...)
	}
	p.probe = load.Config{Rooms: []string{"class"}, Wants: []load.Want{lesson}}

	return p
}
