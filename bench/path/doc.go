// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package path is one direction of an access link as arithmetic: a bottleneck whose rate may change, with a queue that drops what
// does not fit, then delay, jitter and random loss; on request a TCP-like flow that shares the bottleneck.
//
// It has no clock and no sockets. The simulation of bench/links moves it in steps of virtual time; the clients of bench/load put
// real datagrams through it and move it with the clock of the machine. Both see the same link. Time is in ns from any origin,
// sizes are in bytes, rates in bit/s. Nothing is random but what the generator it is given says.
//
// There are no goroutines in this package; a Link is for one goroutine at a time.
package path
