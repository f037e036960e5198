// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

// counters are what Stats copies.
type counters struct {
	active, streams, connections atomic.Int64  // written by calls and connections, read by Stats
	panics                       atomic.Uint64 // written by calls, read by Stats

	mu      sync.Mutex // guards both; taken once a call, for a moment
	calls   map[callKey]*CallStats
	refused map[string]uint64
}

type callKey struct {
	method string
	code   codes.Code
}

func newCounters() *counters {
	return &counters{calls: make(map[callKey]*CallStats), refused: make(map[string]uint64)}
}

// codeNames are the codes as the API's error table writes them.
var codeNames = [...]string{
	"OK", "CANCELED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

func (c *counters) call(method string, code codes.Code, took time.Duration) {
	key := callKey{method, code}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.calls[key]
	if s == nil {
		s = &CallStats{Method: method, Code: "UNKNOWN"}
		if int(code) < len(codeNames) {
			s.Code = codeNames[code]
		}
		c.calls[key] = s
	}
	seconds := took.Seconds()
	s.Count++
	s.Seconds += seconds
	bucket := 0
	for bucket < len(LatencyBounds) && seconds > LatencyBounds[bucket] {
		bucket++
	}
	s.Buckets[bucket]++
}

func (c *counters) refuse(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
}

func (c *counters) snapshot() Stats {
	out := Stats{
		Active: int(c.active.Load()), Streams: int(c.streams.Load()), Connections: int(c.connections.Load()),
		Panics: c.panics.Load(), Refused: make(map[string]uint64),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.calls {
		out.Calls = append(out.Calls, *s)
	}
	maps.Copy(out.Refused, c.refused)
	slices.SortFunc(out.Calls, func(a, b CallStats) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Code, b.Code))
	})
	return out
}
