// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package transport is one client's connection: ICE, DTLS, SRTP and data channels, put together from pion's parts. It knows
// datagrams, keys and channels; what the media is, and whose, is its owner's.
//
// A packet in takes this way:
//
//  1. udpmux reads a datagram and knows by its address whose it is. Media is handed to HandleMedia, on the goroutine of the
//     socket; anything else goes to the ICE agent.
//  2. HandleMedia decrypts it in place, under the session's inbound lock, and refuses what is replayed or forged.
//  3. Handler.HandleMedia takes it, still there.
//
// And a packet out:
//
//  1. Writer.Reserve gives room in the batch of the session's shard, behind what goes to the same address.
//  2. Writer.Commit encrypts it there. Maker.Flush sends the batch.
//
// On the plain lane (Config.PlainLane) and over ICE-TCP media passes pion's ICE agent instead, both ways: in by the loop in
// which DTLS reads, out by ice.Conn.Write.
//
// # Checks
//
// The client of a lite session asks every few seconds, for as long as it is there. Answer answers those where udpmux reads them:
// the ones that repeat what pion's agent has taken last on the pair that it has chosen, with the same user name and from the
// same address. Every other check is the agent's: a first one, one from elsewhere, one that nominates another pair or has
// anything unusual in it, all over ICE-TCP, all on the plain lane, and all with full ICE. See answerer.
//
// # Keys
//
// They come from DTLS by its exporter (RFC 5764, section 4.2), in memory; no key log is written, and nothing that holds one
// prints it. Each direction has its own context, and so have RTP and RTCP on the way out. See gcmSealer for why no nonce of
// AES-GCM is ever used twice.
//
// # Goroutines
//
// An idle session has none of ours. pion's are, for each session: the ICE agent's loop and its timer, one reader for each
// local candidate (one an address family, one more for a session that uses ICE-TCP), and for DTLS its state machine, its
// reader and one that watches the reader. Six with one family; SCTP adds its reader and its writer.
//
//   - go secure: the DTLS handshake; ends with it, or by Close
//   - go serveChannels: takes the data channels a client opens, from its first SCTP packet on; Close ends it
//   - go serveStream: one of them, for Handler.HandleChannel; Close ends it, or the client
//
// # Panics
//
// Those of pion's SRTP are contained in HandleMedia, which runs where all sessions' media is read. ICE, DTLS and SCTP parse
// on goroutines that are pion's own, where nobody else can contain anything. The Handler has to contain its own.
package transport
