// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// udpErrors are datagrams that the kernel of this machine has dropped because a socket's buffer was full.
type udpErrors struct{ receive, send, in uint64 }

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	user, system := usage()

	return user + system
}

// parseStat adds up the first line but for idle and waiting time; it is in hundredths of a second.
func parseStat(text string) time.Duration {
	first, _, _ := strings.Cut(text, "\n")
	total := uint64(0)
	for i, f := range strings.Fields(first) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // name, idle, iowait, and guests, which are in user time
			continue
		}
		n, _ := strconv.ParseUint(f, 10, 64) // not a number: 0
		total += n
	}

	return time.Duration(total) * (time.Second / 100)
}

// parseSNMP finds the two lines of UDP: names, and values in the same order.
func parseSNMP(text string) udpErrors {
	var names []string
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		if len(f) == 0 || f[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = f

			continue
		}
		var e udpErrors
		for i := range min(len(names), len(f)) {
			n, _ := strconv.ParseUint(f[i], 10, 64) // not a number: 0
			switch names[i] {
			case "RcvbufErrors":
				e.receive = n
			case "InErrors":
				e.in = n
			case "SndbufErrors":
				e.send = n
			}
		}

		return e
	}

	return udpErrors{}
}

// parseDrops adds up what the sockets on a local port have dropped, from /proc/net/udp: the port is in the second field, in
// hexadecimal, and the drops are the last one.
func parseDrops(text string, port int) uint64 {
	suffix := fmt.Sprintf(":%04X", port)
	total := uint64(0)
	for l := range strings.Lines(text) {
		if f := strings.Fields(l); len(f) > 2 && strings.HasSuffix(f[1], suffix) {
			n, _ := strconv.ParseUint(f[len(f)-1], 10, 64) // not a number: 0
			total += n
		}
	}

	return total
}
