// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package admin lets the admin page, or curl, call the control API over HTTP and JSON: some of its methods, from loopback or
// with a token.
//
// A request goes through access.check (who may ask), handler.route (what is asked for), and then handler.call, which finds the
// method in a fixed list and lets protobuf descriptors turn JSON into a request and a reply into JSON, or handler.watch, which
// holds an event stream of the node open. The package keeps no state of rooms: what it answers is what the node says.
//
// It starts no goroutines.
package admin
