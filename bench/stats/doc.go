// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package stats holds the arithmetic of the load generator: a histogram with bounded error that takes a value without
// allocating, and exact percentiles of small samples.
package stats
