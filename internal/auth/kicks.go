// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import "time"

// MaxKicks is how many kicks are remembered; the oldest are forgotten first.
const MaxKicks = 1 << 16

// KickKey names a user that was put out of a room.
type KickKey struct{ App, Room, User string }

// Kicks remember who was put out of which room and when, so that a token of before is of no more use there. They are filled
// from a node's events alone, and so are the same in all who follow these, and after a restart. The zero value is empty; whoever
// has one guards it.
type Kicks struct {
	at    map[KickKey]time.Time
	order []KickKey // a circle of the keys of at, once it is full; the oldest at next
	next  int
}

// Add remembers a kick. The latest one of a key counts.
func (k *Kicks) Add(key KickKey, at time.Time) {
	if k.at == nil {
		k.at = make(map[KickKey]time.Time)
	}
	if last, known := k.at[key]; known {
		if at.After(last) {
			k.at[key] = at
		}
		return
	}
	k.at[key] = at
	if len(k.order) < MaxKicks {
		k.order = append(k.order, key)
		return
	}
	delete(k.at, k.order[k.next])
	k.order[k.next] = key
	k.next = (k.next + 1) % MaxKicks
}

// Cover says whether a token that was issued then is one of before a kick. Tokens count in seconds: one of the same second
// is taken for older, since it may be.
func (k *Kicks) Cover(key KickKey, issued time.Time) bool {
	at, known := k.at[key]
	return known && issued.Unix() <= at.Unix()
}
