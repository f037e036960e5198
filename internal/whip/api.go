// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"log/slog"
	"net/http"
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

	Logger *slog.Logger // nil: discard
}

// Stats count what the server did since it started.
type Stats struct {
	Sessions map[string]int    // now, by "whip" and "whep"
	Requests map[string]uint64 // by method
	Statuses map[int]uint64    // answers, by status
}

// New makes a server. It starts nothing.
func New(c Config) (*Server, error) { return &Server{}, nil }

// Handler serves /whip/ and /whep/.
func (s *Server) Handler() http.Handler { return http.NotFoundHandler() }

// Stats returns counters; safe for concurrent use.
func (s *Server) Stats() Stats { return Stats{} }

// Server is the face. Safe for concurrent use.
type Server struct{}
