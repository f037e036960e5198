// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package rtpforward moves RTP from publishers to subscribers. It knows tracks
// and slots, no rooms and no PeerConnections: packets come in as decrypted
// bytes and leave through Writer, which encrypts and sends them.
//
// # The route of a packet
//
//  1. enter: `UpTrack.Ingest` takes the decrypted bytes from the socket's
//     receive buffer, `UpTrack.IngestRetransmission` those of a repeated packet
//     (RFC 4588), which it undoes. Goroutine: the one that reads the socket,
//     holding the session's inbound lock. Never blocks.
//  2. parse: `ParseHeader` and `UpTrack.describe` read header, extensions,
//     payload and dependency descriptor once, into an immutable Packet, whose bytes `slab.keep`
//     has copied. Same goroutine, never blocks.
//  3. store: `UpTrack.store` puts it into the layer's history, which answers
//     NACKs. Same goroutine, never blocks.
//  4. hand over: `UpTrack.handOver` pushes it to each shard that has a sink for
//     the track, by `shard.push`. Same goroutine; a full queue drops, it never
//     blocks.
//  5. collect: `shard.step` takes it off the queue and `shard.collect` keeps it
//     with others of its frame, for Config.Hold at most. Goroutine: the
//     shard's, or, in its place while it is parked and there is little to do,
//     the one that handed over (`shard.kick`); here and from here on. Only
//     `shard.park` blocks, when there is nothing to do.
//  6. fan out: `shard.flush` goes through the sessions one by one, so that each
//     session's state is warm for its whole run. What of a video the session's
//     link does not take at the moment, `DownTrack.hold` keeps as it came; it
//     goes on from here when `shard.release` says so. Never blocks.
//  7. choose: `DownTrack.forwardRun` finds the packets that plainly continue what
//     the slot shows, and does once for all of them what is the same for each.
//     The others go through `DownTrack.forwardOne`, where `DownTrack.choose`
//     decides if the slot shows them now: paused, waiting for a keyframe,
//     another layer (`DownTrack.chooseVideo` asks the slot's Selector), a
//     format that was not negotiated. Never blocks.
//  8. rewrite: the slot's SSRC and payload type, sequence number
//     (`renumbering.follow`, `renumbering.take`) and timestamp
//     (`outputClock.stamp`), and a Stamp for counters inside of payload and
//     dependency descriptor; `DownTrack.measure` finds the extensions that this
//     subscriber gets. The packet is not touched. Never blocks.
//  9. write: `DownTrack.write` puts all that together in what Writer.Reserve
//     returns, the place that it is sent from, and Writer.Commit encrypts it
//     there. Neither may block.
//  10. leave: `shard.send` calls Config.Flush, which sends what the Writers of
//     the shard have taken: at the end of each turn in which something was
//     written, and always before a command is acknowledged. It must not block.
//
// Feedback takes the way back: `Downlink.HandleRTCP` posts a subscriber's to its
// shard, which answers NACKs from the history (`DownTrack.retransmit`) and hands
// keyframe wishes to `Track.wishFor`, where those of all subscribers
// merge; `Uplink.run` sends them up. What it says of the link goes to the
// session's estimator (`Downlink.heard`), and from there to the pacer
// (`Downlink.steer`), to probes (`Downlink.probe`) and to what each slot is to show
// (`Downlink.divide`). `Uplink.HandleRTCP` takes the publisher's.
//
// # Who owns what
//
// A Packet is immutable once ingested, and the garbage collector counts its
// references. A layer's counters and numbering belong to whoever calls Ingest, one at a time;
// what goes up belongs to the Uplink's goroutine. Everything about subscribers belongs to their
// shard: Bind, Unbind and the like travel to it in the same queue as the
// packets, so that each has an exact place in the packet order, and the channel
// they return is closed when they have taken effect.
//
// # Goroutines
//
//   - go (*shard).run: fans out, one a shard; stopped by Forwarder.Close
//   - go (*Uplink).run: sends RTCP to the publisher; stopped by Uplink.Close
package rtpforward
