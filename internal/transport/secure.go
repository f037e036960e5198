// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"time"

	"github.com/pion/dtls/v3"
)

// handshakeTimeout bounds DTLS: pion repeats flights after 1, 2, 4 and 8 s, so that is four losses in a row.
const handshakeTimeout = 30 * time.Second

// handshakeMTU is where handshake messages are cut. With record, DTLS and IP headers it fits every path of 1280 bytes.
const handshakeMTU = 1200

// beginDTLS starts DTLS with the first pair.
func (t *Transport) beginDTLS() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link.Load() != nil {
		t.beginLocked()
	}
}

// beginLocked with mu held.
func (t *Transport) beginLocked() {
	if t.begun || t.closed {
		return
	}
	t.begun = true
	t.advance(StateConnecting)
	t.work.Add(1)
	go t.secure()
}

// secure does the handshake and puts the keys in. It returns when that is done.
func (t *Transport) secure() {
	defer t.work.Done()
	t.handler.HandleState() // connecting
	conn, err := t.newDTLS()
	if err != nil {
		t.finish(nil, err)

		return
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		_ = conn.Close()

		return
	}
	t.dtls = conn
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.ctx, handshakeTimeout)
	defer cancel()
	err = conn.HandshakeContext(ctx)
	if err == nil {
		err = t.takeKeys(conn)
	}
	t.finish(conn, err)
}

// finish tells what the handshake came to.
func (t *Transport) finish(conn *dtls.Conn, err error) {
	t.mu.Lock()
	to := StateSecure
	switch {
	case err != nil:
		to = StateFailed
	case t.ended != StateNew: // the client has left already
		to = t.ended
	}
	told := t.advance(to)
	t.startChannels()
	t.mu.Unlock()
	if told {
		t.handler.HandleState()
	}
	if err != nil && conn != nil {
		_ = conn.Close()
	}
}

// newDTLS sets pion's DTLS up.
func (t *Transport) newDTLS() (*dtls.Conn, error) {
	m := t.maker
	conn := &datagrams{transport: t, link: t.link.Load()}
	common := []dtls.Option{
		dtls.WithCertificates(m.certificate),
		dtls.WithSRTPProtectionProfiles(offeredProfiles...),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		// Nobody signs these certificates: their fingerprint is what counts (RFC 8827, section 6.5).
		dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(t.peer.verify),
		dtls.WithLoggerFactory(m.cfg.Loggers),
		dtls.WithMTU(handshakeMTU),
	}
	if t.dtlsClient {
		options := make([]dtls.ClientOption, len(common))
		for i, o := range common {
			options[i] = o
		}

		return dtls.ClientWithOptions(conn, conn.RemoteAddr(), options...)
	}
	options := make([]dtls.ServerOption, len(common), len(common)+2)
	for i, o := range common {
		options[i] = o
	}

	return dtls.ServerWithOptions(conn, conn.RemoteAddr(), append(options,
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		// ICE has proven the client's address already, so a cookie exchange would only cost a round trip.
		dtls.WithInsecureSkipVerifyHello(true))...)
}

// left is called when DTLS ends by itself: the client has said goodbye, or has sent a fatal alert.
func (t *Transport) left(state State) {
	t.mu.Lock()
	told := false
	if t.State() == StateSecure {
		told = t.advance(state)
	} else if t.ended == StateNew {
		t.ended = state // for finish
	}
	t.mu.Unlock()
	if told {
		t.handler.HandleState()
	}
}
