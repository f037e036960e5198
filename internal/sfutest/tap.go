// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
)

// Tap is a net.PacketConn around the node's media socket that shows every datagram at the moment it leaves. SRTP keeps RTP
// headers in clear (RFC 3711, section 3.1), so a test sees which SSRC goes to whom.
type Tap struct {
	*net.UDPConn
	seen atomic.Pointer[func(to netip.AddrPort, data []byte)] // written by Watch, read by senders
}

// NewTap listens on a loopback port.
func NewTap() (*Tap, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20) // best effort
	_ = conn.SetWriteBuffer(4 << 20)
	return &Tap{UDPConn: conn}, nil
}

// Watch calls seen for every datagram, on the sender's goroutine, before it is sent; nil stops.
func (t *Tap) Watch(seen func(to netip.AddrPort, data []byte)) {
	if seen == nil {
		t.seen.Store(nil)
		return
	}
	t.seen.Store(&seen)
}

func (t *Tap) show(to netip.AddrPort, data []byte) {
	if seen := t.seen.Load(); seen != nil {
		(*seen)(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), data)
	}
}

// WriteTo implements net.PacketConn.
func (t *Tap) WriteTo(p []byte, addr net.Addr) (int, error) {
	if a, ok := addr.(*net.UDPAddr); ok {
		t.show(a.AddrPort(), p)
	}
	return t.UDPConn.WriteTo(p, addr)
}

// WriteToUDPAddrPort sends like net.UDPConn's.
func (t *Tap) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	t.show(addr, p)
	return t.UDPConn.WriteToUDPAddrPort(p, addr)
}

// WriteToUDP sends like net.UDPConn's.
func (t *Tap) WriteToUDP(p []byte, addr *net.UDPAddr) (int, error) {
	t.show(addr.AddrPort(), p)
	return t.UDPConn.WriteToUDP(p, addr)
}

// RTPHeader reads SSRC and sequence number of an RTP (not RTCP) datagram; ok is false for anything else (RFC 7983, RFC 5761).
func RTPHeader(data []byte) (ssrc uint32, seq uint16, ok bool) {
	if len(data) < 12 || data[0] < 128 || data[0] > 191 || data[1] >= 192 && data[1] <= 223 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(data[8:]), binary.BigEndian.Uint16(data[2:]), true
}
