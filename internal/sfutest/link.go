// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Link is an emulated access link of one client: a UDP relay on loopback that shapes both directions. The client is given
// Link.Addr in place of the node's address; the node sees the relay's second socket. Real sockets on both sides, so the
// whole stack is in play; kernels without netem do.
type Link struct {
	front *net.UDPConn // the client talks to it
	back  *net.UDPConn // the node talks to it
	up    *direction
	down  *direction

	client atomic.Pointer[netip.AddrPort]             // written by the front reader, read by the down schedule
	extra  atomic.Pointer[func(data []byte) [][]byte] // written by Extra, read by the front reader
}

type direction struct {
	shaper   *shaper
	schedule *schedule
}

// NewLink starts a relay to the node's media address. Close ends it.
func NewLink(node netip.AddrPort, up, down Shape, seed uint64) (*Link, error) {
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	back, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(node))
	if err != nil {
		_ = front.Close()
		return nil, err
	}
	for _, c := range []*net.UDPConn{front, back} {
		_ = c.SetReadBuffer(4 << 20) // best effort: the emulator should not lose what the shape does not
	}
	l := &Link{front: front, back: back}
	l.up = &direction{newShaper(up, seed), newSchedule(func(d datagram) { _, _ = back.Write(d.data) })}
	l.down = &direction{newShaper(down, seed+1), newSchedule(func(d datagram) {
		if to := l.client.Load(); to != nil {
			_, _ = front.WriteToUDPAddrPort(d.data, *to)
		}
	})}
	go l.readFront()
	go l.readBack()
	return l, nil
}

// Addr is what the client must use as the node's media address.
func (l *Link) Addr() netip.AddrPort { return l.front.LocalAddr().(*net.UDPAddr).AddrPort() }

// NodeSide is the address that the node sees the client at.
func (l *Link) NodeSide() netip.AddrPort { return l.back.LocalAddr().(*net.UDPAddr).AddrPort() }

// Set changes both shapes from now on; what is on its way arrives as decided.
func (l *Link) Set(up, down Shape) {
	l.up.shaper.set(up)
	l.down.shaper.set(down)
}

// Extra has the link send more to the node, in the client's name: after each datagram of the client what f returns for it.
// f must not keep data; nil ends it.
func (l *Link) Extra(f func(data []byte) [][]byte) {
	if f == nil {
		l.extra.Store(nil)
		return
	}
	l.extra.Store(&f)
}

// Stats tells what the link did so far, towards the node and towards the client.
func (l *Link) Stats() (up, down ShapeStats) { return l.up.shaper.snapshot(), l.down.shaper.snapshot() }

// Close stops the relay; datagrams on their way are lost.
func (l *Link) Close() {
	_ = l.front.Close()
	_ = l.back.Close()
	l.up.schedule.close()
	l.down.schedule.close()
}

func (d *direction) pass(buf []byte) {
	now := time.Now()
	var times [2]time.Time
	for _, due := range d.shaper.deliveries(now, len(buf), times[:0]) {
		d.schedule.add(due, append([]byte(nil), buf...), nil)
	}
}

func (l *Link) readFront() {
	buf := make([]byte, 65536)
	for {
		n, from, err := l.front.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if known := l.client.Load(); known == nil || *known != from {
			l.client.Store(&from)
		}
		l.up.pass(buf[:n])
		if f := l.extra.Load(); f != nil {
			for _, more := range (*f)(buf[:n]) {
				l.up.pass(more)
			}
		}
	}
}

func (l *Link) readBack() {
	buf := make([]byte, 65536)
	for {
		n, err := l.back.Read(buf)
		if err != nil {
			if isRefused(err) { // ICMP from a node that is gone is not the end of the link
				continue
			}
			return
		}
		l.down.pass(buf[:n])
	}
}
