// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"path"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// steered is a way to a node that tests can bend.
type steered struct {
	mu     sync.Mutex // guards the rest
	conn   *grpc.ClientConn
	before func(method string) error // not carried out when it gives an error; may wait
	after  func(method string) error // carried out, but answered so
	hang   string                    // method that is never answered
}

func steer(t *testing.T, target string) *steered { return &steered{conn: dial(t, target)} }

func (s *steered) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *steered) parts() (conn *grpc.ClientConn, before, after func(string) error, hang string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn, s.before, s.after, s.hang
}

// Invoke implements grpc.ClientConnInterface.
func (s *steered) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	conn, before, after, hang := s.parts()
	if path.Base(method) == hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	if before != nil {
		if err := before(path.Base(method)); err != nil {
			return err
		}
	}
	if err := conn.Invoke(ctx, method, args, reply, opts...); err != nil {
		return err
	}
	if after != nil {
		return after(path.Base(method))
	}
	return nil
}

// NewStream implements grpc.ClientConnInterface.
func (s *steered) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, before, _, _ := s.parts()
	if before != nil {
		if err := before(path.Base(method)); err != nil {
			return nil, err
		}
	}
	return conn.NewStream(ctx, desc, method, opts...)
}

// through makes a tier reach its node by the way given.
func through(s *steered) func(*Config) {
	return func(c *Config) { c.Nodes[0].Conn = s }
}
