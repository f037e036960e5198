// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "math/bits"

// windowSize is how many counter values behind the newest is
// remembered: eight seconds of frames at 30 per second.
const windowSize = 256

// window remembers which of the last values of a wrapping counter are marked.
// The zero value is empty. It is pure arithmetic; additions and subtractions
// wrap on purpose.
type window struct {
	newest  uint64
	started bool
	marks   [windowSize / 64]uint64 // bit n%windowSize: n is marked; of the last windowSize
}

// unwrap gives the value near the newest whose low bits are n.
func (w *window) unwrap(n uint16, width uint8) uint64 {
	if !w.started {
		return 1<<32 | uint64(n)
	}
	shift := 64 - width
	return w.newest + uint64(int64((uint64(n)-w.newest)<<shift)>>shift)
}

// start forgets everything; n is the first value.
func (w *window) start(n uint64) { *w = window{newest: n, started: true} }

// advance makes n the newest value, if it is; what lies between is not marked.
func (w *window) advance(n uint64) {
	switch ahead := int64(n - w.newest); {
	case !w.started || ahead >= windowSize || ahead < -4*windowSize:
		w.start(n)
	case ahead > 0:
		for at := w.newest + 1; at <= n; {
			count := min(64-at%64, n-at+1)
			w.marks[at%windowSize/64] &^= ^uint64(0) >> (64 - count) << (at % 64)
			at += count
		}
		w.newest = n
	}
}

// holds reports whether it is known what became of n.
func (w *window) holds(n uint64) bool { return w.started && w.newest-n < windowSize }

// mark marks n, which is held.
func (w *window) mark(n uint64) { w.marks[n%windowSize/64] |= 1 << (n % 64) }

// marked reports whether n, which is held, is marked.
func (w *window) marked(n uint64) bool { return w.marks[n%windowSize/64]>>(n%64)&1 != 0 }

// after is the number of values behind n, which is held, that are marked.
func (w *window) after(n uint64) (count uint64) {
	for at := n + 1; at <= w.newest; {
		take := min(64-at%64, w.newest-at+1)
		word := w.marks[at%windowSize/64] >> (at % 64) & (^uint64(0) >> (64 - take))
		count += uint64(bits.OnesCount64(word))
		at += take
	}
	return count
}
