// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import "github.com/switchyard-media/sfu/internal/transport"

// sctpMessage is the largest message a client may send on a data channel, in bytes; none is of use to the node.
const sctpMessage = 16 << 10

// newMaker makes what makes the sessions' transports. This file and no other knows how they are set up.
func newMaker(cfg *Config, logs *pionLogs, t *transports) (*transport.Maker, error) {
	out := transport.Config{
		Certificate: cfg.Certificate, Mux: t.udp, Lite: !cfg.FullICE, ConsentTimeout: cfg.ConsentTimeout,
		PlainLane: cfg.PlainLane, AfterMedia: t.kick, Loggers: logs,
	}
	if t.tcp != nil { // or the interface would hold a nil pointer
		out.TCP = t.tcp
	}

	return transport.NewMaker(out)
}
