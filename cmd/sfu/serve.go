// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"runtime"

	"github.com/switchyard-media/sfu/internal/config"
)

// contentionNs is the length of waiting that the block profile counts in full with --profile-contention.
const contentionNs = 10_000

type serveCommand struct {
	layers
	Quiet bool `short:"q" help:"Do not print the addresses at start; the log has them."`

	ProfileContention bool `hidden:"" help:"Let the profiler's mutex and block profiles see every wait of 10 µs or more. It costs CPU time: for measurements."`
}

// Run implements the command.
func (c *serveCommand) Run(p *process) error {
	signals := p.signals() // before anything runs that a signal should stop in order
	l, err := c.load(p)
	if err != nil {
		return err
	}
	log, levels := begin(p, l, "starting")
	if c.ProfileContention {
		runtime.SetMutexProfileFraction(1)
		runtime.SetBlockProfileRate(contentionNs)
	}
	n, err := start(l.Config, log)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	n.levels, n.load = levels, func() (*config.Loaded, error) { return c.load(p) }
	if !c.Quiet {
		say(p.stdout, "%s", banner(n.addresses(), where(l)))
	}
	n.logAddresses()
	if !n.run(signals) {
		return errReported
	}
	return nil
}

// begin does what comes before anything is opened: the log, with what the configuration deserves to be warned of, and memory.
func begin(p *process, l *config.Loaded, what string) (*slog.Logger, *logLevels) {
	levels := &logLevels{}
	levels.set(l.Config.Log)
	log := newLogger(p.stderr, l.Config.Log.Format, levels)
	log.Info(what, "version", versionString(), "config", where(l))
	for _, w := range warnings(l) {
		log.Warn(w)
	}
	setMemory(l.Config.Memory, log)
	return log, levels
}

// logAddresses tells a log reader, or a program, what the banner tells people.
func (n *node) logAddresses() {
	a := n.addresses()
	n.log.Info("listening", "http", a.http, "grpc", a.grpc, "media_udp", texts(a.udp), "media_tcp", texts(a.tcp), "pprof", a.pprof)
	for _, c := range a.offered {
		n.log.Info("offered to clients", "address", c.Address, "protocol", c.Protocol, "why", c.Why)
	}
	for _, w := range machineWarnings(realMachine()) {
		n.log.Warn(w)
	}
}

func texts[T fmt.Stringer](in []T) []string {
	out := make([]string, len(in))
	for i, x := range in {
		out[i] = x.String()
	}
	return out
}
