// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"

	"golang.org/x/sys/unix"
)

const onLinux = true

// openFiles is how many descriptors this process may have; Go has raised the soft limit to the hard one.
func openFiles() (uint64, error) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	return l.Cur, err
}

// trySegmentation sets both options on a socket of its own.
func trySegmentation() (send, receive error) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err, err
	}
	defer func() { _ = c.Close() }() // nothing was sent
	raw, err := c.SyscallConn()
	if err != nil {
		return err, err
	}
	err = raw.Control(func(fd uintptr) {
		send = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1200)
		receive = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	})
	if err != nil {
		return err, err
	}
	return send, receive
}
