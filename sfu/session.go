// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// maxJobs is how many requests may wait for a session's loop.
const maxJobs = 64

// session is one client's transport. It has two lanes that do not wait for each other:
//
//   - The loop does what is slow: negotiation, candidates, connection state, consent, the data channel. One goroutine owns
//     the PeerConnection and everything about SDP. It runs from the first negotiation to the end.
//   - Effects of the router on slots are carried out by whoever has caused them, under mu, in the router's order (see
//     session_effects.go). They only post to the slot's shard. So leaving a room is answered while the loop of a
//     subscriber is deep in an offer, and binding a thousand subscribers wakes no goroutine.
type session struct {
	// immutable after newSession
	node         *Node
	cname        string
	feedbackSSRC uint32
	jobs         chan func()
	kick         chan struct{} // capacity 1
	quit         chan struct{} // closed by end
	done         chan struct{} // closed when nothing of the session runs any more
	born         time.Time
	seen         *ssrcCounter

	// set once before the session is found by anybody else, under Node.mu
	id    router.SessionID
	epoch uint64

	started  atomic.Bool            // atomic: written by start, read by finish; whether there is a loop
	checked  atomic.Int64           // atomic: written by pion's ICE goroutine, read by the loop: last valid check, ns since born
	towards  atomic.Pointer[string] // atomic: written by pion's goroutines, read by its ICE goroutine: where ICE sends to; nil: nowhere yet
	state    atomic.Uint32          // atomic: written by the loop, read by Load; a router.ConnectionState
	flooded  atomic.Bool            // atomic: written by pion's SRTP goroutine, read by the loop
	channels atomic.Int32           // atomic: written by pion's SCTP goroutine; data channels the client has opened
	work     sync.WaitGroup         // readers, and the channel's writer

	loopState // owned by the loop

	sources sources // has a lock of its own

	inboxMu sync.Mutex // guards inbox and closing; taken alone, or after Node.mu
	inbox   []*effect
	closing bool // EndSession is in the inbox, or was: nothing may follow

	mu       sync.Mutex // guards the rest, and the slots' fields that say so
	ended    bool
	slots    map[string]*slot
	downlink *rtpforward.Downlink // set once
	ssrcs    []uint32             // of slots, in order of creation
	stopping <-chan struct{}      // acknowledges the stop that was posted last, and so all before it; nil: there was none
	channel  *channel             // nil: none open
	told     []line               // lines as of the last answer
	offerID  uint64               // of that answer
	profile  string               // of SRTP; empty before DTLS is done
}

// loopState is what the loop owns.
type loopState struct {
	peer       *peer
	lines      []line
	last       *offer // the last one accepted
	answer     Answer
	candidates int // taken from the client
	connected  bool
	counted    bool // in Node.profiles
}

func newSession(n *Node) *session {
	s := &session{
		node: n, cname: fmt.Sprintf("%016x", rand.Uint64()), feedbackSSRC: rand.Uint32() | 1,
		jobs: make(chan func(), maxJobs), kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		born: time.Now(), seen: newSSRCCounter(), slots: make(map[string]*slot),
	}
	s.sources.byMid, s.sources.formats = make(map[string]*source), make(map[string]lineFormats)

	return s
}

func (s *session) log() *slog.Logger { return s.node.log.With("session", string(s.id)) }

// call runs f on the loop and waits for it. When ctx ends first, f still runs.
func (s *session) call(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	s.start()
	select {
	case <-s.quit:
		return router.ErrSessionNotFound.About(string(s.id))
	default:
	}
	select {
	case s.jobs <- func() { defer close(ran); f() }:
	default:
		return ErrBusy.About(string(s.id))
	}
	select {
	case <-ran:
		return nil
	case <-s.done:
		select {
		case <-ran:
			return nil
		default:
			return router.ErrSessionNotFound.About(string(s.id))
		}
	case <-ctx.Done():
		return ErrDeadline
	}
}

// post runs f on the loop, later. For pion's goroutines: it may wait.
func (s *session) post(f func()) {
	select {
	case s.jobs <- f:
	case <-s.quit:
	}
}

// poke makes the loop look at its sources and the consent soon. Never waits.
func (s *session) poke() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// start begins the loop, unless the session has one or has ended.
func (s *session) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.started.Swap(true) {
		return
	}
	go s.loop()
}

func (s *session) loop() {
	defer s.finish()
	ticker := time.NewTicker(s.node.cfg.ConsentTimeout / 5)
	defer ticker.Stop()
	for {
		select {
		case <-s.quit:
			return
		default:
		}
		select {
		case job := <-s.jobs:
			s.do(job)
		case <-s.kick:
			s.do(s.look)
		case <-ticker.C:
			s.do(s.look)
		case <-s.quit:
			return
		}
	}
}

// do runs one piece of the loop's work; a panic in it ends this session and no other.
func (s *session) do(f func()) {
	defer s.contain("session loop")
	f()
}

// look is everything that is not a request: consent, sources, abuse.
func (s *session) look() {
	if s.peer == nil || s.id == "" {
		return
	}
	if s.flooded.Load() {
		s.log().Warn("session ended: it uses more SSRCs than any client needs")
		s.fail()

		return
	}
	s.checkConnection()
	s.reportLive()
}

// contain is deferred by every goroutine of a session. A panic must cost one session, not the node.
func (s *session) contain(where string) {
	r := recover()
	if r == nil {
		return
	}
	s.node.panics.Add(1)
	s.log().Error("panic contained", "where", where, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	s.fail()
}

// fail gives up on the session. It returns at once: the end comes back as an effect. Any goroutine.
func (s *session) fail() {
	id, epoch := s.id, s.epoch
	if id == "" {
		return // a join that never came to be: whoever tries it throws it away
	}
	s.node.later(router.CloseSession{Session: id, Fence: router.Fence{SessionEpoch: epoch}, Reason: router.ReasonMediaFailed})
}

// end stops all media of the session and lets its loop finish. Any goroutine; only the first call does anything.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

// endLocked is end with mu held. The channel is closed when nothing more leaves.
func (s *session) endLocked() <-chan struct{} {
	var ack <-chan struct{}
	if s.downlink != nil {
		ack = s.downlink.Close()
	}
	if s.ended {
		return ack
	}
	s.ended = true
	close(s.quit)
	if !s.started.Load() {
		s.finishUnstarted()
	}

	return ack
}

// finishUnstarted is finish for a session that has never negotiated.
func (s *session) finishUnstarted() {
	s.node.gone(s)
	close(s.done)
}

// finish takes down what the loop owns. pion's own goroutines have ended when it is through.
func (s *session) finish() {
	defer close(s.done)
	defer s.node.gone(s)
	s.closePeer()
}

func (s *session) closePeer() {
	defer func() {
		if r := recover(); r != nil { // nothing is left to contain it in; the process lives on
			s.node.panics.Add(1)
			s.log().Error("panic contained", "where", "session end", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if s.peer != nil {
		s.peer.close()
	}
	s.closeSources()
	s.closeChannel()
	s.work.Wait()
}

// events is what pion tells this session.
func (s *session) events() peerEvents {
	return peerEvents{
		state:   s.poke,
		track:   s.onTrack,
		channel: func(c *webrtc.DataChannel) { s.onChannel(c) },
		check:   s.onCheck,
		chosen:  s.onChosen,
		flood:   func() { s.flooded.Store(true); s.poke() },
		probe:   s.observe,
	}
}
