// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "errors"

var errTodo = errors.New("transport: not built yet")

// Maker makes the transports of a node. Safe for concurrent use.
type Maker struct{ cfg Config }

// NewMaker checks the configuration.
func NewMaker(cfg Config) (*Maker, error) { return &Maker{cfg: cfg}, nil }

// Fingerprint is "sha-256 AA:BB…" of the certificate.
func (m *Maker) Fingerprint() string { return "" }

// Refusals counts over all transports.
func (m *Maker) Refusals() Refusals { return Refusals{} }

// Flush sends what the Writers of a shard have taken.
func (m *Maker) Flush(shard int) { _ = shard }

// NewCredentials makes a generation's.
func NewCredentials() Credentials { return Credentials{} }

// New makes a Transport that listens for checks at once.
func (m *Maker) New(h Handler, local Credentials, dtlsClient bool) (*Transport, error) {
	_, _, _ = h, local, dtlsClient

	return nil, errTodo
}
