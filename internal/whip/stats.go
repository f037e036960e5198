// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"maps"
	"net/http"
	"sync"
)

// tally counts requests.
type tally struct {
	mu       sync.Mutex // guards both
	requests map[string]uint64
	statuses map[int]uint64
}

func newTally() *tally {
	return &tally{requests: make(map[string]uint64), statuses: make(map[int]uint64)}
}

func (t *tally) count(method string, status int) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default: // clients make up what they like
		method = "other"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[method]++
	t.statuses[status]++
}

// Stats returns counters; safe for concurrent use.
func (s *Server) Stats() Stats {
	out := Stats{Sessions: map[string]int{whip: 0, whep: 0}}
	s.tally.mu.Lock()
	out.Requests, out.Statuses = maps.Clone(s.tally.requests), maps.Clone(s.tally.statuses)
	s.tally.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.resources {
		out.Sessions[r.protocol]++
	}
	return out
}
