// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"time"
)

// Bounds on a token.
const (
	// MaxToken is the longest token in bytes; longer ones are refused unread.
	MaxToken = 8 << 10
	// MaxLifetime is the longest time from iat to exp. It bounds what a stolen token is worth, and how long a node has to
	// remember that somebody was put out of a room. Who stays longer renews.
	MaxLifetime = 7 * 24 * time.Hour
	// Leeway is how far the clocks of a backend and of a node may be apart.
	Leeway = 5 * time.Second

	maxRooms = 100
)

// refuse says to a token's holder what is wrong with it.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrToken, fmt.Sprintf(format, args...))
}

// check holds claims against all rules but those about now.
func (c *Claims) check() error {
	switch {
	case !nameChars.valid(c.App, maxApp):
		return refuse("claim app is %s", nameRule)
	case c.UserID == "" && !c.Admin:
		return refuse("claim sub, the user, is missing")
	case c.UserID != "" && !roomChars.valid(c.UserID, maxUser):
		return refuse("claim sub is 1 to %d bytes of the characters of user ids", maxUser)
	case !plain(c.UserName, maxUserName):
		return refuse("claim name is at most %d bytes of text without control characters", maxUserName)
	case c.Group != "" && !nameChars.valid(c.Group, maxGroup):
		return refuse("claim group is %s", nameRule)
	case !plain(c.ID, maxTokenID):
		return refuse("claim jti is at most %d bytes of text without control characters", maxTokenID)
	case len(c.Rooms) > maxRooms:
		return refuse("claim rooms has %d entries, more than %d", len(c.Rooms), maxRooms)
	}
	for i := range c.Rooms {
		if problem := c.Rooms[i].problem(); problem != "" {
			return refuse("claim rooms[%d]: %s", i, problem)
		}
	}
	return c.checkLifetime()
}

func (c *Claims) checkLifetime() error {
	switch {
	case c.Issued.IsZero():
		return refuse("claim iat, when it was issued, is missing")
	case c.Expires.IsZero():
		return refuse("claim exp, when it expires, is missing")
	case !c.Expires.After(c.Issued):
		return refuse("claim exp is not after iat")
	case c.Expires.Sub(c.Issued) > MaxLifetime:
		return refuse("from iat to exp it is %v, more than %v", c.Expires.Sub(c.Issued), MaxLifetime)
	}
	return nil
}

// checkNow holds the times against the clock; notBefore may be zero.
func (c *Claims) checkNow(now, notBefore time.Time) error {
	switch {
	case !now.Before(c.Expires.Add(Leeway)):
		return ErrExpired
	case c.Issued.After(now.Add(Leeway)):
		return refuse("claim iat is in the future; the clock of who made it, or of this machine, is wrong")
	case notBefore.After(now.Add(Leeway)):
		return refuse("claim nbf: it is not valid yet")
	}
	return nil
}

// problem says what is wrong with an entry of rooms; empty: nothing.
func (r *Room) problem() string {
	named := 0
	for _, is := range []bool{r.Room != "", r.Prefix != "", r.Any} {
		if is {
			named++
		}
	}
	switch {
	case named != 1:
		return "want one of room, prefix and any, not empty"
	case r.Room != "" && !roomChars.valid(r.Room, maxRoom):
		return fmt.Sprintf("room is 1 to %d bytes of the characters of room ids", maxRoom)
	case r.Prefix != "" && !roomChars.valid(r.Prefix, maxRoom):
		return fmt.Sprintf("prefix is 1 to %d bytes of the characters of room ids", maxRoom)
	}
	return ""
}
