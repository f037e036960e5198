// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// traffic is what was committed, by destination, with the number of the datagram in its first bytes.
type traffic struct {
	peers   []*peer
	want    [][]string
	waiting []int // bytes of the destination's receive buffer, about
	total   uint64
	lost    int // the destination that nothing arrives at, or -1
	missing int // of it
}

// arriveAt is what any system's default receive buffer takes.
const arriveAt = 160 << 10

func newTraffic(t testing.TB, ips ...string) *traffic {
	t.Helper()
	tr := &traffic{want: make([][]string, len(ips)), waiting: make([]int, len(ips)), lost: -1}
	for _, ip := range ips {
		tr.peers = append(tr.peers, newPeer(t, ip))
	}

	return tr
}

// commit writes one datagram into a batch.
func (tr *traffic) commit(t testing.TB, b *Batch, to, size, spare int) {
	t.Helper()
	if tr.waiting[to] += 1000 + size*3/2; tr.waiting[to] > arriveAt {
		b.Flush()
		tr.arrive(t)
		tr.waiting[to] = 1000 + size*3/2
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i + size)
	}
	if size >= 8 {
		binary.BigEndian.PutUint64(data, tr.total)
	}
	room := b.Reserve(tr.peers[to].address, min(size+spare, MaxDatagram))
	if len(room) != min(size+spare, MaxDatagram) || cap(room) != len(room) {
		t.Fatalf("room of %d, %d bytes", len(room), cap(room))
	}
	copy(room, data)
	b.Commit(size)
	tr.want[to] = append(tr.want[to], string(data))
	tr.total++
}

// arrive reads what was committed, and compares. It takes what is missing for lost after a long while.
func (tr *traffic) arrive(t testing.TB) {
	t.Helper()
	for i, p := range tr.peers {
		tr.waiting[i] = 0
		if i == tr.lost {
			tr.missing += len(tr.want[i])
			tr.want[i] = nil
		}
		_ = p.SetReadDeadline(time.Now().Add(time.Minute))
		for k, want := range tr.want[i] {
			if got := p.next(t); got != want {
				t.Fatalf("destination %d, datagram %d: %d bytes, want %d: %x, %x", i, k, len(got), len(want), got[:min(8, len(got))], want[:min(8, len(want))])
			}
		}
		tr.want[i] = nil
	}
}

func (tr *traffic) check(t testing.TB, s Stats) {
	t.Helper()
	if all := s.Out + s.Drops[DropSend] + s.Drops[DropRefused]; all != tr.total {
		t.Errorf("%d sent, dropped %v, of %d", s.Out, s.Drops, tr.total)
	}
	if s.Runs > s.Out || s.Sends > s.Out || s.Out > 0 && s.Sends == 0 {
		t.Errorf("%d datagrams in %d runs and %d calls", s.Out, s.Runs, s.Sends)
	}
}

// sizesOf gives sizes as media has them: runs of one size, and odd ones between.
func sizesOf(rng *rand.Rand) int {
	switch rng.IntN(4) {
	case 0:
		return 1 + rng.IntN(MaxDatagram)
	case 1:
		return 1150
	case 2:
		return 1200
	default:
		return 100 + rng.IntN(3)
	}
}

// send writes count datagrams for changing destinations, and flushes now and then.
func (tr *traffic) send(t testing.TB, b *Batch, rng *rand.Rand, count int) {
	t.Helper()
	for range count {
		to, size := rng.IntN(len(tr.peers)), sizesOf(rng)
		for range 1 + rng.IntN(80) {
			tr.commit(t, b, to, size, rng.IntN(40))
		}
		if rng.IntN(5) == 0 {
			b.Flush()
		}
	}
	b.Flush()
}

// TestOut sends random traffic in every mode: all arrives, in order at each destination.
func TestOut(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		tr := newTraffic(t, "127.0.0.1", "127.0.0.1", "127.0.0.1")
		rng := rand.New(rand.NewPCG(1, 2))
		for shard := range 3 {
			for range 5 {
				tr.send(t, m.Batch(shard), rng, 10)
				tr.arrive(t)
			}
		}
		tr.check(t, m.Stats())
	})
}

// TestOutProperty does the same with traffic that rapid chooses.
func TestOutProperty(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	tr := newTraffic(t, "127.0.0.1", "127.0.0.1")
	rapid.Check(t, func(rt *rapid.T) {
		b := m.Batch(0)
		for range rapid.IntRange(0, 12).Draw(rt, "steps") {
			to := rapid.IntRange(0, 1).Draw(rt, "to")
			size := rapid.IntRange(1, MaxDatagram).Draw(rt, "size")
			for range rapid.IntRange(1, 70).Draw(rt, "count") {
				tr.commit(t, b, to, size, rapid.SampledFrom([]int{0, 1, 16}).Draw(rt, "spare"))
			}
			if rapid.Bool().Draw(rt, "odd") {
				tr.commit(t, b, to, 1+size/2, 0)
			}
			if rapid.Bool().Draw(rt, "flush") {
				b.Flush()
			}
		}
		b.Flush()
		tr.arrive(t)
	})
	tr.check(t, m.Stats())
}

// TestOutFamilies sends to IPv4 and IPv6 from one socket.
func TestOutFamilies(t *testing.T) {
	for name, plain := range map[string]bool{"batches": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			m := open(t, Config{Address: "[::]:0", Sockets: 1, Plain: plain})
			tr := newTraffic(t, "127.0.0.1", "::1")
			tr.send(t, m.Batch(0), rand.New(rand.NewPCG(3, 4)), 20)
			for i, p := range tr.peers {
				if err := m.WriteTo([]byte("single"), p.address); err != nil {
					t.Error(err)
				}
				tr.want[i] = append(tr.want[i], "single")
				tr.total++
			}
			tr.arrive(t)
			tr.check(t, m.Stats())
		})
	}
}

// TestReserve asks for room that there is not, and gives room up.
func TestReserve(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	b := m.Batch(0)
	if b != m.Batch(0) || b == m.Batch(1) {
		t.Error("not the batch of the shard")
	}
	p := newPeer(t, "127.0.0.1")
	for _, n := range []int{-1, 0, MaxDatagram + 1} {
		if b.Reserve(p.address, n) != nil {
			t.Errorf("room of %d bytes", n)
		}
	}
	copy(b.Reserve(p.address, 20), "given up")
	copy(b.Reserve(p.address, 4), "kept")
	b.Commit(4)
	b.Reserve(p.address, 4)
	b.Commit(0)
	b.Flush()
	b.Flush()
	if got := p.next(t); got != "kept" {
		t.Errorf("got %q", got)
	}
	if s := m.Stats(); s.Out != 1 || s.OutBytes != 4 {
		t.Errorf("%+v", s)
	}
}

// TestRefusedDestinations sends to addresses that cannot be reached between others that can.
func TestRefusedDestinations(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		if m.LocalAddr().IP.To4() == nil {
			return // IPv6 may have a route
		}
		tr := newTraffic(t, "127.0.0.1", "::1", "127.0.0.1")
		tr.lost = 1
		b := m.Batch(0)
		for range 10 {
			for to := range tr.peers {
				tr.commit(t, b, to, 100, 0)
				tr.commit(t, b, to, 100, 0)
			}
		}
		b.Flush()
		if m.sockets[0].raw == nil {
			return // what is refused is the PacketConn's business
		}
		if err := m.WriteTo([]byte("no"), tr.peers[1].address); err == nil {
			t.Error("sent to IPv6 from IPv4")
		}
		tr.total++
		tr.arrive(t)
		s := m.Stats()
		tr.check(t, s)
		if s.Drops[DropRefused] != 21 {
			t.Errorf("drops %v", s.Drops)
		}
	})
}

// TestOutAllocates nothing.
func TestOutAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]Config{"batches": {}, "plain": {Plain: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
			m := open(t, cfg)
			to := []*peer{newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")}
			b, packet := m.Batch(0), media(1100, 1)
			if n := testing.AllocsPerRun(200, func() {
				for _, p := range to {
					for range 3 {
						copy(b.Reserve(p.address, len(packet)), packet)
						b.Commit(len(packet))
					}
				}
				b.Flush()
				_ = m.WriteTo(packet, to[0].address)
			}); n >= 1 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestOutAfterClose goes nowhere.
func TestOutAfterClose(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		tr := newTraffic(t, "127.0.0.1")
		tr.commit(t, m.Batch(0), 0, 100, 0)
		tr.commit(t, m.Batch(0), 0, 100, 0)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		m.Batch(0).Flush()
		tr.commit(t, m.Batch(0), 0, 100, 0)
		m.Batch(0).Flush()
		if err := m.WriteTo([]byte("late"), tr.peers[0].address); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if s := m.Stats(); s.Out != 0 {
			t.Errorf("%+v", s)
		}
	})
}
