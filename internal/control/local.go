// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// pipeBytes may be on the way in one direction of a connection in memory.
const pipeBytes = 256 << 10

// ErrStopped is Local after Stop or GracefulStop.
var ErrStopped = errors.New("control: the server has stopped")

// newInner makes the server for callers in this process. They get the same services as everybody, over the same protocol,
// without what keeps strangers in bounds: nobody else can reach it, and whoever writes a program that embeds the node would
// only limit themselves.
func newInner(config Config, g gate) *grpc.Server {
	g.vault, g.callers = nil, nil
	return grpc.NewServer(
		grpc.MaxRecvMsgSize(config.MaxRecvBytes), grpc.MaxSendMsgSize(config.MaxSendBytes),
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream),
	)
}

// Local connects to the server from within the process, without a socket, credentials or limits of callers. The connection
// is the caller's to close; after Stop and GracefulStop its calls fail with UNAVAILABLE.
func (s *Server) Local() (*grpc.ClientConn, error) {
	l, err := s.innerListener()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///in-process",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(s.maxSend)),
		grpc.WithIdleTimeout(0), // there is nothing to save
	)
	if err != nil {
		return nil, fmt.Errorf("control: connecting to the server itself: %w", err)
	}
	return conn, nil
}

// innerListener starts serving callers in this process when the first one comes.
func (s *Server) innerListener() (*bufconn.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, ErrStopped
	}
	if s.pipe == nil {
		s.pipe, s.innerDone = bufconn.Listen(pipeBytes), make(chan struct{})
		go s.serveInner(s.pipe, s.innerDone)
	}
	return s.pipe, nil
}

func (s *Server) serveInner(l net.Listener, done chan<- struct{}) {
	defer close(done)
	_ = s.inner.Serve(l) // it ends with Stop and GracefulStop alone
}

// waitInner waits until callers in this process are not served any more; the server has been stopped.
func (s *Server) waitInner() {
	s.mu.Lock()
	done := s.innerDone
	s.mu.Unlock()
	if done != nil {
		<-done
	}
}
