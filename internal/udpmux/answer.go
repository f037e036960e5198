// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
)

// reply is what a socket's reader answers STUN requests with. Owned by the reader.
type reply struct {
	one   *single
	bytes [AnswerSize]byte
}

// answer has the session's Responder look at a request. False: it is the agent's. An answer leaves by the socket that the
// request has come to, which saves looking for one; they all have the same address.
//
// Only what comes from an address of the session is asked about: the agent's answer is what makes an address its own, and it
// may have become another session's since (see conn.own).
func (m *Mux) answer(s *socket, g *generation, b []byte, from netip.AddrPort) (ended bool, reason Drop) {
	if g.reply == nil || m.addresses.find(from) != g {
		return false, kept
	}
	n, verdict := g.reply.Answer(s.reply.bytes[:], b, from)
	switch verdict {
	case VerdictAnswer:
		s.in.answered.Add(1)
		_ = s.sendOne(s.reply.one, s.reply.bytes[:n], from) // it counts; the client asks again

		return true, kept
	case VerdictForged:
		return true, DropForged
	case VerdictPass:
	}

	return false, kept
}

var errPanic = errors.New("panic while reading")

// contain is deferred around what the reader of s does with what it has read. All sessions are read there.
func (m *Mux) contain(s *socket) {
	r := recover()
	if r == nil {
		return
	}
	// Whoever finds out what does it may send it at any rate: the first, second, fourth … is logged.
	if n := s.in.panics.Add(1); n&(n-1) == 0 {
		m.logger.Error("panic contained", "where", "media socket", "count", n, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}
