// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package load plays WebRTC clients against a node, many of them in one process and each as cheap as can be: a UDP socket of
// its own, ICE checks, a DTLS handshake, SRTP contexts and the RTCP that a browser would send, without a PeerConnection.
//
// A Poller reads the sockets of its clients, decrypts and counts every packet, and sends their feedback and their consent
// checks. A client whose source has a Publisher sends one media track from a goroutine of its own. Every packet carries a
// stamp at the end of its payload (track, counter, time of sending), so that loss, duplicates and one-way latency are exact;
// arrival is the kernel's time stamp, so that a busy load generator does not pass for a slow node.
//
// A client may be behind an access link (bench/path): what the kernel received goes through it before the client sees it, and what the
// client sends before the kernel does. A track may be a simulcast of three VP8 layers with temporal layers; what a decoder could show
// of it is followed picture by picture, and a Trace keeps it over time.
//
// Loopback and Linux only.
//
// Goroutines:
//   - go (*Poller).run: reads sockets, sends feedback; stopped by Poller.Close
//   - go (*Publisher).run: sends one track; stopped by Publisher.Stop
package load
