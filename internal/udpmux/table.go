// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	firstBuckets = 256
	// maxAddresses of a generation: a client has a handful at a time, and with a NAT that changes its mind a new one now and
	// then. The oldest make room, and come back when the agent writes to them.
	maxAddresses = 64
	// maxClaims is how many addresses a generation may get over time. An agent keeps a candidate for each for good, and looks
	// through all of them for every check.
	maxClaims = 256
)

// table finds the generation that an address belongs to. Looking up takes no lock and does not depend on how many there are;
// whoever changes the table replaces the short chain of a bucket as a whole.
type table struct {
	seeds [2]uint64 // immutable: nobody outside can choose addresses that share a bucket

	// atomic: written under mu, read by everybody
	buckets atomic.Pointer[[]bucket]

	mu   sync.Mutex // serialises changes; guards size, and addresses and gone of every generation
	size int
}

type bucket = atomic.Pointer[entry]

// entry is immutable.
type entry struct {
	address netip.AddrPort
	owner   *generation
	next    *entry
}

func newTable() *table {
	t := &table{seeds: [2]uint64{rand.Uint64(), rand.Uint64()}}
	first := make([]bucket, firstBuckets)
	t.buckets.Store(&first)

	return t
}

func (t *table) hash(a netip.AddrPort) uint64 {
	b := a.Addr().As16()
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b[:])^t.seeds[0], binary.LittleEndian.Uint64(b[8:])^t.seeds[1]^uint64(a.Port())<<17)
	hi, lo = bits.Mul64(hi^lo^t.seeds[1], uint64(a.Port())^0x9e3779b97f4a7c15)

	return hi ^ lo
}

// find gives the owner of an address in canonical form, or nil.
func (t *table) find(a netip.AddrPort) *generation {
	buckets := *t.buckets.Load()
	for e := buckets[t.hash(a)&uint64(len(buckets)-1)].Load(); e != nil; e = e.next {
		if e.address == a {
			return e.owner
		}
	}

	return nil
}

// claim makes g the owner of an address that nobody has, or, with take, of anybody's. A generation that is gone gets nothing.
func (t *table) claim(a netip.AddrPort, g *generation, take bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	owner := t.find(a)
	if g.gone || owner == g || owner != nil && !take && !owner.sameSession(g) {
		return
	}
	if owner != nil {
		owner.addresses = slices.DeleteFunc(owner.addresses, func(x netip.AddrPort) bool { return x == a })
	}
	if len(g.addresses) == maxAddresses {
		t.set(g.addresses[0], nil)
		g.addresses = slices.Delete(g.addresses, 0, 1)
	}
	g.addresses = append(g.addresses, a)
	t.set(a, g)
	if g.claims++; g.claims >= maxClaims {
		g.crowded.Store(true)
	}
}

// release ends a generation. Its addresses are left to heir, which may be nil.
func (t *table) release(g, heir *generation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if heir != nil && heir.gone {
		heir = nil
	}
	g.gone = true
	for _, a := range g.addresses {
		if heir != nil && len(heir.addresses) < maxAddresses {
			heir.addresses = append(heir.addresses, a)
			t.set(a, heir)
		} else {
			t.set(a, nil)
		}
	}
	g.addresses = nil
}

// set replaces the chain of a bucket; owner nil takes the address out. With mu held.
func (t *table) set(a netip.AddrPort, owner *generation) {
	buckets := *t.buckets.Load()
	b := &buckets[t.hash(a)&uint64(len(buckets)-1)]
	var chain *entry
	t.size++
	for e := b.Load(); e != nil; e = e.next {
		if e.address == a {
			t.size--

			continue
		}
		chain = &entry{e.address, e.owner, chain}
	}
	if owner != nil {
		chain = &entry{a, owner, chain}
	} else {
		t.size--
	}
	b.Store(chain)
	if t.size > len(buckets) {
		t.grow(buckets)
	}
}

// grow makes a table of twice as many buckets. Readers of the old one see what was true when they began.
func (t *table) grow(old []bucket) {
	grown := make([]bucket, 2*len(old))
	for i := range old {
		for e := old[i].Load(); e != nil; e = e.next {
			b := &grown[t.hash(e.address)&uint64(len(grown)-1)]
			b.Store(&entry{e.address, e.owner, b.Load()})
		}
	}
	t.buckets.Store(&grown)
}

// canonical gives the one form that an address has as a key, and outside of this package: IPv4 in IPv6 is IPv4, and only
// link-local addresses have a zone.
func canonical(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr()
	if ip.Is4() {
		return a
	}
	if ip = ip.Unmap(); !ip.IsLinkLocalUnicast() {
		ip = ip.WithZone("")
	}

	return netip.AddrPortFrom(ip, a.Port())
}
