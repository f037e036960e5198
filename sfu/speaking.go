// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/router"
)

const (
	// speakerHold is how long one who has stopped speaking counts as a speaker: between words nobody stops.
	speakerHold = time.Second
	// speakerMargin is how much louder, in dB, one must be than the first speaker to take his place, and than the last one
	// to come into a list that is full.
	speakerMargin = 6
)

// speaking is who speaks in a room, loudest first, as the room was told last.
type speaking struct {
	told  []router.Speaker
	heard map[string]time.Time // by stream: when one of told was last loud enough
}

func (sp *speaking) has(stream string) bool {
	return slices.ContainsFunc(sp.told, func(s router.Speaker) bool { return s.Stream == stream })
}

// update takes who is loud enough now; there says whether somebody who is not still has a stream that can be heard. It reports
// whether the room is to be told: of who has come or gone, or that another one is by far the loudest. The order of the rest
// stays as it was told.
func (sp *speaking) update(now time.Time, loud []router.Speaker, there func(stream string) bool) bool {
	list := slices.Clone(loud)
	for _, s := range sp.told {
		spoken := slices.ContainsFunc(loud, func(o router.Speaker) bool { return o.Stream == s.Stream })
		if !spoken && now.Sub(sp.heard[s.Stream]) < speakerHold && there(s.Stream) {
			list = append(list, s)
		}
	}
	rank := func(s router.Speaker) int {
		if sp.has(s.Stream) {
			return int(s.Level) - speakerMargin
		}

		return int(s.Level)
	}
	slices.SortFunc(list, func(a, b router.Speaker) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Stream, b.Stream))
	})
	list = list[:min(len(list), maxSpeakers)]
	heard := make(map[string]time.Time, len(list))
	for _, s := range list {
		heard[s.Stream] = sp.heard[s.Stream]
	}
	for _, s := range loud {
		if _, in := heard[s.Stream]; in {
			heard[s.Stream] = now
		}
	}
	sp.heard = heard
	if sp.same(list) {
		return false
	}
	slices.SortFunc(list, func(a, b router.Speaker) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Stream, b.Stream))
	})
	sp.told = list

	return true
}

// same says whether a list has the speakers that were told, and nobody in it is by far louder than the first of those.
func (sp *speaking) same(list []router.Speaker) bool {
	if len(list) != len(sp.told) {
		return false
	}
	loudest, first := levelSilence, levelSilence
	for _, s := range list {
		if !sp.has(s.Stream) {
			return false
		}
		loudest = min(loudest, int(s.Level))
		if s.Stream == sp.told[0].Stream {
			first = int(s.Level)
		}
	}

	return loudest > first-speakerMargin
}
