// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import "net/netip"

// take sorts one datagram from an address in canonical form. It is called by the socket's reader, does not wait, and leaves b
// to the caller.
func (m *Mux) take(s *socket, b []byte, from netip.AddrPort) {
	if reason := m.sort(s, b, from); reason != kept {
		s.in.drops[reason].Add(1)
	}
}

func (m *Mux) sort(s *socket, b []byte, from netip.AddrPort) Drop {
	if len(b) > MaxDatagram {
		return DropLarge
	}
	kind, ufrag, reason := classify(b)
	if reason != kept {
		return reason
	}
	var g *generation
	if kind == kindRequest {
		m.mu.RLock()
		g = m.ufrags[string(ufrag)]
		m.mu.RUnlock()
		switch {
		case g == nil:
			return DropUfrag
		case g.crowded.Load() && m.addresses.find(from) != g:
			return DropCrowd
		case !fingerprinted(b):
			return DropSTUN
		case !g.checks.fresh([12]byte(b[8:stunHeader]), from):
			return DropRepeated
		}
		if ended, reason := m.answer(s, g, b, from); ended {
			return reason
		}
	} else if g = m.addresses.find(from); g == nil {
		return DropStranger
	}
	if kind == kindMedia && g.sink != nil {
		g.sink.HandleMedia(b)

		return kept
	}
	if !g.rings[family(from.Addr())].put(b, from) {
		return DropInbound
	}

	return kept
}
