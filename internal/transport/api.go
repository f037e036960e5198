// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// Config is what all transports of a node share. It is not changed after NewMaker.
type Config struct {
	Certificate    *tls.Certificate // for DTLS; nil: an ECDSA P-256 one is made
	Mux            *udpmux.Mux
	TCP            ice.TCPMux    // nil: no ICE-TCP
	Lite           bool          // ICE-lite (RFC 8445, section 2.5)
	ConsentTimeout time.Duration // full ICE counts as disconnected after so long; none ever fails
	// PlainLane has media travel as everything else does, through pion's ICE agent, instead of between socket and SRTP
	// context directly. It is what ICE-TCP clients use in any case.
	PlainLane bool
	// AfterMedia is called when media was handed to a Handler in another way than by the Mux, which has a call of its own for
	// that; must not block. nil: nothing.
	AfterMedia func()
	Loggers    logging.LoggerFactory
}

// Credentials are one ICE generation's (RFC 8445, section 5.3).
type Credentials struct{ Ufrag, Pwd string }

// Remote is what a client's offer says about its end.
type Remote struct {
	Credentials
	Fingerprint string   // "sha-256 AA:BB…", one algorithm of RFC 8122, section 5
	Candidates  []string // candidate-attributes; used with full ICE only
}

// State is that of DTLS, on top of ICE.
type State uint32

// The states, in the order in which they come.
const (
	StateNew        State = iota // nothing has come from the client
	StateConnecting              // ICE has a pair, DTLS is at work
	StateSecure                  // media can flow
	StateFailed                  // DTLS failed: a wrong fingerprint, an alert, no handshake in time
	StateClosed                  // the client has closed it (close_notify), or Close was called
)

// Handler is what a Transport tells its owner. No method may block; each says on which goroutine it is called.
type Handler interface {
	// HandleState is called when State, or whether ICE has a pair, may have changed. Any goroutine.
	HandleState()
	// HandleCheck tells of a STUN check of the client with valid credentials; true: send there from now on, which means nothing
	// where media goes already. An ICE goroutine, or one that reads a socket; several at the same time.
	HandleCheck(from netip.AddrPort) (move bool)
	// HandleChosen tells where media goes from now on. An ICE goroutine.
	HandleChosen(to netip.AddrPort)
	// HandleMedia takes one decrypted RTP packet, or one decrypted compound RTCP packet. Calls never overlap. The bytes are
	// valid during the call.
	HandleMedia(packet []byte, rtcp bool)
	// HandleChannel takes a data channel that the client has opened, open already. A goroutine of its own, which reads it.
	HandleChannel(channel *datachannel.DataChannel)
}

// Refusals counts what SRTP and SRTCP did not take, over all transports of a Maker.
type Refusals struct {
	Replayed  uint64 // came before, or is too old to tell
	Forged    uint64 // is not of whom it says
	Malformed uint64 // anything else, such as half a packet
	Early     uint64 // before the keys were there, and more than wait for them
}
