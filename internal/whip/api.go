// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"log/slog"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/sfu"
)

// Config of a Server. Zero fields mean their default.
type Config struct {
	Node *sfu.Node  // required
	Keys *auth.Keys // of bearer tokens; required

	MaxSessions    int           // resources at once; default 10000
	MaxBody        int           // longest body of a request in bytes; default 256 KiB
	Rate           int           // requests per second of one IP address; default 20
	Burst          int           // and at once; default 60
	SessionTTL     time.Duration // a client that never connects is forgotten after; default: the node's
	AllowedOrigins []string      // of browsers (CORS); empty: any, since a token is needed and nothing is in cookies
	ICEServers     []ICEServer   // told to clients in Link header fields

	Logger *slog.Logger // nil: discard
}

// ICEServer is a STUN or TURN server that clients are told of.
type ICEServer struct {
	URLs                 []string // "stun:host:port", "turn:host:port?transport=udp" (RFC 7064, RFC 7065)
	Username, Credential string   // of a TURN server
}

// Stats count what the server did since it started.
type Stats struct {
	Sessions map[string]int    // now, by "whip" and "whep"
	Requests map[string]uint64 // by method; those that neither protocol has are "other"
	Statuses map[int]uint64    // answers, by status
}
