// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package signaling is a signaling tier in front of one or several nodes, small but complete: clients say over a WebSocket
// what they want (proto/sfu/signal/v1), the tier checks their tokens, calls the node, and relays its events to exactly the
// clients that may see them. It uses nothing but the public gRPC API, so that it can be the model for another. All that it
// knows it can ask the node for again: it may be killed and started at any time, and no media stops.
//
// # A request
//
//  1. serve reads a frame and keeps the client's rate (request.go); decode makes a request of it (frame.go).
//  2. accept gives it its turn: requests about one room in their order, others beside them (turns.go).
//  3. carryOut calls the node and answers: rooms.go, token.go, media.go, manage.go. What the node does not check, since it
//     knows no clients, is checked there: whose subscription and whose stream it is, and who may manage a room.
//  4. put hands the frame to the connection's outbox, which never waits (outbox.go); write sends it (connection.go).
//
// # An event
//
//  1. follow reads it from the one stream that there is per node (watch.go).
//  2. take finds whom it concerns: the members of its room in this life of the room, or the one client whose session it is
//     about (relay.go). What comes while a room is being read for a client is held, and told after that when it is newer.
//  3. relay makes the notice, once for all who get the same.
//
// After a gap in the events, restore tells every client its rooms anew (resync.go).
//
// # Goroutines
//
//   - go node.watch: follows the events of one node, until Close
//   - go connection.write: sends the frames of one connection, until it is closed
//   - go client.serve: reads the requests of one client, until its connection is closed
//   - go client.work: carries out one request, until the node has answered or its time is up
//   - go node.remember: reads the kicks that a node still knows of, once for each stream that began with a gap
//   - go node.verify: asks a node about clients that a snapshot lacks, until all are known
//   - go Server.Close: waits for all of these
//
// Until Hello is accepted, connections are read on the goroutines of the HTTP server.
package signaling
