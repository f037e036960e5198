// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package sfuv1 is the generated Go of the control API, version 1. What it means is written in the .proto files beside
// it; types.proto begins with the rules that hold for every call.
//
// It starts no goroutines.
package sfuv1
