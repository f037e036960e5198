// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"
)

// profile is an SRTP protection profile.
type profile struct {
	name         string
	srtp         srtp.ProtectionProfile
	key, salt    int // bytes
	overhead     int // bytes that an RTP packet grows by
	rtcpOverhead int // the same of an RTCP packet: the index too (RFC 3711, section 3.4)
}

// offeredProfiles are what DTLS may agree on (RFC 5764, section 4.1.2), the best first. As the server pion takes the first of
// these that the client has too, so AEAD_AES_128_GCM wins, at a sixth of the other's cost, whenever it is offered.
var offeredProfiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}

var (
	profileGCM = &profile{"AEAD_AES_128_GCM", srtp.ProtectionProfileAeadAes128Gcm, 16, 12, gcmTag, gcmTag + 4}
	profileSHA = &profile{"AES128_CM_HMAC_SHA1_80", srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14, 10, 14}
)

var errProfile = errors.New("transport: DTLS agreed on no SRTP profile")

// Replay windows, in packets (RFC 3711, section 3.3.2 asks for 64 at least). What comes later than that is lost: a thousand
// packets are a second and a half of 8 Mbit/s, and video that late is of no use.
const (
	replayWindow     = 1024
	rtcpReplayWindow = 256
)

// labelExtractor is of RFC 5764, section 4.2.
const labelExtractor = "EXTRACTOR-dtls_srtp"

// masterKeys of both directions. They live while contexts are made of them, and are never printed: see String.
type masterKeys struct{ localKey, localSalt, remoteKey, remoteSalt []byte }

// String implements fmt.Stringer.
func (masterKeys) String() string { return "[secret]" }

// GoString implements fmt.GoStringer.
func (masterKeys) GoString() string { return "[secret]" }

// takeKeys makes the SRTP contexts of what the handshake came to.
func (t *Transport) takeKeys(conn *dtls.Conn) error {
	agreed, ok := conn.SelectedSRTPProtectionProfile()
	var p *profile
	switch {
	case ok && agreed == dtls.SRTP_AEAD_AES_128_GCM:
		p = profileGCM
	case ok && agreed == dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		p = profileSHA
	default:
		return errProfile
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return errProfile
	}
	material, err := state.ExportKeyingMaterial(labelExtractor, nil, 2*(p.key+p.salt))
	if err != nil {
		return fmt.Errorf("transport: SRTP keys: %w", err)
	}
	defer clear(material)

	return t.install(p, split(material, p, t.dtlsClient))
}

// split cuts exported material up: client key, server key, client salt, server salt (RFC 5764, section 4.2).
func split(material []byte, p *profile, client bool) masterKeys {
	clientKey, rest := material[:p.key], material[p.key:]
	serverKey, rest := rest[:p.key], rest[p.key:]
	clientSalt, serverSalt := rest[:p.salt], rest[p.salt:]
	if client {
		return masterKeys{clientKey, clientSalt, serverKey, serverSalt}
	}

	return masterKeys{serverKey, serverSalt, clientKey, clientSalt}
}

// install puts both directions to work.
func (t *Transport) install(p *profile, keys masterKeys) error {
	in, err := srtp.CreateContext(keys.remoteKey, keys.remoteSalt, p.srtp,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(rtcpReplayWindow))
	if err != nil {
		return fmt.Errorf("transport: SRTP: %w", err)
	}
	out, err := newOutKeys(p, keys)
	if err != nil {
		return err
	}
	t.in.open(in)
	t.afterMedia()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.out.Store(out)
	}

	return nil
}
