// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// scenario is what a name on the command line means.
type scenario struct {
	name  string
	build func(*options) ([]*plan, error)
	axis  axis // what makes it larger
}

// axis is the option that -ramp raises and that growth is shown against.
type axis struct {
	name string
	get  func(*options) float64
	set  func(*options, float64)
	most float64
}

func subscribersAxis(fallback int) axis {
	return axis{
		"subscribers", func(o *options) float64 { return float64(o.or(o.subscribers, fallback)) },
		func(o *options, x float64) { o.subscribers = int(x) }, 1500,
	}
}

func membersAxis(fallback int) axis {
	return axis{
		"members", func(o *options) float64 { return float64(o.or(o.members, fallback)) },
		func(o *options, x float64) { o.members = int(x) }, 64,
	}
}

var (
	usersAxis = axis{"users", func(o *options) float64 { return float64(o.users) }, func(o *options, x float64) { o.users = int(x) }, 1000}
	rateAxis  = axis{"joins a second", func(o *options) float64 { return o.rate }, func(o *options, x float64) { o.rate = x }, 200}
	roomsAxis = axis{"rooms", func(o *options) float64 { return float64(o.or(o.rooms, 1)) }, func(o *options, x float64) { o.rooms = int(x) }, 1000}
)

// Numbers that scenarios have when the command line says nothing.
const (
	viewersWebinar = 50
	viewersOnce    = 10
	viewersCross   = 25
	pupilsGroup    = 4
	membersMeeting = 6
	membersAudio   = 30
)

func one(build func(*options) *plan) func(*options) ([]*plan, error) {
	return func(o *options) ([]*plan, error) { return []*plan{build(o)}, nil }
}

// scenarios are listed as -help names them.
func scenarios() []scenario {
	return []scenario{
		{"webinar", one(webinar), subscribersAxis(viewersWebinar)},
		{"meeting", one(func(o *options) *plan { return meeting("meeting", o.or(o.members, membersMeeting), true) }), membersAxis(membersMeeting)},
		{"audio", one(func(o *options) *plan { return meeting("audio", o.or(o.members, membersAudio), false) }), membersAxis(membersAudio)},
		{"multiroom", multiroom, usersAxis},
		{"publish-once", publishOnce, subscribersAxis(viewersOnce)},
		{"cross-room", one(crossRoom), subscribersAxis(viewersCross)},
		{"class", one(class), subscribersAxis(pupilsGroup)},
		{"churn", one(churn), rateAxis},
		{"slow", slow, subscribersAxis(viewersWebinar)},
		{"control", one(control), subscribersAxis(viewersWebinar)},
		{"floor", one(bare), subscribersAxis(viewersWebinar)},
	}
}

func scenarioNames() []string {
	var out []string
	for _, s := range scenarios() {
		out = append(out, s.name)
	}

	return out
}

func scenarioOf(name string) (scenario, error) {
	for _, s := range scenarios() {
		if s.name == name {
			return s, nil
		}
	}

	return scenario{}, fmt.Errorf("%w: no scenario %q", errUsage, name)
}

func plansOf(o *options) ([]*plan, error) {
	s, err := scenarioOf(o.scenario)
	if err != nil {
		return nil, err
	}
	plans, err := s.build(o)
	for _, p := range plans {
		if o.simulcast {
			simulcasts(p, o.videoBits)
		}
		for i := range p.members {
			p.members[i].App, p.members[i].TransportCC = app, o.transportCC
		}
		p.probe.App, p.probe.TransportCC, p.probe.SubscribeOnly = app, o.transportCC, true
		if p.pilot != nil {
			p.pilot.App, p.pilot.TransportCC, p.pilot.SubscribeOnly = app, o.transportCC, true
		}
	}

	return plans, err
}

// raise moves o on its scenario's axis until at least factor times as much is subscribed to; false when that is past the end.
// Subscriptions are the load: a meeting of one more has many of them more.
func raise(o *options, s scenario, factor float64) (bool, error) {
	x := s.axis.get(o)
	if s.axis.name == rateAxis.name {
		s.axis.set(o, x*factor)

		return x*factor <= s.axis.most, nil
	}
	before, err := subscribed(o)
	if err != nil {
		return false, err
	}
	want := int(math.Ceil(float64(before) * factor))
	span := int(s.axis.most - x)
	more := 1 + sort.Search(span, func(i int) bool {
		at := *o
		s.axis.set(&at, x+float64(i+1))
		n, searched := subscribed(&at)
		err = errors.Join(err, searched)

		return n >= want
	})
	s.axis.set(o, x+float64(more))

	return more <= span, err
}

func subscribed(o *options) (int, error) {
	plans, err := plansOf(o)
	if err != nil {
		return 0, err
	}

	return plans[len(plans)-1].subscriptions(), nil
}
