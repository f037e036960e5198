// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package httpd is the node's HTTP port: an index page with every address, /livez, /readyz and /metrics, embedded pages, tokens
// for the demo page, and what others mount; and, on a port of its own, Go's profiler. It knows nothing of rooms or media: what
// it shows is handed to it as functions and handlers.
//
// Goroutines it starts:
//
//   - go Server.serve: accepts connections, one for each Server; ended by Shutdown, which waits for it
package httpd
