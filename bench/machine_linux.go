// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the CPU time of this process.
func usage() (user, system time.Duration) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}

	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}

// kernel is its release.
func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}

	return unix.ByteSliceToString(u.Release[:])
}

// cpuModel is the first one's name.
func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "model name")
	name, _, _ := strings.Cut(strings.TrimLeft(rest, "\t :"), "\n")

	return name
}

// readUDPErrors reads the counters of the whole machine.
func readUDPErrors() udpErrors {
	b, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return udpErrors{}
	}

	return parseSNMP(string(b))
}

// socketDrops is what the sockets of a UDP port of this machine have dropped.
func socketDrops(port int) uint64 {
	total := uint64(0)
	for _, file := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		if b, err := os.ReadFile(file); err == nil {
			total += parseDrops(string(b), port)
		}
	}

	return total
}

// busy is the CPU time of all processes of the machine since it began, and what its host has taken away.
func busy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}

	return parseStat(string(b))
}
