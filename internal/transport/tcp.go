// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// TCPMux is TODO.
type TCPMux struct {
	*ice.TCPMuxDefault
	arrived func(ufrag string, local net.IP)
}

// tcpAddresses are those that a TCP mux may be reached at: a connection is found by ufrag and the local address that it came
// to, so each has a candidate.
func (m *Maker) tcpAddresses(mux ice.TCPMux) ([]net.IP, error) {
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

func (m *Maker) tcpArrived(ufrag string, local net.IP) {
	m.mu.Lock()
	t := m.waiting[ufrag]
	m.mu.Unlock()
	_, _ = t, local
}
