// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"
)

const (
	joinTimeout  = 10 * time.Second
	checkRetry   = 50 * time.Millisecond
	checkEvery   = 2500 * time.Millisecond
	hostPriority = 1694498815 // RFC 8445, section 5.1.2.1: type peer reflexive, as a check carries
)

var (
	errFingerprint = errors.New("load: the node's certificate is not the one of its answer")
	errProfile     = errors.New("load: no SRTP profile was agreed on")
)

// identity is the certificate of all clients: making one for each would be most of what a join costs here.
type identity struct {
	certificate tls.Certificate
	fingerprint string
}

var sharedIdentity = sync.OnceValues(func() (*identity, error) {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, err
	}

	return &identity{certificate, fingerprint(certificate.Certificate[0])}, nil
})

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}

	return strings.Join(parts, ":")
}

func (i *identity) credentials() credentials {
	return credentials{ufrag: rand.Text()[:8], pwd: rand.Text(), fingerprint: i.fingerprint}
}

// keys are what the DTLS handshake gave.
type keys struct {
	profile               srtp.ProtectionProfile
	local, localSalt      []byte
	remoteKey, remoteSalt []byte
}

// connect does the ICE check and the DTLS handshake.
func (c *Client) connect(ctx context.Context, id *identity) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if err := c.check(ctx); err != nil {
		return fmt.Errorf("ICE: %w", err)
	}
	c.Timeline.Checked = time.Now()
	if err := c.secure(ctx, id); err != nil {
		return fmt.Errorf("DTLS: %w", err)
	}
	c.Timeline.Secured = time.Now()

	return c.start()
}

// check nominates the only pair until the node answers.
func (c *Client) check(ctx context.Context) error {
	checked := c.checked
	for {
		c.poller.Locked(func() { c.sendCheck(time.Now().UnixNano()) })
		select {
		case <-checked:
			return nil
		case <-time.After(checkRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendCheck sends a binding request, which is a consent check too (RFC 7675). Called under the Poller's lock.
func (c *Client) sendCheck(now int64) {
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest,
		stun.NewUsername(c.remote.ufrag+":"+c.self.ufrag), useCandidate{}, controlling{}, priority{},
		stun.NewShortTermIntegrity(c.remote.pwd), stun.Fingerprint)
	if err != nil {
		return
	}
	c.nextCheck = now + int64(checkEvery)
	c.leave(m.Raw) // lost: the next check follows
}

type (
	useCandidate struct{}
	controlling  struct{}
	priority     struct{}
)

func (useCandidate) AddTo(m *stun.Message) error {
	m.Add(stun.AttrUseCandidate, nil)

	return nil
}

func (controlling) AddTo(m *stun.Message) error {
	m.Add(stun.AttrICEControlling, []byte{1, 2, 3, 4, 5, 6, 7, 8})

	return nil
}

func (priority) AddTo(m *stun.Message) error {
	p := uint32(hostPriority)
	m.Add(stun.AttrPriority, []byte{byte(p >> 24), byte(p >> 16), byte(p >> 8), byte(p)})

	return nil
}

// secure takes the keys and lets go of the DTLS connection, whose goroutines nobody needs: the node is not told.
func (c *Client) secure(ctx context.Context, id *identity) error {
	pipe := &dtlsPipe{c: c}
	conn, err := c.dtls(pipe, id)
	if err != nil {
		return err
	}
	defer func() {
		pipe.silent.Store(true)
		_ = conn.Close() // nothing leaves a silent pipe
	}()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	state, ok := conn.ConnectionState()
	if !ok || len(state.PeerCertificates) == 0 || fingerprint(state.PeerCertificates[0]) != c.remote.fingerprint {
		return errFingerprint
	}
	profile, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return errProfile
	}
	config := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := config.ExtractSessionKeysFromDTLS(&state, !c.remote.active); err != nil {
		return err
	}
	k := config.Keys
	c.keys = keys{config.Profile, k.LocalMasterKey, k.LocalMasterSalt, k.RemoteMasterKey, k.RemoteMasterSalt}

	return nil
}

func (c *Client) dtls(pipe *dtlsPipe, id *identity) (*dtls.Conn, error) {
	profiles := dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	certificate := dtls.WithCertificates(id.certificate)
	to := net.UDPAddrFromAddrPort(c.remote.address)
	if c.remote.active {
		return dtls.ServerWithOptions(pipe, to, profiles, certificate, dtls.WithClientAuth(dtls.RequireAnyClientCert))
	}

	return dtls.ClientWithOptions(pipe, to, profiles, certificate, dtls.WithInsecureSkipVerify(true)) // checked by fingerprint
}

// start lets media through: first what came while the keys were being made.
func (c *Client) start() error {
	in, err := srtp.CreateContext(c.keys.remoteKey, c.keys.remoteSalt, c.keys.profile, srtp.SRTPNoReplayProtection(), srtp.SRTCPNoReplayProtection())
	if err != nil {
		return err
	}
	out, err := c.outbound()
	if err != nil {
		return err
	}
	c.poller.Locked(func() {
		c.in, c.out = in, out
		for _, e := range c.early {
			c.media(e.data, e.at)
		}
		c.early = nil
	})

	return nil
}

// outbound makes a context to encrypt with. Contexts are for one goroutine each; they may share a key as long as no two
// use the same SSRC, because nonces contain it (RFC 7714, section 8.1).
func (c *Client) outbound() (*srtp.Context, error) {
	return srtp.CreateContext(c.keys.local, c.keys.localSalt, c.keys.profile)
}

// dtlsPipe is the DTLS share of the client's socket.
type dtlsPipe struct {
	c      *Client
	silent atomic.Bool // atomic: written by secure, read by the DTLS connection
}

func (p *dtlsPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.c.handshake.Read(b)

	return n, net.UDPAddrFromAddrPort(p.c.remote.address), err
}

func (p *dtlsPipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	if p.silent.Load() {
		return len(b), nil
	}

	p.c.poller.Locked(func() { p.c.leave(b) }) // lost: DTLS repeats

	return len(b), nil
}

func (p *dtlsPipe) Close() error                      { return nil }
func (p *dtlsPipe) LocalAddr() net.Addr               { return p.c.socket.localAddr() }
func (p *dtlsPipe) SetDeadline(t time.Time) error     { return p.SetReadDeadline(t) }
func (p *dtlsPipe) SetReadDeadline(t time.Time) error { return p.c.handshake.SetReadDeadline(t) }
func (p *dtlsPipe) SetWriteDeadline(time.Time) error  { return nil }
