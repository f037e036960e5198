// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package auth knows clients' tokens: it signs and checks them. Keys are replaced whole by Reload; everything else is
// immutable, and safe for concurrent use.
//
// Tokens are JWTs (RFC 7519) with HS256 and nothing else: an app's backend and the node share a secret anyway, and with one
// algorithm there is none to confuse it with (RFC 8725 section 3.1).
//
// It starts no goroutines.
package auth
