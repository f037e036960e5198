// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"testing"
)

// TestHandshakeHasAnEnd sends pieces of handshake messages that never become whole, as anybody can in a client's name.
func TestHandshakeHasAnEnd(t *testing.T) {
	for _, state := range []State{StateConnecting, StateSecure} {
		tr := &Transport{maker: &Maker{}}
		tr.state.Store(uint32(state))
		let := 0
		for i := range 2000 {
			b := make([]byte, 1200)
			b[0], b[1], b[2] = recordHandshake, 254, 253
			binary.BigEndian.PutUint16(b[11:], uint16(len(b)-recordHeader))
			binary.BigEndian.PutUint16(b[recordHeader+4:], uint16(100+i)) // number of the message
			let += tr.admit(b)
		}
		if let == 0 || let > mostHandshake {
			t.Errorf("%v: %d bytes are let in", state, let)
		}
	}
}
