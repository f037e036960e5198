// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// secrets are what the files of a Config hold. A set is immutable; Reload replaces it whole.
type secrets struct {
	certificate *tls.Certificate    // nil: plain text
	clients     *x509.CertPool      // nil: no client certificates asked for
	tokens      [][sha256.Size]byte // hashes, so that comparing takes the same time whatever is wrong; empty: none asked for
}

// vault holds the current secrets.
type vault struct {
	config  Config                  // immutable after New
	current atomic.Pointer[secrets] // written by load, read by calls and handshakes
}

var (
	errKeyPair  = errors.New("TLS needs both a certificate and a key file")
	errNoCert   = errors.New("client certificates need TLS: set the certificate and key files")
	errNoPEM    = errors.New("no PEM certificate in the file")
	errNoToken  = errors.New("no token in the file")
	errNoClient = errors.New("names are allowed, but no client CA is set to check them against")
)

// load reads the files; on an error the secrets stay as they were.
func (v *vault) load() error {
	var s secrets
	c := v.config
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errKeyPair
	case c.TLSCert != "":
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return fmt.Errorf("reading the TLS certificate %s and key %s: %w", c.TLSCert, c.TLSKey, err)
		}
		s.certificate = &pair
	case c.ClientCA != "":
		return errNoCert
	}
	if c.ClientCA == "" && len(c.AllowedSANs) > 0 {
		return errNoClient
	}
	if c.ClientCA != "" {
		pem, err := os.ReadFile(c.ClientCA)
		if err != nil {
			return fmt.Errorf("reading the client CA: %w", err)
		}
		s.clients = x509.NewCertPool()
		if !s.clients.AppendCertsFromPEM(pem) {
			return fmt.Errorf("reading the client CA %s: %w", c.ClientCA, errNoPEM)
		}
	}
	if c.TokenFile != "" {
		raw, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return fmt.Errorf("reading the token file: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				s.tokens = append(s.tokens, sha256.Sum256([]byte(line)))
			}
		}
		if len(s.tokens) == 0 {
			return fmt.Errorf("reading the token file %s: %w", c.TokenFile, errNoToken)
		}
	}
	v.current.Store(&s)
	return nil
}

// credentials are the transport credentials, nil for plain text. Each handshake takes the current secrets.
func (v *vault) credentials() credentials.TransportCredentials {
	if v.current.Load().certificate == nil {
		return nil
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s := v.current.Load()
			config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*s.certificate}, NextProtos: []string{"h2"}}
			if s.clients != nil {
				config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, s.clients
			}
			return config, nil
		},
	})
}

// admit checks a call's credentials and names its caller for rate limits.
func (v *vault) admit(ctx context.Context) (caller string, err error) {
	s := v.current.Load()
	from, _ := peer.FromContext(ctx)
	if from != nil && from.Addr != nil {
		caller = from.Addr.String()
		if host, _, err := net.SplitHostPort(caller); err == nil {
			caller = host
		}
	}
	if s.clients != nil {
		name, err := v.clientName(from)
		if err != nil {
			return caller, err
		}
		caller = name
	}
	if len(s.tokens) > 0 && !s.knows(bearer(ctx)) {
		return caller, errCredentials
	}
	return caller, nil
}

func (v *vault) clientName(from *peer.Peer) (string, error) {
	if from == nil {
		return "", errCredentials
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return "", errCredentials
	}
	leaf := info.State.VerifiedChains[0][0]
	names := slices.Clone(leaf.DNSNames)
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	if len(v.config.AllowedSANs) == 0 {
		return leaf.Subject.String() + "#" + leaf.SerialNumber.String(), nil
	}
	for _, name := range names {
		if slices.Contains(v.config.AllowedSANs, name) {
			return name, nil
		}
	}
	return "", errForbidden
}

func bearer(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (s *secrets) knows(token string) bool {
	if token == "" {
		return false
	}
	hash := sha256.Sum256([]byte(token))
	found := 0
	for _, t := range s.tokens {
		found |= subtle.ConstantTimeCompare(t[:], hash[:])
	}
	return found == 1
}
