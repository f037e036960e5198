// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package auth knows clients' tokens: it signs and checks them. Keys are replaced whole by Reload; everything else is
// immutable, and safe for concurrent use.
//
// It starts no goroutines.
package auth
