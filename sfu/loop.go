// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"sync"

	"github.com/switchyard-media/sfu/router"
)

// maxJobs is how many requests may wait for a session's loop.
const maxJobs = 64

// jobs is what a session's loop has to do. There is a goroutine for it only while there is something: most sessions are
// idle for most of their life, and a waiting goroutine keeps its stack.
type jobs struct {
	mu      sync.Mutex // guards the rest; nothing is done under it
	list    []func()
	kicked  bool // look at the connection, the sources and the consent
	running bool // there is a goroutine
	ending  bool // end has come; what waits is not done any more
}

// add appends a job. start says that the caller has to start the goroutine.
func (j *jobs) add(job func(), most int) (start bool, err *router.Error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.ending:
		return false, router.ErrSessionNotFound
	case len(j.list) >= most:
		return false, ErrBusy
	}
	j.list = append(j.list, job)

	return j.begin(), nil
}

func (j *jobs) kick() (start bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ending {
		return false
	}
	j.kicked = true

	return j.begin()
}

func (j *jobs) end() (start bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ending {
		return false
	}
	j.ending, j.list = true, nil

	return j.begin()
}

// begin says whether the caller has to start the goroutine. With mu held.
func (j *jobs) begin() bool {
	start := !j.running
	j.running = true

	return start
}

// next returns what to do now; nil: the goroutine is to end, with the session when last is true.
func (j *jobs) next(look func()) (job func(), last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.ending:
		return nil, true
	case len(j.list) > 0:
		job, j.list = j.list[0], j.list[1:]

		return job, false
	case j.kicked:
		j.kicked = false

		return look, false
	}
	j.running, j.list = false, nil

	return nil, false
}

func (j *jobs) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()

	return len(j.list)
}

// call runs f on the loop and waits for it. When ctx ends first, f still runs.
func (s *session) call(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	start, err := s.jobs.add(func() { defer close(ran); f() }, maxJobs)
	s.run(start)
	if err != nil {
		return err.About(string(s.id))
	}
	select {
	case <-ran:
		return nil
	case <-s.done:
		select {
		case <-ran:
			return nil
		default:
			return router.ErrSessionNotFound.About(string(s.id))
		}
	case <-ctx.Done():
		return ErrDeadline
	}
}

// post runs f on the loop, later, unless the session ends before. Any goroutine; never waits.
func (s *session) post(f func()) {
	start, _ := s.jobs.add(f, maxJobs+1) // room for the one of abandon
	s.run(start)
}

// poke makes the loop look at its connection, sources and consent soon. Any goroutine; never waits.
func (s *session) poke() { s.run(s.jobs.kick()) }

func (s *session) run(start bool) {
	if start {
		go s.loop()
	}
}

// loop does what there is to do, and what comes meanwhile.
func (s *session) loop() {
	for {
		job, last := s.jobs.next(s.look)
		if last {
			s.finish()
		}
		if job == nil {
			return
		}
		s.do(job)
	}
}

// do runs one piece of the loop's work; a panic in it ends this session and no other.
func (s *session) do(f func()) {
	defer s.contain("session loop")
	f()
}
