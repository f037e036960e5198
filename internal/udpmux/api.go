// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"log/slog"
	"net"
	"net/netip"
)

// MaxDatagram is the largest datagram that is received or sent, in bytes.
const MaxDatagram = 1500

// Config of a Mux. Zero fields mean their default. It is not changed after New.
type Config struct {
	Address    string         // where to listen, as in net.ListenPacket; port 0: the system chooses
	PacketConn net.PacketConn // used instead of Address when set: one socket, plain reads and writes; closed by the Mux
	Sockets    int            // on the one port; default GOMAXPROCS where SO_REUSEPORT exists, else 1; at most 64
	Buffer     int            // bytes asked of the kernel for each socket, each way; default 4 MiB
	Plain      bool           // neither GSO nor GRO nor batches: what any system can do
	Listen     []net.Addr     // addresses that ICE agents gather, all of this Mux, port 0: that of the Mux; default its own

	// AfterRead is called by a reader when it has handed out what one read brought; must not block. nil: nothing.
	AfterRead func()

	Logger *slog.Logger // nil: discard
}

// Sink takes media. HandleMedia is called by the goroutine that reads the socket, maybe by several at the same time when the
// client's address changes; it must not block. The bytes are valid during the call and may be changed in place; the capacity
// beyond len is not to be touched.
type Sink interface {
	HandleMedia(datagram []byte)
}

// Responder is a Sink that can answer a session's STUN requests where they are read, so that they do not have to go through its
// agent. It is asked about requests from addresses that are the session's already; anything else is the agent's.
type Responder interface {
	Sink
	// Answer looks at a STUN binding request that has come from an address, and may write the answer into out, which has
	// AnswerSize bytes; n is its length. It is called by the goroutine that reads the socket, maybe by several at the same time;
	// it must not block. The request is valid during the call and not to be changed.
	Answer(out, request []byte, from netip.AddrPort) (n int, verdict Verdict)
}

// AnswerSize is the room that a Responder has for an answer, in bytes.
const AnswerSize = 128

// Verdict is what a Responder makes of a request.
type Verdict int

// The verdicts.
const (
	VerdictPass   Verdict = iota // the agent's to judge
	VerdictAnswer                // answered: the request has ended here
	VerdictForged                // not of whom it says: thrown away
)

// Drop says why a datagram was thrown away. Every one is counted under exactly one.
type Drop int

// The drop reasons, in and out.
const (
	DropShort    Drop = iota // in: smaller than any header
	DropKind                 // in: first byte of no protocol that is multiplexed here (RFC 7983)
	DropSTUN                 // in: says it is STUN, is not
	DropUfrag                // in: a STUN request for a session that is not here
	DropRepeated             // in: a STUN request that has come from another address before
	DropCrowd                // in: a STUN request from yet another address, of a session that has had too many
	DropForged               // in: a STUN request that a Responder found not to be of whom it says
	DropStranger             // in: media or DTLS from an address that no valid check has come from
	DropDTLS                 // in: says it is DTLS, and would end the handshake or even the connection
	DropLarge                // in: larger than MaxDatagram
	DropInbound              // in: the agent's ring was full (STUN and DTLS, or media on the plain lane)
	DropSend                 // out: the kernel's send buffer was full
	DropRefused              // out: the kernel refused it for another reason, such as no route
	Drops                    // number of reasons
)

// Stats is a copy of a Mux's counters since it was made.
type Stats struct {
	In, InBytes   uint64        // datagrams received
	Out, OutBytes uint64        // datagrams sent
	Reads, Sends  uint64        // system calls that received or sent something
	Runs          uint64        // destinations' runs sent: Out/Runs is how many packets GSO took at once
	Answered      uint64        // STUN requests that a Responder answered
	Panics        uint64        // contained where a socket is read
	Drops         [Drops]uint64 // by reason
	KernelDrops   uint64        // datagrams the kernel dropped for want of receive buffer (SO_RXQ_OVFL); not known on the plain path
	Sockets       int
	GSO, GRO      bool // in use, on every socket
	ReadBuffer    int  // bytes, what the kernel granted each socket, in terms of Config.Buffer; 0: not known
	WriteBuffer   int
}
