// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"testing"

	"github.com/pion/rtcp"
)

const mbit = 1_000_000

// TestNeverSent: feedback on packets that were never sent, or twice on the same
// ones, changes nothing.
func TestNeverSent(t *testing.T) {
	e := New(Config{}, 0)
	for i := range 100 {
		e.Sent(uint16(i), 1000, int64(i)*10*millisecond, 0)
	}
	before := e.Estimate()
	fb := Feedback{Base: 500, Count: 1000}
	e.Feedback(&fb, second)
	if e.heardAt != 0 || e.Estimate().Target != before.Target || e.acked.count != 0 {
		t.Errorf("believed in packets that were never sent: %+v", e.Estimate())
	}
	fb = Feedback{Base: 0, Count: 100}
	e.Feedback(&fb, second)
	heard, bytes := e.heardAt, e.acked.back(0).bytes
	if heard == 0 || bytes != 100_000 {
		t.Fatalf("heard at %d, %d bytes", heard, bytes)
	}
	e.Feedback(&fb, 2*second)
	if e.heardAt != heard || e.acked.back(0).bytes != bytes {
		t.Error("believed the same feedback twice")
	}
}

func TestSequenceNumbersWrap(t *testing.T) {
	e := New(Config{History: 256}, 0)
	fb := Feedback{Base: 65_500}
	for i := range 100_000 {
		at := int64(i) * 3 * millisecond
		e.Sent(uint16(65_500+i), 1000, at, 0)
		fb.ticks[fb.Count] = int32(fb.Count) * 12
		if fb.Count++; fb.Count == 32 {
			fb.Reference = uint32(at/referenceTime) & 0xffffff
			fb.ticks[0] = 0
			e.Feedback(&fb, at+20*millisecond)
			fb.Base, fb.Count = uint16(65_500+i+1), 0
		}
	}
	if e.unknown != 0 {
		t.Errorf("%d packets were not recognised", e.unknown)
	}
	if got := e.Estimate(); got.Loss != 0 || got.Acknowledged < 2_400_000 || got.Acknowledged > 2_900_000 {
		t.Errorf("%+v, want no loss and 2.67 Mbit/s", got)
	}
}

func (e *Estimator) nextNumber() uint16 { return uint16(e.history.newest) + 1 }

// answerAll says that all that is in flight has arrived.
func answerAll(e *Estimator) *Feedback {
	fb := &Feedback{Base: uint16(e.history.newest) - 50, Count: 51, Reference: uint32(e.epoch) & 0xffffff}
	for i := range fb.Count {
		fb.ticks[i] = 50 + int32(i)
	}

	return fb
}

func TestREMB(t *testing.T) {
	e := New(Config{Max: 5 * mbit}, 0)
	at := int64(0)
	feed := func(rate, remb int64, seconds int) int64 {
		for range seconds * 50 {
			at += 20 * millisecond
			e.Sent(e.nextNumber(), int(rate/8/50), at, 0)
			e.Tick(at)
			if at%second == 0 {
				e.REMB(remb, at)
			}
		}

		return e.Estimate().Target
	}
	if got := feed(300_000, 400_000, 3); got != 400_000 {
		t.Errorf("target %d, the client said 400 000", got)
	}
	if got := feed(300_000, 1<<50, 3); got > 700_000 {
		t.Errorf("target %d of a boast, while 300 000 are sent", got)
	}
	if got := feed(4*mbit, 1<<50, 10); got != 5*mbit {
		t.Errorf("target %d, want the maximum", got)
	}
	if got := feed(4*mbit, 250_000, 3); got != 250_000 {
		t.Errorf("target %d, the client said 250 000", got)
	}
	if got := feed(250_000, 0, 10); got >= 250_000 {
		t.Errorf("target %d after ten seconds without a word", got)
	}
}

func TestReceiverReportsAlone(t *testing.T) {
	e := New(Config{}, 0)
	at := int64(0)
	feed := func(fraction uint8, seconds int) int64 {
		for range seconds * 50 {
			at += 20 * millisecond
			target := e.Estimate().Target
			e.Sent(e.nextNumber(), int(target/8/50), at, 0)
			e.Tick(at)
			if at%second == 0 {
				e.Report(fraction, 100, 50*millisecond, at)
			}
		}

		return e.Estimate().Target
	}
	good := feed(0, 20)
	if good < 600_000 {
		t.Errorf("target %d after 20 s without loss, from 300 000", good)
	}
	if bad := feed(100, 10); bad > good/2 {
		t.Errorf("target %d after 10 s of 39 %% loss, before %d", bad, good)
	}
}

// TestNoAllocations: a packet, a feedback, a probe, a tick and an estimate cost
// no memory.
func TestNoAllocations(t *testing.T) {
	e, fb, at := New(Config{}, 0), new(Feedback), int64(0)
	seq := uint16(0)
	if n := testing.AllocsPerRun(500, func() {
		first := seq
		for range 20 {
			at += 5 * millisecond
			e.Sent(seq, 1000, at, int(e.probe.cluster.ID))
			seq++
		}
		fb.Base, fb.Count, fb.Reference = first, 20, uint32(at/referenceTime)&0xffffff
		for i := range fb.Count {
			fb.ticks[i] = int32(20 * i)
		}
		e.Feedback(fb, at)
		e.Probe(at)
		e.Tick(at)
		_ = e.Estimate()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// TestProbes holds probing to its purpose: none beyond what is wanted, none to a
// client that cannot answer, one at a time.
func TestProbes(t *testing.T) {
	e := New(Config{}, 0)
	if _, ok := e.Probe(0); ok {
		t.Error("probes before anything was sent")
	}
	e.Sent(1, 1000, millisecond, 0)
	c, ok := e.Probe(millisecond)
	if !ok || c.Rate != 900_000 || c.Packets < 5 || c.Bytes < 2500 {
		t.Fatalf("first probe %+v %v, want 3 times the start", c, ok)
	}
	if _, ok := e.Probe(2 * millisecond); ok {
		t.Error("a second probe beside the first")
	}
	for at := int64(0); at < 20*second; at += 20 * millisecond {
		e.Sent(e.nextNumber(), 1000, at, 0)
		e.Report(0, 50, 50*millisecond, at)
		e.Tick(at)
		if _, ok := e.Probe(at); ok {
			t.Fatalf("probes a client that gives no feedback, at %d ms", at/millisecond)
		}
	}
	e = New(Config{}, 0)
	e.SetDemand(250_000)
	e.Sent(1, 1000, 0, 0)
	if c, ok := e.Probe(0); ok {
		t.Errorf("probes %+v, though the target is more than is wanted", c)
	}
}

func TestConfigIsPulledIntoRange(t *testing.T) {
	for _, c := range []Config{{}, {History: -5, Min: -1, Max: -1, Start: -1}, {History: 1 << 30, Min: 10, Max: 5, Start: 100}, {History: 300}, {Max: 1 << 62, Start: 1 << 62}} {
		got := c.withDefaults()
		if got.Min > got.Start || got.Start > got.Max || got.History&(got.History-1) != 0 || got.History < 256 || got.History > 16384 || got.Max > mostRate {
			t.Errorf("%+v becomes %+v", c, got)
		}
	}
}

// BenchmarkPacket is what the estimator adds to each packet sent, its share of
// the feedback included.
func BenchmarkPacket(b *testing.B) {
	e, fb, at := New(Config{}, 0), new(Feedback), int64(0)
	raw, err := (&rtcp.TransportLayerCC{
		Header:             rtcp.Header{Count: 15, Type: 205, Length: 10, Padding: true},
		PacketStatusCount:  20,
		PacketChunks:       []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 20}},
		RecvDeltas:         smallDeltas(20),
		BaseSequenceNumber: 0,
	}).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	seq := uint16(0)
	for b.Loop() {
		at += 5 * millisecond
		e.Sent(seq, 1000, at, 0)
		if seq++; seq%20 == 0 {
			if err := fb.Parse(raw); err != nil {
				b.Fatal(err)
			}
			fb.Base, fb.Reference = seq-20, uint32(at/referenceTime)&0xffffff
			e.Feedback(fb, at)
			_ = e.Estimate()
		}
	}
}

func smallDeltas(n int) (out []*rtcp.RecvDelta) {
	for range n {
		out = append(out, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 5000})
	}

	return out
}
