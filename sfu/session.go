// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// session is one client's transport. It has three lanes that do not wait for each other:
//
//   - The loop does what is slow: negotiation, candidates, connection state, consent. It owns everything about SDP.
//   - Media and reports of the client come on the transport's goroutines, one packet at a time (inbound.go, demux.go).
//   - Effects of the router on slots are carried out by whoever has caused them, under mu, in the router's order (see
//     session_effects.go). They only post to the slot's shard. So leaving a room is answered while the loop of a
//     subscriber is deep in an offer, and binding a thousand subscribers wakes no goroutine.
type session struct {
	// immutable after newSession
	node         *Node
	cname        string
	sdpID        uint64
	feedbackSSRC uint32
	quit         chan struct{} // closed by end
	done         chan struct{} // closed when nothing of the session runs any more
	born         time.Time

	// set once before the session is found by anybody else, under Node.mu
	id    router.SessionID
	epoch uint64
	app   string

	checked   atomic.Int64                        // atomic: written by ICE's goroutine, read by anybody: last valid check, ns since born
	restarted atomic.Bool                         // atomic: set by the loop, taken by those who see checks: none has come since an ICE restart
	moved     atomic.Bool                         // atomic: set by ICE's goroutines and readers of sockets, taken by the loop: media goes another way, or again
	towards   atomic.Pointer[netip.AddrPort]      // atomic: written by ICE's goroutines, read by them: where media goes; nil: nowhere yet
	state     atomic.Uint32                       // atomic: written by the loop, read by anybody; a router.ConnectionState
	flooded   atomic.Bool                         // atomic: written by HandleMedia, read by the loop
	channels  atomic.Int32                        // atomic: written by HandleChannel; data channels the client has opened
	reports   atomic.Pointer[rtpforward.Downlink] // atomic: written with mu held, read by HandleMedia: where feedback goes
	work      sync.WaitGroup                      // the channel's writer

	jobs      jobs       // has a lock of its own
	sources   sources    // has a lock of its own
	demux     demux      // has a lock of its own
	shown     shownSlots // has a lock of its own
	alarm     alarm      // has a lock of its own
	loopState            // owned by the loop

	inboxMu sync.Mutex // guards inbox and closing; taken alone, or after Node.mu
	inbox   []*effect
	closing bool // EndSession is in the inbox, or was: nothing may follow

	mu       sync.Mutex // guards the rest, and the slots' fields that say so
	ended    bool
	slots    map[string]*slot
	downlink *rtpforward.Downlink
	stopping <-chan struct{}   // acknowledges the stop that was posted last, and so all before it; nil: there was none
	channel  *channel          // nil: none open
	told     []line            // lines as of the last answer
	offerID  uint64            // of that answer
	profile  string            // of SRTP; empty before DTLS is done
	layers   map[string][]byte // texts about sources' layers, newest, by mid; see tellPublisher
}

// loopState is what the loop owns.
type loopState struct {
	transport  *transport.Transport // nil before the first offer was taken
	local      transport.Credentials
	lines      []line
	last       accepted // empty ufrag: no offer was accepted yet
	answer     Answer
	extensions rtpforward.ExtensionMap // of the slots
	candidates int                     // taken from the client
	accepting  bool                    // data channels
	connected  bool
	counted    bool // in Node.profiles
}

// accepted is what is kept of the last offer that was accepted. The text is not: it is large.
type accepted struct {
	id                 uint64
	sum                [sha256.Size]byte // of the text
	ufrag, fingerprint string            // of the client
}

// is says whether that was the offer.
func (a *accepted) is(id uint64, raw string) bool {
	return a.ufrag != "" && a.id == id && a.sum == sha256.Sum256([]byte(raw))
}

func newSession(n *Node) *session {
	s := &session{
		node: n, cname: fmt.Sprintf("%016x", rand.Uint64()), sdpID: rand.Uint64() >> 1, feedbackSSRC: rand.Uint32() | 1,
		quit: make(chan struct{}), done: make(chan struct{}), born: time.Now(), slots: make(map[string]*slot),
	}
	s.sources.byMid = make(map[string]*source)
	s.demux.init(&n.strangers)

	return s
}

func (s *session) log() *slog.Logger { return s.node.log.With("session", string(s.id)) }

// look is everything that is not a request: consent, sources, abuse.
func (s *session) look() {
	if s.transport == nil || s.id == "" {
		return
	}
	if s.flooded.Load() {
		s.log().Warn("session ended: it uses more SSRCs than any client needs")
		s.fail()

		return
	}
	s.checkConnection()
	s.reportLive()
	s.reportLayers()
	s.reportShown()
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

// endLocked is end with mu held. The channel is closed when nothing more leaves; nil: nothing ever did.
func (s *session) endLocked() <-chan struct{} {
	if s.ended {
		return s.stopping
	}
	if s.downlink != nil {
		s.stopping = s.downlink.Close()
	}
	s.ended = true
	close(s.quit)
	s.run(s.jobs.end())

	return s.stopping
}

// finish takes down what the loop owns. Nothing of the session runs any more when it is through.
func (s *session) finish() {
	defer close(s.done)
	defer s.node.gone(s)
	s.closeTransport()
}

func (s *session) closeTransport() {
	defer func() {
		if r := recover(); r != nil { // nothing is left to contain it in; the process lives on
			s.node.panics.Add(1)
			s.log().Error("panic contained", "where", "session end", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	s.awaitStop()
	if s.transport != nil {
		s.transport.Close()
	}
	s.closeSources()
	s.work.Wait()
}

// awaitStop waits until the shard has nothing more for the transport, so that what was stopped is what is lost. A shard that
// hangs is not waited for: its writes fail from then on.
func (s *session) awaitStop() {
	s.mu.Lock()
	stopped := s.stopping
	s.mu.Unlock()
	if stopped == nil {
		return
	}
	timer := time.NewTimer(s.node.cfg.StopTimeout)
	defer timer.Stop()
	select {
	case <-stopped:
	case <-timer.C:
	}
}
