// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/rtpforward"
)

const (
	// placeHold is how long a stream keeps its place after it was last among the loudest: pauses between words are shorter.
	placeHold = 2 * time.Second
	// placeMargin is how much louder, in dB, one must be than who has a place: two who speak at once do not take turns.
	placeMargin = 6
	// levelSilence is the level of silence, in -dBov (RFC 6464).
	levelSilence = 127
	// strayVoice is how long a stream's gate is kept that no stream of the room belongs to.
	strayVoice = 10 * time.Second
)

// stage is a room that forwards only its loudest audio streams. As many streams as there are places are open, all others
// shut. Who speaks gets a free place at once; where there is none, that of whoever has been quiet, or outdone, for longest and
// at least for placeHold. So nobody who speaks is cut off while he is among the loudest, and a room with no more streams than
// places never cuts off anybody.
//
// A stream without levels (RFC 6464) counts as silent: it is heard while there is a place to spare. Otherwise leaving out the
// header extension would be the way to be always heard.
type stage struct {
	places int
	voices map[string]*voice // by stream id
	fresh  bool              // slots that were bound before have no gates yet
}

// voice is an audio stream of a stage.
type voice struct {
	gate   *rtpforward.Gate // shut exactly while it has no place
	source sourceKey        // zero: no such stream (yet)
	muted  bool             // for the room: has no use for a place
	made   time.Time

	level uint8     // as of the last look, in -dBov
	place bool      // it has one
	heard time.Time // when it was last among the loudest; zero: never
}

// voice returns a stream's voice, made when there is none: with a place, if one is free.
func (st *stage) voice(stream string, now time.Time) *voice {
	v := st.voices[stream]
	if v == nil {
		v = &voice{gate: &rtpforward.Gate{}, level: levelSilence, made: now}
		v.seat(st.taken() < st.places)
		st.voices[stream] = v
	}

	return v
}

// seat gives a place to a voice, or takes it away.
func (v *voice) seat(place bool) {
	v.place = place
	v.gate.Set(!place)
}

func (v *voice) audible() bool { return !v.muted && v.level <= speakerLevel }

func (st *stage) taken() (n int) {
	for _, v := range st.voices {
		if v.place {
			n++
		}
	}

	return n
}

// decide gives the places to the loudest, by the voices' levels as of now.
func (st *stage) decide(now time.Time) {
	ranking := st.ranking()
	for i, v := range ranking {
		if i < st.places && v.audible() {
			v.heard = now
		}
		if v.muted && v.place {
			v.seat(false)
		}
	}
	taken := st.taken()
	for ; taken > st.places; taken-- { // there were more places before
		weakest(ranking, now, 0).seat(false)
	}
	for i, v := range ranking {
		switch {
		case v.place || v.muted:
			continue
		case taken < st.places:
			taken++
		case i >= st.places || !v.audible():
			return // as is everybody behind
		default:
			other := weakest(ranking, now, placeHold)
			if other == nil {
				return
			}
			other.seat(false)
		}
		v.seat(true)
	}
}

// ranking is all voices, the loudest first. Who has a place is taken to be louder than he is.
func (st *stage) ranking() []*voice {
	streams := make([]string, 0, len(st.voices))
	for stream := range st.voices {
		streams = append(streams, stream)
	}
	rank := func(stream string) int {
		v := st.voices[stream]
		switch {
		case v.muted:
			return levelSilence + 1
		case v.place:
			return int(v.level) - placeMargin
		}

		return int(v.level)
	}
	slices.SortFunc(streams, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	list := make([]*voice, len(streams))
	for i, stream := range streams {
		list[i] = st.voices[stream]
	}

	return list
}

// weakest is who of a ranking gives up a place next: the one that was among the loudest the longest ago, and at least some time
// ago, the quietest of several. nil: there is none.
func weakest(ranking []*voice, now time.Time, least time.Duration) (found *voice) {
	for _, v := range slices.Backward(ranking) {
		if !v.place || now.Sub(v.heard) < least {
			continue
		}
		if found == nil || v.heard.Before(found.heard) {
			found = v
		}
	}

	return found
}

// forget drops voices that no stream has come for.
func (st *stage) forget(now time.Time) {
	for stream, v := range st.voices {
		if v.source == (sourceKey{}) && now.Sub(v.made) > strayVoice {
			delete(st.voices, stream)
		}
	}
}

// open lets everybody be heard, before the stage is given up.
func (st *stage) open() {
	for _, v := range st.voices {
		v.gate.Set(false)
	}
}
