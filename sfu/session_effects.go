// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// maxInbox is how many effects may wait for one session. They are carried out within microseconds, so that many means
// that the session is stuck.
const maxInbox = 8192

// effect is an effect on its way. Its ack belongs to whoever carries it out until carryOut has returned to the one who
// enqueued it.
type effect struct {
	router.Effect
	source *session        // of a BindSlot, as of the command
	ack    <-chan struct{} // of a stop, once carried out; nil: nothing to wait for
}

// barrier is an effect of the engine's own: it is acknowledged when every stop before it is. Who leaves a room is answered
// only then, also when a slot was taken off that room by another call, which may not have come to carry it out yet.
type barrier struct{ session router.SessionID }

// Target implements router.Effect.
func (b barrier) Target() router.SessionID { return b.session }

// enqueue appends an effect. Called under Node.mu, so that the order is the router's. False: the inbox is full.
func (s *session) enqueue(e *effect) bool {
	s.inboxMu.Lock()
	defer s.inboxMu.Unlock()
	if _, last := e.Effect.(router.EndSession); last {
		s.inbox = append(s.inbox, e) // always has room: there is one
		s.closing = true

		return true
	}
	if s.closing {
		return true // the end, already in the inbox, stops it too
	}
	if len(s.inbox) >= maxInbox {
		return false
	}
	s.inbox = append(s.inbox, e)

	return true
}

// carryOut does everything in the inbox. When it returns, what the caller has enqueued is done, by this call or by
// another that was under way: mu makes the calls wait for each other, and who takes the inbox does all of it.
func (s *session) carryOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.inboxMu.Lock()
		batch := s.inbox
		s.inbox = nil
		s.inboxMu.Unlock()
		if len(batch) == 0 {
			return
		}
		changed, end := false, false
		for _, e := range batch {
			if _, last := e.Effect.(router.EndSession); last {
				end = true
				e.ack = s.endLocked()
			} else if !end {
				changed = s.carryOutOne(e) || changed
			}
		}
		if changed {
			s.slotsChanged()
		}
	}
}

// carryOutOne reports whether the map of slots has changed.
func (s *session) carryOutOne(e *effect) bool {
	defer s.contain("effect")
	switch e := e.Effect.(type) {
	case router.DeliverMessage:
		s.deliver(e)

		return false
	case router.AskKeyframe:
		if src := s.source(e.Mid); src != nil {
			src.track.RequestKeyframe()
		}

		return false
	}
	if s.ended {
		return false
	}
	switch x := e.Effect.(type) {
	case barrier:
		e.ack = s.stopping
	case router.BindSlot:
		return s.bindSlot(e, x)
	case router.UnbindSlot:
		slot := s.slots[x.Mid]
		if slot == nil || slot.down == nil {
			return false
		}
		e.ack = slot.down.Unbind()
		s.stopping = e.ack
		slot.bound, slot.gate = router.BindSlot{}, nil // Unbind takes the gate off

		return true
	case router.UpdateSlot:
		slot := s.slots[x.Mid]
		if slot == nil || slot.down == nil {
			return false
		}
		slot.serve(x.Kind, x.Preference, x.Priority, x.Weight)
		ack := slot.down.SetPaused(x.Paused)
		if x.Paused {
			e.ack, s.stopping = ack, ack
		}
		slot.bound.Paused, slot.bound.Preference, slot.bound.Priority = x.Paused, x.Preference, x.Priority
		slot.bound.Weight = x.Weight
		s.showAgain(x.Mid)
	}

	return false
}

// bindSlot starts or switches a slot. The source's Track is there: a publisher makes it before the router hears of the
// line, and the router had to hear of it before it could send anybody this effect. It is gone only when the publisher's
// session has ended since, and then an UnbindSlot for this very slot is behind this effect.
func (s *session) bindSlot(e *effect, b router.BindSlot) bool {
	slot := s.slots[b.Mid]
	if slot == nil || slot.down == nil || e.source == nil {
		return false
	}
	src := e.source.source(b.SourceMid)
	if src == nil {
		return false
	}
	slot.serve(b.Kind, b.Preference, b.Priority, b.Weight)
	ack := slot.down.Bind(src.track, b.Paused)
	if slot.bound.Subscription != "" { // what it has shown so far stops
		e.ack, s.stopping = ack, ack
	}
	if slot.bound.Source != b.Source || slot.bound.SourceMid != b.SourceMid {
		slot.gate = nil // Bind takes it off, unless it is to the Track that is there
	}
	slot.bound = b
	s.setGate(slot)
	s.showAgain(b.Mid)

	return true
}

// showAgain has the router told what a slot shows even if that does not change: it has forgotten.
func (s *session) showAgain(mid string) {
	if s.shown.again(mid, time.Now()) {
		s.pokeIn(shownEvery)
	}
}

// slotStats returns a slot's counters; nil when there is no such slot.
func (s *session) slotStats(mid string) *rtpforward.DownTrackStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.slots[mid]
	if mid == "" || slot == nil || slot.down == nil {
		return nil
	}
	stats := slot.down.Stats()

	return &stats
}
