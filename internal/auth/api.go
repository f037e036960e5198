// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claims are what a client's token says. A token is a JWT (RFC 7519) signed with HS256 by the app's backend; the names of its
// claims are in docs/signaling.md.
type Claims struct {
	ID       string    // jti; names the token in logs, may be empty
	App      string    // app
	UserID   string    // sub
	UserName string    // name; empty: the user id
	Group    string    // group; with several nodes, everything of one app and group is on one node; may be empty
	Rooms    []Room    // rooms
	Admin    bool      // admin: may use the admin page and its API; such a token may do without a user
	Issued   time.Time // iat; required
	Expires  time.Time // exp; required
}

// Room is what a token allows in some rooms.
type Room struct {
	Room   string // room: exactly this one; or
	Prefix string // prefix: every room that begins so, when Any or not empty
	Any    bool   // any: every room
	Grants Grants // grants
}

// Grants are what a member may do. They are named publish, subscribe, message and manage in tokens.
type Grants struct{ Publish, Subscribe, Message, Manage bool }

// Why a token is refused. All of them wrap ErrToken.
var (
	ErrToken   = errors.New("the token is not valid")
	ErrExpired = fmt.Errorf("%w: it has expired", ErrToken)
)

// In returns what the token allows in a room: the union over all entries that name it. ok is false when none does.
func (c *Claims) In(room string) (g Grants, ok bool) {
	for _, r := range c.Rooms {
		if r.covers(room) {
			g, ok = g.or(r.Grants), true
		}
	}
	return g, ok
}

func (r *Room) covers(room string) bool {
	switch {
	case r.Any:
		return true
	case r.Prefix != "":
		return strings.HasPrefix(room, r.Prefix)
	default:
		return room != "" && r.Room == room
	}
}

func (g Grants) or(o Grants) Grants {
	return Grants{g.Publish || o.Publish, g.Subscribe || o.Subscribe, g.Message || o.Message, g.Manage || o.Manage}
}
