// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/hmac"
	"crypto/sha1"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// answerer answers the checks that a connected client goes on to send, where they are read: each says no more than the one
// before, and pion's agent takes four hand-overs between goroutines for it. It knows one address and one user name, those of
// the last check that the agent itself has taken on the pair that it has chosen. Whatever differs is the agent's to judge.
type answerer struct {
	// immutable
	from     netip.AddrPort
	username string

	signer signer // guarded by answers.mu
}

// answers is what a transport needs to answer checks.
type answers struct {
	known atomic.Pointer[answerer] // written by the agent's loop, and by Restart; read by readers of sockets; nil: none

	mu   sync.Mutex // held while a check is answered; contended only while a client's datagrams come by two sockets
	over bool       // guarded by mu: no check is answered any more

	settling *time.Timer // guarded by mu; see settle
}

// Answer implements udpmux.Responder.
func (t *Transport) Answer(out, request []byte, from netip.AddrPort) (n int, verdict udpmux.Verdict) {
	a := t.answers.known.Load()
	if a == nil || a.from != from || len(out) < stunMostAnswer {
		return 0, udpmux.VerdictPass
	}
	c, ok := readCheck(request)
	if !ok || string(c.username) != a.username {
		return 0, udpmux.VerdictPass
	}
	t.answers.mu.Lock()
	defer t.answers.mu.Unlock()
	switch {
	case t.answers.over:
		return 0, udpmux.VerdictPass
	case !hmac.Equal(a.signer.sign(c.signed), c.integrity):
		return 0, udpmux.VerdictForged // the agent has the same key
	}
	n = a.signer.writeAnswer(out, &c, from)
	// Whether to move there has been decided: the agent has chosen this address.
	_ = t.handler.HandleCheck(from)

	return n, udpmux.VerdictAnswer
}

// learn follows the agent: it is called in its loop, for every check that it has taken, when what the check changes about the
// chosen pair has been changed, or is about to be (chosen).
func (t *Transport) learn(request *stun.Message, local, remote ice.Candidate, from netip.AddrPort, chosen bool) {
	// A full agent's pairs live by its own checks. On the plain lane all is pion's.
	if !t.maker.cfg.Lite || t.maker.cfg.PlainLane {
		return
	}
	if !chosen {
		pair, err := t.agent.GetSelectedCandidatePair()
		chosen = err == nil && pair != nil && pair.Local.Equal(local) && pair.Remote.Equal(remote)
	}
	if !chosen {
		return
	}
	username, err := request.Get(stun.AttrUsername)
	key := t.local.Load()
	if err != nil || local.NetworkType().IsTCP() || !strings.HasPrefix(string(username), key.Ufrag+":") {
		t.unlearn() // the pair is none that this is for

		return
	}
	if a := t.answers.known.Load(); a != nil && a.from == from && a.username == string(username) {
		return
	}
	t.answers.known.Store(&answerer{
		from: from, username: string(username), signer: signer{mac: hmac.New(sha1.New, []byte(key.Pwd))},
	})
	t.answers.settle(func() { _ = t.agent.SetRemoteICELite(false) }) // it is none, and the agent looks around: at once
}

// agentPhases is at how many moments of its period an agent may look around; see settle. Fewer wake up less, and have more agents
// look at a time: some microseconds each.
const agentPhases = 4

// settle has an agent that has a pair look around at one of few moments, the same as others. It has nothing to see, but looks
// every two seconds, and has no option not to (pion/ice v4.4.8, agent.go, line 704). Most of what that costs is waking up a
// processor that is at rest, so many at a time cost little more than one. look makes the agent look, from when on it counts
// its two seconds.
func (a *answers) settle(look func()) {
	const every = liteCheck / agentPhases
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	if a.settling != nil {
		a.settling.Stop()
	}
	now := time.Now()
	a.settling = time.AfterFunc(now.Truncate(every).Add(every).Sub(now), look)
}

// unlearn has the agent judge everything, until learn is called again.
func (t *Transport) unlearn() { t.answers.known.Store(nil) }

// stop waits for the answer that is being given. There is none after it.
func (a *answers) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.settling != nil {
		a.settling.Stop()
	}
}
