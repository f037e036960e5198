// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is what everything says that was closed, in the words of both net and pion, whose agent asks for the second when
// it writes.
var errClosed = fmt.Errorf("udpmux: %w (%w)", net.ErrClosed, io.ErrClosedPipe)

// generation is one ufrag of a session: an ICE restart begins a new one.
type generation struct {
	// immutable after Open
	mux   *Mux
	ufrag string
	sink  Sink
	reply Responder     // sink, if it is one
	auto  bool          // by GetConn, without Open: ends with its last conn
	over  chan struct{} // closed by Mux.forget

	rings  [2]ring // own locks; IPv4 and IPv6
	checks checks  // own lock

	crowded atomic.Bool // written by the table with its mu held, read by readers: has had as many addresses as it may

	refs [2]int // conns of each ring; guarded by Mux.mu

	// guarded by the table's mu
	addresses []netip.AddrPort
	claims    int // addresses that came to it, over time
	gone      bool
}

func (g *generation) sameSession(other *generation) bool {
	return g.sink != nil && g.sink == other.sink
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}

	return 1
}

// attach counts a conn in. With Mux.mu held.
func (g *generation) attach(ring int) *conn {
	if g.refs[ring]++; g.refs[ring] == 1 {
		if g.sink == nil {
			g.rings[ring].resize(mediaRing, mediaSlots)
		} else {
			g.rings[ring].resize(slowRing, firstSlots)
		}
	}
	c := &conn{generation: g, index: ring, closed: make(chan struct{})}
	c.deadline.done = make(chan struct{})

	return c
}

// detach counts a conn out. Nobody reads its ring after the last one.
func (g *generation) detach(ring int) {
	g.mux.mu.Lock()
	if g.refs[ring]--; g.refs[ring] == 0 {
		g.rings[ring].resize(0, 0)
	}
	last := g.auto && g.refs == [2]int{}
	g.mux.mu.Unlock()
	if last {
		g.mux.forget(g)
	}
}

// conn is what an agent has of a generation: a net.PacketConn, and an ice.AddrPortReaderWriter. Several may share one ring.
// Writing claims the address for the session: see own.
type conn struct {
	generation *generation   // immutable
	index      int           // immutable; of the ring
	closed     chan struct{} // closed by Close
	once       sync.Once     // of Close
	ended      atomic.Bool   // written by Close, read by writers
	deadline   deadline      // own lock
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c *conn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	g := c.generation
	r := &g.rings[c.index]
	for {
		expired := c.deadline.wait()
		select {
		case <-c.closed:
			return 0, netip.AddrPort{}, errClosed
		case <-expired:
			return 0, netip.AddrPort{}, errDeadline
		default:
		}
		if size, from := r.get(b); size > len(b) {
			return len(b), from, io.ErrShortBuffer
		} else if size > 0 {
			return size, from, nil
		}
		select {
		case <-r.ready:
		case <-expired:
		case <-c.closed:
		case <-g.over:
			return 0, netip.AddrPort{}, errClosed
		}
	}
}

// ReadFrom implements net.PacketConn.
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if !from.IsValid() {
		return n, nil, err
	}

	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteToAddrPort implements ice.AddrPortReaderWriter. It never waits.
func (c *conn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.ended.Load() {
		return 0, errClosed
	}
	to = canonical(to)
	c.own(b, to)
	if err := c.generation.mux.WriteTo(b, to); err != nil {
		return 0, err
	}

	return len(b), nil
}

// own makes the address the session's. One that another session has changes hands only with the answer to a check: the
// check's integrity was good then, and it came from there. A full agent writes checks to whatever a client calls a candidate,
// and old sessions write on to where their client was.
func (c *conn) own(b []byte, to netip.AddrPort) {
	g := c.generation
	owner := g.mux.addresses.find(to)
	if owner == g {
		return
	}
	answer := len(b) >= stunHeader && binary.BigEndian.Uint16(b) == stunSuccess
	if owner == nil || answer || owner.sameSession(g) {
		g.mux.addresses.claim(to, g, answer)
	}
}

// WriteTo implements net.PacketConn.
func (c *conn) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("udpmux: cannot write to %v: %w", to, errNotUDP)
	}

	return c.WriteToAddrPort(b, udp.AddrPort())
}

// Close implements net.PacketConn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.ended.Store(true)
		close(c.closed)
		c.deadline.set(time.Time{})
		c.generation.detach(c.index)
	})

	return nil
}

// LocalAddr implements net.PacketConn.
func (c *conn) LocalAddr() net.Addr { return c.generation.mux.local }

// SetDeadline implements net.PacketConn. Writing never waits.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.ended.Load() {
		return errClosed
	}
	c.deadline.set(t)

	return nil
}

// SetWriteDeadline implements net.PacketConn. Writing never waits.
func (c *conn) SetWriteDeadline(time.Time) error {
	if c.ended.Load() {
		return errClosed
	}

	return nil
}
