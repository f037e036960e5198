// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package sfu

// raced says whether the race detector is on: everything takes ten times as long then.
const raced = false
