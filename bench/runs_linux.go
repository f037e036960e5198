// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchRuns   = 16     // messages of one sendmmsg: what they hold stays in the cache
	maxSegments = 64     // of one UDP_SEGMENT message; the kernel's bound
	maxRunBytes = 60_000 // of one message
	batchBytes  = batchRuns * 16_384
)

// runCounts are what a batch has sent.
type runCounts struct{ packets, runs, calls uint64 }

// runBatch collects packets into runs (equal packets to one receiver, of which the last may be shorter), and runs into
// calls of sendmmsg.
type runBatch struct {
	fd       int
	buffer   []byte
	used     int
	n        int // runs, the open one included
	segment  int // size of each packet of the open run but the last
	last     int
	count    int // packets of the open run
	from     int // where it begins
	sent     runCounts
	to       [batchRuns]unix.RawSockaddrInet4
	vectors  [batchRuns]unix.Iovec
	messages [batchRuns]mmsghdr
	control  [batchRuns][32]byte
}

// mmsghdr is struct mmsghdr; the compiler pads it as C does.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func newRunBatch(fd int) *runBatch {
	b := &runBatch{fd: fd, buffer: make([]byte, batchBytes+maxRunBytes)}
	for i := range b.messages {
		h := &b.messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&b.to[i])), uint32(unsafe.Sizeof(b.to[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		c := (*unix.Cmsghdr)(unsafe.Pointer(&b.control[i][0]))
		c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
	}

	return b
}

func (b *runBatch) counts() *runCounts { return &b.sent }

// room gives space for a packet of a size to a receiver; add takes what was written there.
func (b *runBatch) room(to *unix.RawSockaddrInet4, size int) ([]byte, error) {
	joins := b.count > 0 && b.to[b.n-1] == *to && size <= b.segment && b.last == b.segment &&
		b.count < maxSegments && b.used-b.from+size <= maxRunBytes
	if !joins {
		b.closeRun()
		if b.n == batchRuns || b.used+size > batchBytes {
			if err := b.flush(); err != nil {
				return nil, err
			}
		}
		b.to[b.n], b.from, b.segment = *to, b.used, size
		b.n++
	}

	return b.buffer[b.used : b.used : b.used+size], nil
}

// add takes the packet that was written into the last room.
func (b *runBatch) add(size int) {
	b.used += size
	b.last = size
	b.count++
}

func (b *runBatch) closeRun() {
	if b.count == 0 {
		return
	}
	i := b.n - 1
	b.vectors[i].Base = &b.buffer[b.from]
	b.vectors[i].SetLen(b.used - b.from)
	h := &b.messages[i].header
	h.Control = nil
	h.SetControllen(0)
	if b.count > 1 {
		binary.NativeEndian.PutUint16(b.control[i][unix.CmsgLen(0):], uint16(b.segment))
		h.Control = &b.control[i][0]
		h.SetControllen(unix.CmsgSpace(2))
	}
	b.sent.packets += uint64(b.count)
	b.sent.runs++
	b.count = 0
}

// flush sends all runs.
func (b *runBatch) flush() error {
	b.closeRun()
	for from := 0; from < b.n; {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.messages[from])), uintptr(b.n-from), 0, 0, 0)
		if e != 0 && e != unix.EINTR {
			return fmt.Errorf("sending %d runs: %w", b.n-from, e)
		}
		b.sent.calls++
		from += int(n)
	}
	b.n, b.used = 0, 0

	return nil
}

func setPort(a *unix.RawSockaddrInet4, port int) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.Port))[:], uint16(port))
}
