// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "time"

// defaultLimits fill what neither an app nor Config.DefaultApp sets.
var defaultLimits = Limits{
	RoomsPerUser:         5,
	MembersPerRoom:       1000,
	Rooms:                10000,
	Sessions:             10000,
	StreamsPerUser:       32,
	SubscriptionsPerUser: 256,
	MessageBytes:         1024,
	BroadcastPerSecond:   10,
	BroadcastPerUser:     2,
	BarragePerSecond:     20,
	CommandPerSecond:     200,
	CommandManyPerSecond: 10,
	MetadataBytes:        1024,
	MetadataKeys:         32,
}

// fields lists a Limits' fields in one order, so that filling and checking cannot forget one.
func (l *Limits) fields() [14]*int {
	return [...]*int{
		&l.RoomsPerUser, &l.MembersPerRoom, &l.Rooms, &l.Sessions, &l.StreamsPerUser, &l.SubscriptionsPerUser,
		&l.MessageBytes, &l.BroadcastPerSecond, &l.BroadcastPerUser, &l.BarragePerSecond, &l.CommandPerSecond,
		&l.CommandManyPerSecond, &l.MetadataBytes, &l.MetadataKeys,
	}
}

// or returns l with the fields that are not positive taken from fallback.
func (l Limits) or(fallback Limits) Limits {
	from := fallback.fields()
	for i, field := range l.fields() {
		if *field <= 0 {
			*field = *from[i]
		}
	}

	return l
}

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

// withDefaults returns the configuration with every field set; the maps are the caller's no more.
func (c Config) withDefaults() Config {
	c.DefaultApp.Limits = c.DefaultApp.Limits.or(defaultLimits)
	apps := make(map[string]App, len(c.Apps))
	for id, app := range c.Apps {
		app.ID = id
		app.Limits = app.Limits.or(c.DefaultApp.Limits)
		apps[id] = app
	}
	c.Apps = apps
	c.NodeRooms = orInt(c.NodeRooms, 10000)
	c.NodeSessions = orInt(c.NodeSessions, 10000)
	c.SessionTTL = orDuration(c.SessionTTL, 60*time.Second)
	c.ReconnectGrace = orDuration(c.ReconnectGrace, 30*time.Second)
	c.ExpiryWarning = orDuration(c.ExpiryWarning, 30*time.Second)
	c.EventRingCount = orInt(c.EventRingCount, 65536)
	c.EventRingBytes = orInt(c.EventRingBytes, 32<<20)
	c.MessageDedup = orInt(c.MessageDedup, 256)
	c.Bans = orInt(c.Bans, 10000)

	return c
}
