// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package udpmux puts every session's UDP on one port: an ice.UDPMux for the agents, a way past them for media.
//
// A datagram that comes in takes this way, all of it on the goroutine that reads the socket, none of it waiting:
//
//  1. Its first bytes say what it is (RFC 7983): see Mux.take. What cannot be for any session is dropped there, by reason,
//     before anything is allocated for it.
//  2. STUN requests go by their user name, everything else by its source address, which is looked up without a lock.
//  3. STUN requests from an address that is the session's already are answered there and then, if its Sink is a Responder that
//     can. Other STUN and DTLS goes into the ring of a session's ICE agent, media to the session's Sink, where it lies.
//
// On the way out a shard writes its packets into a Batch, which sends runs of them to one destination with one system call for
// many. Agents and others send single datagrams. Nothing that is sent waits for the kernel: what it does not take is dropped
// and counted.
//
// A panic in what a datagram sets off costs that datagram: it is contained once a read, so that nothing is spent on it
// otherwise, and counted.
//
// Goroutines:
//
//   - go Mux.read: one a socket, reads it; ends when Close closes the socket
package udpmux
