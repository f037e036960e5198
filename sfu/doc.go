// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package sfu is the media engine: it does what package router decides, with pion's PeerConnections for the transports
// and package rtpforward for the media. It is the only importer of pion/webrtc, and peer.go the only file that sets
// pion up. Faces (gRPC, HTTP) call Node and hold no state.
//
// # Control path
//
// Do locks the router, applies the command, puts its effects into the inboxes of the sessions they are for, and unlocks:
// each session's effects are in the router's order. Then the caller itself carries out what is in those inboxes, which is
// no more than posting to the egress shards, waits for the acknowledgements of stops, and answers. Negotiations run on
// each session's loop and are not in the way of that. Sessions on the wire are described in the docs folder, under session.
//
// # Goroutines
//
// Of a node, besides those of its sockets (pion's) and of rtpforward:
//
//   - go runTicks: the router's deadlines, and the drain's; ends with Close
//   - go runQueue: commands from goroutines that must not wait for the router; ends with Close
//   - go runSpeakers: active speakers; not started when Config.SpeakerEvery is negative; ends with Close
//   - go finish: waits for the above within Close, which may give up on it
//
// Of a session, besides pion's:
//
//   - go loop: negotiation, candidates, consent; from the first offer to the session's end
//   - go readMedia: one per received stream (layer); ends when pion closes the stream
//   - go readReports: one per received stream, its RTCP; ends when pion closes the stream
//   - go readFeedback: one per slot, RTCP of the subscriber; ends when pion closes the sender
//   - go writeChannel: one while the data channel is open; ends with it
//   - go abandon: cleans up after a Connect whose caller has gone; ends with that session or once it is joined
//
// All of them have ended when Node.Close returns nil.
package sfu
