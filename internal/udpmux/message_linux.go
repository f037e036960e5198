// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	bytes  uint32 // received or sent
}

// kernel is the system calls that tests replace.
type kernel struct {
	sendmmsg, recvmmsg func(fd uintptr, list []message) (int, syscall.Errno)
}

func systemCalls() kernel { return kernel{sendmmsg: sendmmsg, recvmmsg: recvmmsg} }

// sendmmsg sends messages, of which list has one at least, and gives how many were: an error is about the first that was not.
func sendmmsg(fd uintptr, list []message) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), unix.MSG_DONTWAIT, 0, 0)

	return int(n), errno
}

func recvmmsg(fd uintptr, list []message) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), unix.MSG_DONTWAIT, 0, 0)

	return int(n), errno
}

// address is memory for a sockaddr_in6, or a sockaddr_in.
type address unix.RawSockaddrInet6

// set writes an address in the form that a socket of the family wants, and gives its size; 0: the socket cannot send there.
func (a *address) set(to netip.AddrPort, six bool) uint32 {
	ip := to.Addr()
	switch {
	case !ip.IsValid():
		return 0
	case six: // IPv4 goes as ::ffff:a.b.c.d
		a.Family, a.Addr, a.Scope_id = unix.AF_INET6, ip.As16(), zoneID(ip)
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.Port))[:], to.Port())

		return unix.SizeofSockaddrInet6
	case ip.Unmap().Is4():
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		four.Family, four.Addr = unix.AF_INET, ip.Unmap().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&four.Port))[:], to.Port())

		return unix.SizeofSockaddrInet4
	default:
		return 0
	}
}

// get reads what the kernel wrote.
func (a *address) get() netip.AddrPort {
	if a.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))

		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&four.Port))[:]))
	}
	ip := netip.AddrFrom16(a.Addr).Unmap()
	if a.Scope_id != 0 && ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(strconv.FormatUint(uint64(a.Scope_id), 10))
	}

	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&a.Port))[:]))
}

// controlWords is room for two control messages with an int each.
const controlWords = 8

// ancillary is memory for control messages, aligned as they must be.
type ancillary [controlWords]uint64

// setSegment writes the one that has the kernel cut a message into datagrams of size bytes, and gives its length.
func (a *ancillary) setSegment(size int) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(a))
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&(*[unsafe.Sizeof(*a)]byte)(unsafe.Pointer(a))[unix.CmsgLen(0)])) = uint16(size)

	return unix.CmsgSpace(2)
}

// read gives the size of the datagrams that a message was put together from, 0 if it is one, and how many the kernel has
// dropped on the socket so far, 0 if it does not say.
func (a *ancillary) read(size int) (segment int, dropped uint32) {
	b := (*[unsafe.Sizeof(*a)]byte)(unsafe.Pointer(a))[:min(size, int(unsafe.Sizeof(*a)))]
	for len(b) >= unix.CmsgLen(4) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		if int(h.Len) < unix.CmsgLen(4) {
			break
		}
		value := binary.NativeEndian.Uint32(b[unix.CmsgLen(0):])
		switch {
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO:
			segment = int(value)
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL:
			dropped = value
		}
		b = b[min(unix.CmsgSpace(int(h.Len)-unix.CmsgLen(0)), len(b)):]
	}

	return segment, dropped
}
