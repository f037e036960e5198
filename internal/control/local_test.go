// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestLocalNeedsNoCredentials calls from within what asks everybody else for a token, more often than they may.
func TestLocalNeedsNoCredentials(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("a-token-of-some-length"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, target := start(t, Config{TokenFile: tokens, RequestRate: 0.001, RequestBurst: 1})
	if got := getNode(t.Context(), dial(t, target, nil)); got != codes.Unauthenticated {
		t.Errorf("from outside: %v", got)
	}
	conn, err := s.Local()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 5 {
		if got := getNode(t.Context(), conn); got != codes.OK {
			t.Fatalf("from within: %v", got)
		}
	}
	if n := s.Stats().Calls; len(n) == 0 {
		t.Error("calls from within are not counted")
	}
	node, err := sfuv1.NewNodeServiceClient(conn).GetNode(t.Context(), &sfuv1.GetNodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range node.GetNode().GetAddresses() {
		if a.GetAddress() == "bufconn" {
			t.Errorf("the connection in memory is told as an address: %v", a)
		}
	}
}

// TestLocalEndsWithTheServer stops a server that somebody inside watches, in both ways.
func TestLocalEndsWithTheServer(t *testing.T) {
	for name, stop := range map[string]func(*Server){
		"at once":  (*Server).Stop,
		"in order": func(s *Server) { s.GracefulStop(context.Background()) },
		"in order, out of time": func(s *Server) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			s.GracefulStop(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, Config{})
			conn, err := s.Local()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			watch, err := sfuv1.NewEventServiceClient(conn).WatchEvents(t.Context(), &sfuv1.WatchEventsRequest{WatcherId: "w"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := watch.Recv(); err != nil {
				t.Fatal(err)
			}
			stop(s)
			for err == nil {
				_, err = watch.Recv()
			}
			if got := status.Code(err); got != codes.Unavailable {
				t.Errorf("the watch ended with %v", err)
			}
			if got := getNode(t.Context(), conn); got != codes.Unavailable {
				t.Errorf("a call afterwards: %v", got)
			}
			if _, err := s.Local(); !errors.Is(err, ErrStopped) {
				t.Errorf("another connection afterwards: %v", err)
			}
		})
	}
}
