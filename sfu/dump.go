// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"cmp"
	"slices"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// DumpedSession is a session in Dump's result.
type DumpedSession struct {
	ID         router.SessionID
	Epoch      uint64
	Connection string
	OfferID    uint64
	Lines      []DumpedLine
	Link       *rtpforward.LinkStats `json:",omitempty"` // nil before there is any slot
	Inbox      int
	Jobs       int
}

// DumpedLine is an m-line in Dump's result.
type DumpedLine struct {
	Mid, Kind, Direction string
	Subscription         router.SubscriptionID `json:",omitempty"`
	Room, Stream         string                `json:",omitempty"`
	Source               router.SessionID      `json:",omitempty"`
	Live                 bool                  `json:",omitempty"`

	Layers []rtpforward.LayerStats `json:",omitempty"` // of a source of video
	Shows  *DumpedVideo            `json:",omitempty"` // of a slot of video that is bound
}

// DumpedVideo is what a slot of video shows.
type DumpedVideo struct {
	Current, Target layers.Layer
	Limit           string
	Wish            rtpforward.Wish
	Told            bool // the router knows
}

// Dump returns what the node knows beside the router's state, for a person who looks for a fault: it can be marshalled to
// JSON and holds no secrets. It is as large as the node is full.
func (n *Node) Dump() any { return n.DumpOf(nil) }

// DumpOf is Dump of the sessions that match selects; nil selects all. It is called under the node's lock.
func (n *Node) DumpOf(match func(router.SessionID) bool) any {
	n.mu.Lock()
	sessions := make([]*session, 0, len(n.sessions))
	for id, s := range n.sessions {
		if match == nil || match(id) {
			sessions = append(sessions, s)
		}
	}
	n.mu.Unlock()
	slices.SortFunc(sessions, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	list := make([]DumpedSession, 0, len(sessions))
	for _, s := range sessions {
		list = append(list, s.dump())
	}

	return struct {
		Info     Info
		Load     Load
		Sessions []DumpedSession
	}{n.Info(), n.Load(), list}
}

func (s *session) dump() DumpedSession {
	d := DumpedSession{ID: s.id, Epoch: s.epoch, Connection: connection(s.state.Load()).name(), Jobs: s.jobs.waiting()}
	s.inboxMu.Lock()
	d.Inbox = len(s.inbox)
	s.inboxMu.Unlock()
	s.mu.Lock()
	told, slots := s.told, make(map[string]slot)
	d.OfferID = s.offerID
	for mid, slot := range s.slots {
		slots[mid] = *slot
	}
	s.mu.Unlock()
	if s.reports.Load() != nil {
		link := s.link()
		d.Link = &link
	}
	for _, l := range told {
		slot := slots[l.mid]
		b := slot.bound
		line := DumpedLine{
			Mid: l.mid, Kind: kindText(l.kind), Direction: l.answered(), Subscription: b.Subscription,
			Room: b.Room, Stream: b.Stream, Source: b.Source,
		}
		if src := s.source(l.mid); src != nil {
			line.Live = src.live.Load()
			if src.video {
				line.Layers = src.track.Layers()
			}
		}
		if b.Subscription != "" && b.Kind == router.Video {
			stats := slot.down.Stats()
			line.Shows = &DumpedVideo{stats.Current, stats.Target, stats.Limit.String(), slot.wish, s.shown.told(l.mid)}
		}
		d.Lines = append(d.Lines, line)
	}

	return d
}
