// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"net/netip"
	"sync"
	"time"
)

// addresses is a token bucket for each address that asks. A bucket that is full again is forgotten, so that made-up addresses
// cost nothing for long.
type addresses struct {
	every time.Duration // immutable: a token comes back so often
	burst time.Duration // immutable: how long a full bucket takes to fill

	mu    sync.Mutex // guards both
	full  map[netip.Addr]time.Time
	swept time.Time
}

// mostAddresses bounds the buckets; past it, new addresses share one.
const mostAddresses = 1 << 16

func newAddresses(rate, burst int) *addresses {
	every := time.Second / time.Duration(rate)
	return &addresses{every: every, burst: every * time.Duration(burst), full: make(map[netip.Addr]time.Time)}
}

// allow takes a token; when there is none it says after how long there will be.
func (a *addresses) allow(address netip.Addr, now time.Time) (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.swept) > 10*time.Second {
		a.swept = now
		for old, full := range a.full {
			if full.Before(now) {
				delete(a.full, old)
			}
		}
	}
	full, known := a.full[address]
	if !known && len(a.full) >= mostAddresses {
		address = netip.Addr{}
		full = a.full[address]
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(a.every)
	if wait := full.Sub(now) - a.burst; wait > 0 {
		return wait, false
	}
	a.full[address] = full
	return 0, true
}

// addressOf is who asks: an IPv4 address, or the /64 of an IPv6 one, of which a single host has as many as it likes.
func addressOf(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.Addr()
}
