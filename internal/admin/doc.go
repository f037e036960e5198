// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package admin lets the admin page, or curl, call the control API over HTTP and JSON: some of its methods, from loopback or
// with a token.
//
// It starts no goroutines.
package admin
