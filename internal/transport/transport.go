// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "net/netip"

// Transport is one client's connection.
type Transport struct{}

// Start takes the first answer's remote end.
func (t *Transport) Start(r Remote) error { _ = r; return errTodo }

// Restart begins a new ICE generation.
func (t *Transport) Restart(local Credentials, r Remote) error { _, _ = local, r; return errTodo }

// AddCandidate adds a candidate of the client.
func (t *Transport) AddCandidate(attribute string) error { _ = attribute; return errTodo }

// AcceptChannels lets SCTP start.
func (t *Transport) AcceptChannels(maxMessage int) { _ = maxMessage }

// Writer is the way out for media.
func (t *Transport) Writer(shard int) *Writer { _ = shard; return nil }

// WriteRTCP sends one compound packet at once.
func (t *Transport) WriteRTCP(buf []byte) error { _ = buf; return errTodo }

// State tells how far it is.
func (t *Transport) State() State { return StateNew }

// Paired says whether ICE has a pair.
func (t *Transport) Paired() bool { return false }

// Profile names the SRTP profile.
func (t *Transport) Profile() string { return "" }

// RemoteAddr is where media goes.
func (t *Transport) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }

// Close ends everything and waits.
func (t *Transport) Close() {}

// Writer is a session's way out, owned by its shard.
type Writer struct{}

// Reserve returns room for a packet of n bytes.
func (w *Writer) Reserve(n int) []byte { _ = n; return nil }

// Commit encrypts and sends what Reserve returned last.
func (w *Writer) Commit() error { return errTodo }

// WriteRTCP sends one compound packet with the shard's next flush.
func (w *Writer) WriteRTCP(buf []byte) error { _ = buf; return errTodo }
