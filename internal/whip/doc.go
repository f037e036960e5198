// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package whip is the face for standard HTTP ingest and playback: WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep). A
// publisher and a viewer are ordinary members of their room: each POST makes one session of ROOM_MODE_SINGLE by one
// Node.Connect, each session has one HTTP resource, and the resource ends when the session does.
//
// The route of a request: Server.respond (server.go), the token (token.go), then create.go for a POST to an endpoint and
// resource.go for what is asked of a resource; offer.go and fragment.go read what clients send. Every refusal is a problem
// (problem.go), and has changed nothing.
//
// Goroutines:
//   - go (*Server).follow: one for all sessions, ends sessions that have left their room, forgets resources whose session has
//     ended, and learns who is put out of rooms; ends with the node
package whip
