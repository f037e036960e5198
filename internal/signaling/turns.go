// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import "sync"

// Requests of one client that run at once, and that wait beside them.
const (
	maxRunning = 4
	maxWaiting = 64
)

// job is a request that has its turn some time. Requests about one room run one after the other, in the order they came
// in, and so does everything beside a request about the whole session, which has no room.
type job struct {
	room string // empty: the session
	run  func()
}

// turns order the requests of one client. Safe for concurrent use.
type turns struct {
	mu      sync.Mutex // guards the rest
	running []*job
	waiting []*job
	closed  bool
}

// add takes a job in and returns those that can begin, or false when too many wait. A job of the tier's own is always taken.
func (t *turns) add(j *job, own bool) ([]*job, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || !own && len(t.waiting) >= maxWaiting {
		return nil, false
	}
	t.waiting = append(t.waiting, j)
	return t.next(), true
}

// done says that a job has run, and returns those that can begin.
func (t *turns) done(j *job) []*job {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range t.running {
		if r == j {
			t.running = append(t.running[:i], t.running[i+1:]...)
			break
		}
	}
	return t.next()
}

// close forgets what waits and takes nothing more.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.waiting = true, nil
}

// next takes the jobs that can begin from those that wait. With mu held.
func (t *turns) next() (begin []*job) {
	kept := t.waiting[:0]
	for _, j := range t.waiting {
		if len(t.running) < maxRunning && !conflicts(j, t.running) && !conflicts(j, kept) {
			t.running = append(t.running, j)
			begin = append(begin, j)
			continue
		}
		kept = append(kept, j)
	}
	clear(t.waiting[len(kept):])
	t.waiting = kept
	return begin
}

// conflicts says whether j has to wait for one of the others.
func conflicts(j *job, others []*job) bool {
	for _, o := range others {
		if j.room == "" || o.room == "" || j.room == o.room {
			return true
		}
	}
	return false
}
