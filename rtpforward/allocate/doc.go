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
//  3. `Allocator.firsts` looks for what is paused and could be seen with little
//     to spare; only if there is nothing of that, another `Allocator.fill` looks for
//     what is better with more to spare.
//  4. `Allocator.pick` takes of it what is ripe: one upgrade at a time, after it could
//     be afforded for a while, and `Allocator.decide` notes what has become of each.
//     What is shown is kept where it still fits; where it does not, it goes down at
//     once and not soon up again.
package allocate
