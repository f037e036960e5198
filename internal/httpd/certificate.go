// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// Certificate is a certificate that can be renewed while it is in use. Safe for concurrent use.
type Certificate struct {
	cert, key string                          // immutable: PEM files
	now       atomic.Pointer[tls.Certificate] // written by Reload, read by handshakes
}

// LoadCertificate reads a PEM certificate chain and its key.
func LoadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again; after an error the certificate is as before.
func (c *Certificate) Reload() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("reading the TLS certificate %s and key %s: %w", c.cert, c.key, err)
	}
	c.now.Store(&pair)
	return nil
}

// config takes the current certificate for each handshake.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	}
}
