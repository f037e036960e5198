// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"time"
)

// counters are the scalars of a Router that change with nearly every command. A savepoint copies them whole.
type counters struct {
	revision     uint64
	sessionEpoch uint64 // of the last session created
	incarnation  uint64 // of the last room opened
	subscription uint64
	message      uint64
	timer        uint64

	rooms, members, streams int
}

// transaction is one command under way: the time it is applied at, what it has to tell, and how to take back what it has
// changed.
//
// There are two ways to keep the promise that a failed command changes nothing. Most commands check everything first and
// change things after the last check. Commands made of several others cannot: they begin with recording, and what they
// have changed is taken back when a later part fails.
type transaction struct {
	now     time.Time
	serial  uint64
	record  bool     // changes go into the journal
	journal []func() // played backwards by rollback
	events  []*Event
	rooms   []*room // of events, in parallel; nil: not of a room
	effects []Effect
	touched []*session // sessions whose slots or waiting subscriptions changed, in order of the first change
	dirty   []*timer   // timers that may have another deadline now
}

// savepoint is a state that a transaction can go back to.
type savepoint struct {
	journal, events, effects int
	counters                 counters
}

func (r *Router) savepoint(tx *transaction) savepoint {
	return savepoint{len(tx.journal), len(tx.events), len(tx.effects), r.counters}
}

// rollback takes back everything since the savepoint. The touched and dirty lists stay: they only name what to look at
// again, and looking at something unchanged does nothing.
func (r *Router) rollback(tx *transaction, to savepoint) {
	for i := len(tx.journal) - 1; i >= to.journal; i-- {
		tx.journal[i]()
	}
	for i := len(tx.events) - 1; i >= to.events; i-- {
		if rm := tx.rooms[i]; rm != nil {
			rm.revision--
		}
	}
	clear(tx.journal[to.journal:])
	tx.journal = tx.journal[:to.journal]
	tx.events = tx.events[:to.events]
	tx.rooms = tx.rooms[:to.events]
	tx.effects = tx.effects[:to.effects]
	r.counters = to.counters
}

// reset makes a transaction ready for the next command. Effects now belong to the caller, so they get a new array.
func (tx *transaction) reset(now time.Time) {
	clear(tx.journal)
	clear(tx.events)
	clear(tx.rooms)
	clear(tx.touched)
	clear(tx.dirty)
	tx.now = now
	tx.serial++
	tx.record = false
	tx.journal = tx.journal[:0]
	tx.events = tx.events[:0]
	tx.rooms = tx.rooms[:0]
	tx.effects = nil
	tx.touched = tx.touched[:0]
	tx.dirty = tx.dirty[:0]
}

// recording starts the journal. Call it before the first change.
func (tx *transaction) recording() { tx.record = true }

func (tx *transaction) onRollback(f func()) { tx.journal = append(tx.journal, f) }

func (tx *transaction) effect(e Effect) { tx.effects = append(tx.effects, e) }

// touch marks a session for a look at its waiting subscriptions when the command is done.
func (tx *transaction) touch(s *session) {
	if s.touched != tx.serial {
		s.touched = tx.serial
		tx.touched = append(tx.touched, s)
	}
}

// rearm marks a timer whose owner may be due at another time now.
func (tx *transaction) rearm(t *timer) { tx.dirty = append(tx.dirty, t) }

// emit logs an event. rm is nil for events that are not of a room.
func (r *Router) emit(tx *transaction, app string, rm *room, session SessionID, p Payload) {
	r.counters.revision++
	e := &Event{Revision: r.counters.revision, Time: tx.now, App: app, Session: session, Payload: p}
	if rm != nil {
		rm.revision++
		e.Room, e.Incarnation, e.RoomRevision = rm.id, rm.incarnation, rm.revision
	}
	tx.events = append(tx.events, e)
	tx.rooms = append(tx.rooms, rm)
}

// assign sets *p.
func assign[T any](tx *transaction, p *T, v T) {
	if tx.record {
		old := *p
		tx.onRollback(func() { *p = old })
	}
	*p = v
}

// put sets m[k].
func put[K comparable, V any](tx *transaction, m map[K]V, k K, v V) {
	if tx.record {
		if old, had := m[k]; had {
			tx.onRollback(func() { m[k] = old })
		} else {
			tx.onRollback(func() { delete(m, k) })
		}
	}
	m[k] = v
}

// drop deletes m[k].
func drop[K comparable, V any](tx *transaction, m map[K]V, k K) {
	if tx.record {
		if old, had := m[k]; had {
			tx.onRollback(func() { m[k] = old })
		}
	}
	delete(m, k)
}

// insert puts v at index i of *p. Taking it back is exact because the journal is played strictly backwards.
func insert[T any](tx *transaction, p *[]T, i int, v T) {
	*p = slices.Insert(*p, i, v)
	if tx.record {
		tx.onRollback(func() { *p = slices.Delete(*p, i, i+1) })
	}
}

// remove takes index i out of *p.
func remove[T any](tx *transaction, p *[]T, i int) {
	if tx.record {
		v := (*p)[i]
		tx.onRollback(func() { *p = slices.Insert(*p, i, v) })
	}
	*p = slices.Delete(*p, i, i+1)
}
