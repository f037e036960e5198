// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e has the end-to-end tests: a whole node, driven through its gRPC face only, as a signaling tier would.
package e2e
