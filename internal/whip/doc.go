// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package whip is the face for standard HTTP ingest and playback: WHIP (RFC 9725) and WHEP. A publisher and a viewer are
// ordinary members of their room.
//
// It starts no goroutines.
package whip
