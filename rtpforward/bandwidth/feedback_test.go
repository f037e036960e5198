// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// told is what pion reads out of a feedback packet: for each packet the time in
// units of 250 µs, or notReceived.
func told(fb *rtcp.TransportLayerCC) (ticks []int64) {
	deltas, tick := fb.RecvDeltas, int64(0)
	one := func(symbol uint16) {
		if len(ticks) == int(fb.PacketStatusCount) {
			return
		}
		if symbol != rtcp.TypeTCCPacketReceivedSmallDelta && symbol != rtcp.TypeTCCPacketReceivedLargeDelta {
			ticks = append(ticks, notReceived)

			return
		}
		tick += deltas[0].Delta / 250
		deltas = deltas[1:]
		ticks = append(ticks, tick)
	}
	for _, c := range fb.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				one(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, s := range c.SymbolList {
				one(s)
			}
		}
	}

	return ticks
}

func same(t *testing.T, got *Feedback, want *rtcp.TransportLayerCC) {
	t.Helper()
	if got.Base != want.BaseSequenceNumber || got.Reference != want.ReferenceTime || got.Serial != want.FbPktCount {
		t.Fatalf("head is %d %d %d, pion reads %d %d %d", got.Base, got.Reference, got.Serial,
			want.BaseSequenceNumber, want.ReferenceTime, want.FbPktCount)
	}
	ticks := told(want)
	if got.Count != min(len(ticks), MaxFeedbackPackets) {
		t.Fatalf("%d packets, pion reads %d", got.Count, len(ticks))
	}
	for i := range got.Count {
		at, ok := got.Received(i)
		if ok != (ticks[i] != notReceived) || ok && at != ticks[i]*tickTime {
			t.Fatalf("packet %d: %d %v, pion reads %d", i, at, ok, ticks[i])
		}
	}
}

// recorded makes feedback like a receiver's, of n packets from first on.
func recorded(t testing.TB, rnd *rand.Rand, first uint16, n int) []*rtcp.TransportLayerCC {
	r, at := twcc.NewRecorder(1), int64(5_000_000)
	for i := range n {
		at += rnd.Int64N(1 << rnd.IntN(17))
		if rnd.IntN(6) != 0 {
			r.Record(2, first+uint16(i), at+rnd.Int64N(20_000))
		}
	}
	var out []*rtcp.TransportLayerCC
	for _, p := range r.BuildFeedbackPacket() {
		out = append(out, p.(*rtcp.TransportLayerCC))
	}
	if len(out) == 0 && n > 20 {
		t.Fatal("no feedback was made")
	}

	return out
}

func TestFeedbackLikePion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var fb Feedback
	for range 500 {
		for _, p := range recorded(t, rnd, uint16(rnd.Uint32()), 1+rnd.IntN(400)) {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := fb.Parse(raw); err != nil {
				t.Fatal(err)
			}
			same(t, &fb, p)
		}
	}
}

// raw puts a feedback packet together from its parts.
func raw(count uint16, body ...byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	out := []byte{0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0, 0, 0, 0, 9, 3}
	binary.BigEndian.PutUint16(out[14:], count)
	out = append(out, body...)
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)/4-1))

	return out
}

func TestFeedbackRefused(t *testing.T) {
	good := raw(2, 0x20, 2, 4, 8)
	change := func(i int, b byte) []byte {
		out := append([]byte(nil), good...)
		out[i] = b

		return out
	}
	var fb Feedback
	if err := fb.Parse(good); err != nil || fb.Count != 2 {
		t.Fatalf("%d packets, %v", fb.Count, err)
	}
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"empty", nil},
		{"short", good[:19]},
		{"another version", change(0, 0x4f)},
		{"another format", change(0, 0x81)},
		{"another type", change(1, 206)},
		{"longer than it is", change(3, 200)},
		{"shorter than its head", change(3, 3)},
		{"padding beyond it", append(change(0, 0xaf)[:23], 200)},
		{"no padding where some is announced", append(change(0, 0xaf)[:23], 0)},
		{"chunks missing", raw(100, 0x20, 2, 4, 8)},
		{"a run of nothing", raw(2, 0x20, 0, 4, 8)},
		{"deltas missing", raw(9, 0x20, 9, 4, 8)},
		{"second byte of a delta missing", raw(1, 0x40, 1)[:20]},
	} {
		if err := fb.Parse(c.raw); !errors.Is(err, ErrFeedback) || fb.Count != 0 {
			t.Errorf("%s: %v, %d packets", c.name, err, fb.Count)
		}
	}
}

func TestFeedbackBeyondMost(t *testing.T) {
	var fb Feedback
	body := []byte{}
	for range 8 {
		body = append(body, 0x1f, 0xff) // 8191 that are missing
	}
	if err := fb.Parse(raw(65528, body...)); err != nil || fb.Count != MaxFeedbackPackets || !fb.Truncated {
		t.Fatalf("%v, %d packets, truncated %v", err, fb.Count, fb.Truncated)
	}
}

// FuzzFeedback holds the parser to pion's where both accept a packet, and to its
// own bounds everywhere.
func FuzzFeedback(f *testing.F) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 8 {
		for _, p := range recorded(f, rnd, 65_500, 60) {
			b, err := p.Marshal()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add(raw(2, 0x20, 2, 4, 8))
	f.Add(raw(7, 0xd5, 0x55, 1, 2, 3, 4, 5, 6, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fb Feedback
		if err := fb.Parse(b); err != nil {
			if fb.Count != 0 {
				t.Fatal("refused, but holds packets")
			}

			return
		}
		if fb.Count > MaxFeedbackPackets {
			t.Fatalf("%d packets", fb.Count)
		}
		e := New(Config{History: 256}, 0)
		for i := range 300 {
			e.Sent(fb.Base-100+uint16(i), 1000, int64(i)*millisecond, i%3)
		}
		e.Feedback(&fb, second)
		if got := e.Estimate(); got.Target < e.cfg.Min || got.Target > e.cfg.Max || got.Loss < 0 || got.Loss > 1 {
			t.Fatalf("%+v", got)
		}
		var p rtcp.TransportLayerCC
		if p.Unmarshal(b) == nil && wellFormed(&p) {
			same(t, &fb, &p)
		}
	})
}

// wellFormed leaves out what pion takes and nobody sends: more deltas than
// packets received, reserved symbols, chunks beyond the count.
func wellFormed(p *rtcp.TransportLayerCC) bool {
	need, total := 0, 0
	one := func(s uint16) bool {
		if total == int(p.PacketStatusCount) {
			return true
		}
		total++
		if s == rtcp.TypeTCCPacketReceivedSmallDelta || s == rtcp.TypeTCCPacketReceivedLargeDelta {
			need++
		}

		return s <= rtcp.TypeTCCPacketReceivedLargeDelta
	}
	for _, c := range p.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			if c.RunLength == 0 {
				return false
			}
			for range c.RunLength {
				if !one(c.PacketStatusSymbol) {
					return false
				}
			}
		case *rtcp.StatusVectorChunk:
			for _, s := range c.SymbolList {
				if !one(s) {
					return false
				}
			}
		}
	}

	return total == int(p.PacketStatusCount) && need <= len(p.RecvDeltas)
}

func TestFeedbackNoAllocations(t *testing.T) {
	b, err := recorded(t, rand.New(rand.NewPCG(4, 4)), 7, 300)[0].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var fb Feedback
	if n := testing.AllocsPerRun(100, func() { _ = fb.Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
