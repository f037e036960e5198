// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"log/slog"
	"time"
)

// maxConsent is the longest time that media may flow without the client's consent (RFC 7675, section 5.1).
const maxConsent = 30 * time.Second

func orInt(v, fallback int) int {
	if v <= 0 {
		return fallback
	}

	return v
}

func orDuration(v, fallback time.Duration) time.Duration {
	if v <= 0 {
		return fallback
	}

	return v
}

// withDefaults returns the configuration with every field set, or says which one cannot be used.
func (c Config) withDefaults() (Config, error) {
	if c.UDPAddress == "" {
		c.UDPAddress = ":7782"
	}
	c.ConsentTimeout = orDuration(c.ConsentTimeout, 15*time.Second)
	if c.ConsentTimeout > maxConsent {
		return c, fmt.Errorf("consent timeout %v is longer than %v, the most that RFC 7675 allows", c.ConsentTimeout, maxConsent)
	}
	c.MaxSDPBytes = orInt(c.MaxSDPBytes, 256<<10)
	c.MaxLines = orInt(c.MaxLines, 256)
	c.MaxCandidates = orInt(c.MaxCandidates, 64)
	c.ChannelBuffer = orInt(c.ChannelBuffer, 256<<10)
	if c.SpeakerEvery == 0 {
		c.SpeakerEvery = 300 * time.Millisecond
	}
	c.TickEvery = orDuration(c.TickEvery, 500*time.Millisecond)
	c.StopTimeout = orDuration(c.StopTimeout, 5*time.Second)
	c.MaxWatchers = orInt(c.MaxWatchers, 256)
	c.RequestIDs = orInt(c.RequestIDs, 16384)
	c.RequestBytes = orInt(c.RequestBytes, 64<<20)
	c.RequestIDFor = orDuration(c.RequestIDFor, 5*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, e := range c.External {
		if !e.Address.IsValid() || e.Address.IsUnspecified() {
			return c, fmt.Errorf("external address %v is not an address that clients can reach", e.Address)
		}
		if e.Internal.IsValid() && e.Internal.Unmap().Is4() != e.Address.Unmap().Is4() {
			return c, fmt.Errorf("external address %v and internal address %v are of different families", e.Address, e.Internal)
		}
	}

	return c, nil
}
