// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// kicks knows who was put out of which room: the token that they had is of no more use there, or an encoder that comes back by
// itself could not be put out at all, and who was put out by the signaling tier would watch on by another door.
type kicks struct {
	node *sfu.Node // immutable

	mu      sync.Mutex // guards the rest
	watcher *sfu.Watcher
	known   auth.Kicks
}

// now is an idle time that lets a watcher give what there is.
const now = time.Nanosecond

// catchUp learns every kick that has been until now. Where events were missed it learns those that the node still keeps.
func (k *kicks) catchUp() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		if k.watcher == nil {
			var err error
			k.watcher, err = k.node.Watch(sfu.WatchRequest{
				ID: "whip kicks", Snapshot: sfu.SnapshotNever, Kinds: []string{router.MemberKickedEvent{}.Kind()},
			})
			if err != nil {
				return err
			}
		}
		batch, err := k.watcher.Next(context.Background(), now, 0)
		switch {
		case err != nil:
			return err
		case batch.Resync:
			k.watcher.Close()
			k.watcher = nil
			continue
		case len(batch.Events) == 0:
			return nil
		}
		for _, e := range batch.Events {
			if p, ok := e.Payload.(router.MemberKickedEvent); ok {
				k.known.Add(auth.KickKey{App: e.App, Room: e.Room, User: p.Member.User.ID}, e.Time)
			}
		}
	}
}

// check refuses a token whose user was put out of the room after it was issued, or whose publisher of this stream was.
func (k *kicks) check(claims *auth.Claims, t target) error {
	if err := k.catchUp(); err != nil {
		return err
	}
	users := []string{claims.UserID}
	if t.protocol == whip {
		users = append(users, memberID(claims.UserID, t))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, user := range users {
		if k.known.Cover(auth.KickKey{App: t.app, Room: t.room, User: user}, claims.Issued) {
			return errKicked
		}
	}
	return nil
}

// errNotFollowing is New with a node that cannot be followed.
var errNotFollowing = errors.New("whip: the node's events cannot be followed")
