// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix || aix

package udpmux

import (
	"net"
	"net/netip"
)

// rawSends says that single sends datagrams by itself.
const rawSends = false

// single is of no use here: a net.UDPConn sends, and may wait for room in the kernel's send buffer.
type single struct{}

func newSingle() *single { return &single{} }

func (*single) send(*socket, []byte, netip.AddrPort) error { return net.ErrClosed }
