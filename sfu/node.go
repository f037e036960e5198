// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// Node is a media node: one router, one forwarder, the sockets, and the sessions of clients. All methods are safe from
// any goroutine. Make one with NewNode; Close it.
type Node struct {
	// immutable after NewNode
	cfg        Config
	log        *slog.Logger
	started    time.Time
	epoch      uint64
	transports *transports
	maker      *transport.Maker
	formats    *formats
	forward    *rtpforward.Forwarder
	requests   *requests
	queue      *commandQueue
	stop       chan struct{} // closed by Close
	own        sync.WaitGroup

	// atomic: written by anybody, read by Load
	panics, effectsDropped, messagesDelivered, messagesDropped, resyncs atomic.Uint64
	strangers                                                           atomic.Uint64 // RTP packets of no stream
	watchers                                                            atomic.Int64

	stages stages // has a lock of its own

	mu        sync.Mutex // guards the rest: the router's one lock
	router    *router.Router
	closed    bool
	sessions  map[router.SessionID]*session
	published map[sourceKey]map[streamKey]streamState // for active speakers
	shown     map[streamKey]sourceKey                 // the same, the other way round
	changed   chan struct{}                           // closed and made anew when there are events and somebody waits
	waiting   bool                                    // somebody waits on changed
	drain     drainState

	aliveMu  sync.Mutex // guards the rest; taken alone, or after mu
	alive    map[*session]struct{}
	shut     bool          // no session comes any more
	noneLeft chan struct{} // not nil: closed when alive is empty
	profiles map[string]uint64
	past     adaptiveTotals // of sessions that are gone
}

// NewNode binds the sockets and starts the node. Errors say in plain words what cannot be used.
func NewNode(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Router.Epoch == 0 {
		cfg.Router.Epoch = newEpoch(time.Now())
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, started: time.Now(), epoch: cfg.Router.Epoch, formats: newFormats(),
		requests: newRequests(cfg.RequestIDs, cfg.RequestBytes, cfg.RequestIDFor), queue: newCommandQueue(), stop: make(chan struct{}),
		router: router.New(cfg.Router), sessions: make(map[router.SessionID]*session),
		published: make(map[sourceKey]map[streamKey]streamState), shown: make(map[streamKey]sourceKey), changed: make(chan struct{}),
		drain: drainState{drained: make(chan struct{})},
		alive: make(map[*session]struct{}), profiles: make(map[string]uint64), stages: newStages(),
	}
	logs := newPionLogs(cfg.Logger)
	if n.transports, err = openTransports(&n.cfg, logs); err != nil {
		return nil, err
	}
	if n.maker, err = newMaker(&n.cfg, logs, n.transports); err != nil {
		n.transports.close()

		return nil, err
	}
	cfg.Forward.Flush, cfg.Forward.Kicked = n.maker.Flush, true
	n.forward = rtpforward.New(cfg.Forward)
	n.transports.forward.Store(n.forward)
	n.own.Add(4)
	go n.runTicks()
	go n.runLooks()
	go n.runQueue()
	go n.runLoudest()
	if cfg.SpeakerEvery > 0 {
		n.own.Add(1)
		go n.runSpeakers()
	}

	return n, nil
}

// newEpoch makes an epoch that grows from one start of a process to the next and is not met by counting up from an
// earlier one: the time in milliseconds, and some chance.
func newEpoch(now time.Time) uint64 { return uint64(now.UnixMilli())<<20 | rand.Uint64N(1<<20) }

func (n *Node) lite() bool { return !n.cfg.FullICE }

// Close ends every session, and waits until nothing of the node runs any more, or ctx ends.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()

		return nil
	}
	n.closed = true
	if n.waiting {
		close(n.changed)
		n.waiting = false
	}
	sessions := n.sessions
	n.sessions = make(map[router.SessionID]*session)
	n.mu.Unlock()
	close(n.stop)
	for _, s := range sessions {
		s.end()
	}
	err := n.waitSessions(ctx)
	n.transports.close()
	finished := make(chan struct{})
	go n.finish(finished)
	select {
	case <-finished:
	case <-ctx.Done():
		err = ErrDeadline
	}

	return err
}

func (n *Node) finish(finished chan<- struct{}) {
	n.own.Wait()
	n.forward.Close()
	close(finished)
}

// waitSessions lets no session come any more, and waits until the last one is gone.
func (n *Node) waitSessions(ctx context.Context) error {
	n.aliveMu.Lock()
	n.shut = true
	if len(n.alive) == 0 {
		n.aliveMu.Unlock()

		return nil
	}
	if n.noneLeft == nil {
		n.noneLeft = make(chan struct{})
	}
	none := n.noneLeft
	n.aliveMu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ErrDeadline
	}
}

// came and gone keep the list of sessions that have something running. False: the node is closed, nothing may start.
func (n *Node) came(s *session) bool {
	n.aliveMu.Lock()
	defer n.aliveMu.Unlock()
	if n.shut {
		return false
	}
	n.alive[s] = struct{}{}

	return true
}

func (n *Node) gone(s *session) {
	totals := s.adaptiveTotals(s.link(), nil)
	n.aliveMu.Lock()
	defer n.aliveMu.Unlock()
	delete(n.alive, s)
	n.past.add(totals)
	if len(n.alive) == 0 && n.noneLeft != nil {
		close(n.noneLeft)
		n.noneLeft = nil
	}
}

// find returns a session that is there and fits the fence.
func (n *Node) find(id router.SessionID, fence router.Fence) (*session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	s := n.sessions[id]
	if s == nil {
		return nil, router.ErrSessionNotFound.About(string(id))
	}
	if fence.SessionEpoch != 0 && fence.SessionEpoch != s.epoch {
		return nil, router.ErrStaleEpoch.Now(s.epoch)
	}

	return s, nil
}

// Read runs f on the router, under its lock: all of the node's control waits meanwhile, so f is to be short. It must not
// call Apply, and must not call the Node.
func (n *Node) Read(f func(r *router.Router)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n.router)
}

// Info describes the node.
func (n *Node) Info() Info {
	info := Info{
		Epoch: n.epoch, Started: n.started, Candidates: append([]CandidateInfo(nil), n.transports.candidates...),
		ICELite: n.lite(), Codecs: codecNames(),
	}
	info.UDP = append(info.UDP, addrPort(n.transports.udp.LocalAddr()))
	if n.transports.tcp != nil {
		info.TCP = append(info.TCP, addrPort(n.transports.tcp.LocalAddr()))
	}
	n.Read(func(r *router.Router) { info.Draining = r.Draining() })

	return info
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort()
	case *net.TCPAddr:
		return a.AddrPort()
	}

	return netip.AddrPort{}
}
