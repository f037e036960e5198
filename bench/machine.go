// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// udpErrors are datagrams that the kernel of this machine has dropped because a socket's buffer was full.
type udpErrors struct{ receive, send uint64 }

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	user, system := usage()

	return user + system
}
