// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"io"
	"testing"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/sctp"
)

// keptConn is DTLS that SCTP cannot close.
type keptConn struct{ *dtls.Conn }

func (keptConn) Close() error { return nil }

// dtlsPair is a client's and a server's end.
func dtlsPair(t *testing.T) (client, server *dtls.Conn) {
	t.Helper()
	cert, _, err := certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	near, far := loopback(t), loopback(t)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	client, err = dtls.ClientWithOptions(near, far.LocalAddr(), dtls.WithCertificates(cert), dtls.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	server, err = dtls.ServerWithOptions(far, near.LocalAddr(), dtls.WithCertificates(cert))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	return client, server
}

// TestAbortedChannels has a client abort SCTP and send on. DTLS must go on reading, up to its goodbye.
func TestAbortedChannels(t *testing.T) {
	client, server := dtlsPair(t)
	opened := make(chan string, maxChannels+1)
	o := newOwner()
	o.channel = func(c *datachannel.DataChannel) {
		opened <- c.Label
		_, _ = io.Copy(io.Discard, c)
	}
	tr := &Transport{maker: &Maker{cfg: Config{Loggers: quiet()}}, handler: o}
	tr.work.Add(1)
	go tr.serveChannels(server, leastBuffer)
	association, err := sctp.ClientWithOptions(sctp.WithNetConn(keptConn{client}), sctp.WithLoggerFactory(quiet()))
	if err != nil {
		t.Fatal(err)
	}
	// A stream that never says what it is holds up no other.
	dumb, err := association.OpenStream(100, sctp.PayloadTypeWebRTCDCEP)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dumb.WriteSCTP([]byte{0xff}, sctp.PayloadTypeWebRTCBinary); err != nil {
		t.Fatal(err)
	}
	channel, err := datachannel.Dial(association, 1, &datachannel.Config{Label: "a", LoggerFactory: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-opened; got != "a" {
		t.Errorf("opened %q", got)
	}
	_ = channel.Close()
	association.Abort("enough")
	for range 50 {
		if _, err := client.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	_ = client.Close()
	tr.work.Wait()
	_ = server.Close()
}
