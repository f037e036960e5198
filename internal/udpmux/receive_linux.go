// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	maxIn      = 32    // messages of a read
	groBuffer  = 65536 // bytes of a message that may be many datagrams
	wholeCount = 8     // messages of a read where each may be so large
	oneBuffer  = 2048  // bytes of a message that is one datagram
)

// inbox is the memory that a socket is read into. Owned by its reader.
type inbox struct {
	mux    *Mux
	socket *socket
	call   func(fd uintptr) bool // i.read, made once
	err    error

	buffer  []byte // one piece a message
	piece   int    // bytes
	list    [maxIn]message
	vectors [maxIn]unix.Iovec
	from    [maxIn]address
	control [maxIn]ancillary
	dropped uint32 // by the kernel, by its last word

	// of what was read: what is handed out next, and how large its datagrams are
	message, offset int
	segments        [maxIn]int
}

// readBatches reads a socket until it is closed or fails.
func (m *Mux) readBatches(s *socket) error {
	i := &inbox{mux: m, socket: s, piece: oneBuffer}
	n := maxIn
	if s.gro {
		i.piece, n = groBuffer, wholeCount
	}
	i.buffer = make([]byte, n*i.piece)
	for k := range i.list[:n] {
		i.vectors[k].Base = &i.buffer[k*i.piece]
		i.vectors[k].SetLen(i.piece)
		h := &i.list[k].header
		h.Iov, h.Name, h.Control = &i.vectors[k], (*byte)(pointer(&i.from[k])), (*byte)(pointer(&i.control[k]))
		h.SetIovlen(1)
	}
	i.call = func(fd uintptr) bool { return i.read(fd, i.list[:n]) }
	if err := s.raw.Read(i.call); err != nil {
		return net.ErrClosed
	}

	return i.err
}

// read takes what there is, and asks to be called again when there is more: by returning false, which also spares the call
// that would find nothing. The poller remembers what comes meanwhile.
func (i *inbox) read(fd uintptr, list []message) bool {
	for {
		for k := range list {
			h := &list[k].header
			h.Namelen, h.Flags = unix.SizeofSockaddrInet6, 0
			h.SetControllen(controlWords * 8)
		}
		n, errno := i.socket.kernel.recvmmsg(fd, list)
		switch errno {
		case 0:
			i.take(list[:n])
			i.mux.afterRead(i.socket)
			if n < len(list) || i.mux.over() { // with a flood coming in, the poller would never get to say that it is closed
				return false
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			i.err = errno

			return true
		}
	}
}

// take counts what was read and hands it out.
func (i *inbox) take(list []message) {
	s := i.socket
	var datagrams, bytes uint64
	for k := range list {
		size, segment := int(list[k].bytes), 0
		if control := int(list[k].header.Controllen); control > 0 {
			var dropped uint32
			segment, dropped = i.control[k].read(control)
			i.lost(dropped)
		}
		if segment <= 0 || segment > size {
			segment = max(size, 1)
		}
		i.segments[k] = segment
		datagrams += uint64(max((size+segment-1)/segment, 1))
		bytes += uint64(size)
	}
	s.in.reads.Add(1)
	s.in.datagrams.Add(datagrams)
	s.in.bytes.Add(bytes)
	for i.message, i.offset = 0, 0; !i.handOut(list); {
	}
}

// handOut hands out what is left of what was read. False: a panic has ended it behind the datagram that caused it.
func (i *inbox) handOut(list []message) (done bool) {
	defer i.mux.contain(i.socket)
	for i.message < len(list) {
		k := i.message
		b := i.buffer[k*i.piece:][:list[k].bytes]
		from := canonical(i.from[k].get())
		for k == i.message {
			at := i.offset
			end := min(at+i.segments[k], len(b))
			if i.offset = end; end == len(b) {
				i.message, i.offset = k+1, 0
			}
			i.mux.take(i.socket, b[at:end:end], from)
		}
	}

	return true
}

// lost counts what the kernel has dropped since its last word. Its counter wraps around.
func (i *inbox) lost(dropped uint32) {
	if dropped != 0 && dropped != i.dropped {
		i.socket.in.lost.Add(uint64(dropped - i.dropped))
		i.dropped = dropped
	}
}
