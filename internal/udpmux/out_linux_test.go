// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"math/rand/v2"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// refusing is sendmmsg(2) with errors: refuse says what becomes of a message. As in the kernel, an error is told when the
// message it is about is the first.
func refusing(refuse func(m *message) syscall.Errno) kernel {
	return kernel{recvmmsg: recvmmsg, sendmmsg: func(fd uintptr, list []message) (int, syscall.Errno) {
		for i := range list {
			errno := refuse(&list[i])
			switch {
			case errno == 0:
				continue
			case i == 0:
				return -1, errno
			}
			list = list[:i]

			break
		}

		return sendmmsg(fd, list)
	}}
}

func several(m *message) bool { return m.header.Controllen > 0 }

func port(m *message) uint16 {
	to := (*unix.RawSockaddrInet4)(pointer(m.header.Name))

	return binary.BigEndian.Uint16((*[2]byte)(pointer(&to.Port))[:])
}

// TestSegmentsRefused has the kernel refuse UDP_SEGMENT, from the start, later, by destination: the same datagrams arrive in
// the same order.
func TestSegmentsRefused(t *testing.T) {
	calls, lucky := 0, rand.New(rand.NewPCG(5, 6))
	var peers []*peer
	for name, test := range map[string]struct {
		calls kernel
		gso   bool // in the end
	}{
		"never": {systemCalls(), true},
		"from the start": {refusing(func(m *message) syscall.Errno {
			if several(m) {
				return syscall.EIO
			}

			return 0
		}), false},
		"in the middle": {refusing(func(m *message) syscall.Errno {
			if calls++; several(m) && calls > 100 {
				return syscall.EIO
			}

			return 0
		}), false},
		"not supported": {refusing(func(m *message) syscall.Errno {
			if several(m) {
				return syscall.EOPNOTSUPP
			}

			return 0
		}), false},
		"by one destination": {refusing(func(m *message) syscall.Errno {
			if several(m) && port(m) == peers[1].address.Port() {
				return syscall.EMSGSIZE
			}

			return 0
		}), true},
		"now and then": {refusing(func(m *message) syscall.Errno {
			if several(m) && lucky.IntN(4) == 0 {
				return syscall.EINVAL
			}

			return 0
		}), true},
		"three at a time, interrupted": {kernel{recvmmsg: recvmmsg, sendmmsg: func(fd uintptr, list []message) (int, syscall.Errno) {
			if lucky.IntN(3) == 0 {
				return -1, syscall.EINTR
			}

			return sendmmsg(fd, list[:min(3, len(list))])
		}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := newMux(Config{Address: "127.0.0.1:0", Sockets: 1}, test.calls)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Close() })
			tr := newTraffic(t, "127.0.0.1", "127.0.0.1", "127.0.0.1")
			peers = tr.peers
			rng := rand.New(rand.NewPCG(1, 2))
			for range 10 {
				tr.send(t, m.Batch(0), rng, 10)
				tr.arrive(t)
			}
			s := m.Stats()
			tr.check(t, s)
			if s.GSO != test.gso || s.Drops != (Stats{}).Drops || s.Out != tr.total {
				t.Errorf("%+v of %d", s, tr.total)
			}
		})
	}
}

// TestNobodyTakesSegments has every destination refuse them, which ends the trying.
func TestNobodyTakesSegments(t *testing.T) {
	m, err := newMux(Config{Address: "127.0.0.1:0", Sockets: 1}, refusing(func(m *message) syscall.Errno {
		if several(m) {
			return syscall.EINVAL
		}

		return 0
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	ips := make([]string, 2*enoughRefused)
	for i := range ips {
		ips[i] = "127.0.0.1"
	}
	tr := newTraffic(t, ips...)
	for range 2 {
		for to := range tr.peers {
			tr.commit(t, m.Batch(0), to, 500, 0)
			tr.commit(t, m.Batch(0), to, 500, 0)
		}
		m.Batch(0).Flush()
		tr.arrive(t)
	}
	tr.check(t, m.Stats())
	if refused := m.Batch(0).messages.refused; m.Stats().GSO || refused != enoughRefused {
		t.Errorf("tried with %d destinations", refused)
	}
}

// TestSendErrors has the kernel refuse datagrams for good: theirs alone are lost, and counted.
func TestSendErrors(t *testing.T) {
	for _, test := range []struct {
		errno  syscall.Errno
		reason Drop
	}{
		{syscall.EAGAIN, DropSend},
		{syscall.ENOBUFS, DropSend},
		{syscall.ENOMEM, DropSend},
		{syscall.ECONNREFUSED, DropRefused},
		{syscall.EPERM, DropRefused},
		{syscall.ENETUNREACH, DropRefused},
	} {
		for name, gso := range map[string]bool{"one by one": false, "segments": true} {
			t.Run(test.errno.Error()+"/"+name, func(t *testing.T) {
				var bad uint16
				m, err := newMux(Config{Address: "127.0.0.1:0", Sockets: 1}, refusing(func(m *message) syscall.Errno {
					if port(m) == bad {
						return test.errno
					}

					return 0
				}))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = m.Close() })
				m.sockets[0].gso.Store(gso)
				tr := newTraffic(t, "127.0.0.1", "127.0.0.1", "127.0.0.1")
				bad, tr.lost = tr.peers[1].address.Port(), 1
				rng := rand.New(rand.NewPCG(7, 8))
				for range 3 {
					tr.send(t, m.Batch(0), rng, 10)
					tr.arrive(t)
				}
				s := m.Stats()
				if n := s.Drops[test.reason]; n == 0 || n != uint64(tr.missing) {
					t.Errorf("%d were refused, %d are missing", n, tr.missing)
				}
				tr.check(t, s)
				for reason, n := range s.Drops {
					if (Drop(reason) == test.reason) != (n > 0) {
						t.Errorf("drops %v", s.Drops)
					}
				}
				if s.GSO != gso {
					t.Errorf("GSO is %v", s.GSO)
				}
			})
		}
	}
}

// TestRuns looks at what is sent together.
func TestRuns(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0", Sockets: 1})
	tr := newTraffic(t, "127.0.0.1")
	b := m.Batch(0)
	for _, size := range []int{100, 100, 100, 40, 100, 101, 101} { // 100 100 100 40 | 100 | 101 101
		tr.commit(t, b, 0, size, 0)
	}
	b.Flush()
	tr.arrive(t)
	if s := m.Stats(); s.GSO && (s.Runs != 3 || s.Sends != 1) {
		t.Errorf("%d runs, %d calls", s.Runs, s.Sends)
	}
	for range 2 * maxSegments {
		tr.commit(t, b, 0, 100, 0)
	}
	b.Flush()
	tr.arrive(t)
	if s := m.Stats(); s.GSO && (s.Runs != 5 || s.Sends != 2) {
		t.Errorf("%d runs, %d calls", s.Runs, s.Sends)
	}
	for range 70 { // more than fits one message, and more than one batch
		tr.commit(t, b, 0, 1500, 0)
	}
	b.Flush()
	tr.arrive(t)
	tr.check(t, m.Stats())
}
