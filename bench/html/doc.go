// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package html turns what bench prints as JSON into one HTML file that compares runs.
//
// [Read] takes a file apart into runs: reports of one node version, machine and configuration. [Write] makes the page of any
// number of them; the first is the one that all others are compared with. [File] does both with paths.
//
// Reports that belong together, say of several scenarios, a ramp and growth curves of one commit, become one run when their files are
// put into one: JSON objects may simply follow each other. Of equal loads in a run the one in the middle, by CPU time, is shown.
//
// The page loads nothing and runs no script: style and plots are in it. Plots are SVG with widths in percent and heights in
// pixels, so that text keeps its size from a phone to a wide screen. Every string comes from a file and may be hostile:
// html/template escapes them where they stand, and clean takes out what could disturb the lines around them.
//
// Reports are read by JSON name into a flat map of numbers, not into the types that bench writes: files of older and newer
// versions are to be compared, fields that this package does not know are listed by name, and absent ones are shown as such.
//
// Links, simulated or of a real node, are drawn over time: what the link carries, what was estimated, sent and received, what waited, and
// which layer was shown. Their series are bounded in length, and many values are drawn as fewer.
//
// There are no goroutines and no state in this package.
package html
