// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/switchyard-media/sfu/internal/config"
)

// memoryShare is what of a control group's limit the heap may have: the rest is for stacks, the program itself and what the
// kernel charges the group for sockets.
const memoryShare = 0.9

// setMemory tells the garbage collector what the configuration says. What the environment says has been obeyed already, by
// the runtime before main.
func setMemory(cfg config.Memory, log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(cfg.GCPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(cfg.Limit)
	if limit == 0 {
		allowed, err := memlimit.ApplyRatio(memlimit.FromCgroup, memoryShare)()
		if err != nil {
			log.Debug("no memory limit: not in a control group that has one", "error", err)
			return
		}
		limit = int64(allowed)
	}
	debug.SetMemoryLimit(limit)
	log.Debug("memory limit", "bytes", limit)
}
