// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"syscall"
	"testing"
)

// TestCloseAmidFlood has a socket always have as much as a read takes: the reader still sees that the Mux is closed.
func TestCloseAmidFlood(t *testing.T) {
	calls := systemCalls()
	calls.recvmmsg = func(_ uintptr, list []message) (int, syscall.Errno) {
		for k := range list {
			list[k].bytes = 1
		}

		return len(list), 0
	}
	m, err := newMux(Config{Address: "127.0.0.1:0", Sockets: 2}, calls)
	if err != nil {
		t.Fatal(err)
	}
	for m.Stats().In < 1000 {
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
