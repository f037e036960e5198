// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"sync"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// shownEvery is the least time between two reports about one slot: a link that swings makes no more events than that.
const shownEvery = 500 * time.Millisecond

// shownSlots has the newest state of every slot of video, from the shard that knows it to the loop that tells the router.
type shownSlots struct {
	mu    sync.Mutex // guards the rest; nothing is done under it
	byMid map[string]*shownSlot
}

// shownSlot is what is known of one slot.
type shownSlot struct {
	state rtpforward.SlotState
	due   bool      // to be told
	told  time.Time // last; zero: never
}

// slotShows implements DownlinkConfig.OnSlot. Called by the shard.
func (s *session) slotShows(state rtpforward.SlotState) {
	if s.shown.note(state) {
		s.poke()
	}
}

// note keeps a state; only the newest of each slot is of interest. It reports whether there is anything new to tell.
func (b *shownSlots) note(state rtpforward.SlotState) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.byMid[state.Mid]
	if known == nil {
		if b.byMid == nil {
			b.byMid = make(map[string]*shownSlot)
		}
		known = &shownSlot{}
		b.byMid[state.Mid] = known // as many as there are slots
	} else if known.state == state {
		return false
	}
	known.state, known.due = state, true

	return true
}

// again has a slot's state told once more: the router has forgotten it, because it is about to change. So it waits for that, as
// long as any other would after a report. It says whether there is a state at all.
func (b *shownSlots) again(mid string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.byMid[mid]
	if known != nil {
		known.due, known.told = true, now
	}

	return known != nil
}

// told says whether a slot's state was told to the router.
func (b *shownSlots) told(mid string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.byMid[mid]

	return known != nil && !known.due
}

// take returns the states whose time has come, and how long the next one has to wait; 0: there is none.
func (b *shownSlots) take(now time.Time) (list []rtpforward.SlotState, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.byMid {
		if !known.due {
			continue
		}
		if left := shownEvery - now.Sub(known.told); left > 0 && !known.told.IsZero() {
			if wait == 0 || left < wait {
				wait = left
			}

			continue
		}
		known.due, known.told = false, now
		list = append(list, known.state)
	}

	return list, wait
}

// reportShown tells the router what slots show. Loop only.
func (s *session) reportShown() {
	list, wait := s.shown.take(time.Now())
	for _, state := range list {
		if err := s.tell(layersReport(s.id, state)); err != nil {
			s.log().Debug("layers not told", "mid", state.Mid, "error", err)
		}
	}
	if wait > 0 {
		s.pokeIn(wait)
	}
}

func layersReport(id router.SessionID, state rtpforward.SlotState) router.ReportLayers {
	return router.ReportLayers{
		Session: id, Mid: state.Mid, Spatial: state.Current.Spatial, Temporal: state.Current.Temporal,
		TargetSpatial: state.Target.Spatial,
		Bandwidth:     state.Limit == rtpforward.LimitBandwidth && state.Target.Spatial < 0,
	}
}

// alarm makes the loop look later.
type alarm struct {
	mu   sync.Mutex // guards the rest
	next time.Time  // when it goes off; zero: it is not set
	last time.Time  // the latest time that anybody has asked for
}

// pokeIn pokes the loop after some time, which may be before that too. A session that has ended by then is not woken.
func (s *session) pokeIn(after time.Duration) { s.alarm.set(time.Now(), after, s.poke) }

// set has f called after some time: there is one timer for all who ask, set for the first of them, then for the last.
func (a *alarm) set(now time.Time, after time.Duration, f func()) {
	at := now.Add(after)
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.After(a.last) {
		a.last = at
	}
	if a.next.IsZero() || at.Before(a.next) {
		a.arm(at, after, f)
	}
}

// arm sets the timer. With mu held.
func (a *alarm) arm(at time.Time, after time.Duration, f func()) {
	a.next = at
	time.AfterFunc(after, func() {
		a.mu.Lock()
		if a.next.Equal(at) { // else an earlier one has come and gone since
			a.next = time.Time{}
			if left := a.last.Sub(at); left > 0 {
				a.arm(a.last, left, f)
			}
		}
		a.mu.Unlock()
		f()
	})
}
