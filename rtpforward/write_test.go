// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
	"pgregory.net/rapid"
)

// lastPacket is a Writer that keeps the last packet.
type lastPacket struct {
	discard
	b []byte
}

func (w *lastPacket) Reserve(n int) []byte {
	w.b = bytes.Repeat([]byte{0xcc}, n) // what was sent from there before
	return w.b
}

// writeRig is a slot without a shard that runs, to write single packets with.
type writeRig struct {
	d  *Downlink
	dt *DownTrack
	w  *lastPacket
}

func newWriteRig(m ExtensionMap, mid string, tcc bool) *writeRig {
	r := &writeRig{w: &lastPacket{}}
	r.d = &Downlink{shard: &shard{}, writer: r.w, useTCC: tcc}
	r.d.extend(m)
	r.dt = &DownTrack{down: r.d, mid: []byte(mid)}
	return r
}

// TestWriteAsPion: what is written into the room is byte for byte what pion/rtp
// makes of the same header, in either form of extensions
// (https://www.rfc-editor.org/rfc/rfc8285#section-4.2 and 4.3).
func TestWriteAsPion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]uint8{14, 20, 255}).Draw(t, "highest id")
		var up, down ExtensionMap
		for k := range extKinds {
			up.Set(k, uint8(k)+1)
			if rapid.Bool().Draw(t, "negotiated") {
				down.Set(k, rapid.Uint8Range(1, most).Draw(t, "id"))
			}
		}
		mid := rapid.StringN(0, 20, 300).Draw(t, "mid")
		in := rtp.Packet{Header: rtp.Header{Version: 2, Marker: rapid.Bool().Draw(t, "marker"), PayloadType: 96, CSRC: make([]uint32, rapid.IntRange(0, 3).Draw(t, "sources"))}}
		in.Payload = rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "payload")
		for k := range extKinds {
			if rapid.Bool().Draw(t, "came") {
				b := rapid.SliceOfN(rapid.Byte(), 0, rapid.SampledFrom([]int{1, 3, 16, 17, 255}).Draw(t, "length")).Draw(t, "bytes")
				in.Extension, in.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
				if err := in.SetExtension(up.ID(k), b); err != nil {
					t.Fatal(err)
				}
			}
		}
		raw := mustMarshal(t, &in)
		p := &Packet{Buf: raw}
		if err := ParseHeader(raw, &up, &p.Header); err != nil {
			t.Fatal(err)
		}
		r := newWriteRig(down, mid, rapid.Bool().Draw(t, "transport-wide"))
		r.d.stamps.next = rapid.Uint16().Draw(t, "transport-wide number")
		r.d.stamp(rapid.Uint64().Draw(t, "now"))
		o := outPacket{
			ssrc: rapid.Uint32().Draw(t, "ssrc"), timestamp: rapid.Uint32().Draw(t, "timestamp"), sequence: rapid.Uint16().Draw(t, "sequence"),
			payloadType: rapid.Uint8Range(0, 127).Draw(t, "payload type"),
			mid:         rapid.Bool().Draw(t, "with mid"), stamped: rapid.Bool().Draw(t, "stamped"), repeats: rapid.Bool().Draw(t, "repeats"), original: 0x1234,
		}
		want := expected(t, r, p, &o)
		size, err := r.dt.write(p, &o, p.Payload())
		if err != nil || size != len(want) {
			t.Fatalf("%d bytes of %d, %v", size, len(want), err)
		}
		if !bytes.Equal(r.w.b, want) {
			t.Fatalf("written\n%x, want\n%x", r.w.b, want)
		}
	})
}

// expected is what pion makes of it.
func expected(t rigTB, r *writeRig, p *Packet, o *outPacket) []byte {
	type element struct {
		id uint8
		b  []byte
	}
	var elements []element
	ids := &r.d.extensions.ids
	add := func(k ExtensionKind, b []byte) {
		if b != nil && ids[k] != 0 && len(b) <= 255 {
			elements = append(elements, element{ids[k], b})
		}
	}
	if o.mid && len(r.dt.mid) > 0 {
		add(ExtMid, r.dt.mid)
	}
	if o.stamped {
		sent := r.d.stamps.sendTime()
		add(ExtAbsSendTime, sent[:])
		if r.d.useTCC {
			add(ExtTransportCC, binary.BigEndian.AppendUint16(nil, r.d.stamps.next))
		}
	}
	for _, k := range []ExtensionKind{ExtAudioLevel, ExtVideoOrientation, ExtPlayoutDelay, ExtAbsCaptureTime, ExtDependencyDescriptor} {
		b := p.Header.Extension(p.Buf, k)
		add(k, b)
	}
	profile := uint16(rtp.ExtensionProfileOneByte)
	for _, e := range elements {
		if e.id > 14 || len(e.b) == 0 || len(e.b) > 16 {
			profile = rtp.ExtensionProfileTwoByte
		}
	}
	out := rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: p.Header.Marker, PayloadType: o.payloadType, SequenceNumber: o.sequence, Timestamp: o.timestamp, SSRC: o.ssrc,
	}}
	out.Extension, out.ExtensionProfile = len(elements) > 0, profile
	for _, e := range elements {
		if err := out.SetExtension(e.id, e.b); err != nil {
			t.Fatal(err)
		}
	}
	if o.repeats {
		out.Payload = []byte{0x12, 0x34}
	}
	out.Payload = append(out.Payload, p.Payload()...)
	return mustMarshal(t, &out)
}

// TestWriteFollowsTheIDs: new ids keep the time and the number of the packet to come.
func TestWriteFollowsTheIDs(t *testing.T) {
	var m ExtensionMap
	m.Set(ExtAbsSendTime, 2)
	m.Set(ExtTransportCC, 3)
	r := newWriteRig(m, "", true)
	r.d.stamp(0x5_6000_4000)
	p := &Packet{Buf: make([]byte, 13), Header: Header{PayloadOffset: 12, PayloadEnd: 13}}
	first := func() []byte {
		if _, err := r.dt.write(p, &outPacket{stamped: true}, p.Payload()); err != nil {
			t.Fatal(err)
		}
		return r.w.b[12 : len(r.w.b)-1]
	}
	first()
	one := bytes.Clone(first())
	m.Set(ExtAbsSendTime, 100)
	r.d.extend(m)
	two := first()
	if want := []byte{0xbe, 0xde, 0, 2, 0x22, 0x15, 0x80, 0x01, 0x31, 0, 1, 0}; !bytes.Equal(one, want) {
		t.Errorf("one-byte form %x, want %x", one, want)
	}
	if want := []byte{0x10, 0, 0, 3, 100, 3, 0x15, 0x80, 0x01, 3, 2, 0, 2, 0, 0, 0}; !bytes.Equal(two, want) {
		t.Errorf("two-byte form %x, want %x", two, want)
	}
}
