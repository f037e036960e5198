// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

const maxSockets = 64

var errNotUDP = errors.New("not a UDP address")

// Mux is an ice.UDPMux over one port, with a way past the agents for media. All methods are safe for concurrent use.
type Mux struct {
	// immutable after New
	config    Config
	logger    *slog.Logger
	local     *net.UDPAddr
	sockets   []*socket
	addresses *table // own locks

	singles sync.Pool      // of *single
	readers sync.WaitGroup // of read
	done    chan struct{}  // closed by Close

	// guarded by mu
	mu     sync.RWMutex
	closed bool
	ufrags map[string]*generation
	newest map[Sink]*generation // of each session, by its sink

	// atomic: written under mu, read by everybody; by shard, nil where not asked for. A list is not changed once it is here.
	batches atomic.Pointer[[]*Batch]
}

// New opens the sockets and starts to read them.
func New(cfg Config) (*Mux, error) { return newMux(cfg, systemCalls()) }

func newMux(cfg Config, calls kernel) (*Mux, error) {
	if cfg.Buffer == 0 {
		cfg.Buffer = 4 << 20
	}
	if cfg.Sockets == 0 {
		cfg.Sockets = runtime.GOMAXPROCS(0)
	}
	cfg.Sockets = min(max(cfg.Sockets, 1), maxSockets)
	m := &Mux{
		config: cfg, logger: cfg.Logger, addresses: newTable(), done: make(chan struct{}),
		ufrags: make(map[string]*generation), newest: make(map[Sink]*generation),
	}
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	conns, err := openSockets(&cfg)
	if err != nil {
		return nil, err
	}
	var ok bool
	if m.local, ok = conns[0].LocalAddr().(*net.UDPAddr); !ok {
		_ = conns[0].Close()

		return nil, fmt.Errorf("udpmux: the packet connection's address %v is %w", conns[0].LocalAddr(), errNotUDP)
	}
	m.singles.New = func() any { return newSingle() }
	for _, c := range conns {
		m.sockets = append(m.sockets, newSocket(c, &cfg, calls, m.logger))
	}
	warnOfBuffers(m.logger, m.sockets[0], cfg.Buffer)
	for _, s := range m.sockets {
		m.readers.Add(1)
		go m.read(s)
	}

	return m, nil
}

// LocalAddr is the address that is bound.
func (m *Mux) LocalAddr() *net.UDPAddr { return m.local }

// Open makes a ufrag known: checks for it are kept from now on, and media from the addresses that its agent answers goes to
// sink, or to the agent when sink is nil. A sink that is a Responder too is asked about checks before the agent. Sinks are
// compared: one stands for one session. Opening a ufrag that is open changes nothing.
func (m *Mux) Open(ufrag string, sink Sink) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open(ufrag, sink, false)
}

// open with mu held.
func (m *Mux) open(ufrag string, sink Sink, auto bool) *generation {
	if g := m.ufrags[ufrag]; g != nil || m.closed {
		return g
	}
	g := &generation{mux: m, ufrag: ufrag, sink: sink, auto: auto, over: make(chan struct{}), rings: [2]ring{newRing(), newRing()}}
	g.reply, _ = sink.(Responder)
	m.ufrags[ufrag] = g
	if sink != nil {
		m.newest[sink] = g
	}

	return g
}

// GetConn implements ice.UDPMux. The conn is to be closed by the caller; others for the same ufrag and address family are not
// affected by that.
func (m *Mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("udpmux: no connection for %v: %w", addr, errNotUDP)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.open(ufrag, nil, true)
	if m.closed {
		return nil, errClosed
	}
	ring := 1
	if udp.IP.To4() != nil {
		ring = 0
	}

	return g.attach(ring), nil
}

// RemoveConnByUfrag implements ice.UDPMux. It ends a ufrag. A newer one of the same session, if there is one, gets its
// addresses: an agent that restarts removes its old ufrag before it has told anybody the new one, and media goes on meanwhile
// (RFC 8445, section 9).
func (m *Mux) RemoveConnByUfrag(ufrag string) {
	m.mu.RLock()
	g := m.ufrags[ufrag]
	m.mu.RUnlock()
	if g != nil {
		m.forget(g)
	}
}

// Forget ends a ufrag, as RemoveConnByUfrag does.
func (m *Mux) Forget(ufrag string) { m.RemoveConnByUfrag(ufrag) }

func (m *Mux) forget(g *generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ufrags[g.ufrag] != g {
		return
	}
	delete(m.ufrags, g.ufrag)
	var heir *generation
	if g.sink != nil {
		if heir = m.newest[g.sink]; heir == g {
			delete(m.newest, g.sink)
			heir = nil
		}
	}
	m.end(g, heir)
}

// end with mu held.
func (m *Mux) end(g, heir *generation) {
	m.addresses.release(g, heir)
	g.rings[0].resize(0, 0)
	g.rings[1].resize(0, 0)
	close(g.over)
}

// GetListenAddresses implements ice.UDPMux.
func (m *Mux) GetListenAddresses() []net.Addr {
	if len(m.config.Listen) > 0 {
		out := slices.Clone(m.config.Listen)
		for i, a := range out {
			if udp, ok := a.(*net.UDPAddr); ok && udp.Port == 0 {
				out[i] = &net.UDPAddr{IP: udp.IP, Port: m.local.Port, Zone: udp.Zone}
			}
		}

		return out
	}

	return []net.Addr{m.local}
}

// Batch gives the i-th shard's batch, the same one every time; i is not negative.
func (m *Mux) Batch(i int) *Batch {
	if list := m.batches.Load(); list != nil && i < len(*list) && (*list)[i] != nil {
		return (*list)[i]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*Batch
	if old := m.batches.Load(); old != nil {
		list = slices.Clone(*old)
	}
	for len(list) <= i {
		list = append(list, nil)
	}
	if list[i] == nil {
		list[i] = newBatch(m.sockets[i%len(m.sockets)])
		m.batches.Store(&list)
	}

	return list[i]
}

// WriteTo sends one datagram. It never waits: what does not fit the kernel's send buffer is lost, as anywhere on the way, and
// counted. An error says that it was refused, which is counted too.
func (m *Mux) WriteTo(b []byte, to netip.AddrPort) error {
	s := m.sockets[0]
	if n := uint64(len(m.sockets)); n > 1 { // one destination, one socket
		s = m.sockets[m.addresses.hash(to)%n]
	}
	one, ok := m.singles.Get().(*single)
	if !ok {
		one = newSingle()
	}
	defer m.singles.Put(one)

	return s.sendOne(one, b, to)
}

// Stats sums up the counters.
func (m *Mux) Stats() Stats {
	first := m.sockets[0]
	out := Stats{Sockets: len(m.sockets), GSO: true, GRO: true, ReadBuffer: first.readBuffer, WriteBuffer: first.writeBuffer}
	for _, s := range m.sockets {
		s.addTo(&out)
	}

	return out
}

// over says whether Close was called.
func (m *Mux) over() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// Close closes the sockets and everything that was made of them, and waits for the readers. It is not to be called by a Sink.
func (m *Mux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.readers.Wait()

		return nil
	}
	m.closed = true
	close(m.done)
	for _, g := range m.ufrags {
		m.end(g, nil)
	}
	clear(m.ufrags)
	clear(m.newest)
	m.mu.Unlock()
	var err error
	for _, s := range m.sockets {
		err = errors.Join(err, s.conn.Close())
	}
	m.readers.Wait()

	return err
}
