// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package links plays a sender against a simulated link: the estimator of rtpforward/bandwidth, or pion's gcc as the yard-stick,
// behind the same source, the same pacer and the same feedback, in virtual time. Tests of rtpforward/bandwidth hold the estimator to
// its bounds with it, and the bench draws both in one picture.
//
// Time is in ns from the start of a run. Nothing is random but the seed of a [Scenario], so that a run of [Ours] is the same each
// time; the parts of pion's gcc race, and its runs differ a little. gcc reads the clock and has goroutines of its own: it is played
// inside a bubble of testing/synctest only.
//
// There are no goroutines of this package.
package links
