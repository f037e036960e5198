// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package tools pins the development tools in a module of its own, so that none of their dependencies reaches the
// product's graph. The list is the tool block of go.mod here; from the root of the repository a tool is run with
// "go tool -modfile=tools/go.mod NAME".
//
// protoc-gen-go is not in the list: it is run from the product's own module, so that generated code and the protobuf
// runtime it is compiled against are always of the same version.
package tools
