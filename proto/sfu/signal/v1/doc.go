// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package signalv1 is the generated Go of what clients and the reference signaling tier say to each other, version 1. What
// it means is written in signal.proto beside it, and in docs/signaling.md.
//
// It starts no goroutines.
package signalv1
