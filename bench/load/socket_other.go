// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package load

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

var errLinuxOnly = errors.New("load: the load generator needs Linux")

const batch = 1

type socket struct{ port int }

func openSocket(bool) (*socket, error) { return nil, errLinuxOnly }

func (*socket) aim(netip.AddrPort)  {}
func (*socket) send([]byte) error   { return errLinuxOnly }
func (*socket) close()              {}
func (*socket) localAddr() net.Addr { return &net.UDPAddr{} }

type reader struct{}

func newReader(bool) (*reader, error) { return nil, errLinuxOnly }

func (*reader) close()                        {}
func (*reader) add(*socket, int32) error      { return errLinuxOnly }
func (*reader) remove(*socket)                {}
func (*reader) wait(time.Duration) int        { return 0 }
func (*reader) id(int) int32                  { return 0 }
func (*reader) receive(*socket) int           { return 0 }
func (*reader) packet(int) []byte             { return nil }
func (*reader) meta(int) (int64, uint32, int) { return 0, 0, 0 }
