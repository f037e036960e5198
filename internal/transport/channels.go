// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/sctp"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

const (
	maxChannels = 16   // open at once; a client that opens more gets them closed
	maxStreams  = 128  // over time; then SCTP ends, which keeps a stream until the client has closed it too
	sctpMTU     = 1200 // bytes; what pion's own stack uses in DTLS
	// largestSent is the largest message that is sent, in bytes: what any client takes, even one that does not say
	// (RFC 8841, section 6.1).
	largestSent = 64 << 10
	// leastBuffer is the least that may wait in SCTP for a channel's reader, in bytes.
	leastBuffer = 16 << 10
)

// channels is what becomes of the application line. Guarded by Transport.mu.
type channels struct {
	accepted bool
	buffer   int  // bytes
	wanted   bool // the client has sent something
	started  bool
}

// AcceptChannels says that the application line was negotiated: SCTP starts with the client's first packet of it. maxMessage
// is the largest message that the client may send, in bytes, of which four may wait for their reader. What is sent to the
// client may have 64 KiB.
func (t *Transport) AcceptChannels(maxMessage int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := &t.channels; !c.accepted {
		c.accepted, c.buffer = true, max(4*maxMessage, leastBuffer)
	}
}

// channelRecord says whether application data may go on to DTLS, and starts what reads it with the first. Before the
// handshake is done DTLS keeps one such record and waits for nobody, so the reader waits until then.
func (t *Transport) channelRecord() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.channels
	if !c.accepted || t.closed || t.dtls == nil {
		return false
	}
	c.wanted = true
	t.startChannels()

	return true
}

// startChannels with mu held.
func (t *Transport) startChannels() {
	c := &t.channels
	if c.wanted && !c.started && !t.closed && t.State() == StateSecure {
		c.started = true
		t.work.Add(1)
		go t.serveChannels(t.dtls, c.buffer)
	}
}

// serveChannels takes the channels that the client opens, until the connection ends.
func (t *Transport) serveChannels(conn *dtls.Conn, buffer int) {
	defer t.work.Done()
	association, err := sctp.ServerWithOptions(
		sctp.WithNetConn(&channelConn{Conn: conn}), sctp.WithLoggerFactory(t.maker.cfg.Loggers), sctp.WithMTU(sctpMTU),
		sctp.WithMaxMessageSize(largestSent), sctp.WithMaxReceiveBufferSize(uint32(buffer)),
	)
	if err == nil {
		t.acceptStreams(association)
		_ = association.Close()
	}
	// SCTP may end alone, by an abort. DTLS goes on then, and must find a reader for what the client still sends.
	drain(conn)
}

// acceptStreams returns when the association has ended, or is to.
func (t *Transport) acceptStreams(association *sctp.Association) {
	free := make(chan struct{}, maxChannels)
	for range maxStreams {
		stream, err := association.AcceptStream()
		if err != nil {
			return
		}
		select {
		case free <- struct{}{}:
			t.work.Add(1)
			go t.serveStream(stream, free)
		default:
			_ = stream.Close()
		}
	}
}

// serveStream hands one channel over, once the client has said what it is (RFC 8832, section 6).
func (t *Transport) serveStream(stream *sctp.Stream, free chan struct{}) {
	defer t.work.Done()
	defer func() { <-free }()
	stream.SetDefaultPayloadType(sctp.PayloadTypeWebRTCBinary)
	channel, err := datachannel.Server(stream, &datachannel.Config{LoggerFactory: t.maker.cfg.Loggers})
	if err != nil {
		_ = stream.Close()

		return
	}
	t.handler.HandleChannel(channel)
	_ = channel.Close()
}

// drain reads until DTLS ends.
func drain(conn *dtls.Conn) {
	buf := make([]byte, udpmux.MaxDatagram)
	for {
		_ = conn.SetReadDeadline(time.Time{}) // SCTP's end has set one
		if _, err := conn.Read(buf); errors.Is(err, io.EOF) {
			return
		}
	}
}

// channelConn is DTLS as SCTP sees it. To close it ends SCTP alone.
type channelConn struct {
	*dtls.Conn
	closed atomic.Bool // written by SCTP's goroutines, read by them
}

// Read implements net.Conn. An alert that ends nothing does not end SCTP either.
func (c *channelConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		switch {
		case err == nil:
			return n, nil
		case c.closed.Load() || errors.Is(err, io.EOF):
			return 0, io.EOF
		}
	}
}

// Write implements net.Conn.
func (c *channelConn) Write(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, io.ErrClosedPipe
	}

	return c.Conn.Write(b)
}

// Close implements net.Conn. It wakes Read.
func (c *channelConn) Close() error {
	c.closed.Store(true)

	return c.SetReadDeadline(time.Now())
}
