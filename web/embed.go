// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package web is the pages of the node: demo, a page to try everything, and admin, to see what goes on. Plain ES modules and
// style sheets, embedded as they are.
//
// It starts no goroutines.
package web

import "embed"

// Files are the pages, one directory each.
//
//go:embed demo admin
var Files embed.FS
