// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPortInUse does not share a port with another Mux, as two processes with SO_REUSEPORT would.
func TestPortInUse(t *testing.T) {
	for _, sockets := range []int{1, 4} {
		first := open(t, Config{Address: "127.0.0.1:0", Sockets: sockets})
		for _, more := range []int{1, 4} {
			if m, err := New(Config{Address: first.LocalAddr().String(), Sockets: more}); err == nil {
				_ = m.Close()
				t.Errorf("%d sockets on the port of %d", more, sockets)
			}
		}
	}
	if m, err := New(Config{Address: "nonsense"}); err == nil {
		_ = m.Close()
		t.Error("listens on nonsense")
	}
}

// TestSocketsShare has clients of many ports come in on every socket.
func TestSocketsShare(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 4})
	if s := m.Stats(); s.Sockets != 4 || len(m.sockets) != 4 {
		t.Fatalf("%+v", s)
	}
	sink := newCollector()
	m.Open("here", sink)
	const clients = 48
	for i := range clients {
		p := newPeer(t, "127.0.0.1")
		claim(t, m, "here", p.address)
		if _, err := p.WriteToUDPAddrPort(media(100, i), m.loopback()); err != nil {
			t.Fatal(err)
		}
	}
	sink.wait(t, clients)
	for i, s := range m.sockets {
		if s.in.datagrams.Load() == 0 {
			t.Errorf("socket %d has read nothing", i)
		}
		if s.out.datagrams.Load() == 0 {
			t.Errorf("socket %d has sent nothing", i)
		}
	}
}

// TestBuffers reads back what was granted, and warns once.
func TestBuffers(t *testing.T) {
	for name, test := range map[string]struct {
		ask  int
		warn bool
	}{"little": {1 << 16, false}, "more than the kernel has numbers for": {1 << 30, true}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			m := open(t, Config{Address: "127.0.0.1:0", Sockets: 3, Buffer: test.ask, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			s := m.Stats()
			if s.ReadBuffer <= 0 || s.WriteBuffer <= 0 || (s.ReadBuffer < test.ask || s.WriteBuffer < test.ask) != test.warn {
				t.Errorf("%d and %d bytes of %d", s.ReadBuffer, s.WriteBuffer, test.ask)
			}
			if n := strings.Count(log.String(), "rmem_max"); (n == 1) != test.warn || n > 1 {
				t.Errorf("%d warnings: %s", n, log.String())
			}
		})
	}
}

// TestFallbackIsLoggedOnce and in words that say what it means.
func TestFallbackIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	m, err := newMux(Config{Address: "127.0.0.1:0", Sockets: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}, refusing(func(m *message) syscall.Errno {
		if several(m) {
			return syscall.EIO
		}

		return 0
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	log.Reset()
	tr := newTraffic(t, "127.0.0.1")
	for range 3 {
		for _, b := range []*Batch{m.Batch(0), m.Batch(1)} {
			tr.commit(t, b, 0, 100, 0)
			tr.commit(t, b, 0, 100, 0)
			b.Flush()
		}
	}
	tr.arrive(t)
	if n := strings.Count(log.String(), "segmentation offload"); n != 1 {
		t.Errorf("%d warnings: %s", n, log.String())
	}
}

// gate is a Sink that holds the reader with the first datagram.
type gate struct {
	entered, leave, next chan struct{}
	once                 sync.Once
}

func (g *gate) HandleMedia([]byte) {
	g.once.Do(func() {
		close(g.entered)
		<-g.leave
	})
	select {
	case g.next <- struct{}{}:
	default:
	}
}

// TestKernelDrops overflows a small receive buffer while the reader is held, and hears of it.
func TestKernelDrops(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1, Buffer: 1 << 14})
	held, p := &gate{entered: make(chan struct{}), leave: make(chan struct{}), next: make(chan struct{}, 1)}, newPeer(t, "127.0.0.1")
	m.Open("here", held)
	claim(t, m, "here", p.address)
	write := func(b []byte) {
		if _, err := p.WriteToUDPAddrPort(b, m.loopback()); err != nil {
			t.Fatal(err)
		}
	}
	write(media(100, 1))
	<-held.entered
	const flood = 500
	for range flood {
		write(append([]byte{64}, make([]byte, 1000)...))
	}
	close(held.leave)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.Now().Add(time.Minute)
	more := uint64(0)
	for s := m.Stats(); s.KernelDrops == 0 || s.In+s.KernelDrops != 1+flood+more; s = m.Stats() {
		if time.Now().After(late) {
			t.Fatalf("%+v, %d sent", s, 1+flood+more)
		}
		write(media(100, 1)) // brings the news
		more++
		select {
		case <-held.next:
		case <-tick.C:
		}
	}
}

// TestFullSendBuffer writes more than a small send buffer takes, to where nobody takes it away: nothing waits.
func TestFullSendBuffer(t *testing.T) {
	for name, plain := range map[string]bool{"batches": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1, Buffer: 1, Plain: plain})
			p := newPeer(t, "127.0.0.1")
			b, committed := m.Batch(0), uint64(0)
			for range 100 {
				for range 40 {
					b.Reserve(p.address, 1400)
					b.Commit(1400)
					committed++
				}
				b.Flush()
				if err := m.WriteTo(make([]byte, 1400), p.address); err != nil {
					t.Fatal(err)
				}
				committed++
			}
			if s := m.Stats(); s.Out+s.Drops[DropSend] != committed || s.Drops[DropRefused] != 0 || !s.GSO && !plain {
				t.Errorf("%+v of %d", s, committed)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1:1", "192.0.2.7:65535", "[::ffff:192.0.2.7]:5", "[2001:db8::7]:443", "[fe80::1%3]:9"} {
		for _, six := range []bool{false, true} {
			t.Run(fmt.Sprint(a, six), func(t *testing.T) {
				want := mustParse(a)
				var raw address
				switch size := raw.set(want, six); {
				case size == 0:
					if six || canonical(want).Addr().Is4() {
						t.Error("cannot be written")
					}
				case raw.get() != canonical(want):
					t.Errorf("got %v", raw.get())
				case six && size != unix.SizeofSockaddrInet6, !six && size != unix.SizeofSockaddrInet4:
					t.Errorf("%d bytes", size)
				}
			})
		}
	}
}

// TestControlMessages reads what the kernel writes, in any order, and stops at what makes no sense.
func TestControlMessages(t *testing.T) {
	var a ancillary
	b := (*[controlWords * 8]byte)(pointer(&a))
	write := func(at int, level, kind int32, value uint32) int {
		h := (*unix.Cmsghdr)(pointer(&b[at]))
		h.Level, h.Type = level, kind
		h.SetLen(unix.CmsgLen(4))
		*(*uint32)(pointer(&b[at+unix.CmsgLen(0)])) = value

		return at + unix.CmsgSpace(4)
	}
	first := write(0, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 77)
	end := write(first, unix.SOL_UDP, unix.UDP_GRO, 1200)
	if segment, dropped := a.read(end); segment != 1200 || dropped != 77 {
		t.Errorf("%d, %d", segment, dropped)
	}
	if segment, dropped := a.read(first); segment != 0 || dropped != 77 {
		t.Errorf("%d, %d", segment, dropped)
	}
	if segment, dropped := a.read(unix.CmsgLen(0)); segment != 0 || dropped != 0 {
		t.Errorf("%d, %d", segment, dropped)
	}
	(*unix.Cmsghdr)(pointer(&b[0])).SetLen(0)
	if segment, dropped := a.read(end); segment != 0 || dropped != 0 {
		t.Errorf("%d, %d", segment, dropped)
	}
	(*unix.Cmsghdr)(pointer(&b[0])).SetLen(1 << 30)
	a.read(end)
}
