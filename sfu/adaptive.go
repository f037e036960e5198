// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// AdaptiveLoad is what a node knows of its subscribers' links and of the layers that they get.
type AdaptiveLoad struct {
	Controlled             int               // sessions with an estimate of their link
	Limits                 map[string]uint64 // slots of video that are bound, by why they do not show more, see rtpforward.Limit
	LayerSwitches, Freezes uint64            // of all slots since start
	Probes, ProbeBytes     uint64            // clusters sent to find out what links carry, since start
	Backlog                int               // packets that wait for their turn on a link
	PausedByBandwidth      int               // slots of video that links do not carry
	Estimates              []int64           // of the controlled sessions, bit/s, in no order
}

// adaptiveTotals are the counters of a session that only grow.
type adaptiveTotals struct{ switches, freezes, probes, probeBytes uint64 }

func (t *adaptiveTotals) add(o adaptiveTotals) {
	t.switches += o.switches
	t.freezes += o.freezes
	t.probes += o.probes
	t.probeBytes += o.probeBytes
}

// Link describes the link to a session's client; the zero value before it has any slot. Safe from any goroutine.
func (n *Node) Link(id router.SessionID) (rtpforward.LinkStats, error) {
	s, err := n.find(id, router.Fence{})
	if err != nil {
		return rtpforward.LinkStats{}, err
	}

	return s.link(), nil
}

func (s *session) link() rtpforward.LinkStats {
	if d := s.reports.Load(); d != nil {
		return d.Link()
	}

	return rtpforward.LinkStats{}
}

// StreamLayers describes the layers of a stream's video that arrive, smallest first; nil when it has no video. A source that
// backs several streams has one set of layers. Safe from any goroutine.
func (n *Node) StreamLayers(app, room, stream string) ([]rtpforward.LayerStats, error) {
	n.mu.Lock()
	st, err := n.router.Stream(app, room, stream)
	s := n.sessions[st.Session]
	n.mu.Unlock()
	if err != nil || s == nil || st.VideoMid == "" {
		return nil, err
	}
	src := s.source(st.VideoMid)
	if src == nil {
		return nil, nil
	}

	return src.track.Layers(), nil
}

// adaptive adds up what the sessions have, those that have ended included where it only grows.
func (n *Node) adaptive() AdaptiveLoad {
	l := AdaptiveLoad{Limits: make(map[string]uint64)}
	n.aliveMu.Lock()
	totals := n.past
	sessions := make([]*session, 0, len(n.alive))
	for s := range n.alive {
		sessions = append(sessions, s)
	}
	n.aliveMu.Unlock()
	for _, s := range sessions {
		link := s.link()
		if link.Controlled {
			l.Controlled++
			l.Estimates = append(l.Estimates, link.Target)
		}
		l.Backlog += link.Backlog
		l.PausedByBandwidth += link.Paused
		totals.add(s.adaptiveTotals(link, l.Limits))
	}
	l.LayerSwitches, l.Freezes, l.Probes, l.ProbeBytes = totals.switches, totals.freezes, totals.probes, totals.probeBytes

	return l
}

// adaptiveTotals are a session's counters; limits, when not nil, gets why its slots do not show more.
func (s *session) adaptiveTotals(link rtpforward.LinkStats, limits map[string]uint64) adaptiveTotals {
	type videoSlot struct {
		down  *rtpforward.DownTrack
		bound bool
	}
	var slots []videoSlot
	s.mu.Lock()
	for _, slot := range s.slots {
		if slot.config.Video && slot.down != nil {
			slots = append(slots, videoSlot{slot.down, slot.bound.Subscription != ""})
		}
	}
	s.mu.Unlock()
	totals := adaptiveTotals{probes: link.Probes, probeBytes: link.ProbeBytes}
	for _, slot := range slots {
		stats := slot.down.Stats()
		totals.switches += stats.LayerSwitches
		totals.freezes += stats.Freezes
		if slot.bound && limits != nil {
			limits[stats.Limit.String()]++
		}
	}

	return totals
}
