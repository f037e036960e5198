// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
)

// repeated is p as a publisher sends it again, https://www.rfc-editor.org/rfc/rfc4588#section-4 .
func repeated(p *rtp.Packet, payloadType uint8, sequence uint16) *rtp.Packet {
	again := p.Clone()
	again.SSRC, again.PayloadType, again.SequenceNumber = 0x7777, payloadType, sequence
	again.Payload = append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)
	return again
}

func TestIngestRetransmission(t *testing.T) {
	for _, apt := range []map[uint8]uint8{nil, {97: 96, 103: 102}} {
		r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.Retransmissions = apt })
		defer r.close()
		r.video(100, 0)
		r.video(103, 9000)
		for i, padding := range []byte{0, 50} {
			lost := stamped(videoPacket(uint16(101+i), 3000, i == 0), 9)
			lost.CSRC = []uint32{1, 2}
			again := repeated(lost, 97, uint16(500+i))
			again.Padding, again.PaddingSize = padding > 0, padding
			raw := mustMarshal(t, again)
			r.layer.IngestRetransmission(raw)
			clear(raw) // it is the caller's again
			want := mustMarshal(t, lost)
			p := r.layer.packetAt(lost.SequenceNumber)
			if p == nil || !bytes.Equal(p.Buf, want) {
				t.Fatalf("%v: %+v, want %x", apt, p, want)
			}
			var h Header
			if err := ParseHeader(want, &r.layer.cfg.Extensions, &h); err != nil || h != p.Header {
				t.Errorf("header %+v, want %+v (%v)", p.Header, h, err)
			}
			if p.Descriptor.Keyframe != (i == 0) || p.Sequence != 1<<16+uint64(101+i) || p.Format != formatVP8 || cap(p.Buf) != len(p.Buf) {
				t.Errorf("%+v", p)
			}
			r.layer.IngestRetransmission(mustMarshal(t, repeated(lost, 97, uint16(600+i)))) // once more
		}
		st := r.track.Stats()
		checkIdentity(t, st)
		if st.Accepted != 4 || st.Drops[DropDuplicate] != 2 || st.Lost != 0 || st.Recovered != 0 {
			t.Errorf("%v: %+v", apt, st)
		}
	}
}

// What is no packet to forward costs nothing else, and a probe of the publisher's
// not even a count, but all of them have arrived.
func TestIngestRetransmissionDrops(t *testing.T) {
	r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.Retransmissions = map[uint8]uint8{97: 96, 98: 13} })
	defer r.close()
	transport := uint16(0)
	take := func(p *rtp.Packet) {
		transport++
		r.layer.IngestRetransmission(mustMarshal(t, stamped(p, transport)))
		if last := uint16(r.u.transport.Load().highest.Load()); last != transport {
			t.Errorf("packet %d did not count for the publisher's estimate", transport)
		}
	}
	original := videoPacket(7, 0, true)
	probe := repeated(original, 97, 1)
	probe.Payload, probe.Padding, probe.PaddingSize = nil, true, 255
	take(probe)
	half := repeated(original, 97, 2)
	half.Payload = half.Payload[:1]
	take(half)
	if st := r.track.Stats(); st.Received != 0 {
		t.Errorf("probes were counted: %+v", st)
	}
	take(repeated(original, 99, 3)) // of no payload type that was agreed on
	take(repeated(original, 98, 4)) // the original's was not
	r.layer.IngestRetransmission([]byte{0x80, 97, 0})
	empty := repeated(original, 97, 5)
	empty.Payload = []byte{0, 8}
	take(empty)
	st := r.track.Stats()
	checkIdentity(t, st)
	if st.Accepted != 0 || st.Drops[DropPayloadType] != 2 || st.Drops[DropMalformed] != 1 || st.Drops[DropPadding] != 1 {
		t.Errorf("%+v", st)
	}
	r.layer.Close()
	r.layer.IngestRetransmission(mustMarshal(t, repeated(original, 97, 6)))
	if now := r.track.Stats(); now.Received != st.Received {
		t.Error("a closed layer takes packets")
	}
}

// Without a word about payload types, the first packet must not be a repeated one.
func TestIngestRetransmissionUnknown(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	r.layer.IngestRetransmission(mustMarshal(t, repeated(videoPacket(7, 0, true), 97, 1)))
	if st := r.track.Stats(); st.Accepted != 0 || st.Drops[DropPayloadType] != 1 {
		t.Errorf("%+v", st)
	}
}

func TestIngestRetransmissionAllocations(t *testing.T) {
	r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.Retransmissions = map[uint8]uint8{97: 96} })
	defer r.close()
	p := stamped(videoPacket(0, 0, false), 0)
	p.Payload = append(p.Payload, make([]byte, 1000)...)
	raw := mustMarshal(t, repeated(p, 97, 0))
	at := len(raw) - len(p.Payload) - 2
	seq := uint16(0)
	if n := testing.AllocsPerRun(5000, func() {
		seq++
		binary.BigEndian.PutUint16(raw[at:], seq)
		r.layer.IngestRetransmission(raw)
	}); n > 1 {
		t.Errorf("%v allocations a packet", n)
	}
	if st := r.track.Stats(); st.Accepted != 5001 {
		t.Errorf("accepted %d", st.Accepted)
	}
}
