// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"time"

	"github.com/switchyard-media/sfu/router"
)

const (
	// speakerLevel is how loud one must be to speak, in -dBov: room noise stays quieter.
	speakerLevel = 50
	// maxSpeakers is how many a room is told of.
	maxSpeakers = 8
)

// sourceKey is an up line of the node, streamKey one of the streams that show it.
type (
	sourceKey struct {
		session router.SessionID
		mid     string
	}
	streamKey   struct{ app, room, stream string }
	streamState struct {
		user  string
		muted bool
	}
)

// noteStream keeps the map from audio sources to streams, so that looking for speakers costs nothing for rooms in which
// nobody speaks. With mu held.
func (n *Node) noteStream(e *router.Event) {
	switch p := e.Payload.(type) {
	case router.StreamAddedEvent:
		n.setStream(p.Stream)
	case router.StreamMutedEvent:
		n.setStream(p.Stream)
	case router.StreamChangedEvent:
		n.setStream(p.Stream) // it may have lost its audio
	case router.StreamRemovedEvent:
		n.dropStream(streamKey{p.Stream.App, p.Stream.Room, p.Stream.ID})
	case router.RoomOpenedEvent:
		n.setLoudest(roomKey{e.App, e.Room}, p.Loudest, false)
	case router.RoomAudioEvent:
		n.setLoudest(roomKey{e.App, e.Room}, p.Loudest, true)
	case router.RoomClosedEvent:
		n.setLoudest(roomKey{e.App, e.Room}, 0, false)
	}
}

func (n *Node) dropStream(stream streamKey) {
	key, ok := n.shown[stream]
	if !ok {
		return
	}
	delete(n.shown, stream)
	delete(n.published[key], stream)
	n.stages.leave(stream)
	if len(n.published[key]) == 0 {
		delete(n.published, key)
	}
}

func (n *Node) setStream(s router.Stream) {
	stream := streamKey{s.App, s.Room, s.ID}
	key := sourceKey{s.Session, s.AudioMid}
	if n.shown[stream] != key {
		n.dropStream(stream)
	}
	if s.AudioMid == "" {
		return
	}
	n.shown[stream] = key
	if n.published[key] == nil {
		n.published[key] = make(map[streamKey]streamState)
	}
	n.published[key][stream] = streamState{s.User.ID, s.AudioMuted}
	n.stages.enter(stream, key, s.AudioMuted)
}

type roomKey struct{ app, room string }

// runSpeakers tells every room who speaks in it, when that changes.
func (n *Node) runSpeakers() {
	defer n.own.Done()
	ticker := time.NewTicker(n.cfg.SpeakerEvery)
	defer ticker.Stop()
	told := make(map[roomKey]*speaking)
	for {
		select {
		case <-ticker.C:
		case <-n.stop:
			return
		}
		rooms := n.findSpeakers()
		for key := range told {
			if _, still := rooms[key]; !still {
				rooms[key] = nil
			}
		}
		for key, speakers := range rooms {
			n.tellSpeakers(told, key, speakers)
		}
	}
}

// tellSpeakers makes an event of a change of who speaks in a room, given who is loud enough now.
func (n *Node) tellSpeakers(told map[roomKey]*speaking, key roomKey, loud []router.Speaker) {
	sp := told[key]
	if sp == nil {
		sp = &speaking{}
		told[key] = sp
	}
	there := func(stream string) bool { return n.audible(streamKey{key.app, key.room, stream}) }
	changed := sp.update(time.Now(), loud, there)
	if len(sp.told) == 0 {
		delete(told, key)
	}
	if changed {
		// The room may be gone meanwhile; then nobody is there to be told.
		_, _ = n.apply(router.ReportSpeakers{App: key.app, Room: key.room, Speakers: sp.told}, nil)
	}
}

// audible says whether a stream has audio that is not muted.
func (n *Node) audible(stream streamKey) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	state, ok := n.published[n.shown[stream]][stream]

	return ok && !state.muted
}

// findSpeakers reads the levels of all audio sources. Levels come from the header extension (RFC 6464): nothing is
// decoded, and sources that do not send it are never speakers.
func (n *Node) findSpeakers() map[roomKey][]router.Speaker {
	type candidate struct {
		s   *session
		key sourceKey
	}
	n.mu.Lock()
	candidates := make([]candidate, 0, len(n.published))
	for key := range n.published {
		if s := n.sessions[key.session]; s != nil {
			candidates = append(candidates, candidate{s, key})
		}
	}
	n.mu.Unlock()
	rooms := make(map[roomKey][]router.Speaker)
	for _, c := range candidates {
		src := c.s.source(c.key.mid)
		if src == nil || !src.live.Load() {
			continue
		}
		level, _, ok := src.track.AudioLevel()
		if !ok || level > speakerLevel {
			continue
		}
		n.mu.Lock()
		for at, stream := range n.published[c.key] {
			if key := (roomKey{at.app, at.room}); !stream.muted {
				rooms[key] = append(rooms[key], router.Speaker{Stream: at.stream, User: stream.user, Level: level})
			}
		}
		n.mu.Unlock()
	}

	return rooms
}
