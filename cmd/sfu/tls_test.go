// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	cert, key, pair := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.cert, a.key, a.pem = cert, key, pair[0]
	return a
}

// sign makes a certificate and its key, both in PEM too; the first one signs itself.
func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, [2]string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, key, [2]string{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	}
}

func (a *authority) server(serial int64) [2]string {
	_, _, pair := a.sign(&x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return pair
}

// clientPair is a client's certificate and key.
func (a *authority) clientPair(name string) [2]string {
	_, _, pair := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(9), DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return pair
}

// client is a connection's credentials; without a name it shows no certificate.
func (a *authority) client(name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	c := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	if name == "" {
		return c
	}
	pair := a.clientPair(name)
	cert, err := tls.X509KeyPair([]byte(pair[0]), []byte(pair[1]))
	if err != nil {
		a.t.Fatal(err)
	}
	c.Certificates = []tls.Certificate{cert}
	return c
}

// TestTLS runs the control API as configs/production.yaml does, and renews its certificate while it runs.
func TestTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		settled(t, name, text)
		return name
	}
	first := a.server(100)
	cert, key := file("node.crt", first[0]), file("node.key", first[1])
	r := startSFU(t, nil, append(anyPorts,
		"--set=grpc.tls_cert_file="+cert, "--set=grpc.tls_key_file="+key,
		"--set=grpc.client_ca_file="+file("ca.crt", a.pem), "--set=grpc.allowed_names=signaling.example",
		"--set=grpc.token_file="+file("tokens", "a-token-of-some-length-0123\n"))...)
	if !strings.Contains(r.banner, "TLS, client certificate and token") {
		t.Errorf("the banner does not say how the control API is protected:\n%s", r.banner)
	}
	try := func(c *tls.Config, token string) codes.Code {
		conn := dial(t, r.at["grpc"], grpc.WithTransportCredentials(credentials.NewTLS(c)))
		_, err := sfuv1.NewNodeServiceClient(conn).GetNode(withToken(call(t), token), &sfuv1.GetNodeRequest{})
		return status.Code(err)
	}
	foreign := stranger.client("signaling.example")
	foreign.RootCAs = a.client("").RootCAs
	for _, c := range []struct {
		name  string
		tls   *tls.Config
		token string
		want  codes.Code
	}{
		{"certificate and token", a.client("signaling.example"), "a-token-of-some-length-0123", codes.OK},
		{"no token", a.client("signaling.example"), "", codes.Unauthenticated},
		{"no certificate", a.client(""), "a-token-of-some-length-0123", codes.Unavailable},
		{"somebody else's certificate", foreign, "a-token-of-some-length-0123", codes.Unavailable},
	} {
		if got := try(c.tls, c.token); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := try(a.client("other.example"), "a-token-of-some-length-0123"); got == codes.OK {
		t.Error("a name that is not in the list may call")
	}

	settled(t, cert, "not a certificate")
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "certificates")
	if got := serial(t, a, r.at["grpc"]); got != 100 {
		t.Errorf("after a bad file it shows certificate %d", got)
	}
	second := a.server(200)
	settled(t, cert, second[0])
	settled(t, key, second[1])
	r.signal(syscall.SIGHUP)
	r.waitLog(`"msg":"reloaded"`)
	if got := serial(t, a, r.at["grpc"]); got != 200 {
		t.Errorf("after a renewal it shows certificate %d", got)
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// serial is that of the certificate which the node shows.
func serial(t *testing.T, a *authority, at string) int64 {
	t.Helper()
	c := a.client("signaling.example")
	c.NextProtos = []string{"h2"}
	d := tls.Dialer{Config: c}
	conn, err := d.DialContext(call(t), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}
