// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// replayer is a network with somebody on the path who has copied a client's checks, and plays them again from an address of
// its own.
type replayer struct {
	net.PacketConn
	stranger *net.UDPAddr // immutable
	inject   chan []byte

	mu       sync.Mutex // guards the rest
	captured [][]byte
	stolen   int // RTP packets sent to the stranger
}

func (r *replayer) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-r.inject:
		return copy(b, p), r.stranger, nil
	default:
	}
	n, from, err := r.PacketConn.ReadFrom(b)
	if err == nil && n > 20 && b[0] == 0 && b[1] == 1 {
		r.mu.Lock()
		r.captured = append(r.captured, append([]byte(nil), b[:n]...))
		r.mu.Unlock()
	}
	return n, from, err
}

func (r *replayer) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok && u.Port == r.stranger.Port {
		r.mu.Lock()
		defer r.mu.Unlock()
		if b[0]>>6 == 2 {
			r.stolen++
		}
		return len(b), nil
	}
	return r.PacketConn.WriteTo(b, to)
}

func (r *replayer) state() (captured [][]byte, stolen int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.captured...), r.stolen
}

// TestReplayedChecks: a check is valid from wherever it comes, so a copy of one can turn the media away (RFC 8445, section 19.4.2). But
// consent counts only from where the media goes: without any it comes back to the client that goes on checking.
func TestReplayedChecks(t *testing.T) {
	t.Parallel()
	raw, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := &replayer{PacketConn: raw, inject: make(chan []byte, 64), stranger: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1).To4(), Port: 9}}
	n := startNode(t, func(c *Config) { c.PacketConn, c.ConsentTimeout = path, 6*time.Second })
	bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
	checks, _ := path.state()
	alice := newClient(t, n).join("r")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate().connected()
	alice.publish("r", "cam", nil, camera)
	camera.run()
	mid := bob.subscribe("r", "cam", false, true).VideoMid
	bob.more(mid)
	if len(checks) == 0 {
		t.Fatal("no check was captured")
	}
	for i := range 40 { // more than the socket keeps, or it would know the copies
		forget := slices.Clone(checks[0])
		binary.BigEndian.PutUint32(forget[8:], uint32(i))
		end := len(forget) - 8 // of what the fingerprint, which is last, is about
		binary.BigEndian.PutUint32(forget[end+4:], stun.FingerprintValue(forget[:end]))
		path.inject <- forget
	}
	for _, p := range checks[:min(len(checks), cap(path.inject))] {
		path.inject <- p
	}
	eventually(t, "the replay to turn the media away", func() bool {
		_, stolen := path.state()

		return stolen > 0
	})
	for range 3 {
		bob.more(mid)
	}
	_, before := path.state()
	for range 3 {
		bob.more(mid)
	}
	if _, after := path.state(); after != before {
		t.Errorf("%d packets went to the stranger when the client had its media back", after-before)
	}
}
