// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"sync/atomic"

	"github.com/pion/rtp"
)

// flushWatch keeps what Writers take until their shard flushes, as a socket's
// batch does: only then it has left.
type flushWatch struct {
	shards  []flushedShard
	empty   atomic.Uint64 // flushes with nothing to send; written by the shards, read by tests
	flushes atomic.Uint64 // written by the shards, read by tests
}

// flushedShard is owned by its shard.
type flushedShard struct {
	waiting []flushedPacket
	rtcp    int // compound packets
}

type flushedPacket struct {
	sink   packetSink
	packet []byte
}

func newFlushWatch(shards int) *flushWatch { return &flushWatch{shards: make([]flushedShard, shards)} }

func (f *flushWatch) flush(shard int) {
	s := &f.shards[shard]
	f.flushes.Add(1)
	if len(s.waiting)+s.rtcp == 0 {
		f.empty.Add(1)
	}
	for _, w := range s.waiting {
		var h rtp.Header
		if n, err := h.Unmarshal(w.packet); err == nil {
			_, _ = w.sink.WriteRTP(&h, w.packet[n:])
		}
	}
	s.waiting, s.rtcp = s.waiting[:0], 0
}

func (f *flushWatch) out(sink packetSink) func(shard int) Writer {
	return func(shard int) Writer { return &heldWriter{sink: sink, shard: &f.shards[shard]} }
}

// heldWriter is a Writer into a flushWatch.
type heldWriter struct {
	sink  packetSink
	shard *flushedShard
	room  [2048]byte
	n     int
}

func (w *heldWriter) Reserve(n int) []byte { w.n = n; return w.room[:n] }

func (w *heldWriter) Commit() error {
	w.shard.waiting = append(w.shard.waiting, flushedPacket{w.sink, bytes.Clone(w.room[:w.n])})
	return nil
}

func (w *heldWriter) WriteRTCP([]byte) error { w.shard.rtcp++; return nil }
