// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stunRequestFor builds a binding request with a user name.
func stunRequestFor(username string) []byte {
	b := make([]byte, stunHeader, 64)
	binary.BigEndian.PutUint16(b, stunRequest)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
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

func testSocket(t testing.TB) *socket {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := newSocket(conn)
	s.known.add("here")

	return s
}

func TestSocketThrowsAway(t *testing.T) {
	change := func(b []byte, f func(b []byte)) []byte {
		f(b)

		return b
	}
	manyAttributes := stunRequestFor("")[:stunHeader]
	for range 100 {
		manyAttributes = append(manyAttributes, 0x80, 0x22, 0, 0)
	}
	binary.BigEndian.PutUint16(manyAttributes[2:], uint16(len(manyAttributes)-stunHeader))
	for name, test := range map[string]struct {
		b    []byte
		want socketDrop // socketDrops: kept
	}{
		"empty":               {nil, dropShort},
		"three bytes":         {[]byte{128, 0, 0}, dropShort},
		"RTP":                 {append([]byte{128, 96}, make([]byte, 20)...), socketDrops},
		"DTLS":                {dtlsRecord(22, 0, make([]byte, 12)), socketDrops},
		"two of DTLS":         {append(dtlsRecord(20, 0, []byte{1}), dtlsRecord(22, 1, make([]byte, 40))...), socketDrops},
		"DTLS alert":          {dtlsRecord(21, 0, []byte{1, 0}), socketDrops},
		"DTLS data":           {dtlsRecord(23, 1, make([]byte, 40)), socketDrops},
		"DTLS data in clear":  {dtlsRecord(23, 0, make([]byte, 40)), dropDTLS},
		"DTLS of another":     {dtlsRecord(25, 0, make([]byte, 40)), dropDTLS},
		"half an alert":       {dtlsRecord(21, 0, []byte{1}), dropDTLS},
		"half a fragment":     {dtlsRecord(22, 0, make([]byte, 11)), dropDTLS},
		"odd cipher spec":     {dtlsRecord(20, 0, []byte{2}), dropDTLS},
		"DTLS and more":       {append(dtlsRecord(21, 0, []byte{1, 0}), 1), dropDTLS},
		"half of DTLS":        {dtlsRecord(22, 0, make([]byte, 40))[:40], dropDTLS},
		"TLS":                 {append([]byte{22, 3, 3}, make([]byte, 20)...), dropDTLS},
		"TURN channel":        {append([]byte{64}, make([]byte, 20)...), dropKind},
		"QUIC":                {append([]byte{192}, make([]byte, 20)...), dropKind},
		"check":               {stunRequestFor("here:there"), socketDrops},
		"check of a stranger": {stunRequestFor("nowhere:there"), dropUfrag},
		"prefix of a ufrag":   {stunRequestFor("her:there"), dropUfrag},
		"no user name":        {stunRequestFor("")[:stunHeader], dropSTUN},
		"no cookie":           {change(stunRequestFor("here:x"), func(b []byte) { b[4] = 0 }), dropSTUN},
		"length lies":         {change(stunRequestFor("here:x"), func(b []byte) { b[3] += 4 }), dropSTUN},
		"attribute lies":      {change(stunRequestFor("here:x"), func(b []byte) { b[stunHeader+3] = 200 }), dropSTUN},
		"many attributes":     {manyAttributes, dropSTUN},
		"response":            {change(stunRequestFor("x"), func(b []byte) { b[0] = 1 }), socketDrops},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSocket(t)
			if kept := s.wanted(test.b, somewhere); kept != (test.want == socketDrops) {
				t.Errorf("kept: %v", kept)
			}
			want := make(map[string]uint64)
			for i, n := range socketDropNames {
				want[n] = 0
				if socketDrop(i) == test.want {
					want[n] = 1
				}
			}
			if diff := cmp.Diff(want, s.stats()); diff != "" {
				t.Errorf("counted: %s", diff)
			}
		})
	}
}

func TestSocketSweep(t *testing.T) {
	s := testSocket(t)
	for first := range 256 {
		b := dtlsRecord(byte(first), 1, make([]byte, 87))
		kept := s.wanted(b, somewhere)
		if want := first >= 20 && first < 64 || first >= 128 && first < 192; kept != want {
			t.Errorf("first byte %d: kept %v", first, kept)
		}
	}
}

func TestUnknownUfragsCostNothing(t *testing.T) {
	s := testSocket(t)
	b := stunRequestFor("nowhere:there")
	if n := testing.AllocsPerRun(1000, func() { s.wanted(b, somewhere) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSocket(f *testing.F) {
	f.Add(stunRequestFor("here:there"))
	f.Add(stunRequestFor("nowhere:there"))
	f.Add([]byte{128, 96, 0, 1})
	s := testSocket(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := slices.Clone(b)
		s.wanted(b, somewhere)
		if !slices.Equal(before, b) {
			t.Error("the datagram was changed")
		}
	})
}

func TestOfferedAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	local := []localAddress{{addr("10.0.0.5"), "eth0", "interface eth0"}, {addr("2001:db8::5"), "eth0", "interface eth0"}, {addr("10.0.0.6"), "eth1", "interface eth1"}}
	for name, test := range map[string]struct {
		external []ExternalAddress
		want     []string
	}{
		"none":               {nil, []string{"10.0.0.5:7", "[2001:db8::5]:7", "10.0.0.6:7"}},
		"for any IPv4":       {[]ExternalAddress{{Address: addr("203.0.113.1")}}, []string{"203.0.113.1:7", "[2001:db8::5]:7"}},
		"for one":            {[]ExternalAddress{{Address: addr("203.0.113.1"), Internal: addr("10.0.0.6")}}, []string{"203.0.113.1:7", "10.0.0.5:7", "[2001:db8::5]:7"}},
		"with another port":  {[]ExternalAddress{{Address: addr("2001:db8::1"), Port: 9}}, []string{"[2001:db8::1]:9", "10.0.0.5:7", "10.0.0.6:7"}},
		"beside the address": {[]ExternalAddress{{Address: addr("203.0.113.1")}, {Address: addr("10.0.0.5")}}, []string{"203.0.113.1:7", "10.0.0.5:7", "[2001:db8::5]:7"}},
		"the same twice":     {[]ExternalAddress{{Address: addr("203.0.113.1")}, {Address: addr("203.0.113.1")}}, []string{"203.0.113.1:7", "[2001:db8::5]:7"}},
	} {
		var got []string
		for _, c := range offered(&Config{External: test.external}, local, 7, "udp") {
			got = append(got, c.Address.String())
			if c.Why == "" {
				t.Errorf("%s: %v without a reason", name, c.Address)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCandidateLine(t *testing.T) {
	at := netip.MustParseAddrPort("[2001:db8::1]:7782")
	for want, c := range map[string]CandidateInfo{
		"1 1 udp 2130706431 2001:db8::1 7782 typ host":                 {Address: at, Protocol: "udp"},
		"1 1 tcp 1526726655 2001:db8::1 7782 typ host tcptype passive": {Address: at, Protocol: "tcp"},
	} {
		if got := candidateLine(0, c); got != want {
			t.Errorf("%q, not %q", got, want)
		}
		if err := checkCandidate("candidate:" + want); err != nil {
			t.Errorf("our own candidate: %v", err)
		}
	}
}

var somewhere = netip.MustParseAddrPort("192.0.2.1:1000")

// TestSocketKnowsReplays: a request counts once, but for repetitions from where it first came.
func TestSocketKnowsReplays(t *testing.T) {
	s := testSocket(t)
	elsewhere := netip.MustParseAddrPort("192.0.2.1:1001")
	request := func(number byte) []byte {
		b := stunRequestFor("here:there")
		b[8] = number

		return b
	}
	for i, step := range []struct {
		number byte
		from   netip.AddrPort
		want   bool
	}{{1, somewhere, true}, {1, somewhere, true}, {1, elsewhere, false}, {2, elsewhere, true}, {2, somewhere, false}, {1, somewhere, true}, {0, somewhere, true}} {
		if got := s.wanted(request(step.number), step.from); got != step.want {
			t.Errorf("step %d: kept %v", i, got)
		}
	}
	if n := s.stats()["stun_replayed"]; n != 2 {
		t.Errorf("%d are counted as replayed", n)
	}
	for i := range checksKept {
		s.wanted(request(byte(100+i)), somewhere)
	}
	if !s.wanted(request(1), elsewhere) {
		t.Error("the memory has no bound")
	}
}
