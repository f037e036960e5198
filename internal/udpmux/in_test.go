// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// collector is a Sink that keeps the numbers of what it takes, and overwrites it.
type collector struct {
	mu      sync.Mutex // guards the rest
	numbers []int
	wrong   []string
	changed chan struct{} // a token, after every datagram
}

func newCollector() *collector { return &collector{changed: make(chan struct{}, 1)} }

func (c *collector) HandleMedia(b []byte) {
	c.mu.Lock()
	number := int(binary.BigEndian.Uint64(b[2:]))
	if string(b) != string(media(len(b), number)) {
		c.wrong = append(c.wrong, fmt.Sprintf("datagram %d of %d bytes", number, len(b)))
	}
	if cap(b) != len(b) {
		c.wrong = append(c.wrong, fmt.Sprintf("capacity %d of %d bytes", cap(b), len(b)))
	}
	clear(b)
	c.numbers = append(c.numbers, number)
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// wait for n datagrams at least.
func (c *collector) wait(t testing.TB, n int) []int {
	t.Helper()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for {
		c.mu.Lock()
		numbers, wrong := slices.Clone(c.numbers), c.wrong
		c.mu.Unlock()
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		if len(numbers) >= n {
			return numbers
		}
		select {
		case <-c.changed:
		case <-late.C:
			t.Fatalf("%d datagrams of %d", len(numbers), n)
		}
	}
}

// TestIn sends media from several clients in every mode: it comes to their own sinks, in order and as it was.
func TestIn(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		const clients, rounds, burst = 4, 20, 10
		var sinks [clients]*collector
		var peers [clients]*peer
		var bytes uint64
		for i := range sinks {
			sinks[i], peers[i] = newCollector(), newPeer(t, "127.0.0.1")
			m.Open(fmt.Sprint("ufrag", i), sinks[i])
			claim(t, m, fmt.Sprint("ufrag", i), peers[i].address)
			peers[i].next(t) // the answer to its check
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for round := range rounds {
			for k := range burst {
				for i, p := range peers {
					b := media(shortest+rng.IntN(MaxDatagram-shortest), i*1000+round*burst+k)
					bytes += uint64(len(b))
					if _, err := p.WriteToUDPAddrPort(b, m.loopback()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range sinks {
				for k, number := range sinks[i].wait(t, (round+1)*burst) {
					if number != i*1000+k {
						t.Fatalf("client %d, datagram %d: number %d", i, k, number)
					}
				}
			}
		}
		s := m.Stats()
		if s.In != clients*rounds*burst || s.InBytes != bytes || s.Drops != (Stats{}).Drops || s.Reads == 0 || s.Reads > s.In {
			t.Errorf("%+v, want %d bytes", s, bytes)
		}
	})
}

// TestBatchesToEachOther has two Muxes talk, so that one's runs come in as the other's large messages.
func TestBatchesToEachOther(t *testing.T) {
	for name, cfg := range map[string]Config{"batches": {}, "plain": {Plain: true}} {
		t.Run(name, func(t *testing.T) {
			from := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
			cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
			to := open(t, cfg)
			sink := newCollector()
			to.Open("ufrag", sink)
			claim(t, to, "ufrag", from.loopback())
			rng, b, sent := rand.New(rand.NewPCG(1, 2)), from.Batch(0), 0
			for range 30 {
				for range 6 {
					size := max(sizesOf(rng), shortest)
					for range 1 + rng.IntN(10) {
						copy(b.Reserve(to.loopback(), size), media(size, sent))
						b.Commit(size)
						sent++
					}
				}
				b.Flush()
				numbers := sink.wait(t, sent)
				for i, n := range numbers {
					if i != n {
						t.Fatalf("datagram %d has number %d", i, n)
					}
				}
			}
			s := to.Stats()
			if s.In != uint64(sent) || s.Drops != (Stats{}).Drops {
				t.Errorf("%+v of %d", s, sent)
			}
			if s.GRO && from.Stats().GSO && s.Reads*2 > s.In {
				t.Errorf("%d reads for %d datagrams in %d runs", s.Reads, s.In, from.Stats().Runs)
			}
		})
	}
}

// TestSlowPathIsApart fills an agent's ring: media goes on, and what does not fit is counted.
func TestSlowPathIsApart(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		sink, p := newCollector(), newPeer(t, "127.0.0.1")
		m.Open("ufrag", sink)
		c := claim(t, m, "ufrag", p.address)
		const extra = 10
		record := dtlsRecord(23, 1, make([]byte, 40))
		for range slowRing + extra {
			if _, err := p.WriteToUDPAddrPort(record, m.loopback()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.WriteToUDPAddrPort(media(100, 1), m.loopback()); err != nil {
			t.Fatal(err)
		}
		sink.wait(t, 1)
		if s := m.Stats(); s.Drops[DropInbound] != extra || s.In != slowRing+extra+1 {
			t.Errorf("%+v", s)
		}
		for range slowRing {
			if n, from, err := c.ReadFromAddrPort(make([]byte, MaxDatagram)); err != nil || n != len(record) || from != p.address {
				t.Fatalf("%d bytes from %v, %v", n, from, err)
			}
		}
	})
}

// TestMediaWithoutSink goes to the agent.
func TestMediaWithoutSink(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		p := newPeer(t, "127.0.0.1")
		m.Open("ufrag", nil)
		c := claim(t, m, "ufrag", p.address)
		want := media(300, 7)
		if _, err := p.WriteToUDPAddrPort(want, m.loopback()); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, MaxDatagram)
		if n, from, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != string(want) || from.String() != p.address.String() {
			t.Errorf("%d bytes from %v, %v", n, from, err)
		}
	})
}

// TestDropsOverSockets sends what nobody wants: every datagram is counted once.
func TestDropsOverSockets(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		sink, p := newCollector(), newPeer(t, "127.0.0.1")
		m.Open("here", sink)
		claim(t, m, "here", p.address)
		var want [Drops]uint64
		total := uint64(0)
		stranger := newPeer(t, "127.0.0.1")
		for range 5 {
			for _, d := range []struct {
				from   *peer
				b      []byte
				reason Drop
			}{
				{p, []byte{128}, DropShort},
				{p, append([]byte{64}, make([]byte, 20)...), DropKind},
				{p, stunMessage(stunRequest), DropSTUN},
				{p, stunRequestFor("nobody:x"), DropUfrag},
				{stranger, media(100, 1), DropStranger},
				{stranger, dtlsRecord(23, 1, make([]byte, 40)), DropStranger},
				{p, dtlsRecord(23, 0, make([]byte, 40)), DropDTLS},
				{p, media(MaxDatagram+1, 1), DropLarge},
				{p, make([]byte, 5000), DropLarge},
			} {
				if _, err := d.from.WriteToUDPAddrPort(d.b, m.loopback()); err != nil {
					t.Fatal(err)
				}
				want[d.reason]++
				total++
			}
		}
		late := time.Now().Add(time.Minute)
		for m.Stats().In < total && time.Now().Before(late) {
			if _, err := p.WriteToUDPAddrPort(media(100, 1), m.loopback()); err != nil {
				t.Fatal(err)
			}
			total++
			sink.wait(t, int(total)-5*9)
		}
		if s := m.Stats(); s.Drops != want || s.In != total {
			t.Errorf("%+v, want %v", s, want)
		}
	})
}

// TestOneByOne sends each datagram when the last one has come: a reader that waits is always woken.
func TestOneByOne(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		sink, p := newCollector(), newPeer(t, "127.0.0.1")
		m.Open("here", sink)
		claim(t, m, "here", p.address)
		for i := range 2000 {
			if _, err := p.WriteToUDPAddrPort(media(100, i), m.loopback()); err != nil {
				t.Fatal(err)
			}
			sink.wait(t, i+1)
		}
	})
}

// TestInAllocatesNothing reads media without allocating, and so does the agent's way once its ring is there.
func TestInAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]Config{"batches": {}, "plain": {Plain: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
			m := open(t, cfg)
			sink, p := make(counter, 1), newPeer(t, "127.0.0.1")
			m.Open("here", sink)
			c := claim(t, m, "here", p.address)
			packet, record, buf, to := media(1100, 1), dtlsRecord(23, 1, make([]byte, 80)), make([]byte, MaxDatagram), m.loopback()
			if n := testing.AllocsPerRun(500, func() {
				_, _ = p.WriteToUDPAddrPort(packet, to)
				<-sink
				_, _ = p.WriteToUDPAddrPort(record, to)
				_, _, _ = c.ReadFromAddrPort(buf)
			}); n >= 1 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// counter is a Sink that gives a token for every datagram.
type counter chan struct{}

func (c counter) HandleMedia([]byte) { c <- struct{}{} }

func BenchmarkIn(b *testing.B) {
	for _, burst := range []int{1, 4, 32} {
		for name, cfg := range map[string]Config{"plain": {Plain: true}, "batches": {}} {
			b.Run(fmt.Sprintf("bursts of %d/%s", burst, name), func(b *testing.B) {
				from := open(b, Config{Address: "127.0.0.1:0", Sockets: 1})
				cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
				m := open(b, cfg)
				sink := make(counter, burst)
				m.Open("here", sink)
				claim(b, m, "here", from.loopback())
				packet, batch, to := media(1150, 1), from.Batch(0), m.loopback()
				b.ReportAllocs()
				for i := 0; i < b.N; i += burst {
					for range burst {
						copy(batch.Reserve(to, len(packet)), packet)
						batch.Commit(len(packet))
					}
					batch.Flush()
					for range burst {
						<-sink
					}
				}
			})
		}
	}
}

// BenchmarkSort is the reader's work on one datagram of media, without the system call, with many sessions.
func BenchmarkSort(b *testing.B) {
	for _, sessions := range []int{1, 1000, 20000} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			m := open(b, Config{Address: "127.0.0.1:0", Sockets: 1})
			sink := &discard{}
			for i := range sessions {
				ufrag := fmt.Sprint(i)
				m.Open(ufrag, sink)
				m.addresses.claim(numbered(i), m.ufrags[ufrag], true)
			}
			packet := media(1150, 1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.take(m.sockets[0], packet, numbered(i%sessions))
			}
		})
	}
}
