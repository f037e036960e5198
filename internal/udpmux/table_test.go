// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
)

// numbered is the address of the i-th client.
func numbered(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1 + byte(i>>16), byte(i >> 8), byte(i)}), uint16(1024+i%50000))
}

func (m *Mux) generationOf(ufrag string) *generation {
	m.mu.RLock()
	defer m.mu.RUnlock()

	return m.ufrags[ufrag]
}

// owner gives the ufrag that an address belongs to; "": none.
func (m *Mux) owner(a netip.AddrPort) string {
	if g := m.addresses.find(canonical(a)); g != nil {
		return g.ufrag
	}

	return ""
}

func mustParse(a string) netip.AddrPort { return netip.MustParseAddrPort(a) }

func wantOwner(t *testing.T, m *Mux, a netip.AddrPort, want string) {
	t.Helper()
	if got := m.owner(a); got != want {
		t.Errorf("%v is %q's, want %q", a, got, want)
	}
}

func TestTableGrows(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	const n = 5 * firstBuckets
	for i := range n {
		m.Open(fmt.Sprint(i), nil)
		m.addresses.claim(numbered(i), m.generationOf(fmt.Sprint(i)), false)
	}
	if buckets := len(*m.addresses.buckets.Load()); m.addresses.size != n || buckets < n {
		t.Errorf("%d addresses in %d buckets", m.addresses.size, buckets)
	}
	longest := 0
	for i := range *m.addresses.buckets.Load() {
		length := 0
		for e := (*m.addresses.buckets.Load())[i].Load(); e != nil; e = e.next {
			length++
		}
		longest = max(longest, length)
	}
	if longest > 12 {
		t.Errorf("a bucket of %d", longest)
	}
	for i := range n {
		wantOwner(t, m, numbered(i), fmt.Sprint(i))
		m.Forget(fmt.Sprint(i))
		wantOwner(t, m, numbered(i), "")
	}
	if m.addresses.size != 0 {
		t.Errorf("%d addresses are left", m.addresses.size)
	}
}

// TestOwners follows an address through answers, checks and other data of two sessions.
func TestOwners(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("a", &discard{})
	m.Open("b", &discard{1})
	first, second := claim(t, m, "a", somewhere), claim(t, m, "b", numbered(1))
	wantOwner(t, m, somewhere, "a")
	_, _ = second.WriteToAddrPort(stunRequestFor("x:y"), somewhere) // a check that anybody could have asked for
	_, _ = second.WriteToAddrPort(dtlsRecord(23, 1, make([]byte, 20)), somewhere)
	wantOwner(t, m, somewhere, "a")
	_, _ = second.WriteToAddrPort(stunMessage(stunSuccess), somewhere)
	wantOwner(t, m, somewhere, "b")
	_, _ = first.WriteToAddrPort(media(100, 1), somewhere) // it does not know yet
	wantOwner(t, m, somewhere, "b")
	m.Forget("a")
	wantOwner(t, m, somewhere, "b")
	_, _ = first.WriteToAddrPort(stunMessage(stunSuccess), somewhere) // too late
	wantOwner(t, m, somewhere, "b")
	m.RemoveConnByUfrag("b")
	wantOwner(t, m, somewhere, "")
	wantOwner(t, m, numbered(1), "")
	_, _ = second.WriteToAddrPort(stunMessage(stunSuccess), somewhere)
	wantOwner(t, m, somewhere, "")
	m.Open("c", nil)
	third := claim(t, m, "c", numbered(1))
	_, _ = third.WriteToAddrPort(stunRequestFor("x:y"), somewhere) // of a full agent, to whom nobody has
	wantOwner(t, m, somewhere, "c")
}

// TestMappedAddresses are the same as the IPv4 addresses in them.
func TestMappedAddresses(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("a", &discard{})
	c := claim(t, m, "a", numbered(5))
	mapped := netip.AddrPortFrom(netip.AddrFrom16(numbered(5).Addr().As16()), numbered(5).Port())
	if mapped == numbered(5) || canonical(mapped) != numbered(5) {
		t.Fatal("not the address meant")
	}
	wantOwner(t, m, mapped, "a")
	_, _ = c.WriteToAddrPort(stunMessage(stunSuccess), mapped)
	if got := len(c.generation.addresses); got != 1 {
		t.Errorf("%d addresses", got)
	}
	zoned := netip.MustParseAddrPort("[fe80::1%eth0]:5")
	if canonical(zoned) != zoned || canonical(netip.MustParseAddrPort("[2001:db8::1%eth0]:5")) != netip.MustParseAddrPort("[2001:db8::1]:5") {
		t.Error("zones")
	}
}

// TestRestart hands addresses on within a session, and not between sessions.
func TestRestart(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	sink, other := newCollector(), newCollector()
	m.Open("old", sink)
	m.Open("other", other)
	claim(t, m, "old", somewhere)
	claim(t, m, "old", numbered(1))
	claim(t, m, "other", numbered(2))
	m.Open("new", sink)
	claim(t, m, "new", numbered(1)) // the client has checked from there with the new one
	wantOwner(t, m, numbered(1), "new")
	m.RemoveConnByUfrag("old")
	wantOwner(t, m, somewhere, "new")
	wantOwner(t, m, numbered(1), "new")
	m.take(m.sockets[0], media(40, 3), somewhere)
	sink.wait(t, 1)
	m.Forget("new")
	wantOwner(t, m, somewhere, "")
	wantOwner(t, m, numbered(1), "")
	wantOwner(t, m, numbered(2), "other")
	m.Forget("other")
	if m.addresses.size != 0 || len(m.ufrags) != 0 || len(m.newest) != 0 {
		t.Errorf("%d addresses, %d ufrags, %d sessions are left", m.addresses.size, len(m.ufrags), len(m.newest))
	}
}

// TestManyAddresses bounds how many a ufrag has.
func TestManyAddresses(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("a", nil)
	c := claim(t, m, "a", numbered(0))
	for i := range 2 * maxAddresses {
		answer(t, c, numbered(i))
	}
	if m.addresses.size != maxAddresses || len(c.generation.addresses) != maxAddresses {
		t.Errorf("%d addresses", m.addresses.size)
	}
	wantOwner(t, m, numbered(0), "")
	answer(t, c, numbered(0))
	wantOwner(t, m, numbered(0), "a")
}

// TestOwnersRace has agents fight for addresses while sessions come and go, and readers look them up.
func TestOwnersRace(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	const sessions, addresses, rounds = 8, 300, 30
	var wg, readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		packet := media(100, 1)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				m.take(m.sockets[0], packet, numbered(i%addresses))
				runtime.Gosched()
			}
		}
	})
	for s := range sessions {
		wg.Go(func() {
			sink := &discard{byte(s)}
			for r := range rounds {
				ufrag := fmt.Sprint(s, "/", r)
				m.Open(ufrag, sink)
				c, err := m.GetConn(ufrag, m.LocalAddr())
				if err != nil {
					t.Error(err)
				}
				g := c.(*conn).generation
				for i := range addresses {
					m.addresses.claim(numbered((i+s*17+r)%addresses), g, i%2 == 0)
				}
				if r > 0 {
					m.Forget(fmt.Sprint(s, "/", r-1))
				}
				_ = c.Close()
			}
			m.Forget(fmt.Sprint(s, "/", rounds-1))
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	if m.addresses.size != 0 || len(m.ufrags) != 0 || len(m.newest) != 0 {
		t.Errorf("%d addresses, %d ufrags, %d sessions are left", m.addresses.size, len(m.ufrags), len(m.newest))
	}
	for i := range addresses {
		wantOwner(t, m, numbered(i), "")
	}
}

// TestTooManyAddresses has a client be answered at one address after the other. From some number on only those that it has
// count, and another session is not affected.
func TestTooManyAddresses(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("hostile", newCollector())
	m.Open("other", newCollector())
	c := claim(t, m, "hostile", numbered(0))
	request := func(ufrag string, i int) Drop {
		b := append(stunMessage(stunRequest), 0, stunUsername, 0, byte(len(ufrag)))
		b = append(b, ufrag...)
		b = append(b, make([]byte, -len(ufrag)&3)...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader))
		binary.BigEndian.PutUint64(b[12:], uint64(i)<<32+uint64(len(ufrag)))

		return m.sort(m.sockets[0], b, numbered(i))
	}
	taken := 0
	for i := range 4 * maxClaims {
		switch reason := request("hostile", i); reason {
		case kept, DropInbound: // the agent answers
			taken++
			c.own(stunMessage(stunSuccess), numbered(i))
		case DropCrowd:
		default:
			t.Fatalf("address %d: %d", i, reason)
		}
	}
	if taken != maxClaims {
		t.Errorf("checks from %d addresses are taken, not %d", taken, maxClaims)
	}
	if reason := request("hostile", maxClaims-1); reason == DropCrowd {
		t.Error("a check from an address that it has is not taken")
	}
	if reason := request("other", 4*maxClaims); reason != kept {
		t.Errorf("another session's check: %d", reason)
	}
}
