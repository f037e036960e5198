// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package proto holds the control API as protobuf files, and the generated Go of each version in a package of its own.
// It has no code; its test fails when generated code is stale.
//
// It starts no goroutines.
package proto

//go:generate go tool -modfile=../tools/go.mod buf generate
