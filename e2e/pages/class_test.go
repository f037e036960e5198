// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// Pictures of publishers who send numbered ones: each has numbers of its own, with a margin, since the highest digits are what
// spoils first. Small ones, and few, so that two CPUs carry a whole class.
const (
	numbers                 = 4096
	publishersMost          = 8
	rangeOfOne              = numbers / publishersMost
	margin                  = 64
	smallWidth, smallHeight = 160, 90
	smallPicturesPerSecond  = 10
	picturesThatShow        = 5  // of a stream, right ones in a row
	spoilt                  = 20 // mean difference of luma from which on a picture is not what was sent
)

// paints publishes numbered pictures of one's own, with sound, as the user's stream in some rooms.
func (c *client) paints(which int, rooms ...string) {
	c.t.Helper()
	c.must("paint", "picture", smallWidth, smallHeight, smallPicturesPerSecond, which*rangeOfOne+margin, rangeOfOne-2*margin)
	for _, room := range rooms {
		c.must("publish", c.user, "picture", in{room})
	}
}

// picture is one that was decoded.
type picture struct {
	At            float64 // ms since 1970
	Width, Height int
	Number        int
	Error         float64
	Trouble       string
}

func (p picture) right() bool { return p.Trouble == "" && p.Error <= spoilt }

// of is who a picture is of.
func (p picture) of() int { return p.Number / rangeOfOne }

func (c *client) seen(room, stream string, from int) []picture {
	c.t.Helper()
	return chromium.Call[[]picture](c.Tab, "page.seen", room+"/"+stream, from)
}

// count is how many pictures a player has shown.
func (c *client) count(room, stream string) int {
	c.t.Helper()
	return chromium.Call[int](c.Tab, "page.count", room+"/"+stream)
}

// shows checks that a player's pictures are of one publisher, all of them.
func (c *client) shows(room, stream string, which int) {
	c.t.Helper()
	var seen []picture
	chromium.Until(c.Tab, fmt.Sprintf("%s: pictures of %s in %s", c.user, stream, room), chromium.Expression(c.t, "page.seen", room+"/"+stream, 0),
		func(now []picture) bool { seen = now; return len(now) >= picturesThatShow })
	for _, p := range seen {
		if !p.right() || p.of() != which {
			c.t.Errorf("%s: %s in %s shows %+v, want one of %d to %d", c.user, stream, room, p, which*rangeOfOne, (which+1)*rangeOfOne-1)
		}
	}
}

// pupil is somebody in the class: where it is, publishes and plays.
type pupil struct {
	*client
	number  int
	at      []string            // rooms
	sends   []string            // rooms
	watches map[string][]string // streams by room
}

// TestSuperSmallClass: a teacher publishes in the class, where all are. Four students are in two groups besides and see each
// other there; an assistant is in both groups, is seen and sees in them. Everybody gets what it should, and nothing else.
func TestSuperSmallClass(t *testing.T) {
	s := newStage(t, chromium.Start(t, chromium.Config{}))
	student := func(number int, who, mate, group string) *pupil {
		return &pupil{
			client: s.engine(who), number: number, at: []string{"class", group}, sends: []string{group},
			watches: map[string][]string{"class": {"teacher"}, group: {"assistant", mate}},
		}
	}
	class := []*pupil{
		{client: s.engine("teacher"), number: 0, at: []string{"class"}, sends: []string{"class"}},
		student(1, "ann", "bob", "group1"), student(2, "bob", "ann", "group1"),
		student(3, "cem", "dee", "group2"), student(4, "dee", "cem", "group2"),
		{
			client: s.engine("assistant"), number: 5, at: []string{"class", "group1", "group2"}, sends: []string{"group1", "group2"},
			watches: map[string][]string{"class": {"teacher"}, "group1": {"ann", "bob"}, "group2": {"cem", "dee"}},
		},
	}
	number := make(map[string]int)
	for _, p := range class {
		number[p.user] = p.number
		p.login(p.at...)
		p.paints(p.number, p.sends...)
	}
	for _, p := range class {
		for room, streams := range p.watches {
			for _, stream := range streams {
				p.play(room, stream)
			}
		}
	}
	for _, p := range class {
		var keys []string
		for room, streams := range p.watches {
			for _, stream := range streams {
				keys = append(keys, room+"/"+stream)
			}
		}
		p.playsAll(keys...)
		for room, streams := range p.watches {
			for _, stream := range streams {
				p.shows(room, stream, number[stream])
			}
		}
	}
	for _, p := range class {
		text := p.user + " here"
		for _, room := range p.at {
			p.must("sendBroadcastMessage", room, text)
		}
	}
	for _, p := range class {
		p.undisturbed(class)
	}
}

// undisturbed checks that somebody gets what there is in its rooms, and nothing else.
func (p *pupil) undisturbed(class []*pupil) {
	p.t.Helper()
	messages := []string{}
	for _, room := range p.at {
		users, streams := []string{}, []string{}
		for _, other := range class {
			if other == p || !slices.Contains(other.at, room) {
				continue
			}
			users = append(users, other.user)
			messages = append(messages, room+": "+other.user+" here")
			if slices.Contains(other.sends, room) {
				streams = append(streams, other.user)
			}
		}
		slices.Sort(users)
		slices.Sort(streams)
		p.knows(room, users, streams)
	}
	slices.Sort(messages)
	p.until("all messages", func(report) bool { return len(p.messages()) >= len(messages) })
	if diff := cmp.Diff(messages, p.messages()); diff != "" {
		p.t.Errorf("messages of %s (-want +got):\n%s", p.user, diff)
	}
	for _, e := range p.events() {
		if e.Name == "roomUserUpdate" || e.Name == "roomStreamUpdate" || strings.HasPrefix(e.Name, "roomState") || e.Name == "activeSpeakers" {
			if room := argument[string](e, 0); !slices.Contains(p.at, room) {
				p.t.Errorf("%s is told of room %q: %s", p.user, room, e)
			}
		}
	}
	now := p.onePeer()
	wanted := make(map[string]bool)
	for _, l := range now.Players {
		wanted[l.Audio], wanted[l.Video] = true, true
	}
	for mid, line := range now.Received {
		if !wanted[mid] && line.PacketsReceived+line.BytesReceived > 0 {
			p.t.Errorf("%s: line %s has got %d packets and plays nothing", p.user, mid, line.PacketsReceived)
		}
	}
	p.t.Logf("%s: %d players, %d lines with statistics, %d negotiations", p.user, len(now.Players), len(now.Received), now.Negotiations)
}
