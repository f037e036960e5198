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

// lanes order the requests of one client. Safe for concurrent use.
type lanes struct {
	mu      sync.Mutex // guards the rest
	running []*job
	waiting []*job
	closed  bool
}

// add takes a job in and returns those that can begin, or false when too many wait. A job of the tier's own is always taken.
func (l *lanes) add(j *job, own bool) ([]*job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !own && len(l.waiting) >= maxWaiting {
		return nil, false
	}
	l.waiting = append(l.waiting, j)
	return l.next(), true
}

// done says that a job has run, and returns those that can begin.
func (l *lanes) done(j *job) []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.running {
		if r == j {
			l.running = append(l.running[:i], l.running[i+1:]...)
			break
		}
	}
	return l.next()
}

// close forgets what waits and takes nothing more.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.waiting = true, nil
}

// next takes the jobs that can begin from those that wait. With mu held.
func (l *lanes) next() (begin []*job) {
	kept := l.waiting[:0]
	for _, j := range l.waiting {
		if len(l.running) < maxRunning && !conflicts(j, l.running) && !conflicts(j, kept) {
			l.running = append(l.running, j)
			begin = append(begin, j)
			continue
		}
		kept = append(kept, j)
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
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
