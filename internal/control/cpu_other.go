// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package control

import "time"

// cpuTime is not known on this system.
func cpuTime() (user, system time.Duration) { return 0, 0 }
