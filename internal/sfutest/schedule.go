// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"container/heap"
	"sync"
	"time"
)

// schedule delivers datagrams when they are due, in order of due time, on one goroutine.
type schedule struct {
	deliver func(d datagram) // immutable after newSchedule

	mu      sync.Mutex // guards all below
	pending dueHeap
	serial  uint64
	closed  bool

	wake chan struct{} // closed never; cap 1
	done chan struct{} // closed by run
}

type datagram struct {
	due    time.Time
	serial uint64
	data   []byte
	to     any // what deliver makes of it
}

func newSchedule(deliver func(datagram)) *schedule {
	s := &schedule{deliver: deliver, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

// add keeps data, which must not change afterwards.
func (s *schedule) add(due time.Time, data []byte, to any) {
	s.mu.Lock()
	s.serial++
	heap.Push(&s.pending, datagram{due: due, serial: s.serial, data: data, to: to})
	first := s.pending[0].serial == s.serial
	s.mu.Unlock()
	if first {
		s.poke()
	}
}

func (s *schedule) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *schedule) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.poke()
	<-s.done
}

func (s *schedule) run() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return
		}
		wait := time.Hour
		var due []datagram
		now := time.Now()
		for len(s.pending) > 0 && !s.pending[0].due.After(now) {
			due = append(due, heap.Pop(&s.pending).(datagram))
		}
		if len(s.pending) > 0 {
			wait = s.pending[0].due.Sub(now)
		}
		s.mu.Unlock()
		for _, d := range due {
			s.deliver(d)
		}
		if len(due) > 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		}
	}
}

type dueHeap []datagram

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].serial < h[j].serial
	}
	return h[i].due.Before(h[j].due)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(datagram)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = datagram{}
	*h = old[:len(old)-1]
	return last
}
