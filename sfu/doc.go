// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package sfu is the media engine: it does what package router decides, with internal/transport for the clients'
// connections, internal/udpmux for the sockets and package rtpforward for the media. peer.go is the only file that sets
// transports up. Faces (gRPC, HTTP) call Node and hold no state.
//
// # Control path
//
// Do locks the router, applies the command, puts its effects into the inboxes of the sessions they are for, and unlocks:
// each session's effects are in the router's order. Then the caller itself carries out what is in those inboxes, which is
// no more than posting to the egress shards, waits for the acknowledgements of stops, and answers. Negotiations run on
// each session's loop and are not in the way of that. Sessions on the wire are described in the docs folder, under session.
//
// # Media path
//
// What a client sends comes decrypted, on the goroutine that has read the socket: session.HandleMedia hands reports to the
// Uplink and the Downlink, and RTP to the demux, which finds the UpTrack. What a client gets is written by its shard, past
// this package.
//
// # Goroutines
//
// Of a node, besides those of its sockets and of rtpforward:
//
//   - go runTicks: the router's deadlines, and the drain's; ends with Close
//   - go runLooks: has sessions look at their consent; ends with Close
//   - go runQueue: commands from goroutines that must not wait for the router; ends with Close
//   - go runLoudest: rooms that forward only their loudest, while there are any; ends with Close
//   - go runSpeakers: active speakers; not started when Config.SpeakerEvery is negative; ends with Close
//   - go finish: waits for the above within Close, which may give up on it
//
// Of a session, besides its transport's, and only while they have something to do:
//
//   - go loop: negotiation, candidates, connection state; ends when nothing is left to do, at the latest with the session
//   - go writeChannel: what is to be told on the data channel; ends when it is told, at the latest with the transport
//
// All of them have ended when Node.Close returns nil.
package sfu
