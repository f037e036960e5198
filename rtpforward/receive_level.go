// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

const (
	levelSilent = 127    // -dBov of silence, https://www.rfc-editor.org/rfc/rfc6464
	levelStale  = second // a sender in DTX sends less often, but not that rarely while it speaks
	levelScale  = 5      // bits below the point
	levelKnown  = 1 << 31
	levelVoice  = 1 << 30
	levelValue  = levelVoice - 1
)

// level smooths the audio levels of a layer: it follows a voice that starts
// within a few packets and lets it fade over some 150 ms, so that who speaks
// does not flicker between words.
type level struct {
	smooth int // owned by the reader: scaled -dBov

	// atomic: written by the reader, read by anyone
	state atomic.Uint32
	at    atomic.Int64 // when it was written
}

func (l *level) observe(loudness uint8, voice bool, now int64) {
	scaled := int(loudness) << levelScale
	switch step := scaled - l.smooth; {
	case l.state.Load() == 0 || now-l.at.Load() > levelStale:
		l.smooth = scaled
	case step < 0: // louder
		l.smooth += step / 2
	default:
		l.smooth += step / 8
	}
	state := uint32(l.smooth>>levelScale) | levelKnown
	if voice {
		state |= levelVoice
	}
	l.at.Store(now)
	l.state.Store(state)
}

// read returns the smoothed level; ok is false before the first one. A layer
// from which nothing comes is silent.
func (l *level) read(now int64) (loudness uint8, voice, ok bool) {
	state := l.state.Load()
	switch {
	case state == 0:
		return 0, false, false
	case now-l.at.Load() > levelStale:
		return levelSilent, false, true
	}
	return uint8(state & levelValue), state&levelVoice != 0, true
}
