// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package sdkjs is the browser SDK as one file, embedded. What it is made from is in src; npm run build writes dist again.
//
// It starts no goroutines.
package sdkjs

import _ "embed"

// Bundle is the ES module.
//
//go:embed dist/switchyard.js
var Bundle []byte
