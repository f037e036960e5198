// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"math"
	"time"
)

// bucket is a token bucket that holds one second's worth and starts full. The rate is given at each use, so that a
// changed limit takes effect at once. Zero value ready.
type bucket struct {
	tokens float64
	at     time.Time // when tokens was true; zero: never used
}

// level is the number of tokens at now.
func (b *bucket) level(now time.Time, perSecond int) float64 {
	full := float64(perSecond)
	if b.at.IsZero() {
		return full
	}

	return min(full, b.tokens+max(0, now.Sub(b.at).Seconds())*full)
}

// wait is how long until a token is there; 0: now.
func (b *bucket) wait(now time.Time, perSecond int) time.Duration {
	// A token that is short by less than rounding of the refill loses is a token.
	short := 1 - 1e-9 - b.level(now, perSecond)
	if short <= 0 {
		return 0
	}

	return time.Duration(math.Ceil(short / float64(perSecond) * float64(time.Second)))
}

// take takes one token; call it only after wait has said 0.
func (b *bucket) take(now time.Time, perSecond int) {
	b.tokens, b.at = b.level(now, perSecond)-1, now
}
