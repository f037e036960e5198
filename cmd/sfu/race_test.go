// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package main

// Under the race detector the binary that the tests run has it too.
func init() { buildFlags = append(buildFlags, "-race") }
