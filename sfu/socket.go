// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// socketBuffer is what the node asks of the kernel for its media socket, each way: a tenth of a second at 300 Mbit/s.
const socketBuffer = 4 << 20

// socket is the media socket as pion's mux sees it. It throws away what cannot be for any session before anything is
// allocated for it, and counts why.
type socket struct {
	conn  net.PacketConn // immutable
	fast  *net.UDPConn   // immutable; conn, when it is a UDP socket
	known *ufrags        // immutable

	// atomic: written by the mux's reader and by pion's readers of SRTP, read by Load
	drops [socketDrops]atomic.Uint64
}

type socketDrop int

const (
	dropShort    socketDrop = iota // smaller than any header
	dropKind                       // first byte of no protocol that is multiplexed here (RFC 7983)
	dropSTUN                       // says it is STUN, is not
	dropUfrag                      // a STUN request for a session that is not here
	dropRepeated                   // a STUN request that has come from another address before
	dropStranger                   // media or DTLS from an address that no check has come from
	dropDTLS                       // says it is DTLS, and would end the handshake or even the connection
	dropReplayed                   // SRTP and SRTCP that came before, or is too old to tell
	dropForged                     // SRTP and SRTCP that is not of whom it says
	dropSRTP                       // anything else that SRTP and SRTCP do not take, such as half a packet
	socketDrops
)

var socketDropNames = [socketDrops]string{"short", "protocol", "stun_malformed", "stun_unknown_ufrag", "stun_replayed", "unknown_source", "dtls_malformed", "srtp_replayed", "srtp_forged", "srtp_malformed"}

func newSocket(conn net.PacketConn) *socket {
	s := &socket{conn: conn, known: &ufrags{checks: make(map[string]*checks)}}
	s.fast, _ = conn.(*net.UDPConn)
	if s.fast != nil {
		// Best effort: the kernel bounds both by sysctl, and says nothing.
		_ = s.fast.SetReadBuffer(socketBuffer)
		_ = s.fast.SetWriteBuffer(socketBuffer)
	}

	return s
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.read(b)
		if err != nil || s.wanted(b[:n], from) {
			return n, from, err
		}
	}
}

func (s *socket) read(b []byte) (int, netip.AddrPort, error) {
	if s.fast != nil {
		return s.fast.ReadFromUDPAddrPort(b)
	}
	n, from, err := s.conn.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, errNotUDP
	}

	return n, udp.AddrPort(), nil
}

var errNotUDP = errors.New("packet connection gave an address that is not UDP")

// WriteToAddrPort implements ice.AddrPortReaderWriter. It waits while the kernel's send buffer is full: see docs/packet-path.md.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if s.fast != nil {
		return s.fast.WriteToUDPAddrPort(b, to)
	}

	return s.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// ReadFrom implements net.PacketConn.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}

	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) { return s.conn.WriteTo(b, to) }

// Close implements net.PacketConn.
func (s *socket) Close() error { return s.conn.Close() }

// LocalAddr implements net.PacketConn.
func (s *socket) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (s *socket) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (s *socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

func (s *socket) stats() map[string]uint64 {
	out := make(map[string]uint64, socketDrops)
	for i, name := range socketDropNames {
		out[name] = s.drops[i].Load()
	}

	return out
}

// wanted says whether a datagram may be for a session, by its first bytes: STUN 0 to 3, DTLS 20 to 63, RTP and RTCP 128
// to 191 (RFC 7983, section 7).
func (s *socket) wanted(b []byte, from netip.AddrPort) bool {
	reason := socketDrops
	switch {
	case len(b) < 12:
		reason = dropShort
	case b[0] < 4:
		reason = s.checkSTUN(b, from)
	case b[0] >= 20 && b[0] < 64:
		reason = checkDTLS(b)
	case b[0] >= 128 && b[0] < 192:
	default:
		reason = dropKind
	}
	if reason == socketDrops {
		return true
	}
	s.drops[reason].Add(1)

	return false
}

const (
	stunHeader        = 20
	stunCookie        = 0x2112a442
	stunRequest       = 0x0001 // binding request
	stunUsername      = 0x0006
	stunMaxAttributes = 64 // no honest request has more than about ten
)

// checkSTUN finds requests for ufrags that no session has, without allocating: anybody may send those, at any rate. And it
// finds copies of requests: they are valid from wherever they come, and would turn a session's media there.
func (s *socket) checkSTUN(b []byte, from netip.AddrPort) socketDrop {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return dropSTUN
	}
	if size := int(binary.BigEndian.Uint16(b[2:])); size%4 != 0 || size != len(b)-stunHeader {
		return dropSTUN
	}
	if binary.BigEndian.Uint16(b) != stunRequest {
		return socketDrops
	}
	rest := b[stunHeader:]
	for range stunMaxAttributes {
		if len(rest) < 4 {
			break
		}
		kind, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(rest) {
			return dropSTUN
		}
		if kind == stunUsername {
			return s.known.check(rest[4:4+size], [12]byte(b[8:stunHeader]), from)
		}
		rest = rest[padded:]
	}

	return dropSTUN
}

const (
	dtlsHeader     = 13
	dtlsCipherSpec = 20
	dtlsAlert      = 21
	dtlsHandshake  = 22
	dtlsFragment   = 12 // header of a piece of a handshake message
)

// checkDTLS looks at records in clear (RFC 6347, section 4.1). pion ends a connection for one that it cannot read, even when
// the handshake is long done, and whoever can write the client's address on a datagram can send one. Records of a later epoch
// must decrypt first.
func checkDTLS(b []byte) socketDrop {
	for len(b) > 0 {
		if len(b) < dtlsHeader || b[1] != 0xfe {
			return dropDTLS
		}
		size := int(binary.BigEndian.Uint16(b[11:]))
		if size > len(b)-dtlsHeader {
			return dropDTLS
		}
		kind, body, plain := b[0], b[dtlsHeader:dtlsHeader+size], b[3] == 0 && b[4] == 0
		if plain && !(kind == dtlsHandshake && size >= dtlsFragment || kind == dtlsAlert && size == 2 || kind == dtlsCipherSpec && size == 1 && body[0] == 1) {
			return dropDTLS
		}
		b = b[dtlsHeader+size:]
	}

	return socketDrops
}

// ufrags are the local ICE user name fragments in use.
type ufrags struct {
	mu     sync.RWMutex // guards checks, not what they point at
	checks map[string]*checks
}

// check looks for the part of a STUN user name before the colon, and at the request's transaction.
func (u *ufrags) check(username []byte, transaction [12]byte, from netip.AddrPort) socketDrop {
	for i, c := range username {
		if c == ':' {
			username = username[:i]

			break
		}
	}
	u.mu.RLock()
	c := u.checks[string(username)]
	u.mu.RUnlock()
	switch {
	case c == nil:
		return dropUfrag
	case !c.fresh(transaction, from):
		return dropRepeated
	}

	return socketDrops
}

// checksKept is how many requests of a session are remembered: a minute of a browser's, once it is connected.
const checksKept = 32

// checks are the newest STUN requests for a ufrag. Clients number them at random (RFC 8489, section 6.1), so that nobody can
// say in advance what another one's will be. Whoever knows the ufrag can send enough to have old ones forgotten; what is left
// then is consent, see consent.go.
type checks struct {
	// owned by the mux's reader
	ring [checksKept]struct {
		transaction [12]byte
		from        netip.AddrPort
	}
	next int
}

// fresh notes a request, unless it has come from another address before. Clients do repeat theirs from where they are.
func (c *checks) fresh(transaction [12]byte, from netip.AddrPort) bool {
	for i := range c.ring {
		if r := &c.ring[i]; r.transaction == transaction && r.from.IsValid() {
			return r.from == from
		}
	}
	c.ring[c.next].transaction, c.ring[c.next].from = transaction, from
	c.next = (c.next + 1) % checksKept

	return true
}

func (u *ufrags) add(ufrag string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.checks[ufrag] == nil {
		u.checks[ufrag] = &checks{}
	}
}

func (u *ufrags) remove(ufrag string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.checks, ufrag)
}

// udpMux is pion's mux over one socket, with a short list of addresses: one a family. Every session listens on each
// address it gathers, with a goroutine and a candidate pair each, and all are the same socket; the addresses that clients
// are told come from Node.candidates instead.
type udpMux struct {
	*ice.UDPMuxDefault
	known     *ufrags
	addresses []net.Addr
}

// GetListenAddresses implements ice.UDPMux.
func (m *udpMux) GetListenAddresses() []net.Addr { return m.addresses }

// GetConn implements ice.UDPMux.
func (m *udpMux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	m.known.add(ufrag)

	return m.UDPMuxDefault.GetConn(ufrag, addr)
}

// RemoveConnByUfrag implements ice.UDPMux.
func (m *udpMux) RemoveConnByUfrag(ufrag string) {
	m.known.remove(ufrag)
	m.UDPMuxDefault.RemoveConnByUfrag(ufrag)
}
