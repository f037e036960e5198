// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// callers is a token bucket a caller. Buckets that are full again are forgotten, so that made-up callers cost nothing for long.
type callers struct {
	rate  rate.Limit // immutable
	burst int        // immutable

	mu      sync.Mutex // guards both
	buckets map[string]*rate.Limiter
	swept   time.Time
}

// mostCallers bounds the buckets; past it, new callers share one.
const mostCallers = 4096

func newCallers(perSecond float64, burst int) *callers {
	return &callers{rate: rate.Limit(perSecond), burst: burst, buckets: make(map[string]*rate.Limiter)}
}

// allow takes a token; when there is none it says after how long there will be.
func (c *callers) allow(caller string, now time.Time) (bool, time.Duration) {
	if c.rate < 0 {
		return true, 0
	}
	b := c.bucket(caller, now)
	if b.AllowN(now, 1) {
		return true, 0
	}
	return false, time.Duration(float64(time.Second) / float64(c.rate))
}

func (c *callers) bucket(caller string, now time.Time) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.swept) > 10*time.Second {
		c.swept = now
		for name, b := range c.buckets {
			if b.TokensAt(now) >= float64(c.burst) {
				delete(c.buckets, name)
			}
		}
	}
	b := c.buckets[caller]
	if b == nil && len(c.buckets) >= mostCallers {
		caller = ""
		b = c.buckets[caller]
	}
	if b == nil {
		b = rate.NewLimiter(c.rate, c.burst)
		c.buckets[caller] = b
	}
	return b
}
