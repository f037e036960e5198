// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package control is the gRPC face of a node: it authenticates, validates and converts, and calls sfu.Node. It holds no room
// state; what it counts is about calls.
//
// Goroutines, beside those of grpc-go:
//   - go (eventService).WatchEvents: ends a watch when the server stops; ended with its stream
//   - go (*Server).GracefulStop: waits for grpc-go; ended by it
//   - go (*Server).serveInner: serves callers in this process; ended by Stop and GracefulStop, which wait for it
package control
