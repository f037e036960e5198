// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// Sized is a reply that Idempotent keeps by what it weighs. Replies that are not Sized count as weightless.
type Sized interface {
	// Size is roughly how many bytes of memory the reply holds.
	Size() int
}

// requestCost is roughly what an entry takes in memory beside its reply. largestShare keeps one reply from driving out
// nearly all others: one that is more than this part of the bytes allowed is not kept at all.
const (
	requestCost  = 512
	largestShare = 8
)

// requests remembers the answers of requests by their ids, so that a caller that has lost an answer may ask again.
type requests struct {
	max      int           // immutable
	maxBytes int           // immutable
	ttl      time.Duration // immutable

	mu    sync.Mutex // guards the rest, and the entries' fields
	byKey map[requestKey]*list.Element
	order *list.List // of *request, oldest first
	bytes int        // sum of the entries' sizes
}

type requestKey struct{ method, id string }

type request struct {
	key   requestKey
	body  [32]byte
	began time.Time
	size  int
	done  chan struct{} // closed when reply and err are there
	reply any
	err   error
}

func newRequests(most, mostBytes int, ttl time.Duration) *requests {
	return &requests{max: most, maxBytes: mostBytes, ttl: ttl, byKey: make(map[requestKey]*list.Element), order: list.New()}
}

// Idempotent runs do once for a request id of a method: a repeat with the same body gets the same answer, also while the
// first is under way; with another body it is ErrRequestIDReused. Only successes are kept, for Config.RequestIDFor, and the
// oldest are forgotten earlier when there are more than Config.RequestIDs or they hold more than Config.RequestBytes; do's
// reply should be Sized where it may be large. An empty request id is never remembered.
func (n *Node) Idempotent(ctx context.Context, method, requestID string, body [32]byte, do func() (any, error)) (any, error) {
	if requestID == "" {
		return do()
	}
	for {
		r, mine, err := n.requests.enter(requestKey{method, requestID}, body, time.Now())
		if err != nil {
			return nil, err
		}
		if mine {
			return n.requests.run(r, do)
		}
		select {
		case <-r.done:
			if gaveUp(r.err) && ctx.Err() == nil {
				continue // its caller has gone, this one has not: to repeat a lost call is what request ids are for
			}

			return r.reply, r.err
		case <-ctx.Done():
			return nil, ErrDeadline
		}
	}
}

// gaveUp says whether a request failed because its caller did not wait for it.
func gaveUp(err error) bool {
	return errors.Is(err, ErrDeadline) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// enter finds the request of that id, or makes it; mine says that the caller has to run it.
func (q *requests) enter(key requestKey, body [32]byte, now time.Time) (r *request, mine bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now)
	if e := q.byKey[key]; e != nil {
		r, _ := e.Value.(*request)
		if r.body != body {
			return nil, false, ErrRequestIDReused.About(key.id)
		}

		return r, false, nil
	}
	r = &request{key: key, body: body, began: now, size: requestCost, done: make(chan struct{})}
	q.byKey[key] = q.order.PushBack(r)
	q.bytes += r.size

	return r, true, nil
}

func (q *requests) run(r *request, do func() (any, error)) (any, error) {
	r.err = ErrInternal // for who waits, when do panics
	defer func() {
		q.settle(r)
		close(r.done)
	}()
	r.reply, r.err = do()

	return r.reply, r.err
}

// settle keeps a request that has ended, or forgets it.
func (q *requests) settle(r *request) {
	size := 0
	if sized, ok := r.reply.(Sized); ok {
		size = max(0, sized.Size()) // measured before mu is taken: it may be a walk over much
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.err != nil || size > q.maxBytes/largestShare {
		q.remove(r)

		return
	}
	if e := q.byKey[r.key]; e == nil || e.Value != r {
		return // pushed out meanwhile
	}
	r.size += size
	q.bytes += size
	for e := q.order.Front(); e != nil && q.bytes > q.maxBytes; e = q.order.Front() {
		oldest, _ := e.Value.(*request)
		q.remove(oldest)
	}
}

// expire drops what is too old or too much. Entries are in order of age; one that is still under way and pushed out by
// the count is merely not found by repeats. With mu held.
func (q *requests) expire(now time.Time) {
	for e := q.order.Front(); e != nil; e = q.order.Front() {
		r, _ := e.Value.(*request)
		if now.Sub(r.began) < q.ttl && q.order.Len() <= q.max-1 {
			return
		}
		q.remove(r)
	}
}

// remove forgets a request, unless its id is in use by a later one. With mu held.
func (q *requests) remove(r *request) {
	if e := q.byKey[r.key]; e != nil && e.Value == r {
		q.order.Remove(e)
		delete(q.byKey, r.key)
		q.bytes -= r.size
	}
}
