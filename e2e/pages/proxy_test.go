// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"net"
	"sync"
	"testing"
)

// proxy carries TCP connections to an address over a network that can be cut: then what is on its way waits, as it does when IP
// packets are lost and sent again.
type proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex    // guards the rest
	whole chan struct{} // closed while the network is whole
	conns []net.Conn
	ended bool
}

// newProxy starts a proxy that is ended with the test.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{target: target, listener: listener, whole: make(chan struct{})}
	close(p.whole)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// cut cuts the network, and mend mends it.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole = make(chan struct{})
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.whole)
}

func (p *proxy) wait() {
	p.mu.Lock()
	whole := p.whole
	p.mu.Unlock()
	<-whole
}

func (p *proxy) close() {
	p.mu.Lock()
	p.ended = true
	select {
	case <-p.whole:
	default:
		close(p.whole)
	}
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	_ = p.listener.Close()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		front, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() {
			p.wait()
			back, err := net.Dial("tcp", p.target)
			if err != nil || !p.keep(front, back) {
				_ = front.Close()
				return
			}
			p.running.Go(func() { p.carry(back, front) })
			p.carry(front, back)
		})
	}
}

// keep has connections closed with the proxy; false: it is closed already.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	}
	p.conns = append(p.conns, conns...)
	return true
}

func (p *proxy) carry(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.wait()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
