// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package bandwidth estimates what a client's link carries, from what the
// client says about the packets that were sent to it, and spaces what is sent.
//
// It is arithmetic and nothing else: no goroutine, no clock, no socket. Time is
// a parameter, in nanoseconds since any moment the caller likes, and never goes
// back. One Estimator and one Pacer belong to one session, are owned by its
// shard and are not safe for concurrent use. Nothing is allocated after New.
//
// # How a round goes
//
//  1. `Estimator.Sent` notes each packet under its transport-wide number.
//  2. `Feedback.Parse` reads the client's transport-wide feedback into a
//     Feedback, which a whole shard can share.
//  3. `Estimator.Feedback` looks each packet up and hands what was received to
//     the detector (is the delay growing?), to the acknowledged rate (what came
//     through?), to the loss bound and to the probe that is under way.
//  4. The target follows: down to a part of what came through when the delay
//     grows, up a little while it does not, up at once when a probe proves it.
//  5. `Estimator.Probe` says when a burst above the target would teach something.
//  6. `Estimator.Tick` notices silence.
//
// docs/congestion.md has the reasons, the figures and what simulation shows.
package bandwidth
