// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// scratchSize is room for any packet, encrypted.
const scratchSize = udpmux.MaxDatagram

// Writer is a session's way out for media, and for the reports that go with it. It belongs to one shard, whose goroutine
// alone calls it. What it has taken has left when Maker.Flush of the shard returns.
type Writer struct {
	// immutable
	transport *Transport
	batch     *udpmux.Batch

	// owned by the shard
	keys    *outKeys
	room    []byte // of what Reserve returned last, and what it grows by
	size    int    // of what Reserve returned last
	direct  bool   // room is in the batch
	scratch []byte // for packets that go through the ICE agent; made with the first
}

// Writer makes the way out, for the shard that the session is on. There is one: later calls return the first's, and a session
// does not change its shard.
func (t *Transport) Writer(shard int) *Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writer == nil {
		t.writer = &Writer{transport: t, batch: t.maker.batch(shard)}
	}

	return t.writer
}

// Reserve returns room for one RTP packet of n bytes, in the datagram that it is sent in. nil: there are no keys or no
// address (yet), or it does not fit a datagram. Room that is not committed is given up with the next call.
func (w *Writer) Reserve(n int) []byte {
	w.size = 0
	keys := w.transport.out.Load()
	if keys == nil {
		return nil
	}
	w.keys = keys
	if w.room = w.reserve(n + keys.profile.overhead); w.room == nil {
		return nil
	}
	w.size = n

	return w.room[:n:n]
}

// reserve gives room for a datagram of n bytes.
func (w *Writer) reserve(n int) []byte {
	r := w.transport.route.Load()
	if r == nil || n > udpmux.MaxDatagram {
		return nil
	}
	if w.direct = r.direct; w.direct {
		return w.batch.Reserve(r.to, n)
	}
	if w.scratch == nil {
		w.scratch = make([]byte, scratchSize)
	}

	return w.scratch[:n:n]
}

// Commit encrypts the packet that was written into what Reserve returned last, all of it, and has it sent.
func (w *Writer) Commit() error {
	n := w.size
	if n == 0 {
		return ErrNotReady
	}
	w.size = 0
	if err := w.keys.rtp.seal(w.room, n); err != nil {
		return err
	}

	return w.send()
}

// send has the datagram in room sent.
func (w *Writer) send() error {
	if w.direct {
		w.batch.Commit(len(w.room))

		return nil
	}

	return w.transport.throughICE(w.room)
}

// WriteRTCP sends one compound packet, with the shard's next flush. It does not keep buf.
func (w *Writer) WriteRTCP(buf []byte) error {
	w.size = 0
	keys := w.transport.out.Load()
	if keys == nil {
		return ErrNotReady
	}
	if w.room = w.reserve(len(buf) + keys.profile.rtcpOverhead); w.room == nil {
		return ErrNotReady
	}
	if err := keys.sealRTCP(w.room, buf); err != nil {
		return err
	}

	return w.send()
}

// WriteRTCP sends one compound packet at once, from any goroutine. It does not keep buf.
func (t *Transport) WriteRTCP(buf []byte) error {
	keys, r := t.out.Load(), t.route.Load()
	n := len(buf)
	if keys == nil || r == nil {
		return ErrNotReady
	}
	if n += keys.profile.rtcpOverhead; n > scratchSize {
		return fmt.Errorf("transport: an RTCP packet of %d bytes does not fit a datagram", len(buf))
	}
	scratch, ok := t.maker.scratch.Get().(*[scratchSize]byte)
	if !ok {
		scratch = new([scratchSize]byte)
	}
	defer t.maker.scratch.Put(scratch)
	room := scratch[:n:n]
	if err := keys.sealRTCP(room, buf); err != nil {
		return err
	}
	if r.direct {
		return t.maker.cfg.Mux.WriteTo(room, r.to)
	}

	return t.throughICE(room)
}

// throughICE sends a datagram by the ICE agent: on the plain lane and over TCP. It does not wait.
func (t *Transport) throughICE(datagram []byte) error {
	link := t.link.Load()
	if link == nil {
		return ErrNotReady
	}
	_, err := link.Write(datagram)

	return err
}
