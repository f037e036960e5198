// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package router decides what happens in the rooms of one media node: who is a member, which streams exist, which
// subscription is served from which slot, who is told what, and when it all ends.
//
// It is a pure state machine. A command goes in, at a time the caller states; a reply, a list of effects for the media
// engine, and events in the log come out. There is no clock, socket, logger or lock here, so that a scenario is a script
// (testdata/) and a failure can be replayed. A failed command changes nothing at all: most check everything before their
// first change, and those made of several others keep a journal that is played backwards (transaction.go).
//
// A Router is not safe for concurrent use. Its owner holds one lock around every call, reads included; that lock is what
// makes the order of events total and the limits hold.
//
// The route of a command, in order:
//
//  1. Router.Apply takes a savepoint and hands the command its transaction (router.go).
//  2. The command's apply checks ids, fences, grants and limits, and changes state through the transaction
//     (session.go, room.go, stream.go, subscription.go …).
//  3. What a subscription is bound to is decided in one place, Router.settle (slots.go), which emits the effects.
//  4. Router.finish gives freed slots to waiting subscriptions and says how many slots are missing (slots.go).
//  5. Failure: Router.rollback. Success: deadlines are brought up to date (timer.go) and events enter the ring (ring.go).
//
// Goroutines started by this package: none.
package router
