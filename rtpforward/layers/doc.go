// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package layers knows how video is made of layers: it describes packets,
// chooses among the layers for one receiver, and rewrites the counters inside of
// what is sent so that a decoder sees no gap that it was not meant to see.
//
// Three types, in the order in which a packet meets them:
//
//   - Reader.Read, where a stream is received: what a packet is, from payload
//     descriptors (VP8, VP9, H264) or from the dependency descriptor (AV1, and
//     any other codec that brings one);
//   - Selector.Choose, for each receiver: forward it, leave it out, or change
//     over to another layer with it;
//   - Rewriter.Forward and Rewriter.Skip, for each receiver: what is written
//     otherwise, as a Stamp that is applied to a copy of the packet.
//
// Sequence numbers and timestamps of RTP are the caller's. Everything here is
// arithmetic on plain values: no goroutine, clock, lock or allocation (a Reader
// allocates for a structure that it has not seen before).
package layers
