// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// path is a NAT between one client and the node, that can lose datagrams and change the client's address.
type path struct {
	front  *net.UDPConn // towards the client
	node   netip.AddrPort
	back   atomic.Pointer[net.UDPConn] // towards the node
	client atomic.Pointer[netip.AddrPort]
	lose   func(up bool, datagram []byte) bool // nil: nothing
	work   sync.WaitGroup
	mu     sync.Mutex // guards opened
	opened []*net.UDPConn
}

func loopback(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func newPath(t testing.TB, n *node, lose func(up bool, datagram []byte) bool) *path {
	t.Helper()
	p := &path{front: loopback(t), node: n.mux.LocalAddr().AddrPort(), lose: lose}
	p.move(t)
	p.work.Go(func() {
		buf := make([]byte, 2000)
		for {
			size, from, err := p.front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			p.client.Store(&from)
			if p.lose == nil || !p.lose(true, buf[:size]) {
				_, _ = p.back.Load().WriteToUDPAddrPort(buf[:size], p.node)
			}
		}
	})
	t.Cleanup(func() {
		_ = p.front.Close()
		p.mu.Lock()
		for _, c := range p.opened {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.work.Wait()
	})

	return p
}

// move gives the client another address, which it returns. What is sent to the old one is lost.
func (p *path) move(t testing.TB) netip.AddrPort {
	t.Helper()
	back := loopback(t)
	p.mu.Lock()
	p.opened = append(p.opened, back)
	p.mu.Unlock()
	p.back.Store(back)
	p.work.Go(func() {
		buf := make([]byte, 2000)
		for {
			size, _, err := back.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if to := p.client.Load(); to != nil && p.back.Load() == back && (p.lose == nil || !p.lose(false, buf[:size])) {
				_, _ = p.front.WriteToUDPAddrPort(buf[:size], *to)
			}
		}
	})

	return netip.MustParseAddrPort(back.LocalAddr().String())
}

// through has a client connect by way of the path.
func through(p *path) peerOptions {
	port := p.front.LocalAddr().(*net.UDPAddr).Port

	return peerOptions{port: port}
}

// TestMove changes the client's address amid media. The owner says when to follow.
func TestMove(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"direct": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) { cfg.PlainLane = plain })
			way := newPath(t, n, nil)
			o := newOwner()
			checks := make(chan netip.AddrPort, 1024)
			var follow atomic.Pointer[netip.AddrPort]
			o.move = func(from netip.AddrPort) bool {
				select {
				case checks <- from:
				default:
				}
				to := follow.Load()

				return to != nil && *to == from
			}
			p := newPeer(t, through(way))
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			first := <-o.chosen
			if tr.RemoteAddr() != first {
				t.Errorf("media goes to %v, %v was chosen", tr.RemoteAddr(), first)
			}
			to := way.move(t)
			limit := time.After(patience)
			for from := range checks { // the client's next check comes from there
				if from == to {
					break
				}
				select {
				case <-limit:
					t.Fatal("no check from the new address")
				default:
				}
			}
			if tr.RemoteAddr() != first {
				t.Error("media moved without the owner's leave")
			}
			follow.Store(&to)
			for chosen := range o.chosen {
				if chosen == to {
					break
				}
			}
			upward(t, p, o, 2)
			downward(t, n, tr.Writer(0), p, 3)
			if tr.RemoteAddr() != to {
				t.Errorf("media goes to %v, want %v", tr.RemoteAddr(), to)
			}
		})
	}
}

// TestHandshakeLosses loses the first of every DTLS flight, each way and role.
func TestHandshakeLosses(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]webrtc.DTLSRole{"server": webrtc.DTLSRoleClient, "client": webrtc.DTLSRoleServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, nil)
			var lost, seen atomic.Int32
			way := newPath(t, n, func(_ bool, datagram []byte) bool {
				if datagram[0] < 20 || datagram[0] > 63 || lost.Load() >= 3 || seen.Add(1)%2 == 0 {
					return false
				}
				lost.Add(1)

				return true
			})
			options := through(way)
			options.role = role
			o := newOwner()
			p := newPeer(t, options)
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			downward(t, n, tr.Writer(0), p, 2)
			if lost.Load() != 3 {
				t.Errorf("%d datagrams were lost, want 3", lost.Load())
			}
		})
	}
}
