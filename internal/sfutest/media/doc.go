// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package media holds short encoded clips for tests and turns them into RTP
// and back: real bitstreams of every codec the node routes by its descriptor,
// so that what a test sends is what a browser would send, and what it receives
// can be compared byte by byte.
//
// How the clips were made stands in README.md. Everything a function of this
// package returns for a clip is shared and read-only; Loop, Packetizer and
// Depacketizer are each for one goroutine at a time.
package media
