// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package udpmux

import (
	"fmt"
	"log/slog"
	"net"
)

// openSockets binds what the configuration asks for: one socket, since SO_REUSEPORT does not share out datagrams here.
func openSockets(cfg *Config) ([]net.PacketConn, error) {
	if cfg.PacketConn != nil {
		return []net.PacketConn{cfg.PacketConn}, nil
	}
	conn, err := net.ListenPacket("udp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("udpmux: cannot listen on UDP %s: %w", cfg.Address, err)
	}

	return []net.PacketConn{conn}, nil
}

// setUp sizes a socket's buffers. What was granted is not known.
func (s *socket) setUp(cfg *Config) {
	if udp, ok := s.conn.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(cfg.Buffer) // as far as the system lets it
		_ = udp.SetWriteBuffer(cfg.Buffer)
	}
}

func warnOfBuffers(*slog.Logger, *socket, int) {}

// kernel is the system calls that tests replace: none here.
type kernel struct{}

func systemCalls() kernel { return kernel{} }

// readBatches is not there: reading goes datagram by datagram.
func (m *Mux) readBatches(*socket) error { return nil }

// messages are not there: sending goes datagram by datagram.
type messages struct{}

func newMessages(*socket) *messages { return nil }

func (*messages) send(*Batch) {}
