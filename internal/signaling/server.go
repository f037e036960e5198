// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"path"
	"sync"
	"time"

	"github.com/coder/websocket"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
)

// Server is the tier. Safe for concurrent use.
type Server struct {
	config Config          // immutable after New, as are the next six
	nodes  []*node         //
	log    *slog.Logger    //
	counts *counters       // locks itself
	stop   func()          // ends what watches the nodes
	calls  context.Context // of calls to nodes
	abort  func()          // ends it

	running sync.WaitGroup // goroutines, and requests of the HTTP server that serve clients

	mu          sync.Mutex           // guards the rest
	connections map[*connection]bool // connections that are open
	unknown     map[netip.Prefix]int // connections that have not shown a token, by address
	closed      bool
}

// ErrConfig is New with a configuration that cannot work; what wraps it says why.
var ErrConfig = errors.New("signaling")

// New starts watching the nodes. It does not wait for them: clients are told UNAVAILABLE until a node answers.
func New(c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	s := &Server{config: c, log: c.Logger, counts: newCounters(), connections: make(map[*connection]bool), unknown: make(map[netip.Prefix]int)}
	watching, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.calls, s.abort = context.WithCancel(context.Background())
	watcher := fmt.Sprintf("signaling-%016x", rand.Uint64())
	for _, v := range c.Nodes {
		s.nodes = append(s.nodes, newNode(s, v, watcher))
	}
	for _, n := range s.nodes {
		s.running.Go(func() { n.watch(watching) })
	}
	return s, nil
}

func (c *Config) check() error {
	if c.Keys == nil {
		return fmt.Errorf("%w: keys are required", ErrConfig)
	}
	if len(c.Nodes) == 0 {
		return fmt.Errorf("%w: at least one node is required", ErrConfig)
	}
	ids := make(map[string]bool)
	for _, n := range c.Nodes {
		if n.Conn == nil {
			return fmt.Errorf("%w: node %q has no connection", ErrConfig, n.ID)
		}
		if ids[n.ID] {
			return fmt.Errorf("%w: two nodes are named %q", ErrConfig, n.ID)
		}
		ids[n.ID] = true
	}
	for _, origin := range c.AllowedOrigins {
		if _, err := path.Match(origin, ""); err != nil {
			return fmt.Errorf("%w: origin %q: %w", ErrConfig, origin, err)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.MaxClients = cmp.Or(c.MaxClients, 10000)
	c.MaxPerAddress = cmp.Or(c.MaxPerAddress, 64)
	c.MaxFrame = cmp.Or(c.MaxFrame, 512<<10)
	c.Queue = cmp.Or(c.Queue, 1024)
	c.QueueBytes = cmp.Or(c.QueueBytes, 4<<20)
	c.Rate = cmp.Or(c.Rate, 50)
	c.Burst = cmp.Or(c.Burst, 200)
	c.PingInterval = cmp.Or(c.PingInterval, 5*time.Second)
	c.HelloTimeout = cmp.Or(c.HelloTimeout, 10*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Handler serves the WebSocket that clients connect to, for /signal.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Stats returns counters; safe for concurrent use.
func (s *Server) Stats() Stats { return s.counts.snapshot() }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	address := addressOf(r.RemoteAddr)
	if !s.admit(address) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	defer s.running.Done()
	known := sync.OnceFunc(func() { s.known(address) })
	defer known()
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OriginPatterns: s.config.AllowedOrigins, InsecureSkipVerify: len(s.config.AllowedOrigins) == 0,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		s.counts.left()
		return // Accept has answered
	}
	l := newConnection(s, socket)
	s.running.Go(l.write)
	c := s.meet(l)
	if c == nil {
		s.part(l)
		return
	}
	s.running.Go(func() { // the request and a stack that has grown for it and for Hello are not kept for an idle client
		defer s.part(l)
		c.contain("reading requests", c.serve)
		c.turns.close()
		c.node.unregister(c)
	})
}

// meet takes a connection in until it has said Hello.
func (s *Server) meet(l *connection) *client {
	if !s.add(l) {
		return nil
	}
	return s.greet(l)
}

// part closes a connection and forgets it.
func (s *Server) part(l *connection) {
	s.removed(l)
	l.close()
	s.counts.left()
}

// addressOf is what connections are counted by: an IPv4 address, or the /64 of an IPv6 one, of which a single host has as many as
// it likes.
func addressOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := at.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	prefix, _ := address.Prefix(bits) // no address is shorter
	return prefix
}

// admit counts a connection in, unless there are too many, or the server is closed.
func (s *Server) admit(address netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.unknown[address] >= s.config.MaxPerAddress || !s.counts.admit(s.config.MaxClients) {
		s.counts.drop("too_many")
		return false
	}
	s.unknown[address]++
	s.running.Add(1)
	return true
}

// known says that a connection has shown a token, or is over.
func (s *Server) known(address netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown[address]--; s.unknown[address] <= 0 {
		delete(s.unknown, address)
	}
}

func (s *Server) add(l *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		goAway(l)
		return false
	}
	s.connections[l] = true
	return true
}

func (s *Server) removed(l *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, l)
}

// goAway tells a client to come back to another process, at a moment of its own, and closes its connection.
func goAway(l *connection) {
	wait := 200 + rand.Uint32N(800)
	l.put(encodeNotice(&signalv1.Notice{Kind: &signalv1.Notice_GoingAway{GoingAway: &signalv1.GoingAway{RetryAfterMs: wait}}}))
	l.finish("", websocket.StatusGoingAway, "the tier ends")
}

// Close tells all clients GoingAway, closes their connections and stops watching. Sessions on the nodes go on.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for l := range s.connections {
		goAway(l)
	}
	s.mu.Unlock()
	s.stop()
	defer s.abort()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for l := range s.connections {
		_ = l.socket.CloseNow()
	}
	s.mu.Unlock()
	s.abort()
	<-ended
	return ctx.Err()
}
