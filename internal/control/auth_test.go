// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// authority signs certificates for tests.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) file(t *testing.T, name string, blocks ...*pem.Block) string {
	t.Helper()
	var raw []byte
	for _, b := range blocks {
		raw = append(raw, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a *authority) root(t *testing.T) string {
	return a.file(t, "ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// pair writes a certificate for a DNS name and its key.
func (a *authority) pair(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return a.file(t, name+".pem", &pem.Block{Type: "CERTIFICATE", Bytes: raw}), a.file(t, name+".key", &pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func (a *authority) client(t *testing.T, name string) credentials.TransportCredentials {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "node"}
	config.RootCAs.AddCert(a.cert)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.pair(t, name))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config)
}

// start serves a node of its own on loopback.
// startNode starts a node alone, and ends it with the test.
func startNode(t *testing.T) *sfu.Node {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := sfu.Config{PacketConn: conn, Loopback: true}
	config.Router.DefaultApp.MultiRoom = true
	node, err := sfu.NewNode(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return node
}

func start(t *testing.T, config Config) (*Server, string) {
	t.Helper()
	if config.Node == nil {
		config.Node = startNode(t)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, listener.Addr().String()
}

func dial(t *testing.T, target string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func getNode(ctx context.Context, conn *grpc.ClientConn) codes.Code {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := sfuv1.NewNodeServiceClient(conn).GetNode(ctx, &sfuv1.GetNodeRequest{})
	return status.Code(err)
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# who may call\nalpha\n\n  beta  \n")
	s, target := start(t, Config{TokenFile: path, Reflection: true})
	conn := dial(t, target, nil)
	with := func(header string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", header)
	}
	for header, want := range map[string]codes.Code{
		"Bearer alpha": codes.OK, "bearer beta": codes.OK, "Bearer alphabeta": codes.Unauthenticated, "Bearer ": codes.Unauthenticated,
		"alpha": codes.Unauthenticated, "Basic alpha": codes.Unauthenticated, "Bearer # who may call": codes.Unauthenticated,
	} {
		if got := getNode(with(header), conn); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	if got := getNode(t.Context(), conn); got != codes.Unauthenticated {
		t.Errorf("without a token: %v", got)
	}
	if got := getNode(metadata.AppendToOutgoingContext(with("Bearer alpha"), "authorization", "Bearer beta"), conn); got != codes.Unauthenticated {
		t.Errorf("with two tokens: %v", got)
	}
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health without a token: %v", err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection without a token: %v", err)
	}

	write("gamma\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if a, g := getNode(with("Bearer alpha"), conn), getNode(with("Bearer gamma"), conn); a != codes.Unauthenticated || g != codes.OK {
		t.Errorf("after a reload: old token %v, new token %v", a, g)
	}
	write("# nobody\n")
	if err := s.Reload(); err == nil {
		t.Error("a file without tokens was taken")
	}
	if got := getNode(with("Bearer gamma"), conn); got != codes.OK {
		t.Errorf("a failed reload changed the tokens: %v", got)
	}
	if refused := s.Stats().Refused["unauthenticated"]; refused == 0 {
		t.Error("refused calls are not counted")
	}
}

func TestMutualTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	cert, key := a.pair(t, "node")
	s, target := start(t, Config{TLSCert: cert, TLSKey: key, ClientCA: a.root(t), AllowedSANs: []string{"signaling"}})
	for _, test := range []struct {
		name  string
		creds credentials.TransportCredentials
		want  codes.Code
	}{
		{"allowed name", a.client(t, "signaling"), codes.OK},
		{"other name", a.client(t, "somebody"), codes.PermissionDenied},
		{"no certificate", a.client(t, ""), codes.Unavailable},
		{"plain text", nil, codes.Unavailable},
		{"unknown authority", stranger.client(t, "signaling"), codes.Unavailable},
	} {
		if got := getNode(t.Context(), dial(t, target, test.creds)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if s.Stats().Refused["forbidden"] == 0 {
		t.Error("refused names are not counted")
	}
	// A renewed certificate is used by the next handshake, and a broken one is not taken.
	newCert, newKey := a.pair(t, "node")
	if newCert != cert || newKey != key {
		t.Fatal("the test must write the same files")
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a broken certificate was taken")
	}
	if got := getNode(t.Context(), dial(t, target, a.client(t, "signaling"))); got != codes.OK {
		t.Errorf("after reloads: %v", got)
	}
}

func TestNewRefusesBadFiles(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.pair(t, "node")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	node, err := sfu.NewNode(sfu.Config{UDPAddress: "127.0.0.1:0", Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close(context.WithoutCancel(t.Context())) }()
	for name, config := range map[string]Config{
		"no node":                   {},
		"certificate without key":   {Node: node, TLSCert: cert},
		"key without certificate":   {Node: node, TLSKey: key},
		"files that are not there":  {Node: node, TLSCert: cert + "x", TLSKey: key},
		"client CA without TLS":     {Node: node, ClientCA: a.root(t)},
		"empty client CA":           {Node: node, TLSCert: cert, TLSKey: key, ClientCA: empty},
		"names without a client CA": {Node: node, TLSCert: cert, TLSKey: key, AllowedSANs: []string{"a"}},
		"empty token file":          {Node: node, TokenFile: empty},
		"token file not there":      {Node: node, TokenFile: empty + "x"},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
