// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
)

// headerMap has every kind, at ids that both extension forms can carry, save
// the last, which needs the two-byte form.
func headerMap() *ExtensionMap {
	var m ExtensionMap
	for _, k := range Extensions() {
		m.Set(k, uint8(k)+1)
	}
	m.Set(ExtVideoLayersAllocation, 200)
	return &m
}

// B6: packets at the edges of what is allowed, and beyond.
func TestParseHeaderEdges(t *testing.T) {
	const fixed = "0001 00000002 00000003" // sequence, timestamp, SSRC
	rows := []struct {
		name, hex  string
		err        error
		start, end int
		mid        string // hexadecimal; "-" when absent
	}{
		{"empty", "", ErrShort, 0, 0, ""},
		{"eleven bytes", "8060 0001 00000002 000000", ErrShort, 0, 0, ""},
		{"no payload", "8060" + fixed, nil, 12, 12, "-"},
		{"version 0", "0060" + fixed, ErrVersion, 0, 0, ""},
		{"version 1", "4060" + fixed, ErrVersion, 0, 0, ""},
		{"version 3", "c060" + fixed, ErrVersion, 0, 0, ""},
		{"15 contributing sources", "8f60" + fixed + strings.Repeat("0a0b0c0d", 15) + "ff", nil, 72, 73, "-"},
		{"15 contributing sources, one cut", "8f60" + fixed + strings.Repeat("0a0b0c0d", 14) + "0a0b0c", ErrCSRC, 0, 0, ""},
		{"extension header cut", "9060" + fixed + "bede00", ErrExtension, 0, 0, ""},
		{"extension of no words", "9060" + fixed + "bede0000 ff", nil, 16, 17, "-"},
		{"extension longer than the packet", "9060" + fixed + "bede0002 10aa0000", ErrExtension, 0, 0, ""},
		{"extension of 65535 words", "9060" + fixed + "bedeffff 10aa0000", ErrExtension, 0, 0, ""},
		{"one byte, an element", "9060" + fixed + "bede0001 10aa0000 ff", nil, 20, 21, "aa"},
		{"one byte, padding first", "9060" + fixed + "bede0001 000010aa ff", nil, 20, 21, "aa"},
		{"one byte, 16 bytes long", "9060" + fixed + "bede0005 1f" + strings.Repeat("ab", 16) + "000000 ff", nil, 36, 37, strings.Repeat("ab", 16)},
		{"one byte, overrun", "9060" + fixed + "bede0001 13aabbcc dd", ErrExtension, 0, 0, ""},
		{"one byte, overrun of an unknown id", "9060" + fixed + "bede0001 d3aabbcc dd", ErrExtension, 0, 0, ""},
		{"one byte, last byte is a head", "9060" + fixed + "bede0001 11aabb20", ErrExtension, 0, 0, ""},
		{"one byte, id 15 ends", "9060" + fixed + "bede0002 ff10aa13 10aa0000", nil, 24, 24, "-"},
		{"one byte, id 0 with a length ends", "9060" + fixed + "bede0002 0510aa00 10aa0000", nil, 24, 24, "-"},
		{"one byte, duplicate: first wins", "9060" + fixed + "bede0002 10aa10bb 10cc0000", nil, 24, 24, "aa"},
		{"two bytes, an element", "9060" + fixed + "10000001 0101aa00", nil, 20, 20, "aa"},
		{"two bytes, application bits", "9060" + fixed + "100f0001 0101aa00", nil, 20, 20, "aa"},
		{"two bytes, empty element", "9060" + fixed + "10000001 01000000", nil, 20, 20, ""},
		{"two bytes, duplicate of an empty one", "9060" + fixed + "10000002 01000101 aa000000", nil, 24, 24, ""},
		{"two bytes, id without length", "9060" + fixed + "10000001 00000001", ErrExtension, 0, 0, ""},
		{"two bytes, to the very end", "9060" + fixed + "10000001 0102aa00", nil, 20, 20, "aa00"},
		{"two bytes, overrun by one", "9060" + fixed + "10000001 0103aa00", ErrExtension, 0, 0, ""},
		{"two bytes, 255 bytes announced", "9060" + fixed + "10000001 01ffaa00" + strings.Repeat("00", 255), ErrExtension, 0, 0, ""},
		{"unknown profile", "9060" + fixed + "abcd0001 10aa0000 ff", nil, 20, 21, "-"},
		{"padding of zero", "a060" + fixed + "aabb00", ErrPadding, 0, 0, ""},
		{"padding of one", "a060" + fixed + "aabb01", nil, 12, 14, "-"},
		{"padding of more than the payload", "a060" + fixed + "aabb04", ErrPadding, 0, 0, ""},
		{"padding of 255", "a060" + fixed + "aabbff", ErrPadding, 0, 0, ""},
		{"padding only", "a060" + fixed + "000003", nil, 12, 12, "-"},
		{"padding into the extension", "b060" + fixed + "bede0001 10aa0000 02", ErrPadding, 0, 0, ""},
		{"padding bit, no payload", "a060" + fixed, ErrPadding, 0, 0, ""},
		{"padding bit, extension, no payload", "b060" + fixed + "bede0001 10aa0004", ErrPadding, 0, 0, ""},
	}
	for _, r := range rows {
		buf := unhex(t, r.hex)
		buf = slices.Clip(buf)
		var h Header
		err := ParseHeader(buf, headerMap(), &h)
		if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
			t.Errorf("%s: error %v, want %v", r.name, err, r.err)
			continue
		}
		if err != nil {
			continue
		}
		if h.PayloadOffset != r.start || h.PayloadEnd != r.end {
			t.Errorf("%s: payload %d to %d, want %d to %d", r.name, h.PayloadOffset, h.PayloadEnd, r.start, r.end)
		}
		mid := h.Extension(buf, ExtMid)
		if r.mid == "-" {
			if mid != nil {
				t.Errorf("%s: mid %x, want none", r.name, mid)
			}
		} else if mid == nil || !bytes.Equal(mid, unhex(t, r.mid)) {
			t.Errorf("%s: mid %x (nil %v), want %s", r.name, mid, mid == nil, r.mid)
		}
	}
}

func TestParseHeaderFields(t *testing.T) {
	buf := unhex(t, "80ff fffe 89abcdef fedcba98 01")
	h := Header{PayloadOffset: 99} // what was there before must not stay
	if err := ParseHeader(buf, nil, &h); err != nil {
		t.Fatal(err)
	}
	want := Header{PayloadType: 127, Marker: true, Sequence: 0xfffe, Timestamp: 0x89abcdef, SSRC: 0xfedcba98, PayloadOffset: 12, PayloadEnd: 13}
	if h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
	buf = append(unhex(t, "9060 0001 00000002 00000003 bede0001 10aa0000"), make([]byte, 65536)...)
	if err := ParseHeader(buf, headerMap(), &h); !errors.Is(err, ErrLong) {
		t.Errorf("packet of %d bytes: %v", len(buf), err)
	}
	if err := ParseHeader(buf[:65535], headerMap(), &h); err != nil || h.PayloadEnd != 65535 {
		t.Errorf("packet of 65535 bytes: %v, ends at %d", err, h.PayloadEnd)
	}
	// An extension that reaches to the last offset there is.
	buf = append(unhex(t, "9060 0001 00000002 00000003 10003ffb"), make([]byte, 65516)...)
	copy(buf[len(buf)-3:], []byte{1, 1, 0xaa})
	if err := ParseHeader(buf, headerMap(), &h); err != nil || string(h.Extension(buf, ExtMid)) != "\xaa" {
		t.Errorf("packet of %d bytes: %v, mid %x", len(buf), err, h.Extension(buf, ExtMid))
	}
	if b := h.Extension(buf[:100], ExtMid); b != nil {
		t.Errorf("extension behind the end of another buffer: %x", b)
	}
	if b := h.Extension(buf, extKinds); b != nil {
		t.Errorf("extension of no kind: %x", b)
	}
	if b := h.Extension(buf, ExtMid); cap(b) != len(b) {
		t.Errorf("%d bytes of the packet could be overwritten by append", cap(b)-len(b))
	}
}

// randomPacket makes a valid packet, of both extension forms, with extensions
// of random ids and sizes, contributing sources and padding.
func randomPacket(t testing.TB, rng *rand.Rand) *rtp.Packet {
	t.Helper()
	p := &rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: rng.IntN(2) == 0, PayloadType: uint8(rng.IntN(128)), SequenceNumber: uint16(rng.Uint32()),
		Timestamp: rng.Uint32(), SSRC: rng.Uint32(),
	}}
	for range rng.IntN(16) {
		p.CSRC = append(p.CSRC, rng.Uint32())
	}
	if form := rng.IntN(3); form > 0 {
		p.Extension, p.ExtensionProfile = true, rtp.ExtensionProfileOneByte
		ids, size := 14, 16
		if form == 2 {
			p.ExtensionProfile = rtp.ExtensionProfileTwoByte
			ids, size = 255, 40
		}
		for range 1 + rng.IntN(6) {
			value := make([]byte, 1+rng.IntN(size))
			for i := range value {
				value[i] = byte(rng.Uint32())
			}
			if err := p.SetExtension(uint8(1+rng.IntN(ids)), value); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Payload = make([]byte, rng.IntN(50))
	if rng.IntN(3) == 0 {
		p.Padding = true
		p.Header.PaddingSize = byte(1 + rng.IntN(255))
	}
	return p
}

// compareHeader holds h, parsed from buf, against pion's parser. It differs
// where the two-byte form has application bits, which pion does not know, and
// where pion does not look at the version.
func compareHeader(t *testing.T, buf []byte, m *ExtensionMap, h *Header, err error) {
	t.Helper()
	var p rtp.Packet
	pionErr := p.Unmarshal(buf)
	if errors.Is(err, ErrVersion) || errors.Is(err, ErrLong) {
		return
	}
	if p.Extension && p.ExtensionProfile&rtpTwoByteMask == rtpTwoByteForm && p.ExtensionProfile != rtpTwoByteForm {
		return
	}
	if (err == nil) != (pionErr == nil) {
		t.Fatalf("%x: %v, pion: %v", buf, err, pionErr)
	}
	if err != nil {
		return
	}
	if h.PayloadType != p.PayloadType || h.Marker != p.Marker || h.Sequence != p.SequenceNumber || h.Timestamp != p.Timestamp || h.SSRC != p.SSRC {
		t.Fatalf("%x: %+v, pion: %+v", buf, h, p.Header)
	}
	if got := buf[h.PayloadOffset:h.PayloadEnd]; !bytes.Equal(got, p.Payload) {
		t.Fatalf("%x: payload %x, pion: %x", buf, got, p.Payload)
	}
	for _, k := range Extensions() {
		var want []byte
		if id := m.ID(k); id != 0 {
			want = p.GetExtension(id)
		}
		if got := h.Extension(buf, k); (got == nil) != (want == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%x: extension %d is %x, pion: %x", buf, k, got, want)
		}
	}
}

func TestParseHeaderAgainstPion(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := headerMap()
	found := 0
	for range 20_000 {
		buf, err := randomPacket(t, rng).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var h Header
		if err := ParseHeader(buf, m, &h); err != nil {
			t.Fatalf("%x: %v", buf, err)
		}
		compareHeader(t, buf, m, &h, nil)
		for _, k := range Extensions() {
			if h.Extension(buf, k) != nil {
				found++
			}
		}
		// And the same packet damaged.
		for range 1 + rng.IntN(3) {
			buf[rng.IntN(len(buf))] = byte(rng.Uint32())
		}
		buf = buf[:rng.IntN(len(buf)+1)]
		compareHeader(t, buf, m, &h, ParseHeader(buf, m, &h))
	}
	if found < 10_000 {
		t.Errorf("only %d extensions were compared", found)
	}
}

// fullPacket has the extensions that a browser sends with a video packet.
func fullPacket(t testing.TB) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: 7, SSRC: 9}, Payload: make([]byte, 1000)}
	for _, e := range []struct {
		kind  ExtensionKind
		value string
	}{{ExtMid, "1"}, {ExtRid, "hi"}, {ExtAbsSendTime, "abc"}, {ExtTransportCC, "de"}, {ExtVideoOrientation, "\x01"}, {ExtDependencyDescriptor, "\x80\x00\x01"}} {
		if err := p.SetExtension(uint8(e.kind)+1, []byte(e.value)); err != nil {
			t.Fatal(err)
		}
	}
	buf, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func TestParseHeaderAllocatesNothing(t *testing.T) {
	buf, m := fullPacket(t), headerMap()
	var h Header
	if n := testing.AllocsPerRun(100, func() {
		if err := ParseHeader(buf, m, &h); err != nil {
			t.Error(err)
		}
		extensionSink = h.Extension(buf, ExtTransportCC)
		_ = ParseHeader(buf[:20], m, &h) // errors are no exception
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if string(extensionSink) != "de" {
		t.Errorf("transport sequence %q", extensionSink)
	}
}

var extensionSink []byte

func BenchmarkParseHeader(b *testing.B) {
	buf, m := fullPacket(b), headerMap()
	var h Header
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseHeader(buf, m, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		buf, err := randomPacket(f, rng).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(buf)
	}
	f.Add(fullPacket(f))
	m := headerMap()
	f.Fuzz(func(t *testing.T, buf []byte) {
		buf = slices.Clip(buf)
		var h Header
		err := ParseHeader(buf, m, &h)
		compareHeader(t, buf, m, &h, err)
		if err != nil {
			return
		}
		if h.PayloadOffset < 12 || h.PayloadEnd < h.PayloadOffset || h.PayloadEnd > len(buf) {
			t.Fatalf("%x: payload %d to %d", buf, h.PayloadOffset, h.PayloadEnd)
		}
		for _, k := range Extensions() {
			if e := h.Extension(buf, k); e != nil && len(e) > h.PayloadOffset-16 {
				t.Fatalf("%x: extension %d has %d bytes", buf, k, len(e))
			}
		}
	})
}
