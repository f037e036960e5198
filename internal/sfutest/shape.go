// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Shape says what one direction of a link does to datagrams. The zero Shape passes everything at once.
type Shape struct {
	Loss      float64       // probability that a datagram is lost, 0 to 1
	Duplicate float64       // probability that it arrives twice
	Delay     time.Duration // one way
	Jitter    time.Duration // added to Delay, uniform in ±Jitter; order is kept unless Reorder
	Reorder   bool          // jitter may overtake
	Rate      float64       // bit/s; 0: unlimited
	Queue     time.Duration // longest wait for Rate before datagrams are dropped; default 200 ms
	Blackhole bool          // everything is lost
}

// ShapeStats counts what a direction did.
type ShapeStats struct {
	In, Out, Lost, Overflow uint64 // datagrams; Out counts duplicates
}

// shaper decides the fate of datagrams of one direction, by its own seeded random numbers, so that a run can be repeated.
type shaper struct {
	mu    sync.Mutex // guards all below
	shape Shape
	rng   *rand.Rand
	busy  time.Time // when the link has sent what was accepted
	last  time.Time // latest delivery decided, keeps the order
	stats ShapeStats
}

func newShaper(shape Shape, seed uint64) *shaper {
	return &shaper{shape: shape, rng: rand.New(rand.NewPCG(seed, 0x5fd7))}
}

func (s *shaper) set(shape Shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shape = shape
}

// deliveries appends the times at which copies of a datagram of size bytes arrive, none when it is lost.
func (s *shaper) deliveries(now time.Time, size int, dst []time.Time) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.In++
	if s.shape.Blackhole || s.rng.Float64() < s.shape.Loss {
		s.stats.Lost++
		return dst
	}
	at := now
	if s.shape.Rate > 0 {
		queue := s.shape.Queue
		if queue == 0 {
			queue = 200 * time.Millisecond
		}
		start := now
		if s.busy.After(now) {
			start = s.busy
		}
		if start.Sub(now) > queue {
			s.stats.Overflow++
			return dst
		}
		s.busy = start.Add(time.Duration(float64(size*8) / s.shape.Rate * float64(time.Second)))
		at = s.busy
	}
	copies := 1
	if s.rng.Float64() < s.shape.Duplicate {
		copies = 2
	}
	for range copies {
		due := at.Add(s.shape.Delay)
		if s.shape.Jitter > 0 {
			due = due.Add(time.Duration((s.rng.Float64()*2 - 1) * float64(s.shape.Jitter)))
		}
		if !s.shape.Reorder && due.Before(s.last) {
			due = s.last
		}
		if due.After(s.last) {
			s.last = due
		}
		s.stats.Out++
		dst = append(dst, due)
	}
	return dst
}

func (s *shaper) snapshot() ShapeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
