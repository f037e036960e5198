// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"maps"
	"sync"
)

// counters are behind Stats. Their keys come from lists of the program, never from clients.
type counters struct {
	mu    sync.Mutex // guards stats
	stats Stats
}

func newCounters() *counters {
	return &counters{stats: Stats{Requests: map[string]uint64{}, Failures: map[string]uint64{}, Dropped: map[string]uint64{}}}
}

func (c *counters) change(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

func (c *counters) drop(reason string)    { c.change(func(s *Stats) { s.Dropped[reason]++ }) }
func (c *counters) request(kind string)   { c.change(func(s *Stats) { s.Requests[kind]++ }) }
func (c *counters) failure(reason string) { c.change(func(s *Stats) { s.Failures[reason]++ }) }
func (c *counters) notice()               { c.change(func(s *Stats) { s.Notices++ }) }
func (c *counters) resync()               { c.change(func(s *Stats) { s.Resyncs++ }) }

// admit counts a connection in, unless there are as many as may be.
func (c *counters) admit(most int) (ok bool) {
	c.change(func(s *Stats) {
		if ok = s.Clients < most; ok {
			s.Clients++
			s.Accepted++
		}
	})
	return ok
}

func (c *counters) left() { c.change(func(s *Stats) { s.Clients-- }) }

func (c *counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Requests, s.Failures, s.Dropped = maps.Clone(s.Requests), maps.Clone(s.Failures), maps.Clone(s.Dropped)
	return s
}
