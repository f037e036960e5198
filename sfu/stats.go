// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"maps"

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
