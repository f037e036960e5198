// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !aix

package udpmux

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawSends says that single sends datagrams by itself.
const rawSends = true

// single sends one datagram without waiting, which net.UDPConn would. It holds what a system call wants at a fixed address, so
// that nothing is allocated for one.
type single struct {
	call  func(fd uintptr) // s.do, made once
	bytes []byte
	to    unix.Sockaddr
	four  unix.SockaddrInet4
	six   unix.SockaddrInet6
	err   error
}

func newSingle() *single {
	one := &single{}
	one.call = one.do

	return one
}

func (one *single) do(fd uintptr) {
	for {
		if one.err = unix.Sendto(int(fd), one.bytes, unix.MSG_DONTWAIT, one.to); !errors.Is(one.err, unix.EINTR) {
			return
		}
	}
}

// send goes by RawConn's Control, not its Write: that one takes a lock, behind which others would wait for the system call.
func (one *single) send(s *socket, b []byte, to netip.AddrPort) error {
	switch {
	case s.six:
		one.six = unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16(), ZoneId: zoneID(to.Addr())}
		one.to = &one.six
	case to.Addr().Unmap().Is4():
		one.four = unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
		one.to = &one.four
	default:
		return syscall.EAFNOSUPPORT
	}
	one.bytes = b
	err := s.raw.Control(one.call)
	one.bytes = nil
	if err != nil {
		return net.ErrClosed
	}

	return one.err
}

// zoneID gives the number of the interface that a link-local address is on; 0: none, or none of that name.
func zoneID(ip netip.Addr) uint32 {
	zone := ip.Zone()
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}

	return 0
}
