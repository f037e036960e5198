// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ptr is the address of b's first byte.
func ptr(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }

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

// busy is the CPU time of all processes of the machine since it began, and what its host has taken away.
func busy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}

	return parseStat(string(b))
}
