// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	rtpHeader  = 12 // bytes of the smallest RTP header
	rtcpHeader = 8  // bytes of an RTCP packet that are not encrypted
)

// refusals counts what SRTP did not take.
type refusals struct {
	replayed, forged, malformed, early atomic.Uint64 // written by readers of sockets, read by Maker.Refusals
}

func (r *refusals) load() Refusals {
	return Refusals{Replayed: r.replayed.Load(), Forged: r.forged.Load(), Malformed: r.malformed.Load(), Early: r.early.Load()}
}

// inbound is the way in for media: one session's, from whatever socket.
type inbound struct {
	refusals *refusals // immutable
	handler  Handler   // immutable

	// mu is held while a packet is handled, so that calls of Handler.HandleMedia never overlap. It is contended only while
	// a client's address changes, or when it sends over TCP and UDP at the same time.
	mu      sync.Mutex
	context *srtp.Context // guarded by mu; nil: no keys
	early   [][]byte      // guarded by mu; copies of what has come before the keys
	closed  bool          // guarded by mu
	rtp     rtp.Header    // guarded by mu; only here so that it is not made for each packet
	rtcp    rtcp.Header   // guarded by mu; the same
}

// earlyMost is how many packets wait for the keys. A client is done with the handshake when its last flight is on its way, and
// may send at once; what comes behind that flight is most of a first keyframe.
const earlyMost = 32

// open puts the keys in, and handles what has waited for them.
func (i *inbound) open(c *srtp.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.context = c
	early := i.early
	i.early = nil
	for _, datagram := range early {
		i.handle(datagram)
	}
}

// close waits for the packet that is being handled; none comes after it.
func (i *inbound) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refusals.early.Add(uint64(len(i.early)))
	i.closed, i.context, i.early = true, nil, nil
}

// HandleMedia implements udpmux.Sink: one datagram of SRTP or SRTCP. It is decrypted in place.
func (t *Transport) HandleMedia(datagram []byte) {
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	t.in.handle(datagram)
}

// afterMedia tells whoever wants to know that media was handed over, not by the Mux.
func (t *Transport) afterMedia() {
	if after := t.maker.cfg.AfterMedia; after != nil {
		after()
	}
}

// handle with mu held.
func (i *inbound) handle(datagram []byte) {
	switch {
	case i.closed:
		return
	case len(datagram) < rtpHeader || datagram[0]>>6 != 2:
		i.refusals.malformed.Add(1)

		return
	case i.context == nil && len(i.early) < earlyMost:
		i.early = append(i.early, bytes.Clone(datagram))

		return
	case i.context == nil:
		i.refusals.early.Add(1)

		return
	}
	// Payload types 64 to 95 are not used with RTCP on one port (RFC 5761, section 4).
	isRTCP := datagram[1] >= 192 && datagram[1] <= 223
	plain, err := i.decrypt(datagram, isRTCP)
	if err != nil {
		i.refuse(err)

		return
	}
	i.handler.HandleMedia(plain, isRTCP)
}

var errPanic = errors.New("transport: SRTP panicked")

// decrypt contains panics of pion: this is bytes from anybody, on the goroutine of a socket that all sessions share.
func (i *inbound) decrypt(datagram []byte, isRTCP bool) (plain []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if isRTCP {
		return i.context.DecryptRTCP(datagram[:0], datagram, &i.rtcp)
	}

	return i.context.DecryptRTP(datagram[:0], datagram, &i.rtp)
}

func (i *inbound) refuse(err error) {
	switch {
	case errors.Is(err, srtp.ErrFailedToVerifyAuthTag):
		i.refusals.forged.Add(1)
	case replayed(err):
		i.refusals.replayed.Add(1)
	default:
		i.refusals.malformed.Add(1)
	}
}
