// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxOut = 256 // messages of a system call
	// maxWhole destinations are remembered that take no messages of several datagrams.
	maxWhole = 1024
	// enoughRefused destinations in a row that take none mean that it is not about them.
	enoughRefused = 32
)

// pointer saves a conversion where the kernel's structures want another type.
func pointer[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// messages sends a Batch by sendmmsg(2), with UDP_SEGMENT where the kernel does that. Owned by the shard of the Batch. The
// memory is the kernel's during the call only.
type messages struct {
	socket *socket
	call   func(fd uintptr) // o.send, made once

	list    [maxOut]message
	vectors [maxOut]unix.Iovec
	to      [maxOut]address
	control [maxOut]ancillary
	places  [maxOut]place // where each begins
	counts  [maxOut]int   // datagrams of each

	whole   map[netip.AddrPort]struct{} // destinations that take datagrams one by one only
	refused int                         // such destinations since the last that took several

	next, end int // of list, for call
	sent      int // by call
	errno     syscall.Errno
	counted   outCount
}

// place is a datagram of a Batch.
type place struct {
	run int
	at  int // bytes into the run
}

func newMessages(s *socket) *messages {
	if !s.batched {
		return nil
	}
	o := &messages{socket: s, whole: make(map[netip.AddrPort]struct{})}
	for k := range o.list {
		h := &o.list[k].header
		h.Name, h.Iov = (*byte)(pointer(&o.to[k])), &o.vectors[k]
		h.SetIovlen(1)
	}
	o.call = func(fd uintptr) { o.sent, o.errno = s.kernel.sendmmsg(fd, o.list[o.next:o.end]) }

	return o
}

// send sends all of a Batch.
func (o *messages) send(b *Batch) {
	o.counted = outCount{}
	for at := (place{}); at.run < len(b.runs); {
		n, next := o.fill(b, at)
		again, ok := o.submit(b, n)
		if !ok {
			break // the socket was closed
		}
		if at = next; again < n {
			at = o.places[again]
		}
	}
	o.socket.countOut(&o.counted)
}

// fill makes messages of a Batch from a place on, and gives how many, and the place that comes next.
func (o *messages) fill(b *Batch, at place) (int, place) {
	n, several := 0, o.socket.gso.Load()
	for ; at.run < len(b.runs) && n < maxOut; at = (place{run: at.run + 1}) {
		r := &b.runs[at.run]
		size := o.to[n].set(r.to, o.socket.six)
		if size == 0 {
			o.counted.refused += uint64(r.count)

			continue
		}
		if several && at.at == 0 && r.count > 1 && !o.wantsWhole(r.to) {
			o.put(n, b.arena[r.from:r.from+r.bytes], at, r.count, size)
			h := &o.list[n].header
			h.Control = (*byte)(pointer(&o.control[n]))
			h.SetControllen(o.control[n].setSegment(r.segment))
			n++

			continue
		}
		for ; at.at < r.bytes; at.at += r.segment {
			if n == maxOut {
				return n, at
			}
			o.to[n].set(r.to, o.socket.six)
			o.put(n, b.arena[r.from+at.at:r.from+min(at.at+r.segment, r.bytes)], at, 1, size)
			n++
		}
	}

	return n, at
}

// put makes the n-th message, without control messages.
func (o *messages) put(n int, b []byte, at place, count int, addressSize uint32) {
	o.vectors[n].Base = &b[0]
	o.vectors[n].SetLen(len(b))
	o.places[n], o.counts[n] = at, count
	h := &o.list[n].header
	h.Namelen, h.Control = addressSize, nil
	h.SetControllen(0)
}

func (o *messages) wantsWhole(to netip.AddrPort) bool {
	if len(o.whole) == 0 {
		return false
	}
	_, ok := o.whole[to]

	return ok
}

// submit sends the first n messages. again is the first that has to be made anew, as datagrams one by one; n if none has.
func (o *messages) submit(b *Batch, n int) (again int, ok bool) {
	for o.next, o.end = 0, n; o.next < n; {
		if o.socket.raw.Control(o.call) != nil {
			return n, false
		}
		switch o.errno {
		case 0:
			o.accepted()
		case syscall.EINTR:
		case syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
			o.counted.full += uint64(o.counts[o.next])
			o.next++
		default:
			if o.counts[o.next] > 1 && o.split(b.runs[o.places[o.next].run].to) {
				return o.next, true
			}
			o.counted.refused += uint64(o.counts[o.next])
			o.next++
		}
	}

	return n, true
}

// accepted counts the messages that a call has sent.
func (o *messages) accepted() {
	o.counted.sends++
	for range max(o.sent, 1) { // never 0
		k := o.next
		if o.counts[k] > 1 {
			o.refused = 0
		}
		o.counted.runs++
		o.counted.datagrams += uint64(o.counts[k])
		o.counted.bytes += uint64(o.vectors[k].Len)
		o.next++
	}
}

// split says whether a message of several datagrams, which was refused, is to be sent as one each. Where a device or the
// system cannot do it, nothing on the socket is sent that way again. A datagram that is larger than the path takes is no
// reason to: that is one destination's, and an ICMP message that anybody can write is enough for it.
func (o *messages) split(to netip.AddrPort) bool {
	switch o.errno {
	case syscall.EIO, syscall.EOPNOTSUPP, syscall.ENOPROTOOPT:
		o.socket.noSegments(o.errno)

		return true
	case syscall.EINVAL, syscall.EMSGSIZE:
		if len(o.whole) >= maxWhole {
			clear(o.whole)
		}
		o.whole[to] = struct{}{}
		if o.refused++; o.refused >= enoughRefused {
			o.socket.noSegments(o.errno)
		}

		return true
	default:
		return false
	}
}
