// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5/stdnet"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// maxShards is how many shards' batches are kept at hand: all that there can be.
const maxShards = 64

// Maker makes the transports of a node. Safe for concurrent use.
type Maker struct {
	// immutable after NewMaker
	cfg         Config
	net         *stdnet.Net // shared: making one lists the machine's interfaces
	certificate tls.Certificate
	fingerprint string
	local       []*net.UDPAddr // what agents gather: one address per family
	watch       *TCPMux        // nil: TCP candidates are there from the start, or not at all
	localTCP    []net.IP       // of such candidates

	refusals refusals

	batches [maxShards]atomic.Pointer[udpmux.Batch] // by shard; written by whoever asks first, always the same

	scratch sync.Pool // of *[scratchSize]byte, for what is not sent from a shard's batch

	mu      sync.Mutex            // guards waiting
	waiting map[string]*Transport // by local ufrag: who gets a TCP candidate when a connection for it comes
}

// NewMaker checks the configuration, and makes the certificate if there is none.
func NewMaker(cfg Config) (*Maker, error) {
	if cfg.Mux == nil {
		return nil, errors.New("transport: no UDP mux")
	}
	if cfg.Loggers == nil {
		cfg.Loggers = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	}
	m := &Maker{cfg: cfg, waiting: make(map[string]*Transport)}
	m.scratch.New = func() any { return new([scratchSize]byte) }
	var err error
	if m.certificate, m.fingerprint, err = certificate(cfg.Certificate); err != nil {
		return nil, err
	}
	if m.net, err = stdnet.NewNet(); err != nil {
		return nil, fmt.Errorf("transport: cannot list the network interfaces: %w", err)
	}
	if m.local = onePerFamily(cfg.Mux.GetListenAddresses()); len(m.local) == 0 {
		return nil, errors.New("transport: the UDP mux has no address")
	}
	if cfg.TCP == nil {
		return m, nil
	}
	if watch, ok := cfg.TCP.(*TCPMux); ok {
		m.watch = watch
		arrived := m.tcpArrived
		watch.arrived.Store(&arrived)
	} else if m.localTCP, err = tcpAddresses(cfg.TCP); err != nil {
		return nil, err
	}

	return m, nil
}

// Fingerprint is that of the certificate, as "sha-256 AA:BB…".
func (m *Maker) Fingerprint() string { return m.fingerprint }

// Refusals counts over all transports that were ever made.
func (m *Maker) Refusals() Refusals { return m.refusals.load() }

// Flush sends what the Writers of a shard have taken. The shard's goroutine only.
func (m *Maker) Flush(shard int) { m.batch(shard).Flush() }

// batch is the mux's, kept here because asking for it takes a lock.
func (m *Maker) batch(shard int) *udpmux.Batch {
	if shard < 0 || shard >= len(m.batches) {
		return m.cfg.Mux.Batch(max(shard, 0))
	}
	b := m.batches[shard].Load()
	if b == nil {
		b = m.cfg.Mux.Batch(shard)
		m.batches[shard].Store(b)
	}

	return b
}

// onePerFamily picks the first address of IPv4 and of IPv6. ICE pairs a remote candidate with every local one of its
// family, and each local one costs a goroutine; they all lead to the same socket.
func onePerFamily(addresses []net.Addr) []*net.UDPAddr {
	var out []*net.UDPAddr
	for _, a := range addresses {
		if udp, ok := a.(*net.UDPAddr); ok && udp.IP.Equal(net.IPv6unspecified) { // IPv4 too
			addresses = append(slices.Clip(addresses), &net.UDPAddr{IP: net.IPv4zero, Port: udp.Port})
		}
	}
	for _, v4 := range []bool{true, false} {
		for _, a := range addresses {
			udp, ok := a.(*net.UDPAddr)
			if ok && (udp.IP.To4() != nil) == v4 {
				out = append(out, udp)

				break
			}
		}
	}

	return out
}

// checkMux holds udpmux to what ICE expects of a mux.
var _ ice.UDPMux = (*udpmux.Mux)(nil)
