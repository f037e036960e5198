// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/pion/ice/v4"
)

// TCPMux is pion's ICE-TCP mux, less what it costs sessions that do not use it. pion needs a candidate for each local
// address before a connection comes, of two goroutines each; this one looks at the first packet of a connection, and has the
// candidate made for the session that it is for.
type TCPMux struct {
	*ice.TCPMuxDefault

	arrived atomic.Pointer[func(ufrag string, local net.IP) bool] // written by NewMaker, read by connections
}

// NewTCPMux makes one that serves a listener. It belongs to one Maker.
func NewTCPMux(params ice.TCPMuxParams) *TCPMux {
	m := &TCPMux{}
	params.Listener = &watchedListener{params.Listener, m}
	m.TCPMuxDefault = ice.NewTCPMuxDefault(params)

	return m
}

type watchedListener struct {
	net.Listener
	mux *TCPMux
}

// Accept implements net.Listener.
func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}

	return &watchedConn{Conn: conn, mux: l.mux}, nil
}

// watchedConn reads along until it knows whom the connection is for.
type watchedConn struct {
	net.Conn
	mux *TCPMux // immutable

	// owned by whoever reads
	known bool
	first []byte
}

// mostFirst is the largest first packet that pion takes, and its length in front (RFC 4571, section 2).
const mostFirst = 2 + 512

// Read implements net.Conn.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.known || n == 0 {
		return n, err
	}
	c.first = append(c.first, b[:n]...)
	if size := 2; len(c.first) >= size {
		size += int(binary.BigEndian.Uint16(c.first))
		if size > mostFirst {
			c.known = true
		} else if len(c.first) >= size {
			c.known = true
			if !c.tell(c.first[2:size]) {
				return 0, errConnections
			}
		}
	}
	if c.known {
		c.first = nil
	}

	return n, err
}

// tell says whether the connection may stay.
func (c *watchedConn) tell(packet []byte) bool {
	local, ok := c.LocalAddr().(*net.TCPAddr)
	arrived := c.mux.arrived.Load()
	if ufrag := checkUfrag(packet); ok && ufrag != "" && arrived != nil {
		return (*arrived)(ufrag, local.IP)
	}

	return true
}

// maxConnections is how many a session may have over time, until an ICE restart: the agent keeps a candidate for each for
// good, and looks through all of them for every check.
const maxConnections = 256

var errConnections = errors.New("transport: the session has had too many TCP connections")

// tcpArrived gives the session that a TCP connection is for its candidate, before the mux looks for it. False: it has had
// too many.
func (m *Maker) tcpArrived(ufrag string, local net.IP) bool {
	m.mu.Lock()
	t := m.waiting[ufrag]
	m.mu.Unlock()
	if t == nil {
		return true // the mux knows what to do with those
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.local.Load().Ufrag != ufrag {
		return true
	}
	if t.connections++; t.connections > maxConnections {
		return false
	}
	ip, ok := netip.AddrFromSlice(local)
	if ip = ip.Unmap(); !ok || t.tcp[ip] {
		return true
	}
	if t.tcp == nil {
		t.tcp = make(map[netip.Addr]bool)
	}
	t.tcp[ip] = t.listenTCP(ufrag, local) == nil

	return true
}

// tcpAddresses are those that a TCP mux may be reached at: a connection is found by ufrag and the local address that it came
// to, so each has a candidate.
func tcpAddresses(mux ice.TCPMux) ([]net.IP, error) {
	if bound, ok := mux.(interface{ LocalAddr() net.Addr }); ok {
		if tcp, ok := bound.LocalAddr().(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
			return []net.IP{tcp.IP}, nil
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("transport: cannot list the network interfaces: %w", err)
	}
	var out []net.IP
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p.Addr().AsSlice())
		}
	}

	return out, nil
}

// listenTCP gives the agent a TCP candidate: connections that come to ip for ufrag are its.
func (t *Transport) listenTCP(ufrag string, ip net.IP) error {
	conn, err := t.maker.cfg.TCP.GetConnByUfrag(ufrag, ip.To4() == nil, ip)
	if err != nil {
		return fmt.Errorf("transport: ICE-TCP: %w", err)
	}
	port := 0
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		port = local.Port
	}

	return t.addLocal("tcp", ip, port, conn)
}
