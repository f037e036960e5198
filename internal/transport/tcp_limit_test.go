// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestTooManyConnections opens one TCP connection after the other for a session, each with the beginning of a check. From some
// number on they are closed, and another session's are not.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	n := newNode(t, func(cfg *Config) { cfg.TCP = NewTCPMux(tcpParams(t)) })
	hostile, other := NewCredentials(), NewCredentials()
	for _, local := range []Credentials{hostile, other} {
		tr, err := n.maker.New(newOwner(), local, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tr.Close)
	}
	counted := make(map[string]int)
	stays := func(ufrag string) bool {
		t.Helper()
		conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(n.tcp)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		b := make([]byte, 2+20+4+16)
		binary.BigEndian.PutUint16(b, uint16(len(b)-2))
		binary.BigEndian.PutUint16(b[2:], 1)
		binary.BigEndian.PutUint16(b[4:], 20)
		binary.BigEndian.PutUint32(b[6:], stunCookie)
		binary.BigEndian.PutUint16(b[22:], stunUsername)
		binary.BigEndian.PutUint16(b[24:], 16)
		copy(b[26:], ufrag+":abc")
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		n.maker.mu.Lock()
		tr := n.maker.waiting[ufrag]
		n.maker.mu.Unlock()
		for { // until it was counted
			tr.mu.Lock()
			seen := tr.connections
			tr.mu.Unlock()
			if seen > maxConnections {
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				_, err := conn.Read(b)

				return errors.Is(err, os.ErrDeadlineExceeded)
			}
			if seen > counted[ufrag] {
				counted[ufrag] = seen

				return true
			}
			runtime.Gosched()
		}
	}
	for i := range maxConnections {
		if !stays(hostile.Ufrag) {
			t.Fatalf("connection %d is closed", i)
		}
	}
	if stays(hostile.Ufrag) {
		t.Error("one more stays")
	}
	if !stays(other.Ufrag) {
		t.Error("another session's is closed")
	}
}
