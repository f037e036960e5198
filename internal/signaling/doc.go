// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package signaling is a signaling tier in front of one or several nodes, small but complete: clients say over a WebSocket
// what they want (proto/sfu/signal/v1), the tier checks their tokens, calls the node, and relays its events to exactly the
// clients that may see them. It uses nothing but the public gRPC API, so that it can be the model for another. All that it
// knows it can ask the node for again: it may be killed and started at any time, and no media stops.
//
// It starts no goroutines.
package signaling
