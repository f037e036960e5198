// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/rtpforward"
)

// readBufferOf is what waits between pion's decryption and a stream's reader: full, it drops what comes.
type readBufferOf struct{ *packetio.Buffer }

func newReadBuffer(size int) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	b.SetLimitSize(size)

	return readBufferOf{b}
}

// Read implements io.Reader.
func (b readBufferOf) Read(p []byte) (int, error) {
	n, _, err := b.Buffer.Read(p, nil)

	return n, err
}

// Write implements io.Writer.
func (b readBufferOf) Write(p []byte) (int, error) { return b.Buffer.Write(p, nil) }

// ssrcCounter counts the SSRCs that a client makes pion keep state for.
type ssrcCounter struct {
	mu    sync.Mutex // guards the rest
	seen  map[uint32]bool
	limit int
}

func newSSRCCounter() *ssrcCounter {
	return &ssrcCounter{seen: make(map[uint32]bool), limit: undeclaredSSRCs}
}

// allow raises the limit to what the session's lines may need: per line a few layers with a repair stream each.
func (c *ssrcCounter) allow(lines int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = undeclaredSSRCs + 2*maxRIDs*lines
}

// add reports true once, when the limit is first exceeded.
func (c *ssrcCounter) add(ssrc uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[ssrc] || len(c.seen) > c.limit {
		return false
	}
	c.seen[ssrc] = true

	return len(c.seen) > c.limit
}

// probeFactory makes the only interceptor there is. Browsers probe for bandwidth with padding, on the retransmission
// streams and on SSRC 0; pion drops it before anybody can read it, but its transport-wide sequence numbers belong into the
// feedback, or the probe looks lost.
type probeFactory struct{ observe func(seq uint16) }

// NewInterceptor implements interceptor.Factory.
func (f probeFactory) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &probes{observe: f.observe}, nil
}

type probes struct {
	interceptor.NoOp
	observe func(seq uint16)
}

// BindRemoteStream implements interceptor.Interceptor: media streams stay as they are.
func (p *probes) BindRemoteStream(info *interceptor.StreamInfo, reader interceptor.RTPReader) interceptor.RTPReader {
	if info.SSRC != 0 && !strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX) {
		return reader
	}
	var m rtpforward.ExtensionMap
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == rtpforward.ExtTransportCC.URI() && e.ID > 0 && e.ID < 256 {
			m.Set(rtpforward.ExtTransportCC, uint8(e.ID))
		}
	}

	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := reader.Read(b, a)
		if err == nil {
			p.look(b[:n], &m)
		}

		return n, a, err
	})
}

func (p *probes) look(b []byte, m *rtpforward.ExtensionMap) {
	var h rtpforward.Header
	if rtpforward.ParseHeader(b, m, &h) != nil || h.PayloadEnd-h.PayloadOffset >= 2 {
		return // a retransmission, which is ingested with its number
	}
	if seq := h.Extension(b, rtpforward.ExtTransportCC); len(seq) == 2 {
		p.observe(binary.BigEndian.Uint16(seq))
	}
}
