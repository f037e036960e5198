// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
)

// Errors of a Transport.
var (
	ErrClosed  = errors.New("transport: closed")
	ErrStarted = errors.New("transport: started already")
	ErrNotYet  = errors.New("transport: not started")
	// ErrNotReady says that there is nowhere to send to, or no key to encrypt with (yet).
	ErrNotReady = errors.New("transport: not connected")
	// ErrIdentity says that an ICE restart comes with another fingerprint. A client with another certificate is another
	// client, and needs a transport of its own.
	ErrIdentity = errors.New("transport: the fingerprint may not change")
)

// route is where media goes. Immutable.
type route struct {
	to     netip.AddrPort
	direct bool // past the ICE agent, from the UDP mux
}

// Transport is one client's connection. All methods are safe for concurrent use, and none but Close waits for the network.
type Transport struct {
	// immutable after New
	maker      *Maker
	handler    Handler
	agent      *ice.Agent
	dtlsClient bool
	ctx        context.Context // ends with Close
	cancel     context.CancelFunc

	// atomic, read by anybody
	state  atomic.Uint32            // written under mu
	paired atomic.Bool              // written by onICEState
	route  atomic.Pointer[route]    // written by follow, and by Restart; nil: nowhere
	out    atomic.Pointer[outKeys]  // written under mu, by install and Close; nil: no keys
	link   atomic.Pointer[ice.Conn] // written by Start under mu; nil: not started

	following sync.Mutex // held while route is written by follow, so that it ends with what the agent chose last

	local atomic.Pointer[Credentials] // of the newest generation; written by New, and by Restart under mu; read by learn, too

	in      inbound // has a lock of its own
	answers answers // the same

	handshake int // owned by DTLS's reader: bytes of handshake records so far

	work sync.WaitGroup // what Close waits for

	// guarded by mu
	mu       sync.Mutex
	closed   bool
	peer     digest // what the client's certificate must have
	begun    bool   // DTLS
	dtls     *dtls.Conn
	ended    State // what DTLS came to before it was known to be secure; StateNew: nothing
	writer   *Writer
	channels channels
	tcp      map[netip.Addr]bool // local addresses with a candidate, of the newest generation; see tcpArrived

	connections int // over TCP so far, of the newest generation
}

// New makes a Transport that listens for checks at once, so that a client that is faster than its own offer is not kept
// waiting. The DTLS role is the client's when dtlsClient is set, else the server's.
func (m *Maker) New(h Handler, local Credentials, dtlsClient bool) (*Transport, error) {
	t := &Transport{maker: m, handler: h, dtlsClient: dtlsClient}
	t.in.refusals = &m.refusals
	t.in.handler = h
	t.local.Store(&local)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	agent, err := t.newAgent(local)
	if err != nil {
		t.cancel()

		return nil, err
	}
	t.agent = agent
	if err := t.listen(local.Ufrag); err != nil {
		t.Close()

		return nil, err
	}

	return t, nil
}

// Start takes the client's end, with the first answer: ICE and DTLS go on from here. It returns at once.
func (t *Transport) Start(r Remote) error {
	peer, err := readFingerprint(r.Fingerprint)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case t.link.Load() != nil:
		return ErrStarted
	}
	t.peer = peer
	// The client nominates: it offers, and it is the only one that sends checks when we are lite (RFC 8445, section 6.1.1).
	link, err := t.agent.StartAccept(r.Ufrag, r.Pwd)
	if err != nil {
		return fmt.Errorf("transport: ICE: %w", err)
	}
	t.link.Store(link)
	if t.paired.Load() { // the notifier was faster
		t.beginLocked()
	}

	t.addRemotes(r.Candidates)

	return nil
}

// Restart begins a new ICE generation (RFC 8445, section 9). Media goes on to where it went, and is taken from there, until
// the client has nominated a pair of the new one; through the ICE agent, on the plain lane and with ICE-TCP, it pauses.
func (t *Transport) Restart(local Credentials, r Remote) error {
	peer, err := readFingerprint(r.Fingerprint)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case t.link.Load() == nil:
		return ErrNotYet
	case peer.algorithm == t.peer.algorithm && string(peer.sum) != string(t.peer.sum):
		return ErrIdentity
	}
	// The new ufrag is opened before the old one is forgotten: the mux leaves it the addresses, so that media is let in.
	old := t.local.Swap(&local)
	t.openMux(local.Ufrag)
	if err := t.agent.Restart(local.Ufrag, local.Pwd); err != nil {
		t.local.Store(old)
		t.forget(local.Ufrag)

		return fmt.Errorf("transport: ICE restart: %w", err)
	}
	t.unlearn() // the agent takes nothing of the old generation any more, and nobody has been told of the new one
	t.tcp, t.connections = nil, 0
	if r := t.route.Load(); r != nil && !r.direct {
		// The agent has no pair, and would be asked for one with every packet, by the shard, in the agent's loop.
		t.route.CompareAndSwap(r, nil)
	}
	t.forget(old.Ufrag)
	if err := t.listen(local.Ufrag); err != nil {
		return err
	}
	if err := t.agent.SetRemoteCredentials(r.Ufrag, r.Pwd); err != nil {
		return fmt.Errorf("transport: ICE restart: %w", err)
	}

	t.addRemotes(r.Candidates)

	return nil
}

// AddCandidate takes a candidate-attribute of the client, "" for the end of them. Full ICE only: a lite agent answers checks
// wherever they come from, and sends none.
func (t *Transport) AddCandidate(attribute string) error {
	if t.maker.cfg.Lite {
		return nil
	}

	return t.addRemote(attribute)
}

// addRemotes adds the candidates of an offer. One that cannot be used is no reason to refuse the others.
func (t *Transport) addRemotes(candidates []string) {
	if t.maker.cfg.Lite {
		return
	}
	for _, c := range candidates {
		_ = t.addRemote(c)
	}
}

// State tells how far DTLS is.
func (t *Transport) State() State { return State(t.state.Load()) }

// Paired says whether ICE has a pair: whether the client has been heard of since the last restart.
func (t *Transport) Paired() bool { return t.paired.Load() }

// Profile names the SRTP profile, such as "AEAD_AES_128_GCM"; "" before StateSecure.
func (t *Transport) Profile() string {
	if keys := t.out.Load(); keys != nil {
		return keys.profile.name
	}

	return ""
}

// RemoteAddr is where media goes, the zero address before ICE has chosen.
func (t *Transport) RemoteAddr() netip.AddrPort {
	if r := t.route.Load(); r != nil {
		return r.to
	}

	return netip.AddrPort{}
}

// String names a State, for logs.
func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateConnecting:
		return "connecting"
	case StateSecure:
		return "secure"
	case StateFailed:
		return "failed"
	case StateClosed:
		return "closed"
	}

	return "unknown"
}

// String tells of a Transport what may be known of it, whatever it is printed with: nothing goes through its fields.
func (t *Transport) String() string {
	return fmt.Sprintf("transport(%v, %v)", t.RemoteAddr(), t.State())
}

// GoString implements fmt.GoStringer.
func (t *Transport) GoString() string { return t.String() }

// advance moves the state on. It never goes back, and there is one last state only. With mu held; true: tell the owner,
// without mu.
func (t *Transport) advance(to State) bool {
	if t.State() >= to || t.State() >= StateFailed {
		return false
	}
	t.state.Store(uint32(to))

	return true
}

// Close ends the connection: close_notify is sent, nothing is after it, and no method of the Handler is called any more when
// Close has returned. It waits for the transport's goroutines, so it is not to be called from a Handler's method. pion's
// goroutines for DTLS are told to end but cannot be waited for; they have nothing left to do.
func (t *Transport) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		t.work.Wait()

		return
	}
	t.closed = true
	t.advance(StateClosed)
	conn, ufrag := t.dtls, t.local.Load().Ufrag
	t.mu.Unlock()

	t.in.close()
	t.answers.stop()
	t.out.Store(nil)
	t.cancel()
	if conn != nil {
		_ = conn.Close() // close_notify, if the handshake was done
	}
	_ = t.agent.GracefulClose()
	t.forget(ufrag)
	t.work.Wait()
}

// openMux and forget tell the muxes whose a ufrag is.
func (t *Transport) openMux(ufrag string) {
	m := t.maker
	if m.cfg.PlainLane {
		m.cfg.Mux.Open(ufrag, nil) // media passes the agent
	} else {
		m.cfg.Mux.Open(ufrag, t)
	}
	if m.watch != nil {
		m.mu.Lock()
		m.waiting[ufrag] = t
		m.mu.Unlock()
	}
}

func (t *Transport) forget(ufrag string) {
	m := t.maker
	m.cfg.Mux.Forget(ufrag)
	if m.cfg.TCP != nil {
		m.cfg.TCP.RemoveConnByUfrag(ufrag)
	}
	if m.watch != nil {
		m.mu.Lock()
		delete(m.waiting, ufrag)
		m.mu.Unlock()
	}
}
