// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"hash/crc32"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

func TestIngestDrops(t *testing.T) {
	rows := []struct {
		name   string
		want   DropReason
		packet func() []byte
	}{
		{"short", DropMalformed, func() []byte { return []byte{0x80, 96, 0} }},
		{"version", DropMalformed, func() []byte { return make([]byte, 40) }},
		{"unknown payload type", DropPayloadType, func() []byte {
			p := videoPacket(1001, 10, false)
			p.PayloadType = 13
			return mustMarshal(t, p)
		}},
		{"same again", DropDuplicate, func() []byte { return mustMarshal(t, videoPacket(1000, 0, false)) }},
		{"before the history", DropTooOld, func() []byte { return mustMarshal(t, videoPacket(1000-64, 0, false)) }},
		{"far ahead", DropTooOld, func() []byte { return mustMarshal(t, videoPacket(1000+20000, 0, false)) }},
		{"same number, other time", DropTooOld, func() []byte { return mustMarshal(t, videoPacket(1000, 77, false)) }},
		{"padding only", DropPadding, func() []byte {
			p := videoPacket(1001, 10, false)
			p.Payload, p.Padding, p.PaddingSize = nil, true, 200
			return mustMarshal(t, p)
		}},
		{"nothing in it", DropPadding, func() []byte {
			p := videoPacket(1001, 10, false)
			p.Payload = nil
			return mustMarshal(t, p)
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newUplinkRig(t, Config{VideoHistory: 64})
			defer r.close()
			r.video(1000, 0)
			r.layer.Ingest(row.packet())
			var want Drops
			want[row.want] = 1
			s := r.track.Stats()
			checkIdentity(t, s)
			if s.Received != 2 || s.Accepted != 1 || s.Drops != want {
				t.Errorf("received %d, accepted %d, drops %v, want one %s", s.Received, s.Accepted, s.Drops, row.want)
			}
		})
	}
}

func mustMarshal(t rigTB, p *rtp.Packet) []byte {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A packet that is not forwarded is still one that arrived.
func TestPaddingIsNoLoss(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	r.video(10, 0)
	for seq := uint16(11); seq < 15; seq++ {
		p := videoPacket(seq, 0, false)
		p.Payload, p.Padding, p.PaddingSize = nil, true, 100
		ingestInto(t, r.layer, p)
	}
	r.video(15, 0)
	if s := r.track.Stats(); s.Lost != 0 || s.Drops[DropPadding] != 4 || s.Accepted != 2 {
		t.Errorf("lost %d, padding %d, accepted %d", s.Lost, s.Drops[DropPadding], s.Accepted)
	}
	for seq := uint16(10); seq <= 15; seq++ {
		padding := seq > 10 && seq < 15
		if got := r.layer.packetAt(seq) == nil; got != padding {
			t.Errorf("packetAt(%d) == nil is %v", seq, got)
		}
		if got := r.layer.blank(1<<16 | uint64(seq)); got != padding {
			t.Errorf("blank(%d) is %v", seq, got)
		}
	}
}

// What a packet holds is what came, and stays that whatever comes after it.
func TestPacketsAreImmutable(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	const n = 500
	sums, packets := make([]uint32, n), make([]*Packet, n)
	for i := range n {
		p := videoPacket(uint16(65000+i), uint32(i), i%50 == 0)
		p.Payload = append(p.Payload, make([]byte, i*2)...)
		for j := 12; j < len(p.Payload); j++ {
			p.Payload[j] = byte(i + j)
		}
		raw := mustMarshal(t, p)
		sums[i] = crc32.ChecksumIEEE(raw)
		r.layer.Ingest(raw)
		clear(raw) // it is the caller's again
		packets[i] = r.layer.packetAt(p.SequenceNumber)
		if diff := cmp.Diff(p.Payload, packets[i].Payload()); diff != "" {
			t.Fatalf("payload of %d: %s", i, diff)
		}
	}
	for i, p := range packets {
		if crc32.ChecksumIEEE(p.Buf) != sums[i] {
			t.Errorf("packet %d has changed", i)
		}
		if cap(p.Buf) != len(p.Buf) {
			t.Errorf("packet %d has %d bytes of its neighbor within reach", i, cap(p.Buf)-len(p.Buf))
		}
		if want := 1<<16 + 65000 + uint64(i); p.Sequence != want || p.Timestamp != 1<<32+uint64(i) {
			t.Errorf("packet %d: sequence %d, timestamp %d", i, p.Sequence, p.Timestamp)
		}
		if p.Up != r.layer || p.Format != formatVP8 || p.Descriptor.Keyframe != (i%50 == 0) {
			t.Errorf("packet %d: %+v", i, p)
		}
	}
	if got := r.track.Stats().Keyframes; got != n/50 {
		t.Errorf("%d keyframes", got)
	}
}

// A packet larger than any slab is kept as well.
func TestIngestLarge(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	for seq, size := range []int{10, 65000, 20, slabVideo, 30} {
		p := videoPacket(uint16(seq), 0, false)
		p.Payload = append(p.Payload, make([]byte, size)...)
		raw := mustMarshal(t, p)
		raw = raw[:min(len(raw), 65535)]
		r.layer.Ingest(raw)
		if got := r.layer.packetAt(uint16(seq)); got == nil || !bytes.Equal(got.Buf, raw) {
			t.Errorf("packet of %d bytes: %v", len(raw), got)
		}
	}
}

// Each interested shard gets each accepted packet once; a full one refuses and
// is no drop of the track.
func TestHandOver(t *testing.T) {
	r := newUplinkRig(t, Config{Shards: 3, QueueLength: 16})
	defer r.close()
	r.track.interest.Store(0b101)
	for seq := range uint16(20) {
		r.video(seq, 0)
		r.video(seq, 0) // a duplicate goes nowhere
	}
	s := r.track.Stats()
	checkIdentity(t, s)
	const room = 14 // of 16 places two are kept for commands
	if s.Accepted != 20 || s.Handed != 2*room || s.Refused != 2*(20-room) {
		t.Errorf("accepted %d, handed %d, refused %d", s.Accepted, s.Handed, s.Refused)
	}
	for i, want := range []int{room, 0, room} {
		for n := range want {
			p, _, ok := r.f.shards[i].queue.pop()
			if !ok || p.Header.Sequence != uint16(n) {
				t.Fatalf("shard %d, entry %d: %v", i, n, p)
			}
		}
		if _, _, ok := r.f.shards[i].queue.pop(); ok {
			t.Errorf("shard %d has more than %d packets", i, want)
		}
	}
}

func TestIngestAllocations(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	raw := mustMarshal(t, stamped(videoPacket(0, 0, false), 0))
	raw = append(raw, make([]byte, 1000)...)
	seq := uint16(0)
	got := testing.AllocsPerRun(5000, func() {
		seq++
		raw[2], raw[3] = byte(seq>>8), byte(seq)
		r.layer.Ingest(raw)
	})
	if got > 1 {
		t.Errorf("%v allocations a packet", got)
	}
	if s := r.track.Stats(); s.Accepted != 5001 {
		t.Errorf("accepted %d", s.Accepted)
	}
	// Those that leave nothing behind cost nothing at all.
	if got := testing.AllocsPerRun(100, func() { r.layer.Ingest(raw) }); got != 0 {
		t.Errorf("%v allocations a duplicate", got)
	}
}

func TestAudioLevelSmoothing(t *testing.T) {
	synctest.Test(t, testAudioLevelSmoothing)
}

func testAudioLevelSmoothing(t *testing.T) {
	r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.SSRC = rigAudio })
	defer r.close()
	audio := func(seq uint16, level uint8, voice bool) {
		p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: seq, Timestamp: uint32(seq) * 960, SSRC: rigAudio}, Payload: []byte{0xf8, 1}}
		b := level
		if voice {
			b |= 0x80
		}
		if err := p.SetExtension(1, []byte{b}); err != nil {
			t.Fatal(err)
		}
		ingestInto(t, r.layer, p)
	}
	if _, _, ok := r.track.AudioLevel(); ok {
		t.Error("a level before the first packet")
	}
	audio(1, 120, false)
	if l, v, ok := r.track.AudioLevel(); l != 120 || v || !ok {
		t.Errorf("first: %d %v %v", l, v, ok)
	}
	audio(2, 20, true)
	audio(3, 20, true)
	audio(4, 20, true)
	up, voice, _ := r.track.AudioLevel()
	if up > 40 || !voice {
		t.Errorf("three loud packets: level %d, voice %v", up, voice)
	}
	audio(5, 120, false)
	if l, _, _ := r.track.AudioLevel(); l < up || l > 60 {
		t.Errorf("one quiet packet takes %d to %d", up, l)
	}
	time.Sleep(1001 * ms)
	if l, v, ok := r.track.AudioLevel(); l != levelSilent || v || !ok {
		t.Errorf("nothing for a second: %d %v %v", l, v, ok)
	}
	audio(6, 90, false)
	if l, _, _ := r.track.AudioLevel(); l != 90 {
		t.Errorf("level %d after a silence", l)
	}
}
