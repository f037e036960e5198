// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Server is the gRPC face of a node. All its methods are safe from any goroutine.
type Server struct {
	grpc   *grpc.Server   // immutable after New, as are the next eight
	inner  *grpc.Server   // of callers in this process
	health *health.Server //
	vault  *vault         //
	counts *counters      //
	most   int            // connections
	// of one reply, in bytes
	maxSend int
	others  []Address // where the process listens beside this face
	ending  *ending   // shared with the services

	closing chan struct{} // closed once, when watches must end
	once    sync.Once     // guards the close of closing

	mu        sync.Mutex // guards the next four
	listeners []net.Addr
	stopped   bool
	pipe      *bufconn.Listener // of inner; nil: nobody has asked for it
	innerDone chan struct{}     // closed when inner has stopped serving
}

// connectionIdle is how long a connection without a call stays open. Clients open another one by themselves.
const connectionIdle = 15 * time.Minute

// ErrNoNode is New without a node.
var ErrNoNode = errors.New("control: a node is required")

// New makes a server; it reads the files that the configuration names.
func New(config Config) (*Server, error) {
	if config.Node == nil {
		return nil, ErrNoNode
	}
	config = withDefaults(config)
	s := &Server{
		health: health.NewServer(), vault: &vault{config: config}, counts: newCounters(),
		most: config.MaxConnections, maxSend: config.MaxSendBytes, others: config.Addresses, ending: &ending{}, closing: make(chan struct{}),
	}
	if err := s.vault.load(); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	g := &gate{
		node: config.Node, log: config.Logger, vault: s.vault, counts: s.counts, timeout: config.RequestTimeout,
		callers: newCallers(config.RequestRate, config.RequestBurst),
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(config.MaxRecvBytes), grpc.MaxSendMsgSize(config.MaxSendBytes),
		grpc.MaxConcurrentStreams(config.MaxConcurrentStreams), grpc.MaxHeaderListSize(16 << 10),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: config.KeepaliveMinTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: config.KeepaliveTime, Timeout: config.KeepaliveTimeout,
			MaxConnectionIdle: connectionIdle, // nobody may park connections that it does not use
		}),
		grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream),
	}
	if c := s.vault.credentials(); c != nil {
		options = append(options, grpc.Creds(c))
	}
	s.grpc, s.inner = grpc.NewServer(options...), newInner(config, *g)
	s.register(config)
	return s, nil
}

func withDefaults(c Config) Config {
	c.MaxRecvBytes = cmp.Or(c.MaxRecvBytes, 1<<20)
	c.MaxSendBytes = cmp.Or(c.MaxSendBytes, 64<<20)
	c.MaxConcurrentStreams = cmp.Or(c.MaxConcurrentStreams, 256)
	c.MaxConnections = cmp.Or(c.MaxConnections, 1024)
	c.KeepaliveMinTime = cmp.Or(c.KeepaliveMinTime, 10*time.Second)
	c.KeepaliveTime = cmp.Or(c.KeepaliveTime, 30*time.Second)
	c.KeepaliveTimeout = cmp.Or(c.KeepaliveTimeout, 10*time.Second)
	c.RequestRate = cmp.Or(c.RequestRate, 5000)
	c.RequestBurst = cmp.Or(c.RequestBurst, 1000)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 10*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (s *Server) register(config Config) {
	f := &face{
		node: config.Node, log: config.Logger, version: config.Version, heartbeat: config.Heartbeat, health: s.SetServing, closing: s.closing,
		ending: s.ending, iceServers: each(config.ICEServers, iceServerOf),
	}
	for _, to := range []*grpc.Server{s.grpc, s.inner} {
		sfuv1.RegisterSessionServiceServer(to, sessionService{face: f})
		sfuv1.RegisterRoomServiceServer(to, roomService{face: f})
		sfuv1.RegisterStreamServiceServer(to, streamService{face: f})
		sfuv1.RegisterSubscriptionServiceServer(to, subscriptionService{face: f})
		sfuv1.RegisterMessageServiceServer(to, messageService{face: f})
		sfuv1.RegisterEventServiceServer(to, eventService{face: f})
		sfuv1.RegisterNodeServiceServer(to, nodeService{face: f, own: s.addresses})
		healthv1.RegisterHealthServer(to, s.health)
	}
	if config.Reflection {
		reflection.Register(s.grpc)
	}
	s.SetServing(false)
}

func (s *Server) addresses() []*sfuv1.BoundAddress {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := each(s.listeners, func(a net.Addr) *sfuv1.BoundAddress {
		return &sfuv1.BoundAddress{Purpose: "grpc", Network: a.Network(), Address: a.String()}
	})
	return append(list, each(s.others, func(a Address) *sfuv1.BoundAddress {
		return &sfuv1.BoundAddress{Purpose: a.Purpose, Network: a.Network, Address: a.Address}
	})...)
}

// Serve answers calls on the listener until Stop or GracefulStop, then returns nil.
func (s *Server) Serve(listener net.Listener) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		_ = listener.Close()
		return nil
	}
	s.listeners = append(s.listeners, listener.Addr())
	s.mu.Unlock()
	err := s.grpc.Serve(&bounded{Listener: listener, most: s.most, counts: s.counts})
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

func (s *Server) end() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.health.Shutdown()
	s.once.Do(func() { close(s.closing) })
}

// Stop ends all calls and connections at once.
func (s *Server) Stop() {
	s.end()
	s.inner.Stop()
	s.grpc.Stop()
	s.waitInner()
}

// GracefulStop takes no new calls, ends watches, and waits for running calls until ctx ends.
func (s *Server) GracefulStop(ctx context.Context) {
	s.end()
	done := make(chan struct{})
	go func() {
		s.inner.GracefulStop()
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.inner.Stop()
		s.grpc.Stop()
		<-done
	}
	s.waitInner()
}

// Reload reads certificates and tokens again; on an error everything stays as it was. TLS itself cannot be switched on or off.
func (s *Server) Reload() error {
	if err := s.vault.load(); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

// SetServing sets what health checks answer, for the server and for each service.
func (s *Server) SetServing(serving bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if serving {
		state = healthv1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, state)
	}
}

// Ending says that the process will end, whatever comes: health checks answer NOT_SERVING, and Undrain is refused from now
// on. It waits for one that is being carried out.
func (s *Server) Ending() {
	s.ending.mu.Lock()
	defer s.ending.mu.Unlock()
	s.ending.begun = true
	s.SetServing(false)
}

// Stats is a copy of the counters.
func (s *Server) Stats() Stats { return s.counts.snapshot() }

// bounded closes connections past a number, before they cost anything.
type bounded struct {
	net.Listener
	most   int       // immutable
	counts *counters // immutable
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if int(b.counts.connections.Add(1)) <= b.most {
			return &countedConn{Conn: conn, counts: b.counts}, nil
		}
		b.counts.connections.Add(-1)
		b.counts.refuse("connections")
		_ = conn.Close()
	}
}

// countedConn counts itself out when it is closed.
type countedConn struct {
	net.Conn
	counts *counters // immutable
	once   sync.Once // guards counting out
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.counts.connections.Add(-1) })
	return c.Conn.Close()
}
