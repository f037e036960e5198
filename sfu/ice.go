// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/internal/udpmux"
	"github.com/switchyard-media/sfu/rtpforward"
)

const (
	// tcpWriteBuffer bounds what waits for one ICE-TCP client. Writing into it never blocks: what does not fit is lost,
	// as on a congested path, and a client that does not read holds nobody else back. What is in it when a room is left
	// still goes out: it is encrypted, of all rooms, and pion does not let anybody at it.
	tcpWriteBuffer = 512 << 10
	// tcpKernelBuffer is the same in the kernel, which would let it grow to seconds of media.
	tcpKernelBuffer = 256 << 10
	tcpFirstSTUN    = 5 * time.Second // from accept to the first check, and from a check with an unknown ufrag to its session
	maxTCP          = 8192            // connections at once
)

// transports are the node's sockets and what clients are told about them.
type transports struct {
	// immutable once made
	udp        *udpmux.Mux
	tcp        *transport.TCPMux // nil: off
	candidates []CandidateInfo
	lines      []string // of the answer, for candidates

	forward atomic.Pointer[rtpforward.Forwarder] // atomic: written by NewNode, read by the sockets' readers; nil: nothing to forward yet
}

// kick has the shards look at what came in.
func (t *transports) kick() {
	if f := t.forward.Load(); f != nil {
		f.Kick()
	}
}

// openTransports binds what the configuration asks for.
func openTransports(cfg *Config, logs *pionLogs) (*transports, error) {
	listen, err := gathered(cfg)
	if err != nil {
		return nil, err
	}
	t := &transports{}
	mux, err := udpmux.New(udpmux.Config{
		Address: cfg.UDPAddress, PacketConn: cfg.PacketConn, Sockets: cfg.Sockets, Buffer: cfg.SocketBuffer, Plain: cfg.NoGSO,
		Listen: listen, AfterRead: t.kick, Logger: cfg.Logger,
	})
	if err != nil {
		if cfg.PacketConn != nil {
			return nil, fmt.Errorf("cannot use the packet connection for media: %w", err)
		}

		return nil, fmt.Errorf("cannot listen for media on UDP %s: %w", cfg.UDPAddress, err)
	}
	t.udp = mux
	var listener net.Listener
	if cfg.TCPAddress != "" {
		if listener, err = net.Listen("tcp", cfg.TCPAddress); err != nil {
			_ = mux.Close()

			return nil, fmt.Errorf("cannot listen for media on TCP %s: %w", cfg.TCPAddress, err)
		}
	}
	if err := t.start(cfg, logs, listener); err != nil {
		_ = mux.Close()
		if listener != nil {
			_ = listener.Close()
		}

		return nil, err
	}

	return t, nil
}

func (t *transports) start(cfg *Config, logs *pionLogs, listener net.Listener) error {
	bound := t.udp.LocalAddr()
	local, err := localAddresses(cfg, bound.AddrPort().Addr())
	if err != nil {
		return err
	}
	t.candidates = offered(cfg, local, bound.AddrPort().Port(), "udp")
	if listener != nil {
		tcp, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return fmt.Errorf("the TCP listener's address %v is not a TCP address", listener.Addr())
		}
		localTCP, err := localAddresses(cfg, tcp.AddrPort().Addr())
		if err != nil {
			return err
		}
		t.candidates = append(t.candidates, offered(cfg, localTCP, tcp.AddrPort().Port(), "tcp")...)
		t.tcp = transport.NewTCPMux(ice.TCPMuxParams{
			Listener: &boundedListener{Listener: listener, slots: make(chan struct{}, maxTCP)}, Logger: logs.NewLogger("tcpmux"),
			ReadBufferSize: 32, WriteBufferSize: tcpWriteBuffer,
			FirstStunBindTimeout: tcpFirstSTUN, AliveDurationForConnFromStun: tcpFirstSTUN,
		})
	}
	for i, c := range t.candidates {
		t.lines = append(t.lines, candidateLine(i, c))
	}

	return nil
}

func (t *transports) close() {
	_ = t.udp.Close()
	if t.tcp != nil {
		_ = t.tcp.Close()
	}
}

// gathered picks the addresses that sessions gather, one a family: every session listens on each address it gathers, with
// a candidate pair each, and all are the same sockets. The port is the mux's to fill in.
func gathered(cfg *Config) ([]net.Addr, error) {
	if cfg.PacketConn != nil {
		bound, ok := cfg.PacketConn.LocalAddr().(*net.UDPAddr)
		if !ok {
			return nil, fmt.Errorf("the packet connection's address %v is not a UDP address", cfg.PacketConn.LocalAddr())
		}
		local, err := localAddresses(cfg, bound.AddrPort().Addr())
		if err != nil {
			return nil, err
		}

		return onePerFamily(bound, local), nil
	}
	asked, err := net.ResolveUDPAddr("udp", cfg.UDPAddress)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for media on UDP %s: %w", cfg.UDPAddress, err)
	}
	local, err := localAddresses(cfg, asked.AddrPort().Addr())
	if err != nil {
		return nil, err
	}

	return onePerFamily(asked, local), nil
}

// localAddress is an address of this machine.
type localAddress struct {
	addr  netip.Addr
	iface string
	why   string
}

// localAddresses lists the addresses behind a bound one. Loopback is there only when asked for, bound, or all there is.
func localAddresses(cfg *Config, bound netip.Addr) ([]localAddress, error) {
	if bound = bound.Unmap(); bound.IsValid() && !bound.IsUnspecified() {
		return []localAddress{{bound.WithZone(""), "", "bound address"}}, nil
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	var list, loopback []localAddress
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || len(cfg.Interfaces) > 0 && !slices.Contains(cfg.Interfaces, i.Name) {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // the interface went away meanwhile
		}
		for _, a := range addresses {
			ipnet, ok := a.(*net.IPNet)
			addr, valid := netip.Addr{}, false
			if ok {
				addr, valid = netip.AddrFromSlice(ipnet.IP)
			}
			addr = addr.Unmap()
			// A socket bound to 0.0.0.0 has no IPv6; link-local addresses need a zone, which a candidate cannot carry.
			if !valid || bound.Is4() && !addr.Is4() || addr.IsLinkLocalUnicast() {
				continue
			}
			l := localAddress{addr, i.Name, "interface " + i.Name}
			if addr.IsLoopback() {
				loopback = append(loopback, l)
			} else {
				list = append(list, l)
			}
		}
	}
	if cfg.Loopback || len(list) == 0 {
		list = append(list, loopback...)
	}
	if len(list) == 0 && len(cfg.External) == 0 {
		return nil, fmt.Errorf("no address to offer to clients on the interfaces %v", cfg.Interfaces)
	}

	return list, nil
}

// offered works out what clients are told: external addresses stand for those of the interfaces, and hide them.
func offered(cfg *Config, local []localAddress, port uint16, protocol string) []CandidateInfo {
	var out []CandidateInfo
	add := func(c CandidateInfo) {
		if !slices.ContainsFunc(out, func(o CandidateInfo) bool { return o.Address == c.Address }) {
			out = append(out, c)
		}
	}
	for _, e := range cfg.External {
		why := "external address by configuration"
		if e.Internal.IsValid() {
			why += " for " + e.Internal.String()
		}
		p := port
		if e.Port != 0 {
			p = e.Port
		}
		add(CandidateInfo{Address: netip.AddrPortFrom(e.Address.Unmap(), p), Protocol: protocol, Why: why})
	}
	for _, l := range local {
		hidden := slices.ContainsFunc(cfg.External, func(e ExternalAddress) bool {
			if e.Internal.IsValid() {
				return e.Internal.Unmap() == l.addr
			}

			return e.Address.Unmap().Is4() == l.addr.Is4()
		})
		if !hidden {
			add(CandidateInfo{Address: netip.AddrPortFrom(l.addr, port), Protocol: protocol, Interface: l.iface, Why: l.why})
		}
	}

	return out
}

// candidateLine writes a host candidate (RFC 8839, section 5.1), with the recommended priority (RFC 8445, section 5.1.2):
// UDP before TCP, in the order of the list. There is one component: RTCP shares it.
func candidateLine(i int, c CandidateInfo) string {
	preference, tail := uint32(126), ""
	if c.Protocol == "tcp" {
		preference, tail = 90, " tcptype passive" // RFC 6544, section 4.2
	}
	priority := preference<<24 | uint32(65535-i)<<8 | 255

	return fmt.Sprintf("%d 1 %s %d %s %d typ host%s", i+1, c.Protocol, priority, c.Address.Addr(), c.Address.Port(), tail)
}

// onePerFamily picks the addresses that sessions gather.
func onePerFamily(bound *net.UDPAddr, local []localAddress) []net.Addr {
	if bound.IP != nil && !bound.IP.IsUnspecified() {
		return []net.Addr{bound}
	}
	var out []net.Addr
	for _, is4 := range []bool{true, false} {
		if i := slices.IndexFunc(local, func(l localAddress) bool { return l.addr.Is4() == is4 }); i >= 0 {
			out = append(out, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local[i].addr, bound.AddrPort().Port())))
		}
	}
	if len(out) == 0 { // only external addresses are configured, for a machine without any of its own
		out = []net.Addr{&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.Port}}
	}

	return out
}

// checkCandidate says whether a client's candidate can be read.
func checkCandidate(candidate string) error {
	candidate = strings.TrimPrefix(strings.TrimPrefix(candidate, "a="), "candidate:")
	if len(candidate) > 512 {
		return saying(ErrCandidate, "candidate is longer than 512 bytes")
	}
	fields := strings.Fields(candidate)
	// Names of mDNS and of future transports are candidates too, just not ours to use.
	if len(fields) < 8 || fields[6] != "typ" || !decimal32(fields[3]) || !decimal32(fields[5]) {
		return saying(ErrCandidate, fmt.Sprintf("%q is not a candidate (RFC 8839, section 5.1)", clip(candidate)))
	}

	return nil
}

// boundedListener refuses connections over a limit by closing them at once.
type boundedListener struct {
	net.Listener
	slots chan struct{}
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(tcpKernelBuffer) // best effort
			}

			return &boundedConn{Conn: conn, slots: l.slots}, nil
		default:
			_ = conn.Close()
		}
	}
}

// boundedConn gives its place back when closed.
type boundedConn struct {
	net.Conn
	once  sync.Once
	slots chan struct{}
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(func() { <-c.slots })

	return c.Conn.Close()
}
