// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// errFingerprint is a DTLS peer that is not who the signaling said (RFC 8122, section 6.2).
var errFingerprint = errors.New("transport: the certificate does not have the offered fingerprint")

// certificate takes the configured one or makes one, and tells its fingerprint. All sessions share it: they end at the same
// node anyway, and a key for each would cost CPU at every join.
func certificate(given *tls.Certificate) (tls.Certificate, string, error) {
	var c tls.Certificate
	if given != nil {
		if len(given.Certificate) == 0 || given.PrivateKey == nil {
			return c, "", errors.New("transport: the DTLS certificate is empty")
		}
		c = *given
		c.Certificate = given.Certificate[:1] // the fingerprint is all that counts: no chain to send
	} else {
		made, err := selfSigned()
		if err != nil {
			return c, "", fmt.Errorf("transport: DTLS certificate: %w", err)
		}
		c = made
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return c, "", fmt.Errorf("transport: DTLS certificate: %w", err)
	}
	c.Leaf = leaf // or DTLS parses it in every handshake
	sum := sha256.Sum256(c.Certificate[0])

	return c, "sha-256 " + colons(sum[:]), nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "WebRTC"},
		NotBefore:    time.Now().AddDate(0, 0, -1), // clocks of clients differ
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}

	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func colons(digest []byte) string {
	var b strings.Builder
	for i, v := range digest {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", v)
	}

	return b.String()
}

// digest is a peer's fingerprint, read. Immutable.
type digest struct {
	algorithm string
	sum       []byte
}

// readFingerprint takes "sha-256 AA:BB…". Digests that can be forged (MD5, SHA-1) are not taken.
func readFingerprint(s string) (digest, error) {
	algorithm, value, _ := strings.Cut(s, " ")
	d := digest{algorithm: strings.ToLower(algorithm)}
	sum, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(value), ":", ""))
	if err != nil {
		return d, fmt.Errorf("transport: fingerprint %q: %w", s, err)
	}
	d.sum = sum
	if size := len(d.of(nil)); size == 0 || size != len(sum) {
		return d, fmt.Errorf("transport: fingerprint %q is not of sha-256, sha-384 or sha-512", s)
	}

	return d, nil
}

func (d digest) of(certificate []byte) []byte {
	switch d.algorithm {
	case "sha-256":
		sum := sha256.Sum256(certificate)

		return sum[:]
	case "sha-384":
		sum := sha512.Sum384(certificate)

		return sum[:]
	case "sha-512":
		sum := sha512.Sum512(certificate)

		return sum[:]
	}

	return nil
}

// verify is what dtls calls with the peer's certificates, the end entity's first. Nothing else in a certificate counts: it
// is signed by itself, and the signaling vouches for its digest (RFC 8827, section 6.5).
func (d digest) verify(raw [][]byte, _ [][]*x509.Certificate) error {
	if len(raw) == 0 || subtle.ConstantTimeCompare(d.of(raw[0]), d.sum) != 1 {
		return errFingerprint
	}

	return nil
}
