// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/switchyard-media/sfu/internal/config"
)

// How a tier keeps in touch with its nodes. A node that comes back is to be used again soon.
const (
	nodePing      = 30 * time.Second
	nodePatience  = 10 * time.Second
	nodeRetry     = 100 * time.Millisecond
	nodeRetryMost = 3 * time.Second
)

// remote is a node that is another process.
type remote struct {
	config config.SignalNode            // immutable
	now    atomic.Pointer[remoteSecret] // written by reload, read by calls and handshakes
	conn   *grpc.ClientConn             // immutable after connectTo
}

// remoteSecret is what is shown to a node, and what it has to show. Immutable.
type remoteSecret struct {
	token string      // empty: none
	tls   *tls.Config // nil: plain text
}

// connectTo makes a connection, which need not succeed yet.
func connectTo(n config.SignalNode, maxReply int) (*remote, error) {
	r := &remote{config: n}
	if err := r.reload(); err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if n.TLSCAFile != "" {
		creds = renewedTLS{r}
	}
	conn, err := grpc.NewClient(reachable(n.Address),
		grpc.WithTransportCredentials(creds), grpc.WithPerRPCCredentials(nodeToken{r}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: nodePing, Timeout: nodePatience, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: nodeRetry, Multiplier: 1.6, Jitter: 0.2, MaxDelay: nodeRetryMost},
			MinConnectTimeout: nodePatience,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("signal.nodes: %s at %s: %w", n.ID, n.Address, err)
	}
	r.conn = conn
	conn.Connect() // now, and not with the first call: whether nodes answer is asked for before
	return r, nil
}

// reload reads the files again; after an error everything is as before.
func (r *remote) reload() error {
	s, err := readRemote(r.config)
	if err != nil {
		return fmt.Errorf("signal.nodes: %s: %w", r.config.ID, err)
	}
	r.now.Store(s)
	return nil
}

var (
	errNoTokenInFile = errors.New("no token in the file")
	errNoCA          = errors.New("no PEM certificate in the file")
)

func readRemote(n config.SignalNode) (*remoteSecret, error) {
	var s remoteSecret
	if n.TokenFile != "" {
		text, err := os.ReadFile(n.TokenFile)
		if err != nil {
			return nil, err
		}
		if s.token = firstToken(string(text)); s.token == "" {
			return nil, fmt.Errorf("%s: %w", n.TokenFile, errNoTokenInFile)
		}
	}
	if n.TLSCAFile == "" {
		return &s, nil
	}
	pem, err := os.ReadFile(n.TLSCAFile)
	if err != nil {
		return nil, err
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: n.TLSServerName}
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %w", n.TLSCAFile, errNoCA)
	}
	if n.TLSCertFile != "" {
		pair, err := tls.LoadX509KeyPair(n.TLSCertFile, n.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", n.TLSCertFile, n.TLSKeyFile, err)
		}
		s.tls.Certificates = []tls.Certificate{pair}
	}
	return &s, nil
}

// firstToken is the first line that is no comment: a node takes any of its file, so that the two can share one.
func firstToken(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}

// nodeToken shows the current token with each call.
type nodeToken struct{ of *remote }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t nodeToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token := t.of.now.Load().token
	if token == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. On loopback, and in a mesh that does TLS itself, there is
// none; for everything else the configuration warns.
func (t nodeToken) RequireTransportSecurity() bool { return false }

// renewedTLS uses the current certificates for each handshake.
type renewedTLS struct{ of *remote }

func (c renewedTLS) current() credentials.TransportCredentials {
	return credentials.NewTLS(c.of.now.Load().tls)
}

// ClientHandshake implements credentials.TransportCredentials.
func (c renewedTLS) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.current().ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements credentials.TransportCredentials. Nothing here serves with it.
func (c renewedTLS) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.current().ServerHandshake(conn)
}

// Info implements credentials.TransportCredentials.
func (c renewedTLS) Info() credentials.ProtocolInfo { return c.current().Info() }

// Clone implements credentials.TransportCredentials.
func (c renewedTLS) Clone() credentials.TransportCredentials { return c }

// OverrideServerName implements credentials.TransportCredentials; grpc has taken it out of use.
func (c renewedTLS) OverrideServerName(string) error { return nil }
