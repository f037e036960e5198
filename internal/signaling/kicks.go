// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import "time"

// maxKicks is how many kicks a tier remembers of one node; the oldest are forgotten first.
const maxKicks = 1 << 16

// kickKey names a user that was put out of a room.
type kickKey struct{ app, room, user string }

// kicks remembers who was put out of which room and when, so that a token of before is of no more use there. It is filled
// from the node's events alone, and so is the same in every tier, and after a restart. Guarded by its node's mu.
type kicks struct {
	at    map[kickKey]time.Time
	order []kickKey // a circle of the keys of at, once it is full; the oldest at next
	next  int
}

// add remembers a kick.
func (k *kicks) add(key kickKey, at time.Time) {
	if k.at == nil {
		k.at = make(map[kickKey]time.Time)
	}
	if last, known := k.at[key]; known {
		if at.After(last) {
			k.at[key] = at
		}
		return
	}
	k.at[key] = at
	if len(k.order) < maxKicks {
		k.order = append(k.order, key)
		return
	}
	delete(k.at, k.order[k.next])
	k.order[k.next] = key
	k.next = (k.next + 1) % maxKicks
}

// covers says whether a token that was issued then is one of before a kick. Tokens count in seconds: one of the same second
// is taken for older, since it may be.
func (k *kicks) covers(key kickKey, issued time.Time) bool {
	at, known := k.at[key]
	return known && issued.Unix() <= at.Unix()
}
