// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch       = 32 // packets of one recvmmsg
	controlSize = 128
	socketBytes = 1 << 20 // asked for; the system may give less
	mergedSize  = 1 << 16 // of what the kernel merges into one, at most
)

// socket is a UDP socket on 127.0.0.1 with a port of its own.
type socket struct {
	fd   int
	port int
	to   unix.RawSockaddrInet4 // where send sends; set once, before the first send
}

// openSocket opens one. With merge the kernel may hand over several packets of one sender as one (UDP_GRO).
func openSocket(merge bool) (*socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load: socket: %w", err)
	}
	s := &socket{fd: fd}
	// Without these the run goes on: latency is then that of the reader, and a small buffer shows as kernel drops.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBytes)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	if merge {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		s.close()

		return nil, fmt.Errorf("load: bind: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		s.close()

		return nil, fmt.Errorf("load: getsockname: %w", err)
	}
	if at, ok := name.(*unix.SockaddrInet4); ok {
		s.port = at.Port
	}

	return s, nil
}

func (s *socket) aim(to netip.AddrPort) {
	s.to = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.to.Port))[:], to.Port())
}

// send does not allocate. Any goroutine may call it, so that unix.Sendto will not do: it writes into the address it is given.
func (s *socket) send(b []byte) error {
	_, _, err := unix.Syscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		0, uintptr(unsafe.Pointer(&s.to)), unsafe.Sizeof(s.to))
	if err != 0 {
		return err
	}

	return nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

func (s *socket) localAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port}
}

// mmsghdr is struct mmsghdr; the compiler pads it as C does.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// reader reads many sockets, in batches. It is for one goroutine, but for add and remove.
type reader struct {
	epoll    int
	events   [64]unix.EpollEvent
	messages [batch]mmsghdr
	vectors  [batch]unix.Iovec
	buffers  [batch][]byte
	control  [batch][controlSize]byte
}

// newReader makes one for sockets that were all opened with the same merge.
func newReader(merge bool) (*reader, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	r := &reader{epoll: fd}
	size := packetSize
	if merge {
		size = mergedSize
	}
	for i := range r.messages {
		r.buffers[i] = make([]byte, size)
		r.vectors[i].Base = &r.buffers[i][0]
		r.vectors[i].SetLen(size)
		r.messages[i].header.Iov = &r.vectors[i]
		r.messages[i].header.SetIovlen(1)
		r.messages[i].header.Control = &r.control[i][0]
	}

	return r, nil
}

func (r *reader) close() { _ = unix.Close(r.epoll) }

// add makes wait return id when s has packets.
func (r *reader) add(s *socket, id int32) error {
	return unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: id})
}

func (r *reader) remove(s *socket) { _ = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, s.fd, nil) }

// wait blocks until sockets have packets, at most for a time, and returns how many.
func (r *reader) wait(most time.Duration) int {
	n, err := unix.EpollWait(r.epoll, r.events[:], int(most/time.Millisecond))
	if err != nil {
		return 0 // EINTR
	}

	return n
}

// id is that of the socket of event i.
func (r *reader) id(i int) int32 { return r.events[i].Fd }

// receive reads what there is, at most a batch, and does not block.
func (r *reader) receive(s *socket) int {
	for i := range r.messages {
		r.messages[i].header.SetControllen(controlSize)
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&r.messages[0])), batch, unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0
	}

	return int(n)
}

// packet is the i-th of the last receive, or several that were merged, good until the next one.
func (r *reader) packet(i int) []byte { return r.buffers[i][:r.messages[i].length] }

// meta reads when packet i arrived (0: not known), how many packets its socket had dropped by then (0: none or not known), and
// how long each but the last of merged ones is (0: it is one).
func (r *reader) meta(i int) (arrived int64, dropped uint32, segment int) {
	b := r.control[i][:r.messages[i].header.Controllen]
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			break
		}
		data := b[unix.SizeofCmsghdr:size]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			arrived = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			dropped = binary.NativeEndian.Uint32(data)
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(binary.NativeEndian.Uint32(data))
		}
		b = b[min(len(b), unix.CmsgSpace(len(data))):]
	}

	return arrived, dropped, segment
}
