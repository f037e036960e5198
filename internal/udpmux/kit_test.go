// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
)

// peer is a plain socket of a client.
type peer struct {
	*net.UDPConn
	address netip.AddrPort
}

func newPeer(t testing.TB, ip string) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadBuffer(8 << 20) // best effort
	local, _ := conn.LocalAddr().(*net.UDPAddr)

	return &peer{conn, local.AddrPort()}
}

// next gives the next datagram.
func (p *peer) next(t testing.TB) string {
	t.Helper()
	buf := make([]byte, 65536)
	n, err := p.Read(buf)
	if err != nil {
		t.Fatal(err)
	}

	return string(buf[:n])
}

// mode is a way to send and to receive. Every one has to behave the same.
type mode struct {
	name   string
	config func(t testing.TB) Config
}

func onLoopback(change func(*Config)) func(testing.TB) Config {
	return func(testing.TB) Config {
		c := Config{Address: "127.0.0.1:0"}
		change(&c)

		return c
	}
}

// wrapped hides what a socket can do besides net.PacketConn.
type wrapped struct{ net.PacketConn }

var modes = []mode{
	{"one socket", onLoopback(func(c *Config) { c.Sockets = 1 })},
	{"four sockets", onLoopback(func(c *Config) { c.Sockets = 4 })},
	{"plain", onLoopback(func(c *Config) { c.Plain, c.Sockets = true, 1 })},
	{"four plain sockets", onLoopback(func(c *Config) { c.Plain, c.Sockets = true, 4 })},
	{"any address", func(testing.TB) Config { return Config{Address: ":0", Sockets: 2} }},
	{"UDPConn", func(t testing.TB) Config { return Config{PacketConn: newPeer(t, "127.0.0.1").UDPConn} }},
	{"PacketConn", func(t testing.TB) Config { return Config{PacketConn: wrapped{newPeer(t, "127.0.0.1").UDPConn}} }},
}

func eachMode[T testing.TB](t T, run func(t T, m *Mux)) {
	for _, mode := range modes {
		f := func(t T) { run(t, open(t, mode.config(t))) }
		switch t := testing.TB(t).(type) {
		case *testing.T:
			t.Run(mode.name, func(t *testing.T) { f(testing.TB(t).(T)) })
		case *testing.B:
			t.Run(mode.name, func(t *testing.B) { f(testing.TB(t).(T)) })
		}
	}
}

func open(t testing.TB, cfg Config) *Mux {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})

	return m
}

// address is where clients on this machine find a Mux.
func (m *Mux) loopback() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), m.LocalAddr().AddrPort().Port())
}

// claim has a session's agent answer a check from an address.
func claim(t testing.TB, m *Mux, ufrag string, address netip.AddrPort) *conn {
	t.Helper()
	c, err := m.GetConn(ufrag, net.UDPAddrFromAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	answer(t, c, address)

	return c.(*conn)
}

func answer(t testing.TB, c net.PacketConn, address netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteTo(stunMessage(stunSuccess), net.UDPAddrFromAddrPort(address)); err != nil {
		t.Fatal(err)
	}
}

func stunMessage(kind uint16) []byte {
	b := make([]byte, stunHeader, 64)
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint32(b[4:], stunCookie)

	return b
}

// stunRequestFor builds a binding request with a user name.
func stunRequestFor(username string) []byte {
	b := stunMessage(stunRequest)
	b = binary.BigEndian.AppendUint16(b, stunUsername)
	b = binary.BigEndian.AppendUint16(b, uint16(len(username)))
	b = append(b, username...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader))

	return b
}

func dtlsRecord(kind, epoch byte, body []byte) []byte {
	return append([]byte{kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 0, 0, byte(len(body))}, body...)
}

// media is a datagram that looks like RTP, with a number.
func media(size, number int) []byte {
	b := make([]byte, max(size, shortest))
	b[0], b[1] = 128, 96
	binary.BigEndian.PutUint64(b[2:], uint64(number))
	for i := 10; i < len(b); i++ {
		b[i] = byte(number + i)
	}

	return b
}

// discard takes media and forgets it.
type discard struct{ _ byte }

func (*discard) HandleMedia([]byte) {}

func BenchmarkOut(b *testing.B) {
	for _, size := range []int{150, 1150} {
		for _, run := range []int{1, 3, 8, 32} {
			b.Run(fmt.Sprintf("%d bytes/runs of %d", size, run), func(b *testing.B) {
				for name, cfg := range map[string]Config{"plain": {Plain: true}, "sendmmsg": {}, "gso": {}} {
					b.Run(name, func(b *testing.B) {
						cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
						m := open(b, cfg)
						if name == "sendmmsg" {
							m.sockets[0].gso.Store(false)
						}
						var to []netip.AddrPort
						for range 16 {
							to = append(to, newPeer(b, "127.0.0.1").address)
						}
						batch, packet := m.Batch(0), media(size, 1)
						b.ReportAllocs()
						b.ResetTimer()
						for i := 0; i < b.N; {
							for _, to := range to {
								for range run {
									copy(batch.Reserve(to, size), packet)
									batch.Commit(size)
									i++
								}
							}
							batch.Flush()
						}
					})
				}
			})
		}
	}
}
