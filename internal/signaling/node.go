// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/auth"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// calls are the services of a node.
type calls struct {
	session      sfuv1.SessionServiceClient
	room         sfuv1.RoomServiceClient
	stream       sfuv1.StreamServiceClient
	subscription sfuv1.SubscriptionServiceClient
	message      sfuv1.MessageServiceClient
	event        sfuv1.EventServiceClient
}

// large lets a reply be as large as a node sends: a room is never cut.
var large = grpc.MaxCallRecvMsgSize(64 << 20)

// roomKey names a room on a node.
type roomKey struct{ app, room string }

// node is one media node, and everything that the tier knows of the clients whose sessions it has. All of it can be asked for
// again. One lock guards it all: what is done under it is short, and never waits.
type node struct {
	id      string  // immutable, as are the next three
	watcher string  // names this process to the node
	api     calls   //
	server  *Server //

	mu      sync.Mutex // guards everything below, and the fields of clients and memberships that say so
	clients map[string]*client
	rooms   map[roomKey]map[*client]*membership
	voices  map[roomKey]*news // who speaks, where anybody does; only changes are events
	restart func()            // ends the event stream, so that another one is opened
	kicks   auth.Kicks
	learned bool          // the kicks that the node remembers are in kicks
	live    bool          // events come
	failed  bool          // the last try to get them did not work
	epoch   uint64        // of the node
	seen    uint64        // revision up to which every event has come
	base    uint64        // revision of the last snapshot, before which events are missing
	changed chan struct{} // closed when the five above have changed, if somebody waits
	waited  bool          // somebody does

	doubtful bool // the next event stream begins with a snapshot, whatever was seen
}

func newNode(s *Server, c Node, watcher string) *node {
	return &node{
		id: c.ID, watcher: watcher, server: s, restart: func() {},
		api: calls{
			session: sfuv1.NewSessionServiceClient(c.Conn), room: sfuv1.NewRoomServiceClient(c.Conn),
			stream: sfuv1.NewStreamServiceClient(c.Conn), subscription: sfuv1.NewSubscriptionServiceClient(c.Conn),
			message: sfuv1.NewMessageServiceClient(c.Conn), event: sfuv1.NewEventServiceClient(c.Conn),
		},
		clients: make(map[string]*client), rooms: make(map[roomKey]map[*client]*membership), voices: make(map[roomKey]*news), changed: make(chan struct{}),
	}
}

// pick chooses the node of an app and group: the one with the highest hash of the three (rendezvous hashing), so that every
// tier that knows the same nodes chooses the same, and one node more or less moves nobody else's.
func pick(nodes []*node, app, group string) *node {
	var best *node
	var most uint64
	for _, n := range nodes {
		sum := sha256.Sum256([]byte(app + "\x00" + group + "\x00" + n.id))
		if rank := binary.BigEndian.Uint64(sum[:]); best == nil || rank > most {
			best, most = n, rank
		}
	}
	return best
}

// touch wakes who waits for a change. With mu held.
func (n *node) touch() {
	if n.waited {
		n.waited = false
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

// wait returns when the condition, called with mu held, is true, or with the error that it gives.
func (n *node) wait(ctx context.Context, condition func() (bool, error)) error {
	for {
		n.mu.Lock()
		ok, err := condition()
		n.waited = n.waited || !ok && err == nil
		changed := n.changed
		n.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errNode
		}
	}
}

// ready waits until the node's events come and its kicks are known; it does not wait for a node that was found to be away.
func (n *node) ready(ctx context.Context) error {
	return n.wait(ctx, func() (bool, error) {
		if n.failed {
			return false, errNode
		}
		return n.live && n.learned, nil
	})
}

// awake waits until events come, and answers the node's epoch.
func (n *node) awake(ctx context.Context) (epoch uint64, err error) {
	err = n.wait(ctx, func() (bool, error) {
		if n.failed {
			return false, errNode
		}
		epoch = n.epoch
		return n.live, nil
	})
	return epoch, err
}

// reach waits until every event up to a revision has come. Whatever a client is told after that, the tier knows of all that
// was before.
func (n *node) reach(ctx context.Context, epoch, revision uint64) error {
	return n.wait(ctx, func() (bool, error) {
		return n.live && n.epoch == epoch && n.seen >= revision, nil
	})
}

// register makes the client the one that has its session, and returns the one that had it.
func (n *node) register(c *client) (before *client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before = n.clients[c.id]
	if before != nil {
		n.remove(before)
	}
	n.clients[c.id] = c
	return before
}

// unregister forgets a client. Its session goes on.
func (n *node) unregister(c *client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(c)
}

// remove forgets a client. With mu held.
func (n *node) remove(c *client) {
	c.gone = true
	if n.clients[c.id] == c {
		delete(n.clients, c.id)
	}
	for _, m := range c.rooms {
		n.forget(m)
	}
}

// enter makes the client's membership of a room one that is being read: events of the room are held until settle or
// abandon. With mu held.
func (n *node) enter(c *client, room string) *membership {
	m := c.rooms[room]
	if m == nil {
		m = &membership{client: c, key: roomKey{c.app, room}, own: make(map[string]bool)}
		c.rooms[room] = m
		if !c.gone {
			if n.rooms[m.key] == nil {
				n.rooms[m.key] = make(map[*client]*membership)
			}
			n.rooms[m.key][c] = m
		}
	}
	m.reading = true
	return m
}

// forget ends a membership. With mu held.
func (n *node) forget(m *membership) {
	if m.client.rooms[m.key.room] == m {
		delete(m.client.rooms, m.key.room)
	}
	if n.rooms[m.key][m.client] == m {
		delete(n.rooms[m.key], m.client)
		if len(n.rooms[m.key]) == 0 {
			delete(n.rooms, m.key)
		}
	}
}
