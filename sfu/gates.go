// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"sync"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// loudestEvery is how often stages are looked at: the first word of who gets a place is cut by that much at most.
const loudestEvery = 100 * time.Millisecond

// stages are the rooms that forward only their loudest. Others are not in it, and cost nothing.
type stages struct {
	wake chan struct{} // immutable; capacity 1: there is a new one

	mu    sync.Mutex // guards the rest; taken alone, or after Node.mu or session.mu
	rooms map[roomKey]*stage
}

func newStages() stages {
	return stages{wake: make(chan struct{}, 1), rooms: make(map[roomKey]*stage)}
}

// gate is what a slot that plays a stream of a room has to heed; nil: nothing.
func (g *stages) gate(room roomKey, stream string) *rtpforward.Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.rooms[room]
	if st == nil {
		return nil
	}

	return st.voice(stream, time.Now()).gate
}

// limit says how many of a room's streams are forwarded; 0: all. bound: there may be slots bound already. It reports whether
// the room has become a stage.
func (g *stages) limit(room roomKey, loudest uint32, bound bool) (made bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.rooms[room]
	switch {
	case loudest == 0 && st != nil:
		st.open()
		delete(g.rooms, room)
	case loudest > 0 && st == nil:
		g.rooms[room] = &stage{places: int(loudest), voices: make(map[string]*voice), fresh: bound}
		made = true
		select {
		case g.wake <- struct{}{}:
		default:
		}
	case loudest > 0:
		st.places = int(loudest)
	}

	return made
}

// enter notes an audio stream of a room.
func (g *stages) enter(stream streamKey, source sourceKey, muted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st := g.rooms[roomKey{stream.app, stream.room}]; st != nil {
		v := st.voice(stream.stream, time.Now())
		v.source, v.muted = source, muted
	}
}

// leave notes that a room has an audio stream no more.
func (g *stages) leave(stream streamKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st := g.rooms[roomKey{stream.app, stream.room}]; st != nil {
		delete(st.voices, stream.stream)
	}
}

// prune takes away stages of rooms that are not among some, and voices of streams that are not.
func (g *stages) prune(rooms map[roomKey]uint32, streams map[streamKey]sourceKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for room, st := range g.rooms {
		if rooms[room] == 0 {
			st.open()
			delete(g.rooms, room)

			continue
		}
		for stream := range st.voices {
			if _, still := streams[streamKey{room.app, room.room, stream}]; !still {
				delete(st.voices, stream)
			}
		}
	}
}

// setLoudest notes how many of a room's streams are forwarded. With mu held.
func (n *Node) setLoudest(room roomKey, loudest uint32, bound bool) {
	if !n.stages.limit(room, loudest, bound) || !bound {
		return
	}
	for stream, source := range n.shown {
		if stream.app == room.app && stream.room == room.room {
			n.stages.enter(stream, source, n.published[source][stream].muted)
		}
	}
}

// runLoudest looks at the stages while there are any.
func (n *Node) runLoudest() {
	defer n.own.Done()
	for {
		select {
		case <-n.stages.wake:
		case <-n.stop:
			return
		}
		n.watchStages()
	}
}

// watchStages returns when there is no stage any more, or with the node.
func (n *Node) watchStages() {
	ticker := time.NewTicker(loudestEvery)
	defer ticker.Stop()
	for {
		n.attachGates()
		if !n.decideStages(time.Now()) {
			return
		}
		select {
		case <-ticker.C:
		case <-n.stop:
			return
		}
	}
}

// attachGates gives gates to the slots that were bound before their room became a stage. One that is bound meanwhile gets its
// gate from there or from here, whoever comes second: both look under the session's lock.
func (n *Node) attachGates() {
	fresh := make(map[roomKey]bool)
	n.stages.mu.Lock()
	for room, st := range n.stages.rooms {
		if st.fresh {
			fresh[room], st.fresh = true, false
		}
	}
	n.stages.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	n.mu.Lock()
	sessions := make([]*session, 0, len(n.sessions))
	for _, s := range n.sessions {
		sessions = append(sessions, s)
	}
	n.mu.Unlock()
	for _, s := range sessions {
		s.mu.Lock()
		for _, slot := range s.slots {
			if b := slot.bound; !s.ended && b.Subscription != "" && fresh[roomKey{s.app, b.Room}] {
				s.setGate(slot)
			}
		}
		s.mu.Unlock()
	}
}

// setGate gives a bound slot the gate of what it plays. With mu held.
func (s *session) setGate(slot *slot) {
	if slot.bound.Kind != router.Audio {
		return
	}
	gate := s.node.stages.gate(roomKey{s.app, slot.bound.Room}, slot.bound.Stream)
	if gate != slot.gate {
		slot.down.SetGate(gate)
		slot.gate = gate
	}
}

// decideStages gives the places of all stages by the levels as of now; false: there is no stage.
func (n *Node) decideStages(now time.Time) bool {
	levels := make(map[sourceKey]uint8)
	n.stages.mu.Lock()
	some := len(n.stages.rooms) > 0
	for _, st := range n.stages.rooms {
		for _, v := range st.voices {
			levels[v.source] = levelSilence
		}
	}
	n.stages.mu.Unlock()
	n.readLevels(levels)
	n.stages.mu.Lock()
	defer n.stages.mu.Unlock()
	for _, st := range n.stages.rooms {
		for _, v := range st.voices {
			v.level = levelSilence
			if level, read := levels[v.source]; read {
				v.level = level
			}
		}
		st.forget(now)
		st.decide(now)
	}

	return some
}

// readLevels fills in the levels of sources that are live and tell any.
func (n *Node) readLevels(levels map[sourceKey]uint8) {
	sessions := make(map[sourceKey]*session, len(levels))
	n.mu.Lock()
	for key := range levels {
		if s := n.sessions[key.session]; s != nil {
			sessions[key] = s
		}
	}
	n.mu.Unlock()
	for key, s := range sessions {
		if src := s.source(key.mid); src != nil && src.live.Load() {
			if level, _, ok := src.track.AudioLevel(); ok {
				levels[key] = level
			}
		}
	}
}
