// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"log/slog"
	"time"

	"github.com/switchyard-media/sfu/sfu"
)

// What the rest of the process uses of this package, besides the types below:
//
//	New(Config) (*Server, error)           reads the files named in Config; errors name the file and what is wrong with it
//	(*Server) Serve(net.Listener) error    until Stop or GracefulStop; nil after those
//	(*Server) GracefulStop(context.Context) no new calls, waits for running ones until ctx ends, then as Stop; watches end at once
//	(*Server) Stop()                       at once
//	(*Server) Reload() error               reads TLSCert, TLSKey, ClientCA and TokenFile again; on an error everything stays as it was
//	(*Server) SetServing(bool)             what grpc.health.v1 answers for "" and for every service; false until the first call.
//	                                       The Drain and Undrain RPCs change it too
//	(*Server) Ending()                     the process is told to stop: not serving, and Undrain is refused from now on
//	(*Server) Stats() Stats                cheap, safe from any goroutine; for metrics

// Config of a Server. Zero fields mean their default. It is not changed after New.
type Config struct {
	Node *sfu.Node // required

	TLSCert, TLSKey string   // PEM files; both or neither. Neither: plain text, meant for loopback and for a mesh that does TLS itself
	ClientCA        string   // PEM file; when set, clients must show a certificate that it has signed (mTLS)
	AllowedSANs     []string // with ClientCA: one of the certificate's DNS or URI names must be in the list; empty: any signed certificate will do
	TokenFile       string   // file with the bearer token(s), one a line, "#" comments; empty: none asked for. Asked for beside mTLS when both are set

	MaxRecvBytes         int           // of one request; default 1 MiB
	MaxSendBytes         int           // of one reply or event batch; default 64 MiB (a snapshot of a full node is large)
	MaxConcurrentStreams uint32        // calls running at once on one connection; default 256
	MaxConnections       int           // at once; default 1024; more are closed as they arrive
	KeepaliveMinTime     time.Duration // a client that pings more often is disconnected; default 10 s
	KeepaliveTime        time.Duration // silence after which the server pings; default 30 s
	KeepaliveTimeout     time.Duration // and how long it waits for the answer; default 10 s
	RequestRate          float64       // calls a second of one caller (certificate name, else remote address); default 5000; negative: no limit
	RequestBurst         int           // calls at once above that; default 1000
	RequestTimeout       time.Duration // deadline of unary calls that bring none or a longer one; default 10 s
	Heartbeat            time.Duration // on an idle event stream; default 5 s
	Reflection           bool          // serve grpc.reflection.v1; behind the same authentication as the rest

	ICEServers []ICEServer // told to clients with their session
	Addresses  []Address   // where else the process listens, for GetNode

	Version string       // answered by GetNode
	Logger  *slog.Logger // nil: discard
}

// ICEServer is a STUN or TURN server that clients are told of.
type ICEServer struct {
	URLs                 []string // "stun:host:port", "turn:host:port?transport=udp"
	Username, Credential string
}

// Address is where the process listens for something.
type Address struct {
	Purpose string // "http", "debug"
	Network string // "tcp"
	Address string // host:port as bound
}

// LatencyBounds are the upper bounds, in seconds, of the buckets of CallStats.Buckets; one more bucket than bounds, the last without an end.
var LatencyBounds = [...]float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Stats is a copy of a Server's counters since it was made.
type Stats struct {
	Calls       []CallStats       // finished unary calls, by method and code; sorted by both
	Active      int               // unary calls running now
	Streams     int               // event streams open now
	Connections int               // open now
	Refused     map[string]uint64 // calls and connections not let in, by reason: "unauthenticated", "forbidden", "rate", "connections"
	Panics      uint64            // calls that ended in a recovered panic, answered INTERNAL
}

// CallStats are the finished unary calls of one method that ended with one code.
type CallStats struct {
	Method  string  // "sfu.v1.RoomService/JoinRoom"; only methods that exist, so that callers cannot make up label values
	Code    string  // "OK", "NOT_FOUND", as in the API's error table
	Count   uint64  // calls
	Seconds float64 // sum of their durations
	Buckets [len(LatencyBounds) + 1]uint64
}
