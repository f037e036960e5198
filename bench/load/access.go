// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/bench/path"
)

// linkOverhead is what IPv4 and UDP headers take of a link, in bytes a datagram.
const linkOverhead = 28

// access is the link between a client and the network, inside the client: what the kernel has received goes through it before the
// client sees it, and what the client sends before the kernel does. A datagram enters when the kernel received it and is stamped with
// the time at which it leaves, so that it does not matter to what the client measures and tells when this process gets to run.
// Owned by the Poller, under its lock.
type access struct {
	c        *Client
	down, up *path.Link // nil: straight on
	moved    int64
}

func newAccess(c *Client, cfg Config) *access {
	if cfg.Down == nil && cfg.Up == nil {
		return nil
	}
	a := &access{c: c}
	now := time.Now().UnixNano()
	if cfg.Down != nil {
		a.down = path.New(*cfg.Down, rand.New(rand.NewPCG(cfg.Seed, 1)), now)
		a.down.Dropped = c.onLost
	}
	if cfg.Up != nil {
		a.up = path.New(*cfg.Up, rand.New(rand.NewPCG(cfg.Seed, 2)), now)
	}

	return a
}

// enter takes datagrams from the kernel, merged ones apart.
func (a *access) enter(b []byte, segment int, at int64) {
	for segment > 0 && len(b) > segment {
		a.enterOne(b[:segment], at)
		b = b[segment:]
	}
	a.enterOne(b, at)
}

func (a *access) enterOne(b []byte, at int64) {
	if a.down == nil {
		a.c.handle(b, at)

		return
	}
	a.down.Advance(at, a.arrived)
	a.c.poller.behind.Add(durationOf(max(a.down.At()-at, 0)))
	a.down.Enter(path.Datagram{Size: len(b) + linkOverhead, Data: slices.Clone(b)}, max(at, a.down.At()))
}

// move lets time pass.
func (a *access) move(now int64) {
	a.moved = now
	if a.down != nil {
		a.down.Advance(now, a.arrived)
	}
	if a.up != nil {
		a.up.Advance(now, a.left)
	}
}

func (a *access) arrived(d path.Datagram) {
	if a.moved > 0 {
		a.c.poller.late.Add(durationOf(max(a.moved-d.Arrives, 0)))
	}
	if t := a.c.trace; t != nil {
		t.waited(d.Arrives, d.Left-d.Entered)
	}
	a.c.handle(d.Data, d.Arrives)
}

func (a *access) left(d path.Datagram) { _ = a.c.socket.send(d.Data) } // lost: as in a network

// leave sends a datagram to the node, over the link if there is one. Called under the Poller's lock; what is lost is lost as it would
// be in a network.
func (c *Client) leave(b []byte) {
	if c.access == nil || c.access.up == nil {
		_ = c.socket.send(b)

		return
	}
	now := time.Now().UnixNano()
	c.access.up.Advance(now, c.access.left)
	c.access.up.Enter(path.Datagram{Size: len(b) + linkOverhead, Data: slices.Clone(b)}, now)
}

// onLost is told of each datagram that the link has lost.
func (c *Client) onLost(d path.Datagram) {
	if len(d.Data) < 12 || d.Data[0]&0xc0 != 0x80 || d.Data[1] >= 192 && d.Data[1] < 224 {
		return
	}
	ssrc := binary.BigEndian.Uint32(d.Data[8:])
	s := c.slots[ssrc]
	if s == nil || ssrc != s.ssrc {
		return
	}
	s.dropped = append(s.dropped, loss{binary.BigEndian.Uint16(d.Data[2:]), d.Entered})
	if c.trace != nil {
		c.trace.lost(d.Entered)
	}
}

// loss is a packet that the client's link has lost.
type loss struct {
	number uint16
	at     int64
}

// lossNearby is how far apart in time numbers are at most that are compared: they do not wrap within it.
const lossNearby = int64(5 * time.Second)

// gaps is how many numbers between the first and the newest have not come, though the link has not lost them.
func (s *slot) gaps(now int64) int {
	q := &s.sequence
	if !q.started {
		return 0
	}
	n := int(q.extended-q.base) + 1 - int(q.received)
	for _, l := range s.dropped {
		before := l.at < q.origin && int16(l.number-uint16(q.base)) < 0
		after := now-l.at < lossNearby && int16(l.number-uint16(q.extended)) > 0
		if !before && !after {
			n--
		}
	}

	return n
}

// Access counts what the client's link did towards it; zero without one.
func (c *Client) Access() (down path.Stats) {
	c.poller.Locked(func() {
		if c.access != nil && c.access.down != nil {
			down = c.access.down.Stats()
		}
	})

	return down
}
