// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"net/netip"
	"time"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/router"
)

// A lite agent sends no checks, so it cannot ask for consent (RFC 7675) the usual way; it has to notice that the client's
// own checks stay away. pion's agent looks at anything that arrives, media too. We look at STUN requests with valid
// credentials alone: only those say that the other end still wants what it gets.

// HandleCheck implements transport.Handler: it notes a valid check. Only one from where the media goes is consent to it (RFC
// 7675, section 4): anybody can replay a check from elsewhere. When that address has been silent for half of the timeout, and
// another one asks, media moves there: the client has moved, or is back from where a replay had sent it. Several goroutines
// call it, those that read sockets among them; which of two checks at the same moment comes first makes no difference.
func (s *session) HandleCheck(from netip.AddrPort) (move bool) {
	now := int64(time.Since(s.born)) | 1 // never 0
	last := s.checked.Load()
	if to := s.towards.Load(); to != nil && *to != from {
		if last == 0 || time.Duration(now-last) < s.node.cfg.ConsentTimeout/2 {
			return false
		}
		s.towards.Store(&from)
		s.moved.Store(true)
		move = true
	}
	s.checked.Store(now)
	if s.restarted.Load() && s.restarted.Swap(false) {
		s.moved.Store(true)
		s.poke()
	}
	if last == 0 || time.Duration(now-last) >= s.node.cfg.ConsentTimeout {
		s.poke() // the first one, or consent is back: not to wait for the node's look
	}

	return move
}

// HandleChosen implements transport.Handler: it notes where the media goes.
func (s *session) HandleChosen(to netip.AddrPort) {
	s.towards.Store(&to)
	s.moved.Store(true)
	s.poke()
}

// HandleState implements transport.Handler.
func (s *session) HandleState() { s.poke() }

// consents reports whether the client has asked for media recently.
func (s *session) consents() bool {
	last := s.checked.Load()

	return last != 0 && time.Since(s.born)-time.Duration(last) < s.node.cfg.ConsentTimeout
}

// overdue says whether the session has to look at what nothing tells it of: consent that has run out, and the codec of what
// it publishes. Any goroutine.
func (s *session) overdue() bool {
	up := router.ConnectionState(s.state.Load()) == router.ConnectionConnected

	return up != s.consents() || s.sources.anyLive()
}

// checkConnection brings the state of the transport to the slots and the router. Loop only.
func (s *session) checkConnection() {
	switch s.transport.State() {
	case transport.StateFailed: // a wrong fingerprint, an alert, or no handshake in time
		s.log().Info("session ended: DTLS failed")
		s.fail()

		return
	case transport.StateClosed:
		if s.counted {
			s.goodbye()
		} else { // on an alert during the handshake too
			s.fail()
		}

		return
	case transport.StateNew, transport.StateConnecting:
		return
	case transport.StateSecure:
	}
	if !s.counted {
		s.counted = true
		s.setProfile(s.transport.Profile())
	}
	// Once up, only consent counts: an ICE restart leaves ICE without a pair for a moment, which is nobody's business.
	up := (s.connected || s.transport.Paired()) && s.consents()
	if s.moved.Swap(false) && up && s.connected {
		s.refresh()
	}
	if up == s.connected {
		return
	}
	s.connected = up
	s.setReady(up)
	told := router.ConnectionDisconnected
	if up {
		told = router.ConnectionConnected
	}
	s.state.Store(uint32(told))
	s.log().Debug("connection", "state", connection(told).name())
	if err := s.tell(router.SetConnection{Session: s.id, State: told}); err != nil {
		s.log().Debug("connection state not told", "error", err)
	}
}

// goodbye ends a session whose client has closed the transport in due form (DTLS close_notify): it will not come back.
func (s *session) goodbye() {
	select {
	case <-s.quit:
		return // it was us
	default:
	}
	s.setReady(false)
	_ = s.tell(router.SetConnection{Session: s.id, State: router.ConnectionDisconnected}) // it has ended otherwise
	s.node.later(router.CloseSession{
		Session: s.id, Fence: router.Fence{SessionEpoch: s.epoch}, Reason: router.ReasonConnectionLost,
	})
}

// refresh asks for keyframes of what the client gets and of what it sends: media goes another way from now on, and what was lost
// on the one before may be more than retransmissions make good.
func (s *session) refresh() {
	s.mu.Lock()
	if s.downlink != nil && !s.ended {
		s.downlink.Refresh()
	}
	s.mu.Unlock()
	s.sources.mu.Lock()
	defer s.sources.mu.Unlock()
	for _, src := range s.sources.byMid {
		if src.video {
			src.track.RequestKeyframe()
		}
	}
}

// setReady opens or shuts the way to the client for all slots.
func (s *session) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.downlink != nil && !s.ended {
		s.downlink.SetReady(ready)
	}
}
