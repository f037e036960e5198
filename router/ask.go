// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "time"

// CheckIDs says what is wrong with the ids of a stream, nil when nothing is: for faces that are asked about one before there is
// a command to refuse.
func CheckIDs(app, room, stream string) error {
	if err := checkAppID(app); err != nil {
		return err
	}
	if err := checkRoomID(room); err != nil {
		return err
	}

	return checkStreamID(stream)
}

// Banned says whether a user may not join a room now, and until when. It is for faces that give a session a user id made of
// somebody else's, to whom the ban applies just so.
func (r *Router) Banned(now time.Time, app, room, user string) (until time.Time, banned bool) {
	b := r.bans[banKey{app, room, user}]
	if b == nil || !b.until.After(now) {
		return time.Time{}, false
	}

	return b.until, true
}
