// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// timed is something that ends or warns by itself when time passes: a session, a member, a ban.
type timed interface {
	// due is when expire wants to be called; zero: never, and always so once the owner is gone.
	due(r *Router) time.Time
	// expire does what is due at tx.now; it may be called early or for nothing, and then does nothing.
	expire(r *Router, tx *transaction)
}

// timer is the place of a timed thing in the queue of deadlines. The queue changes only after a command has succeeded,
// so it needs no journal.
type timer struct {
	owner timed
	at    time.Time
	seq   uint64 // order of creation; decides between equal deadlines
	index int    // in the queue; -1: not queued
}

func (r *Router) newTimer(owner timed) timer {
	r.counters.timer++

	return timer{owner: owner, seq: r.counters.timer, index: -1}
}

// deadlines is a heap of timers, the earliest first.
type deadlines []*timer

// Len implements heap.Interface.
func (d deadlines) Len() int { return len(d) }

// Less implements heap.Interface.
func (d deadlines) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}

	return d[i].seq < d[j].seq
}

// Swap implements heap.Interface.
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	t, ok := x.(*timer)
	if !ok {
		return
	}
	t.index = len(*d)
	*d = append(*d, t)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	t := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	t.index = -1

	return t
}

// syncTimers brings the queue up to date with what a successful command has changed.
func (r *Router) syncTimers(tx *transaction) {
	for _, t := range tx.dirty {
		at := t.owner.due(r)
		switch {
		case at.IsZero():
			if t.index >= 0 {
				heap.Remove(&r.deadlines, t.index)
			}
		case t.index < 0:
			t.at = at
			heap.Push(&r.deadlines, t)
		case !at.Equal(t.at):
			t.at = at
			heap.Fix(&r.deadlines, t.index)
		}
	}
}

// NextTick is the earliest time at which a Tick would do something; zero: none.
func (r *Router) NextTick() time.Time {
	if len(r.deadlines) == 0 {
		return time.Time{}
	}

	return r.deadlines[0].at
}

func (c Tick) apply(r *Router, tx *transaction) (any, error) {
	var due []*timer
	for len(r.deadlines) > 0 && !r.deadlines[0].at.After(tx.now) {
		if t, ok := heap.Pop(&r.deadlines).(*timer); ok {
			// A membership that ends before anybody had time to warn of it ends at its end, not when the warning was due.
			if m, ok := t.owner.(*member); ok && !m.expires.After(tx.now) {
				t.at = m.expires
			}
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *timer) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq)) })
	for _, t := range due {
		t.owner.expire(r, tx)
		tx.rearm(t) // back into the queue unless its owner is gone
	}

	return nil, nil
}
