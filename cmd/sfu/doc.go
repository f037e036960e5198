// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Command sfu is the media node: sfu alone runs it, without any configuration, with signaling tier, WHIP and pages; sfu signal
// runs the tier alone, in front of other nodes; sfu --help lists what else there is.
//
// This package only puts the others together: it reads the configuration, opens the ports, starts engine, control API, tier and
// HTTP port, says where they are, and carries out what signals ask for.
//
// Goroutines it starts:
//
//   - go node.serveControl: the control API's accept loop, until control.Server stops
package main
