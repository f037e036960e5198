// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// agentConn is what the agent has of the Mux.
type agentConn interface {
	net.PacketConn
	ice.AddrPortReaderWriter
}

// followingConn has media follow a nomination before the client is told that it was heard. pion's agent tells of a chosen pair
// on another goroutine, behind the answer: a client that has begun anew (RFC 8445, section 9) and closed what it had before
// would miss what is sent in between, and of audio nobody asks for that again.
type followingConn struct {
	agentConn
	transport *Transport
}

// WriteToAddrPort implements ice.AddrPortReaderWriter. The agent calls it for answers in its loop, when it has chosen.
func (c followingConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if len(b) >= stunHeader && binary.BigEndian.Uint16(b) == stunSuccess {
		c.transport.answering(to)
	}

	return c.agentConn.WriteToAddrPort(b, to)
}

// answering is called before a check is answered by the agent.
func (t *Transport) answering(to netip.AddrPort) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if r := t.route.Load(); r == nil || r.to != to {
		t.follow()
	}
}

// onSelected is called by a notifier's goroutine, one call after the other. What it is told may be out of date.
func (t *Transport) onSelected(_, _ ice.Candidate) { t.follow() }

// follow has media go where the agent has chosen. Amid an ICE restart that is nowhere, and media goes on to where it went.
func (t *Transport) follow() {
	t.following.Lock()
	defer t.following.Unlock()
	pair, err := t.agent.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return
	}
	to, ok := candidateAddr(pair.Remote)
	if !ok {
		return
	}
	r := route{to: to, direct: !t.maker.cfg.PlainLane && !pair.Local.NetworkType().IsTCP()}
	if was := t.route.Load(); was != nil && *was == r {
		return
	}
	t.route.Store(&r)
	t.handler.HandleChosen(to)
}
