// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"net"

	"github.com/pion/datachannel"
	"github.com/pion/sctp"
)

const (
	maxChannels = 16   // open at once; a client that opens more gets them closed
	sctpMTU     = 1200 // bytes; what pion's own stack uses in DTLS
	// defaultMessage is what a peer takes that does not say (RFC 8841, section 6.1).
	defaultMessage = 64 << 10
)

// channels is what becomes of the application line. Guarded by Transport.mu.
type channels struct {
	accepted    bool
	maxMessage  int
	started     bool
	association *sctp.Association
}

// AcceptChannels says that the application line was negotiated: SCTP starts with the client's first packet of it. maxMessage
// is the largest message that the client takes, in bytes; 0: what RFC 8841 says of a client that does not tell.
func (t *Transport) AcceptChannels(maxMessage int) {
	if maxMessage <= 0 {
		maxMessage = defaultMessage
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.channels.accepted {
		t.channels.accepted, t.channels.maxMessage = true, maxMessage
	}
}

// channelRecord says whether application data may go on to DTLS, and starts what reads it with the first.
func (t *Transport) channelRecord() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.channels
	if !c.accepted || t.closed || t.dtls == nil {
		return false
	}
	if !c.started {
		c.started = true
		t.work.Add(1)
		go t.serveChannels(t.dtls)
	}

	return true
}

// serveChannels takes the channels that the client opens, until the connection ends.
func (t *Transport) serveChannels(conn net.Conn) {
	defer t.work.Done()
	association, err := sctp.ServerWithOptions(
		sctp.WithNetConn(conn), sctp.WithLoggerFactory(t.maker.cfg.Loggers), sctp.WithMTU(sctpMTU),
		sctp.WithMaxMessageSize(uint32(t.channels.maxMessage)), //nolint:gosec // positive, and set before
		sctp.WithMaxReceiveBufferSize(receiveBuffer),
	)
	if err != nil {
		return
	}
	free := make(chan struct{}, maxChannels)
	for {
		channel, err := datachannel.Accept(association, &datachannel.Config{LoggerFactory: t.maker.cfg.Loggers})
		if err != nil {
			break
		}
		select {
		case free <- struct{}{}:
		default:
			_ = channel.Close()

			continue
		}
		t.work.Add(1)
		go t.serveChannel(channel, free)
	}
	_ = association.Close()
}

// serveChannel hands one channel over.
func (t *Transport) serveChannel(channel *datachannel.DataChannel, free chan struct{}) {
	defer t.work.Done()
	defer func() { <-free }()
	t.handler.HandleChannel(channel)
	_ = channel.Close()
}

// receiveBuffer is what may wait in SCTP for a channel's reader, in bytes.
const receiveBuffer = 64 << 10
