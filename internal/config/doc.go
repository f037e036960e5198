// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package config reads the node's configuration: defaults, then a YAML file, then SFU_* environment variables, then
// flags, each over the one before.
//
// The structs in config.go are the only list of keys. Their tags carry the documentation, ranges and choices, and the
// sample file (configs/sfu.yaml), the JSON schema, docs/configuration.md and the names of the environment variables are
// all made from them; tests hold the committed copies to what the code says.
//
// The YAML is parsed by goccy/go-yaml and then walked here rather than decoded by it, because its decoder stops at the
// first problem and forgets where values came from. Here every problem is reported, with file, line, column and the
// line itself, and values from the environment and from flags go through the same checks.
//
// A Config is a plain value. Nothing in the package keeps state, starts goroutines or writes.
package config
