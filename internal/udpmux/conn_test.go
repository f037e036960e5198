// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// line is a net.PacketConn in memory: what is written into the other end comes out.
type line struct {
	in, out chan string
	peer    net.Addr
	local   net.Addr
	closed  chan struct{}
	once    sync.Once
}

func newLine() (node, client *line) {
	a, b := make(chan string, 64), make(chan string, 64)
	at, from := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2}

	return &line{in: a, out: b, local: at, peer: from, closed: make(chan struct{})}, &line{in: b, out: a, local: from, peer: at, closed: make(chan struct{})}
}

func (l *line) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case s := <-l.in:
		return copy(b, s), l.peer, nil
	case <-l.closed:
		return 0, nil, net.ErrClosed
	}
}

func (l *line) WriteTo(b []byte, _ net.Addr) (int, error) {
	l.out <- string(b)

	return len(b), nil
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })

	return nil
}

func (l *line) LocalAddr() net.Addr              { return l.local }
func (l *line) SetDeadline(time.Time) error      { return nil }
func (l *line) SetReadDeadline(time.Time) error  { return nil }
func (l *line) SetWriteDeadline(time.Time) error { return nil }

// inMemory runs a test in a bubble, with a Mux over a line.
func inMemory(t *testing.T, run func(t *testing.T, m *Mux, client *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		node, client := newLine()
		run(t, open(t, Config{PacketConn: node}), client)
	})
}

// reading reads one datagram on a goroutine.
func reading(c net.PacketConn) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, _, err := c.ReadFrom(make([]byte, MaxDatagram))
		result <- err
	}()

	return result
}

func got(t *testing.T, c net.PacketConn, ufrag string) net.PacketConn {
	t.Helper()
	return gotOf(t, c.(*conn).generation.mux, ufrag)
}

func gotOf(t *testing.T, m *Mux, ufrag string) net.PacketConn {
	t.Helper()
	c, err := m.GetConn(ufrag, m.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func TestReadDeadline(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, _ *line) {
		c := gotOf(t, m, "here")
		defer func() { _ = c.Close() }()
		start := time.Now()
		expires := func(r <-chan error, after time.Duration) {
			t.Helper()
			if err := <-r; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != after {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
		r := reading(c)
		synctest.Wait()
		_ = c.SetReadDeadline(start.Add(time.Second)) // while it is read
		expires(r, time.Second)
		expires(reading(c), time.Second) // is over
		_ = c.SetReadDeadline(start.Add(5 * time.Second))
		r = reading(c)
		synctest.Wait()
		_ = c.SetReadDeadline(start.Add(3 * time.Second))
		expires(r, 3*time.Second)
		_ = c.SetReadDeadline(time.Time{})
		r = reading(c)
		time.Sleep(time.Minute)
		select {
		case err := <-r:
			t.Error(err)
		default:
		}
		_ = c.SetDeadline(time.Now())
		expires(r, time.Minute+3*time.Second)
	})
}

// TestConnsShareARing has two conns of one ufrag, as with two addresses of a family, and closes them one by one.
func TestConnsShareARing(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, client *line) {
		m.Open("here", nil)
		first := gotOf(t, m, "here")
		second := got(t, first, "here")
		r1, r2 := reading(first), reading(second)
		check := stunRequestFor("here:x")
		for range 2 {
			_, _ = client.WriteTo(check, nil)
		}
		if err := errors.Join(<-r1, <-r2); err != nil {
			t.Error(err)
		}
		r1 = reading(first)
		synctest.Wait()
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		if err := <-r1; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed conn reads: %v", err)
		}
		if _, err := first.WriteTo(check, client.local); !errors.Is(err, net.ErrClosed) || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("a closed conn writes: %v", err)
		}
		if err := errors.Join(first.SetDeadline(time.Now()), first.SetWriteDeadline(time.Now())); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed conn has deadlines: %v", err)
		}
		_ = first.Close() // does not count twice
		_, _ = client.WriteTo(check, nil)
		if err := <-reading(second); err != nil {
			t.Error(err)
		}
		_ = second.Close()
		third := gotOf(t, m, "here") // an agent that gathers again
		_, _ = client.WriteTo(check, nil)
		if err := <-reading(third); err != nil {
			t.Error(err)
		}
		_ = third.Close()
		if m.generationOf("here") == nil {
			t.Error("what was opened ended with its conns")
		}
	})
}

// TestWithoutOpen is a Mux as pion knows it: GetConn begins a ufrag, and the last Close ends it.
func TestWithoutOpen(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, client *line) {
		first, second := gotOf(t, m, "here"), gotOf(t, m, "here")
		answer(t, first, client.local.(*net.UDPAddr).AddrPort())
		_ = first.Close()
		if m.generationOf("here") == nil {
			t.Error("ended too early")
		}
		_ = second.Close()
		if m.generationOf("here") != nil || m.addresses.size != 0 {
			t.Error("did not end")
		}
	})
}

// TestChecksWait for the agent that will listen, up to a few.
func TestChecksWait(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, client *line) {
		m.Open("here", &discard{})
		for i := range byte(unread + 1) {
			check := stunRequestFor("here:x")
			check[stunHeader-1] = i
			_, _ = client.WriteTo(check, nil)
		}
		synctest.Wait()
		c := gotOf(t, m, "here")
		defer func() { _ = c.Close() }()
		for i := range byte(unread) {
			buf := make([]byte, MaxDatagram)
			if _, _, err := c.ReadFrom(buf); err != nil || buf[stunHeader-1] != i {
				t.Errorf("%v, check %d for %d", err, buf[stunHeader-1], i)
			}
		}
		if s := m.Stats(); s.Drops[DropInbound] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestForgetEndsReads and so does Close.
func TestForgetEndsReads(t *testing.T) {
	for name, end := range map[string]func(m *Mux) error{
		"Forget":            func(m *Mux) error { m.Forget("here"); m.Forget("here"); m.Forget("nobody"); return nil },
		"RemoveConnByUfrag": func(m *Mux) error { m.RemoveConnByUfrag("here"); return nil },
		"Close":             func(m *Mux) error { return errors.Join(m.Close(), m.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, m *Mux, client *line) {
				m.Open("here", nil)
				c := gotOf(t, m, "here")
				r := reading(c)
				synctest.Wait()
				if err := end(m); err != nil {
					t.Error(err)
				}
				if err := <-r; !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if name == "Close" {
					if _, err := m.GetConn("here", m.LocalAddr()); !errors.Is(err, net.ErrClosed) {
						t.Errorf("a connection from a closed Mux: %v", err)
					}
					m.Open("here", nil)
					if m.generationOf("here") != nil {
						t.Error("opened in a closed Mux")
					}

					return
				}
				_, _ = client.WriteTo(stunRequestFor("here:x"), nil)
				synctest.Wait()
				if s := m.Stats(); s.Drops[DropUfrag] != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestIdleMemory keeps little for a session that gets a datagram now and then, after a burst too.
func TestIdleMemory(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, client *line) {
		m.Open("here", &discard{})
		c := gotOf(t, m, "here")
		defer func() { _ = c.Close() }()
		from := canonical(client.local.(*net.UDPAddr).AddrPort())
		answer(t, c, from)
		r := &c.(*conn).generation.rings[0]
		for range 3 {
			for range slowRing {
				m.take(m.sockets[0], dtlsRecord(23, 1, make([]byte, 200)), from)
			}
			for range slowRing {
				if _, _, err := c.ReadFrom(make([]byte, MaxDatagram)); err != nil {
					t.Fatal(err)
				}
			}
			bytes := 0
			for _, s := range r.slots {
				bytes += cap(s.data)
			}
			if len(r.slots) > firstSlots || bytes > firstSlots*2*MaxDatagram {
				t.Errorf("%d slots with %d bytes are kept", len(r.slots), bytes)
			}
		}
	})
}

func TestShortBuffer(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, client *line) {
		c := gotOf(t, m, "here")
		defer func() { _ = c.Close() }()
		_, _ = client.WriteTo(stunRequestFor("here:x"), nil)
		if n, _, err := c.ReadFrom(make([]byte, 10)); n != 10 || !errors.Is(err, io.ErrShortBuffer) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestNotUDP(t *testing.T) {
	inMemory(t, func(t *testing.T, m *Mux, _ *line) {
		if _, err := m.GetConn("here", &net.TCPAddr{}); !errors.Is(err, errNotUDP) {
			t.Error(err)
		}
		c := gotOf(t, m, "here")
		defer func() { _ = c.Close() }()
		if _, err := c.WriteTo([]byte("x"), &net.TCPAddr{}); !errors.Is(err, errNotUDP) {
			t.Error(err)
		}
		if err := m.WriteTo(make([]byte, MaxDatagram+1), somewhere); !errors.Is(err, errLarge) {
			t.Error(err)
		}
	})
}

// TestBrokenSocket goes on reading after errors, with pauses, and ends when it is closed.
func TestBrokenSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, client := newLine()
		broken := &flaky{line: node}
		broken.errs.Store(12)
		m := open(t, Config{PacketConn: broken})
		m.Open("here", nil)
		_, _ = client.WriteTo(stunRequestFor("here:x"), nil)
		c := gotOf(t, m, "here")
		start := time.Now()
		if err := <-reading(c); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited < time.Second || waited > time.Minute {
			t.Errorf("waited %v", waited)
		}
		broken.errs.Store(1 << 30)
		_, _ = client.WriteTo(stunRequestFor("here:x"), nil)
		time.Sleep(time.Hour)
		_ = c.Close()
	})
}

type flaky struct {
	*line
	errs atomic.Int64
}

func (f *flaky) ReadFrom(b []byte) (int, net.Addr, error) {
	if f.errs.Add(-1) >= 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}

	return f.line.ReadFrom(b)
}
