// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"cmp"
	"maps"
	"slices"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/internal/udpmux"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// StreamStats returns the counters of a stream's sources; nil for a kind that it does not have. A source that backs
// several streams has one set of counters.
func (n *Node) StreamStats(app, room, stream string) (audio, video *rtpforward.TrackStats, err error) {
	n.mu.Lock()
	st, err := n.router.Stream(app, room, stream)
	s := n.sessions[st.Session]
	n.mu.Unlock()
	if err != nil || s == nil {
		return nil, nil, err
	}
	stats := func(mid string) *rtpforward.TrackStats {
		src := s.source(mid)
		if mid == "" || src == nil {
			return nil
		}
		t := src.track.Stats()

		return &t
	}

	return stats(st.AudioMid), stats(st.VideoMid), nil
}

// SubscriptionStats returns the counters of a subscription's slots; nil for a kind that it has no slot for. A slot's
// counters go on over switches.
func (n *Node) SubscriptionStats(id router.SubscriptionID) (audio, video *rtpforward.DownTrackStats, err error) {
	n.mu.Lock()
	sub, err := n.router.Subscription(id)
	s := n.sessions[sub.Session]
	n.mu.Unlock()
	if err != nil || s == nil {
		return nil, nil, err
	}

	return s.slotStats(sub.AudioMid), s.slotStats(sub.VideoMid), nil
}

// udpDropNames are the labels of udpmux's drop reasons.
var udpDropNames = [udpmux.Drops]string{
	"short", "protocol", "stun_malformed", "stun_unknown_ufrag", "stun_replayed", "stun_addresses", "stun_forged", "unknown_source", "dtls_malformed",
	"too_large", "inbound_full", "send_buffer", "send_refused",
}

// udpDropped has what the sockets dropped, what SRTP refused, and what is of no stream, by reason.
func udpDropped(socket *udpmux.Stats, srtp transport.Refusals, strangers uint64) map[string]uint64 {
	out := map[string]uint64{
		"unknown_ssrc":  strangers,
		"srtp_replayed": srtp.Replayed, "srtp_forged": srtp.Forged, "srtp_malformed": srtp.Malformed, "srtp_early": srtp.Early,
	}
	for i, name := range udpDropNames {
		out[name] = socket.Drops[i]
	}

	return out
}

// Load returns the node's load. It costs a walk over the sessions.
func (n *Node) Load() Load {
	socket := n.transports.udp.Stats()
	l := Load{
		Forward: n.forward.Stats(), Profiles: make(map[string]uint64), Connections: make(map[string]uint64),
		MessagesDelivered: n.messagesDelivered.Load(), MessagesDropped: n.messagesDropped.Load(),
		EffectsDropped: n.effectsDropped.Load(), UDPDropped: udpDropped(&socket, n.maker.Refusals(), n.strangers.Load()), Socket: socket,
		Watchers: int(n.watchers.Load()), Resyncs: n.resyncs.Load(), Panics: n.panics.Load() + socket.Panics,
	}
	l.Adaptive = n.adaptive()
	n.mu.Lock()
	l.Counts = n.router.Counts()
	for _, s := range n.sessions {
		l.Connections[connection(s.state.Load()).name()]++
	}
	n.mu.Unlock()
	n.aliveMu.Lock()
	maps.Copy(l.Profiles, n.profiles)
	n.aliveMu.Unlock()

	return l
}

func (n *Node) countProfile(name string) {
	n.aliveMu.Lock()
	defer n.aliveMu.Unlock()
	n.profiles[name]++
}

// DumpedSession is a session in Dump's result.
type DumpedSession struct {
	ID         router.SessionID
	Epoch      uint64
	Connection string
	OfferID    uint64
	Lines      []DumpedLine
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
	told, bound := s.told, make(map[string]router.BindSlot)
	d.OfferID = s.offerID
	for mid, slot := range s.slots {
		bound[mid] = slot.bound
	}
	s.mu.Unlock()
	for _, l := range told {
		b := bound[l.mid]
		line := DumpedLine{
			Mid: l.mid, Kind: kindText(l.kind), Direction: l.answered(), Subscription: b.Subscription,
			Room: b.Room, Stream: b.Stream, Source: b.Source,
		}
		if src := s.source(l.mid); src != nil {
			line.Live = src.live.Load()
		}
		d.Lines = append(d.Lines, line)
	}

	return d
}

// connection is a session's connection state as the loop last told it.
type connection uint32

func (c connection) name() string {
	switch router.ConnectionState(c) {
	case router.ConnectionConnected:
		return "connected"
	case router.ConnectionDisconnected:
		return "disconnected"
	case router.ConnectionClosed:
		return "closed"
	case router.ConnectionNew:
	}

	return "new"
}
