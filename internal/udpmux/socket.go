// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is one of the sockets on the port, and what was counted on it.
type socket struct {
	// immutable
	conn net.PacketConn
	udp  udpConn         // conn, when it takes addresses without allocating; nil: it does not
	raw  syscall.RawConn // of a UDP socket that is not somebody's wrapper; nil: none
	six  bool            // raw takes IPv6 addresses, and IPv4 ones in their form

	// immutable after setUp
	logger                  *slog.Logger
	kernel                  kernel
	batched, gro            bool
	readBuffer, writeBuffer int // bytes

	gso atomic.Bool // written by setUp, and by senders when they find that it does not work; read by senders

	_  [64]byte // the two below are written by different goroutines
	in struct {
		datagrams, bytes, reads atomic.Uint64        // written by the reader
		lost                    atomic.Uint64        // written by the reader: dropped by the kernel
		answered, panics        atomic.Uint64        // written by the reader
		drops                   [Drops]atomic.Uint64 // written by the reader
	}
	reply reply // owned by the reader
	_     [64]byte
	out   struct {
		datagrams, bytes, sends, runs atomic.Uint64        // written by whoever sends: one shard, mostly
		drops                         [Drops]atomic.Uint64 // the same
	}
	_ [64]byte
}

// udpConn are the methods of *net.UDPConn that do not allocate.
type udpConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

func newSocket(conn net.PacketConn, cfg *Config, calls kernel, logger *slog.Logger) *socket {
	s := &socket{conn: conn, kernel: calls, logger: logger, reply: reply{one: newSingle()}}
	s.udp, _ = conn.(udpConn)
	if udp, ok := conn.(*net.UDPConn); ok {
		s.raw, _ = udp.SyscallConn() // fails for nil only
		local, _ := udp.LocalAddr().(*net.UDPAddr)
		s.six = local != nil && local.IP.To4() == nil
	}
	s.setUp(cfg)

	return s
}

// noSegments gives up sending several datagrams as one message, for good.
func (s *socket) noSegments(err error) {
	if s.gso.Swap(false) {
		s.logger.Warn("UDP segmentation offload was refused: packets are sent one by one from now on, which costs more", "error", err)
	}
}

func (s *socket) addTo(out *Stats) {
	out.GSO = out.GSO && s.gso.Load()
	out.GRO = out.GRO && s.gro
	out.KernelDrops += s.in.lost.Load()
	out.In += s.in.datagrams.Load()
	out.InBytes += s.in.bytes.Load()
	out.Reads += s.in.reads.Load()
	out.Answered += s.in.answered.Load()
	out.Panics += s.in.panics.Load()
	out.Out += s.out.datagrams.Load()
	out.OutBytes += s.out.bytes.Load()
	out.Sends += s.out.sends.Load()
	out.Runs += s.out.runs.Load()
	for i := range out.Drops {
		out.Drops[i] += s.in.drops[i].Load() + s.out.drops[i].Load()
	}
}

const (
	firstPause = time.Millisecond // after a socket that cannot be read
	lastPause  = time.Second
)

// read reads a socket until it is closed.
func (m *Mux) read(s *socket) {
	defer m.readers.Done()
	pause := firstPause
	for {
		before := s.in.reads.Load()
		var err error
		if s.batched {
			err = m.readBatches(s)
		} else {
			err = m.readSingles(s)
		}
		if s.in.reads.Load() != before {
			pause = firstPause
		}
		if errors.Is(err, net.ErrClosed) || m.wait(pause, err) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// afterRead is called by the reader of s.
func (m *Mux) afterRead(s *socket) {
	if m.config.AfterRead != nil {
		defer m.contain(s)
		m.config.AfterRead()
	}
}

// readSingles reads a socket until it is closed or fails.
func (m *Mux) readSingles(s *socket) error {
	buf := make([]byte, MaxDatagram+1)
	for {
		before := s.in.reads.Load()
		if err := m.readMany(s, buf); err != nil {
			return err
		}
		if s.in.reads.Load() == before {
			return errPanic // by reading: it is not what has come
		}
	}
}

// readMany reads a socket until it is closed or fails, or until something has panicked, which is no error.
func (m *Mux) readMany(s *socket, buf []byte) error {
	defer m.contain(s)
	for {
		n, from, err := s.readOne(buf)
		if err != nil {
			return err
		}
		s.in.reads.Add(1)
		s.in.datagrams.Add(1)
		s.in.bytes.Add(uint64(n))
		m.take(s, buf[:n:n], canonical(from))
		m.afterRead(s)
	}
}

// wait holds a reader back whose socket fails; true: the Mux was closed.
func (m *Mux) wait(pause time.Duration, err error) bool {
	if pause == firstPause {
		m.logger.Warn("cannot read the media socket", "error", err)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-m.done:
		return true
	}
}

func (s *socket) readOne(b []byte) (int, netip.AddrPort, error) {
	if s.udp != nil {
		return s.udp.ReadFromUDPAddrPort(b)
	}
	n, from, err := s.conn.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, fmt.Errorf("udpmux: datagram from %v: %w", from, errNotUDP)
	}

	return n, udp.AddrPort(), nil
}

// countOut adds up what a Batch has done.
func (s *socket) countOut(c *outCount) {
	s.out.sends.Add(c.sends)
	s.out.runs.Add(c.runs)
	s.out.datagrams.Add(c.datagrams)
	s.out.bytes.Add(c.bytes)
	if c.full|c.refused != 0 {
		s.out.drops[DropSend].Add(c.full)
		s.out.drops[DropRefused].Add(c.refused)
	}
}

// outCount is what one Flush did.
type outCount struct{ datagrams, bytes, sends, runs, full, refused uint64 }

// sendOne sends one datagram, and counts what became of it. one is the caller's for the call.
func (s *socket) sendOne(one *single, b []byte, to netip.AddrPort) error {
	if len(b) > MaxDatagram {
		s.out.drops[DropRefused].Add(1)

		return fmt.Errorf("udpmux: %d bytes to %v: %w", len(b), to, errLarge)
	}
	err := s.write(one, b, to)
	switch {
	case err == nil:
		s.out.sends.Add(1)
		s.out.runs.Add(1)
		s.out.datagrams.Add(1)
		s.out.bytes.Add(uint64(len(b)))

		return nil
	case noRoom(err):
		s.out.drops[DropSend].Add(1)

		return nil
	case errors.Is(err, net.ErrClosed):
		return errClosed
	default:
		s.out.drops[DropRefused].Add(1)

		return fmt.Errorf("udpmux: cannot send to %v: %w", to, err)
	}
}

var errLarge = errors.New("datagram too large")

func (s *socket) write(one *single, b []byte, to netip.AddrPort) error {
	switch {
	case s.raw != nil && rawSends:
		return one.send(s, b, to)
	case s.udp != nil:
		_, err := s.udp.WriteToUDPAddrPort(b, to)

		return err
	default:
		_, err := s.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))

		return err
	}
}

// noRoom says whether the kernel had no buffer for a datagram.
func noRoom(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, os.ErrDeadlineExceeded)
}
