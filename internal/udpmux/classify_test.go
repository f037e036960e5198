// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
)

var somewhere = netip.MustParseAddrPort("127.1.2.1:1000")

// TestThrowsAway shows every kind of datagram to a Mux, from an address that a session has.
func TestThrowsAway(t *testing.T) {
	change := func(b []byte, f func(b []byte)) []byte {
		f(b)

		return b
	}
	manyAttributes := stunMessage(stunRequest)
	for range 100 {
		manyAttributes = append(manyAttributes, 0x80, 0x22, 0, 0)
	}
	binary.BigEndian.PutUint16(manyAttributes[2:], uint16(len(manyAttributes)-stunHeader))
	for name, test := range map[string]struct {
		b    []byte
		want Drop
	}{
		"empty":               {nil, DropShort},
		"three bytes":         {[]byte{128, 0, 0}, DropShort},
		"RTP":                 {append([]byte{128, 96}, make([]byte, 20)...), kept},
		"largest":             {append([]byte{128, 96}, make([]byte, MaxDatagram-2)...), kept},
		"too large":           {append([]byte{128, 96}, make([]byte, MaxDatagram-1)...), DropLarge},
		"DTLS":                {dtlsRecord(22, 0, make([]byte, 12)), kept},
		"two of DTLS":         {append(dtlsRecord(20, 0, []byte{1}), dtlsRecord(22, 1, make([]byte, 40))...), kept},
		"DTLS alert":          {dtlsRecord(21, 0, []byte{1, 0}), kept},
		"DTLS data":           {dtlsRecord(23, 1, make([]byte, 40)), kept},
		"DTLS data in clear":  {dtlsRecord(23, 0, make([]byte, 40)), DropDTLS},
		"DTLS of another":     {dtlsRecord(25, 0, make([]byte, 40)), DropDTLS},
		"half an alert":       {dtlsRecord(21, 0, []byte{1}), DropDTLS},
		"half a fragment":     {dtlsRecord(22, 0, make([]byte, 11)), DropDTLS},
		"odd cipher spec":     {dtlsRecord(20, 0, []byte{2}), DropDTLS},
		"DTLS and more":       {append(dtlsRecord(21, 0, []byte{1, 0}), 1), DropDTLS},
		"half of DTLS":        {dtlsRecord(22, 0, make([]byte, 40))[:40], DropDTLS},
		"TLS":                 {append([]byte{22, 3, 3}, make([]byte, 20)...), DropDTLS},
		"TURN channel":        {append([]byte{64}, make([]byte, 20)...), DropKind},
		"QUIC":                {append([]byte{192}, make([]byte, 20)...), DropKind},
		"check":               {stunRequestFor("here:there"), kept},
		"check without colon": {stunRequestFor("here"), kept},
		"check of a stranger": {stunRequestFor("nowhere:there"), DropUfrag},
		"prefix of a ufrag":   {stunRequestFor("her:there"), DropUfrag},
		"no user name":        {stunRequestFor("")[:stunHeader], DropSTUN},
		"no cookie":           {change(stunRequestFor("here:x"), func(b []byte) { b[4] = 0 }), DropSTUN},
		"length lies":         {change(stunRequestFor("here:x"), func(b []byte) { b[3] += 4 }), DropSTUN},
		"attribute lies":      {change(stunRequestFor("here:x"), func(b []byte) { b[stunHeader+3] = 200 }), DropSTUN},
		"many attributes":     {manyAttributes, DropSTUN},
		"response":            {change(stunRequestFor("x"), func(b []byte) { b[0] = 1 }), kept},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
			m.Open("here", &discard{})
			c := claim(t, m, "here", somewhere)
			m.take(m.sockets[0], test.b, somewhere)
			var want Stats
			if test.want != kept {
				want.Drops[test.want] = 1
			}
			if got := m.Stats().Drops; got != want.Drops {
				t.Errorf("drops %v, want %v", got, want.Drops)
			}
			waiting := c.generation.rings[0].n
			if slow := test.want == kept && test.b[0] < 128; waiting != 0 != slow {
				t.Errorf("%d datagrams wait for the agent", waiting)
			}
		})
	}
}

// TestStrangers sends what is well-formed from an address that no session has.
func TestStrangers(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("here", &discard{})
	for _, b := range [][]byte{media(40, 1), dtlsRecord(23, 1, make([]byte, 40)), stunMessage(stunSuccess)} {
		m.take(m.sockets[0], b, somewhere)
	}
	if got := m.Stats().Drops; got[DropStranger] != 3 {
		t.Errorf("drops %v", got)
	}
}

func TestEveryFirstByte(t *testing.T) {
	for first := range 256 {
		_, _, reason := classify(dtlsRecord(byte(first), 1, make([]byte, 87)))
		if want := first >= 20 && first < 64 || first >= 128 && first < 192; want != (reason == kept) {
			t.Errorf("first byte %d: %v", first, reason)
		}
	}
}

// TestCopiedChecks repeats a request from the same address, and from another one.
func TestCopiedChecks(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("here", nil)
	m.Open("there", nil)
	elsewhere := netip.MustParseAddrPort("127.1.2.2:1000")
	request := func(n byte) []byte {
		b := stunRequestFor("here:x")
		b[stunHeader-1] = n

		return b
	}
	send := func(b []byte, from netip.AddrPort, want Drop) {
		t.Helper()
		if got := m.sort(m.sockets[0], b, from); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	send(request(0), somewhere, kept)
	send(request(0), somewhere, kept)
	send(request(0), elsewhere, DropRepeated)
	send(request(1), elsewhere, kept)
	other := stunRequestFor("there:x")
	send(other, elsewhere, kept) // numbers are a session's own
	for i := range byte(checksKept) {
		m.sort(m.sockets[0], request(i+2), somewhere) // the ring is full of it
	}
	if got := m.sort(m.sockets[0], request(0), elsewhere); got == DropRepeated {
		t.Error("more requests are remembered than were to be")
	}
}

func TestUnknownUfragsCostNothing(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	b := stunRequestFor("nowhere:there")
	if n := testing.AllocsPerRun(1000, func() { m.take(m.sockets[0], b, somewhere) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTake(f *testing.F) {
	f.Add(stunRequestFor("here:there"))
	f.Add(stunRequestFor("nowhere:there"))
	f.Add([]byte{128, 96, 0, 1})
	f.Add(dtlsRecord(22, 0, make([]byte, 12)))
	m, err := New(Config{Address: "127.0.0.1:0", Sockets: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = m.Close() })
	m.Open("here", &discard{})
	c, err := m.GetConn("here", net.UDPAddrFromAddrPort(somewhere))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		answer(t, c, somewhere)
		before, drops := slices.Clone(b), m.Stats().Drops
		ring := &c.(*conn).generation.rings[0]
		waiting := ring.n
		m.take(m.sockets[0], b, somewhere)
		if !slices.Equal(before, b) {
			t.Error("the datagram was changed")
		}
		sum := ring.n - waiting
		for i, n := range m.Stats().Drops {
			sum += int(n - drops[i])
		}
		media := len(b) >= shortest && len(b) <= MaxDatagram && b[0] >= 128 && b[0] < 192
		if (sum == 1) == media {
			t.Errorf("%d waiting or dropped", sum)
		}
		for range ring.n {
			if n, from, err := c.(*conn).ReadFromAddrPort(make([]byte, MaxDatagram)); n != len(b) || from != somewhere || err != nil {
				t.Errorf("read %d, %v, %v", n, from, err)
			}
		}
	})
}
