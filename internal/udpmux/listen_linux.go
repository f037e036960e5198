// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// openSockets binds what the configuration asks for.
func openSockets(cfg *Config) ([]net.PacketConn, error) {
	if cfg.PacketConn != nil {
		return []net.PacketConn{cfg.PacketConn}, nil
	}
	first, err := net.ListenPacket("udp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("udpmux: cannot listen on UDP %s: %w", cfg.Address, err)
	}
	conns := []net.PacketConn{first}
	if cfg.Sockets == 1 {
		return conns, nil
	}
	// The first socket was bound without SO_REUSEPORT, so that a port that is in use stays an error: with the option, a second
	// process of the same user would get half of the first one's traffic. The others may join the first from here on.
	if err = control(first, reusePort); err != nil {
		return conns, nil // the system has no such thing
	}
	join := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return controlRaw(raw, reusePort) }}
	for err == nil && len(conns) < cfg.Sockets {
		var c net.PacketConn
		if c, err = join.ListenPacket(context.Background(), "udp", first.LocalAddr().String()); err == nil {
			conns = append(conns, c)
		}
	}
	if err != nil {
		for _, c := range conns {
			_ = c.Close()
		}

		return nil, fmt.Errorf("udpmux: cannot listen with %d sockets on UDP %s: %w", cfg.Sockets, first.LocalAddr(), err)
	}

	return conns, nil
}

func reusePort(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// control calls f with the descriptor of a UDP socket.
func control(conn net.PacketConn, f func(fd int) error) error {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return errNotUDP
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return err
	}

	return controlRaw(raw, f)
}

func controlRaw(raw syscall.RawConn, f func(fd int) error) error {
	var err error

	return errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

// setUp sets a socket's options, and finds out what it can do.
func (s *socket) setUp(cfg *Config) {
	if s.raw == nil {
		return
	}
	_ = controlRaw(s.raw, func(fd int) error { // every option can be done without
		s.readBuffer = sizeBuffer(fd, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, cfg.Buffer)
		s.writeBuffer = sizeBuffer(fd, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE, cfg.Buffer)
		if s.batched = !cfg.Plain && cfg.PacketConn == nil; s.batched {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
			s.gro = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) == nil
			_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
			s.gso.Store(err == nil)
		}

		return nil
	})
}

// sizeBuffer asks for a buffer and gives what was granted: the kernel doubles the number for its own bookkeeping (socket(7)).
func sizeBuffer(fd, option, force, size int) int {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil { // wants CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, size)
	}
	granted, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
	if err != nil {
		return 0
	}

	return granted / 2
}

// warnOfBuffers says it when the kernel granted less than was asked for.
func warnOfBuffers(logger *slog.Logger, s *socket, asked int) {
	if s.raw != nil && (s.readBuffer < asked || s.writeBuffer < asked) {
		logger.Warn("the kernel granted smaller buffers to the media sockets than asked for, so that bursts may be lost: raise net.core.rmem_max and net.core.wmem_max",
			"asked", asked, "read", s.readBuffer, "write", s.writeBuffer)
	}
}
