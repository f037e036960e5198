// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func listen(t *testing.T, n *Network, ip string, up, down Shape) *Endpoint {
	t.Helper()
	e, err := n.Listen(netip.AddrPortFrom(netip.MustParseAddr(ip), 5000), up, down)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNetworkDelaysAndLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(7)
		defer n.Close()
		a := listen(t, n, "10.0.0.1", Shape{Delay: 20 * time.Millisecond, Loss: 0.1}, Shape{})
		b := listen(t, n, "10.0.0.2", Shape{}, Shape{Delay: 5 * time.Millisecond})
		defer a.Close()
		defer b.Close()
		const sent = 2000
		start := time.Now()
		for i := range sent {
			var p [4]byte
			binary.BigEndian.PutUint32(p[:], uint32(i))
			if _, err := a.WriteTo(p[:], b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		got, last := 0, -1
		_ = b.SetReadDeadline(time.Now().Add(time.Second))
		for {
			var p [64]byte
			k, from, err := b.ReadFrom(p[:])
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil || k != 4 || from.String() != "10.0.0.1:5000" {
				t.Fatalf("read %d bytes from %v: %v", k, from, err)
			}
			if at := time.Since(start); at != 25*time.Millisecond {
				t.Fatalf("arrived after %v, want 25ms", at)
			}
			i := int(binary.BigEndian.Uint32(p[:]))
			if i <= last {
				t.Fatalf("datagram %d after %d", i, last)
			}
			last = i
			got++
		}
		up, _ := a.Stats()
		if up.In != sent || up.Lost+uint64(got) != sent || up.Lost < sent/20 || up.Lost > sent/5 {
			t.Errorf("sent %d, got %d, stats %+v", sent, got, up)
		}
	})
}

func TestNetworkRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		defer n.Close()
		// 8 kbit/s: a datagram of 100 bytes takes 100 ms, and a queue of 1 s holds about ten of them.
		a := listen(t, n, "10.0.0.1", Shape{Rate: 8000, Queue: time.Second}, Shape{})
		b := listen(t, n, "10.0.0.2", Shape{}, Shape{})
		defer a.Close()
		defer b.Close()
		start := time.Now()
		for range 50 {
			_, _ = a.WriteTo(make([]byte, 100), b.LocalAddr())
		}
		_ = b.SetReadDeadline(time.Now().Add(10 * time.Second))
		var buf [200]byte
		got := 0
		var last time.Duration
		for {
			if _, _, err := b.ReadFrom(buf[:]); err != nil {
				break
			}
			got++
			last = time.Since(start)
		}
		if got != 11 || last != 1100*time.Millisecond {
			t.Errorf("got %d datagrams, the last after %v; want 11 after 1.1s", got, last)
		}
	})
}

func TestLinkPassesBothWays(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	link, err := NewLink(server.LocalAddr().(*net.UDPAddr).AddrPort(), Shape{}, Shape{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	client, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(link.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	deadline := time.Now().Add(time.Minute)
	_ = client.SetReadDeadline(deadline)
	_ = server.SetReadDeadline(deadline)
	var buf [16]byte
	for range 100 {
		if _, err := client.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		k, from, err := server.ReadFromUDPAddrPort(buf[:])
		if err != nil || string(buf[:k]) != "ping" {
			t.Fatalf("server read %q: %v", buf[:k], err)
		}
		if _, err := server.WriteToUDPAddrPort([]byte("pong"), from); err != nil {
			t.Fatal(err)
		}
		if k, err = client.Read(buf[:]); err != nil || string(buf[:k]) != "pong" {
			t.Fatalf("client read %q: %v", buf[:k], err)
		}
	}
	link.Set(Shape{Blackhole: true}, Shape{})
	_, _ = client.Write([]byte("gone"))
	_ = server.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, _, err := server.ReadFromUDPAddrPort(buf[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read through a black hole: %v", err)
	}
	if !Eventually(t.Context(), func() bool { up, _ := link.Stats(); return up.In > 100 }) {
		t.Error("the last datagram never came to the link")
	}
	up, down := link.Stats()
	if up.In != 101 || up.Lost != 1 || down.Out != 100 {
		t.Errorf("stats up %+v, down %+v", up, down)
	}
}

func TestRTPHeader(t *testing.T) {
	rtp := make([]byte, 12)
	rtp[0], rtp[1], rtp[3], rtp[11] = 0x80, 96, 7, 9
	if ssrc, seq, ok := RTPHeader(rtp); !ok || ssrc != 9 || seq != 7 {
		t.Errorf("RTP read as %d %d %v", ssrc, seq, ok)
	}
	rtp[1] = 200 // sender report
	if _, _, ok := RTPHeader(rtp); ok {
		t.Error("RTCP taken for RTP")
	}
	if _, _, ok := RTPHeader([]byte{0, 1, 0, 0}); ok {
		t.Error("STUN taken for RTP")
	}
}
