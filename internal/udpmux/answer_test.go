// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// oracle is a Responder that says what the number of a request tells it to.
type oracle struct {
	*collector
	asked atomic.Int32
}

func (o *oracle) Answer(out, request []byte, _ netip.AddrPort) (n int, verdict Verdict) {
	o.asked.Add(1)
	verdict = Verdict(request[stunHeader-1])
	if verdict == VerdictAnswer {
		n = copy(out, "answer to ")
		n += copy(out[n:], request[8:stunHeader])
	}

	return n, verdict
}

// numberedRequest is a request with a number that an oracle reads.
func numberedRequest(username string, number int, verdict Verdict) []byte {
	b := stunRequestFor(username)
	binary.BigEndian.PutUint32(b[8:], uint32(number))
	b[stunHeader-1] = byte(verdict)

	return b
}

// TestResponder asks in every mode: what is answered comes back from the Mux's address, and the agent sees the rest.
func TestResponder(t *testing.T) {
	eachMode(t, func(t *testing.T, m *Mux) {
		o, p, stranger := &oracle{collector: newCollector()}, newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
		m.Open("here", o)
		c := claim(t, m, "here", p.address)
		p.next(t)
		send := func(from *peer, b []byte) {
			t.Helper()
			if _, err := from.WriteToUDPAddrPort(b, m.loopback()); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, MaxDatagram)
		for i := range 50 {
			asked := numberedRequest("here:x", i, VerdictAnswer)
			send(p, asked)
			n, from, err := p.ReadFromUDPAddrPort(buf)
			if want := "answer to " + string(asked[8:stunHeader]); err != nil || string(buf[:n]) != want || from.Port() != m.loopback().Port() {
				t.Fatalf("%q from %v, %v", buf[:n], from, err)
			}
		}
		if s := m.Stats(); s.Answered != 50 || o.asked.Load() != 50 {
			t.Errorf("%+v, asked %d times", s, o.asked.Load())
		}
		send(p, numberedRequest("here:x", 51, VerdictForged))
		passed := numberedRequest("here:x", 52, VerdictPass)
		send(p, passed)
		if n, from, err := c.ReadFromAddrPort(buf); err != nil || !bytes.Equal(buf[:n], passed) || from != p.address {
			t.Errorf("%x from %v, %v", buf[:n], from, err)
		}
		// An address that no agent has answered yet is the agent's, whatever the Responder would say.
		unknown := numberedRequest("here:x", 53, VerdictAnswer)
		send(stranger, unknown)
		if n, from, err := c.ReadFromAddrPort(buf); err != nil || !bytes.Equal(buf[:n], unknown) || from != stranger.address {
			t.Errorf("%x from %v, %v", buf[:n], from, err)
		}
		if s := m.Stats(); s.Drops[DropForged] != 1 || s.Answered != 50 || o.asked.Load() != 52 {
			t.Errorf("%+v, asked %d times", s, o.asked.Load())
		}
	})
}

// TestResponderOfAnother has an address change hands: whose it was is not asked any more.
func TestResponderOfAnother(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	one, other := &oracle{collector: newCollector()}, &oracle{collector: newCollector()}
	m.Open("one", one)
	m.Open("other", other)
	claim(t, m, "one", somewhere)
	claim(t, m, "other", somewhere)
	m.take(m.sockets[0], numberedRequest("one:x", 1, VerdictAnswer), somewhere)
	m.take(m.sockets[0], numberedRequest("other:x", 1, VerdictForged), somewhere)
	if one.asked.Load() != 0 || other.asked.Load() != 1 || m.Stats().Answered != 0 {
		t.Errorf("asked %d and %d times", one.asked.Load(), other.asked.Load())
	}
}

// TestFingerprint has the reader look at it.
func TestFingerprint(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	m.Open("here", nil)
	b := append(stunRequestFor("here:x"), 0x80, 0x28, 0, 4, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader))
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-stunFingerprintSize])^stunFingerprintXOR)
	for i := range len(b) {
		broken := bytes.Clone(b)
		broken[i] ^= 1
		// Elsewhere it is no fingerprint any more, or no request.
		if in := i >= 8 && i < len(b)-stunFingerprintSize && i != 22 && i != 23; in && m.sort(m.sockets[0], broken, somewhere) == kept {
			t.Errorf("byte %d changed: taken", i)
		}
	}
	if got := m.sort(m.sockets[0], b, somewhere); got != kept {
		t.Errorf("a right one: %v", got)
	}
}

// TestAnswersAllocateNothing asks from socket to socket.
func TestAnswersAllocateNothing(t *testing.T) {
	for name, cfg := range map[string]Config{"batches": {}, "plain": {Plain: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Address, cfg.Sockets = "127.0.0.1:0", 1
			m := open(t, cfg)
			o, p := &oracle{collector: newCollector()}, newPeer(t, "127.0.0.1")
			m.Open("here", o)
			claim(t, m, "here", p.address)
			p.next(t)
			request, buf, to := numberedRequest("here:x", 1, VerdictAnswer), make([]byte, MaxDatagram), m.loopback()
			if n := testing.AllocsPerRun(500, func() {
				_, _ = p.WriteToUDPAddrPort(request, to)
				_, _, _ = p.ReadFromUDPAddrPort(buf)
			}); n >= 1 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// bomb is a Sink that panics on some numbers.
type bomb struct{ *collector }

func (b bomb) HandleMedia(datagram []byte) {
	if binary.BigEndian.Uint64(datagram[2:])%3 == 0 {
		panic("three")
	}
	b.collector.HandleMedia(datagram)
}

// logged keeps what a logger writes.
type logged struct {
	mu  sync.Mutex
	all strings.Builder // guarded by mu
}

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.all.Write(b)
}

// TestPanics has the handler of every third datagram panic: the others come, of the same read too, and reading goes on. The log
// gets the first few.
func TestPanics(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			var log logged
			cfg := mode.config(t)
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			after := 0
			if cfg.PacketConn == nil && cfg.Sockets == 1 { // else several readers call it
				cfg.AfterRead = func() {
					if after++; after%2 == 0 {
						panic("after")
					}
				}
			}
			m := open(t, cfg)
			sink := bomb{newCollector()}
			m.Open("here", sink)
			from := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
			claim(t, m, "here", from.loopback())
			batch, sent, want := from.Batch(0), 0, 0
			for range 20 {
				for range 15 { // in one run: one read, where the system can
					copy(batch.Reserve(m.loopback(), 300), media(300, sent))
					batch.Commit(300)
					if sent%3 != 0 {
						want++
					}
					sent++
				}
				batch.Flush()
				for i, n := range sink.wait(t, want) {
					if n != i/2*3+i%2+1 {
						t.Fatalf("datagram %d has number %d", i, n)
					}
				}
			}
			s := m.Stats()
			if s.Panics < uint64(sent-want) || s.In < uint64(sent) {
				t.Errorf("%+v, want %d panics", s, sent-want)
			}
			log.mu.Lock()
			defer log.mu.Unlock()
			if n := strings.Count(log.all.String(), "panic contained"); n == 0 || n > 12 {
				t.Errorf("%d lines in the log for %d panics", n, s.Panics)
			}
		})
	}
}
