// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package allocate divides what a session's link carries among its
// subscriptions, over all rooms that the session is in.
//
// It is a function of its arguments: no goroutine, no clock, no memory but the
// Memory that each subscription hands in and gets back. Equal input gives equal
// output. An Allocator is scratch space that a whole shard can share; it is not
// safe for concurrent use and allocates nothing once it has seen its largest
// input.
//
// # How the budget is spent
//
//  1. `Allocator.Run` gives every audio stream that is not paused its rate,
//     whatever the budget: audio is the floor.
//  2. `Allocator.fill` spends the rest step by step. A step takes one
//     subscription to a better layer; the next step is always the one that adds
//     the most perceived quality per bit, weighted by room and by priority. One
//     that does not fit is left out, and what is left goes to the next ones.
//     What got no step stays paused.
//  3. `Allocator.decide` keeps what is shown where it still fits, goes down at once
//     where it does not, and up only into a budget that has room to spare, has
//     had it for a while, and not soon after going down.
package allocate
