// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"testing"
)

// TestSocketDrops fills a socket that nobody reads until the kernel drops.
func TestSocketDrops(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadBuffer(1); err != nil { // the least there is
		t.Fatal(err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).Port
	if n := socketDrops(port); n != 0 {
		t.Fatalf("%d drops before anything was sent", n)
	}
	for range 100 {
		if _, err := conn.WriteTo(make([]byte, 1000), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	if n := socketDrops(port); n == 0 || n >= 100 {
		t.Errorf("%d of 100 packets dropped", n)
	}
}

func TestMachineIsRead(t *testing.T) {
	user, system := usage()
	if user+system <= 0 || busy() <= 0 || kernel() == "" {
		t.Errorf("CPU time %v and %v, of the machine %v, kernel %q", user, system, busy(), kernel())
	}
}
