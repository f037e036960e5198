// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/switchyard-media/sfu/internal/udpmux"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// Config of a Node. Zero fields mean their default. It is not changed after NewNode.
type Config struct {
	Router  router.Config
	Forward rtpforward.Config

	UDPAddress   string            // media over UDP; default ":7782" (IPv4 and IPv6); port 0: the system chooses
	TCPAddress   string            // ICE-TCP (RFC 6544), passive; empty: off
	PacketConn   net.PacketConn    // used instead of UDPAddress when set, and closed by the Node; its LocalAddr is a *net.UDPAddr
	External     []ExternalAddress // addresses offered to clients beside or instead of those of the interfaces
	Interfaces   []string          // offer addresses of these interfaces only; empty: all
	Loopback     bool              // offer loopback addresses too
	FullICE      bool              // do connectivity checks of our own; default is ICE-lite (RFC 8445, section 2.5)
	Sockets      int               // UDP sockets on the one port; default: see udpmux.Config
	PlainLane    bool              // media goes through pion's ICE agent too, instead of directly between socket and SRTP
	NoGSO        bool              // one system call a datagram, each way
	SocketBuffer int               // bytes asked of the kernel for each UDP socket, each way; default: see udpmux.Config
	Certificate  *tls.Certificate  // for DTLS; nil: an ECDSA P-256 one is made at start and used for every session

	ConsentTimeout time.Duration // no valid STUN check from the client for so long: media stops and the session counts as disconnected (RFC 7675); default 15 s, at most 30 s
	MaxSDPBytes    int           // default 256 KiB
	MaxLines       int           // m-lines of one session; default 256
	MaxCandidates  int           // remote candidates of one session; default 64
	ChannelBuffer  int           // bytes waiting on a session's data channel before messages for it are dropped; default 256 KiB
	SpeakerEvery   time.Duration // how often active speakers are looked at; default 300 ms; negative: never
	TickEvery      time.Duration // how often the router's deadlines are looked at; default 500 ms
	StopTimeout    time.Duration // how long a stop waits for the shards before it answers DEADLINE_EXCEEDED; default 5 s
	MaxWatchers    int           // event streams at once; default 256
	RequestIDs     int           // idempotency keys kept; default 16384
	RequestBytes   int           // memory that their replies may hold, roughly; default 64 MiB
	RequestIDFor   time.Duration // and for how long; default 5 min

	Logger *slog.Logger // nil: discard
}

// ExternalAddress is an address that clients reach the node at, when it differs from the interface's (NAT, load balancer).
type ExternalAddress struct {
	Address  netip.Addr
	Port     uint16     // 0: the port that is bound; for NATs that map the port too
	Internal netip.Addr // of the interface it stands for; zero: any of the same family
}

// Candidate is a trickled ICE candidate of the client.
type Candidate struct {
	Candidate        string // the candidate-attribute (RFC 8839, section 5.1), with or without "candidate:"
	Mid              string
	MLineIndex       uint16
	UsernameFragment string
}

// Answer is the outcome of a negotiation.
type Answer struct {
	SDP     string
	OfferID uint64
	Lines   []router.Line // the authoritative map of m-lines
}

// ConnectRequest is Node.Connect's argument: Command without Lines (they come from the offer).
type ConnectRequest struct {
	Command router.Connect
	Offer   string
	OfferID uint64
}

// ConnectAnswer is Node.Connect's result.
type ConnectAnswer struct {
	Reply  router.ConnectReply
	Answer Answer
}

// SnapshotMode says when a watcher gets snapshots.
type SnapshotMode uint8

// The snapshot modes.
const (
	SnapshotOnGap SnapshotMode = iota
	SnapshotAlways
	SnapshotNever
)

// WatchRequest says what a watcher wants to see.
type WatchRequest struct {
	ID       string
	Epoch    uint64 // of the node whose revision After is; 0 or another epoch than ours: as a gap
	After    uint64 // last revision seen; 0 with SnapshotNever: from the oldest kept event on
	FromNow  bool   // only what happens from now on
	Apps     []string
	Rooms    []string // room ids, in any of the apps
	Sessions []router.SessionID
	Kinds    []string // Payload.Kind values
	Snapshot SnapshotMode
}

// Batch is what Watcher.Next returns: exactly one of Events (maybe empty: a heartbeat), or Resync with maybe a Snapshot.
type Batch struct {
	Events   []*router.Event
	Revision uint64 // of the node as of this batch; resume from here
	Resync   bool   // events were missed: forget everything, a Snapshot follows in this batch unless SnapshotNever
	Snapshot *router.Snapshot
}

// Info describes a node.
type Info struct {
	Epoch      uint64
	Started    time.Time
	UDP, TCP   []netip.AddrPort // bound
	Candidates []CandidateInfo  // offered to clients, and why
	ICELite    bool
	Codecs     []string // MIME types that are routed, for example "video/VP8"
	Draining   bool
}

// CandidateInfo is an address offered to clients.
type CandidateInfo struct {
	Address   netip.AddrPort
	Protocol  string // udp, tcp
	Interface string
	Why       string // for example "external address by configuration", "interface eth0"
}

// Load is a node's load.
type Load struct {
	Counts                             router.Counts
	Forward                            rtpforward.Stats
	Profiles                           map[string]uint64 // sessions connected since start, by negotiated SRTP profile
	Connections                        map[string]uint64 // sessions by connection state now
	MessagesDelivered, MessagesDropped uint64            // on data channels
	EffectsDropped                     uint64            // sessions closed because their inbox was full
	UDPDropped                         map[string]uint64 // datagrams the socket layer refused, packets that SRTP did, and those of no stream, by reason
	Socket                             udpmux.Stats      // of the UDP sockets
	Watchers                           int
	Resyncs                            uint64
	Adaptive                           AdaptiveLoad
	Panics                             uint64 // contained, each at the price of one session
}
