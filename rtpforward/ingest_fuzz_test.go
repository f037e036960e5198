// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

// ingestOps reads a list of operations from fuzz input: one byte that says
// what, then what it needs.
type ingestOps struct {
	data []byte
	r    *uplinkRig
	now  int64
	in   uint64             // packets given to Ingest
	kept map[*Packet][]byte // copies of what was accepted
}

func (o *ingestOps) byte() byte {
	if len(o.data) == 0 {
		return 0
	}
	b := o.data[0]
	o.data = o.data[1:]
	return b
}

func (o *ingestOps) bytes(n int) []byte {
	n = min(n, len(o.data))
	b := o.data[:n]
	o.data = o.data[n:]
	return b
}

func (o *ingestOps) uint16() uint16 { return uint16(o.byte())<<8 | uint16(o.byte()) }

// step does one operation.
func (o *ingestOps) step() {
	layer := o.r.layer
	switch op := o.byte(); op % 8 {
	case 0: // whatever this is
		o.ingest(o.bytes(int(o.byte())))
	case 1, 2, 3: // a valid packet, in order or not
		p := &rtp.Packet{
			Header: rtp.Header{
				Version: 2, Marker: op&8 != 0, PayloadType: []uint8{96, 102, 111, 13}[op>>4%4],
				SequenceNumber: o.uint16(), Timestamp: uint32(o.byte()), SSRC: rigVideo,
			},
			Payload: o.bytes(int(o.byte()) % 64),
		}
		if op&128 != 0 {
			stamped(p, o.uint16())
		}
		o.ingest(mustMarshal(o.r.t, p))
	case 4:
		o.r.u.HandleRTCP(o.bytes(int(o.byte())))
	case 5:
		if op&8 == 0 {
			o.r.u.ObserveTransport(o.uint16())
			break
		}
		before := o.r.track.Stats().Received
		layer.IngestRetransmission(o.bytes(int(o.byte())))
		o.in += o.r.track.Stats().Received - before // all but those of padding only
	case 6:
		o.r.track.RequestKeyframe()
		o.r.track.interest.Store(uint64(op >> 4))
	case 7:
		o.now += int64(o.byte()) * 10e6
		o.r.u.turn(o.now)
	}
}

func (o *ingestOps) ingest(raw []byte) {
	o.in++
	o.r.layer.Ingest(raw)
	if len(raw) < 4 {
		return
	}
	if p := o.r.layer.packetAt(uint16(raw[2])<<8 | uint16(raw[3])); p != nil && o.kept[p] == nil {
		o.kept[p] = bytes.Clone(p.Buf)
	}
}

func FuzzIngest(f *testing.F) {
	f.Add([]byte{1, 0, 1, 5, 4, 16, 1, 2, 3, 1, 0, 5, 6, 4, 16, 1, 2, 3, 7, 2, 7, 200})
	f.Add([]byte{0x81, 0, 1, 5, 1, 16, 9, 9, 0x82, 0, 2, 5, 1, 16, 9, 10, 6, 7, 10, 5, 0, 200, 7, 10})
	f.Add([]byte{1, 0, 1, 5, 1, 16, 1, 0x80, 1, 5, 1, 16, 1, 0x80, 2, 5, 1, 16, 7, 255})
	f.Add(append([]byte{0, 60, 4, 28}, bytes.Repeat([]byte{0x81, 200, 0, 6}, 20)...))
	f.Add([]byte{1, 0, 1, 5, 4, 16, 1, 2, 3, 13, 18, 0x80, 97, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 16, 1, 2, 3, 7, 2, 7, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newUplinkRig(t, Config{VideoHistory: 64, Shards: 2, QueueLength: 16})
		r.u.Close() // the operations take the place of its goroutine
		r.u = r.f.NewUplink(UplinkConfig{SSRC: rigSelf, WriteRTCP: r.write})
		r.u.started = true
		r.track = r.u.NewTrack(TrackConfig{Video: true, OnLive: r.onLive})
		r.layer = r.track.NewUpTrack(rigLayer())
		o := &ingestOps{data: data, r: r, kept: make(map[*Packet][]byte)}
		r.u.start(true)
		for range 2000 {
			if len(o.data) == 0 {
				break
			}
			o.step()
		}
		o.r.u.turn(o.now + second)
		s := r.track.Stats()
		checkIdentity(t, s)
		if s.Received != o.in {
			t.Errorf("received %d of %d", s.Received, o.in)
		}
		for p, raw := range o.kept {
			if !bytes.Equal(p.Buf, raw) {
				t.Errorf("packet %d has changed", p.Sequence)
			}
		}
		if len(r.layer.missing.gaps) > missingMost {
			t.Errorf("%d gaps are kept", len(r.layer.missing.gaps))
		}
	})
}

func BenchmarkIngest(b *testing.B) {
	for _, row := range []struct {
		name    string
		payload uint8
		format  Format
		data    string
		size    int
	}{
		{"VP8", 96, formatVP8, vp8Delta, 1100},
		{"VP9", 98, Format{4, CodecVP9, 90000}, vp9Delta, 1100},
		{"H264", 102, formatH264, h264Slice, 1100},
		{"H265", 104, Format{5, CodecH265, 90000}, h265Slice, 1100},
		{"AV1", 45, Format{6, CodecAV1, 90000}, av1Delta, 1100},
		{"opus", 111, formatOpus, "f8010203", 100},
	} {
		for _, shards := range []int{0, 1} {
			name := row.name
			if shards > 0 {
				name += "/handed to a shard"
			}
			b.Run(name, func(b *testing.B) {
				f := newForwarder(Config{Shards: 1})
				u := f.NewUplink(UplinkConfig{})
				defer u.Close()
				track := u.NewTrack(TrackConfig{Video: row.format.Codec.Video()})
				cfg := rigLayer()
				cfg.Payloads = map[uint8]Format{row.payload: row.format}
				layer := track.NewUpTrack(cfg)
				track.interest.Store(uint64(shards))
				p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: row.payload, SSRC: rigVideo}, Payload: unhex(b, row.data)}
				p.Payload = append(p.Payload, make([]byte, row.size-len(p.Payload))...)
				raw := mustMarshal(b, stamped(p, 0))
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					raw[2], raw[3] = byte(i>>8), byte(i)
					raw[len(raw)-row.size-3], raw[len(raw)-row.size-2] = byte(i>>8), byte(i)
					layer.Ingest(raw)
					if shards > 0 {
						f.shards[0].queue.pop()
					}
				}
			})
		}
	}
}
