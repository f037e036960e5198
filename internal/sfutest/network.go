// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Network is an in-memory IP network with loss, delay and rate: no socket, no kernel, and all its time is the time package's,
// so that it runs under testing/synctest. Every endpoint's access link has its own pair of shapes.
type Network struct {
	schedule *schedule

	mu    sync.Mutex // guards all below
	conns map[netip.AddrPort]*Endpoint
	seed  uint64
	port  uint16
}

// NewNetwork makes an empty network. Close ends its goroutine after the endpoints were closed.
func NewNetwork(seed uint64) *Network {
	n := &Network{conns: make(map[netip.AddrPort]*Endpoint), seed: seed, port: 40000}
	n.schedule = newSchedule(func(d datagram) { n.arrive(d) })
	return n
}

// Close stops delivery.
func (n *Network) Close() { n.schedule.close() }

type hop struct {
	from, to netip.AddrPort
}

// Listen attaches an endpoint at address; port 0 takes a free one. What it sends passes up, what it gets passes down.
func (n *Network) Listen(address netip.AddrPort, up, down Shape) (*Endpoint, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if address.Port() == 0 {
		n.port++
		address = netip.AddrPortFrom(address.Addr(), n.port)
	}
	if _, taken := n.conns[address]; taken {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(address), Err: syscall.EADDRINUSE}
	}
	n.seed += 2
	e := &Endpoint{
		network: n, address: address, up: newShaper(up, n.seed), down: newShaper(down, n.seed+1),
		inbox: make(chan arrived, 4096), closed: make(chan struct{}), deadline: newDeadline(),
	}
	n.conns[address] = e
	return e, nil
}

func (n *Network) send(from *Endpoint, data []byte, to netip.AddrPort) {
	n.mu.Lock()
	dest := n.conns[to]
	n.mu.Unlock()
	var times, times2 [2]time.Time
	for _, due := range from.up.deliveries(time.Now(), len(data), times[:0]) {
		if dest == nil {
			continue
		}
		for _, due := range dest.down.deliveries(due, len(data), times2[:0]) {
			n.schedule.add(due, append([]byte(nil), data...), hop{from.address, to})
		}
	}
}

func (n *Network) arrive(d datagram) {
	h := d.to.(hop)
	n.mu.Lock()
	dest := n.conns[h.to]
	n.mu.Unlock()
	if dest == nil {
		return
	}
	select {
	case dest.inbox <- arrived{d.data, h.from}:
	default: // a full socket buffer
	}
}

// Endpoint is a net.PacketConn on a Network.
type Endpoint struct {
	network  *Network // immutable, as are the next three
	address  netip.AddrPort
	up, down *shaper

	inbox    chan arrived  // never closed
	closed   chan struct{} // closed by Close
	once     sync.Once     // guards the close of closed
	deadline *deadline
}

type arrived struct {
	data []byte
	from netip.AddrPort
}

// Set changes the endpoint's shapes from now on.
func (e *Endpoint) Set(up, down Shape) {
	e.up.set(up)
	e.down.set(down)
}

// Stats tells what the endpoint's access link did so far.
func (e *Endpoint) Stats() (up, down ShapeStats) { return e.up.snapshot(), e.down.snapshot() }

// ReadFrom implements net.PacketConn.
func (e *Endpoint) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case <-e.closed:
		return 0, nil, net.ErrClosed
	default:
	}
	select {
	case a := <-e.inbox:
		return copy(p, a.data), net.UDPAddrFromAddrPort(a.from), nil
	case <-e.closed:
		return 0, nil, net.ErrClosed
	case <-e.deadline.wait():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo implements net.PacketConn.
func (e *Endpoint) WriteTo(p []byte, addr net.Addr) (int, error) {
	select {
	case <-e.closed:
		return 0, net.ErrClosed
	default:
	}
	to, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: addr, Err: syscall.EINVAL}
	}
	dest := to.AddrPort()
	e.network.send(e, p, netip.AddrPortFrom(dest.Addr().Unmap(), dest.Port()))
	return len(p), nil
}

// Close implements net.PacketConn.
func (e *Endpoint) Close() error {
	e.once.Do(func() {
		close(e.closed)
		e.network.mu.Lock()
		delete(e.network.conns, e.address)
		e.network.mu.Unlock()
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (e *Endpoint) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(e.address) }

// SetDeadline implements net.PacketConn; writes never wait.
func (e *Endpoint) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (e *Endpoint) SetReadDeadline(t time.Time) error {
	e.deadline.set(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn; writes never wait.
func (e *Endpoint) SetWriteDeadline(time.Time) error { return nil }

// deadline is a channel that is closed while the set time is in the past.
type deadline struct {
	mu    sync.Mutex // guards the rest
	timer *time.Timer
	done  chan struct{}
}

func newDeadline() *deadline { return &deadline{done: make(chan struct{})} }

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	done := make(chan struct{})
	d.done = done
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(done)
	default:
		d.timer = time.AfterFunc(wait, func() { close(done) })
	}
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
