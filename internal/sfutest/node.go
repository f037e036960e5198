// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/sfu"
)

// lane names the environment variable that says how nodes started here send media, unless the test's configuration decides
// it. Empty: by the fast lane, over one socket that is tapped; "plain": by the plain lane, the same socket; "sockets": by the
// fast lane, over the batched sockets of a node in service, and StartNode's have no Tap then.
const lane = "SFU_TEST_LANE"

// Node is a node in the test's process behind its real gRPC face, with a Tap on its media socket.
type Node struct {
	*API
	SFU    *sfu.Node
	Tap    *Tap
	Target string // of the gRPC face
	Ledger *Ledger

	media  netip.AddrPort
	server *control.Server
	conn   *grpc.ClientConn
}

// StartNode starts a node on loopback; when the test ends it is stopped and checked: the accounting identity must hold, and no
// session may be left behind. change may adapt the configuration.
func StartNode(t testing.TB, change func(*sfu.Config, *control.Config)) *Node {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(lane) == "sockets" {
		return start(t, &Node{Target: listener.Addr().String()}, nil, listener, change)
	}
	tap, err := NewTap()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, &Node{Tap: tap, Target: listener.Addr().String()}, tap, listener, change)
}

// StartNodeOn starts a node without a kernel's socket, so that it runs under testing/synctest: media goes through conn, an
// Endpoint of a Network, gRPC through memory. It has no Tap.
func StartNodeOn(t testing.TB, conn net.PacketConn, change func(*sfu.Config, *control.Config)) *Node {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
	return start(t, &Node{Target: "passthrough:///memory"}, conn, listener, change, dial)
}

func start(t testing.TB, n *Node, conn net.PacketConn, listener net.Listener, change func(*sfu.Config, *control.Config), options ...grpc.DialOption) *Node {
	t.Helper()
	config := sfu.Config{PacketConn: conn, Loopback: true, PlainLane: os.Getenv(lane) == "plain", Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if conn == nil {
		config.UDPAddress, config.Sockets = "127.0.0.1:0", 2
	}
	config.Router.DefaultApp.MultiRoom = true
	face := control.Config{Logger: config.Logger, RequestRate: -1}
	if change != nil {
		change(&config, &face)
	}
	var err error
	n.Ledger = NewLedger()
	if n.SFU, err = sfu.NewNode(config); err != nil {
		t.Fatal(err)
	}
	n.media = n.SFU.Info().UDP[0]
	face.Node = n.SFU
	if n.server, err = control.New(face); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.server.Serve(listener) }()
	n.server.SetServing(true)
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if n.conn, err = grpc.NewClient(n.Target, options...); err != nil {
		t.Fatal(err)
	}
	n.API = NewAPI(n.conn)
	t.Cleanup(func() {
		n.StopFace()
		if err := <-served; err != nil {
			t.Errorf("gRPC face: %v", err)
		}
		CheckAccounts(t, n.SFU)
		ctx, cancel := context.WithTimeout(context.Background(), settleFor)
		defer cancel()
		if err := n.SFU.Close(ctx); err != nil {
			t.Errorf("closing the node: %v", err)
		}
	})
	return n
}

// StopFace stops the gRPC face for good and leaves the node running.
func (n *Node) StopFace() {
	_ = n.conn.Close()
	n.server.Stop()
}

// Media is the node's media address.
func (n *Node) Media() netip.AddrPort { return n.media }

// Client makes a client of the node that is closed with the test.
func (n *Node) Client(t testing.TB, user string) *Client {
	t.Helper()
	return n.ClientWith(t, ClientConfig{User: user})
}

// ClientWith makes a client of the node, API and Ledger filled in, that is closed with the test.
func (n *Node) ClientWith(t testing.TB, config ClientConfig) *Client {
	t.Helper()
	config.API, config.Ledger = n.API, n.Ledger
	c, err := NewClient(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testWriter sends logs to the test.
type testWriter struct{ t testing.TB }

// Write implements io.Writer.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
