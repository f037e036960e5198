// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"pgregory.net/rapid"
)

// twccStatus is what feedback says about one packet.
type twccStatus struct {
	seq      uint16
	received bool
	at       int64 // in 250 µs since the start of the recorder's clock
}

// readTWCC decodes feedback the way a sender would, by the draft's rules.
func readTWCC(t rigTB, fb *rtcp.TransportLayerCC) (out []twccStatus) {
	t.Helper()
	var symbols []uint16
	for _, c := range fb.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			symbols = append(symbols, slices.Repeat([]uint16{c.PacketStatusSymbol}, int(c.RunLength))...)
		case *rtcp.StatusVectorChunk:
			symbols = append(symbols, c.SymbolList...)
		}
	}
	if len(symbols) < int(fb.PacketStatusCount) {
		t.Errorf("%d symbols for %d packets", len(symbols), fb.PacketStatusCount)
		return nil
	}
	at, deltas := int64(fb.ReferenceTime)*deltaEpoch, fb.RecvDeltas
	for i, s := range symbols[:fb.PacketStatusCount] {
		status := twccStatus{seq: fb.BaseSequenceNumber + uint16(i)}
		if s != rtcp.TypeTCCPacketNotReceived {
			if len(deltas) == 0 {
				t.Errorf("fewer deltas than received packets")
				return nil
			}
			at += deltas[0].Delta / 250
			deltas = deltas[1:]
			status.received, status.at = true, at
		}
		out = append(out, status)
	}
	for _, s := range symbols[fb.PacketStatusCount:] {
		if s != 0 {
			t.Errorf("symbol %d after the last packet", s)
		}
	}
	if len(deltas) != 0 {
		t.Errorf("%d deltas too many", len(deltas))
	}
	return out
}

// takeTWCC takes all feedback that a recorder has, through pion's parser.
func takeTWCC(t rigTB, r *transportRecorder, now int64) (out []twccStatus, packets []*rtcp.TransportLayerCC) {
	t.Helper()
	first, last, ok := r.take(now)
	if ok && last-first >= transportWindow {
		t.Errorf("feedback about %d packets", last-first+1)
	}
	for ok && first <= last {
		var buf []byte
		buf, first = r.appendTransportCC(nil, rigSelf, rigVideo, first, last, now)
		if len(buf) > statusRoom {
			t.Errorf("feedback of %d bytes", len(buf))
		}
		fb := new(rtcp.TransportLayerCC)
		if err := fb.Unmarshal(buf); err != nil {
			t.Fatal(err)
		}
		var ev RTCPEvents
		if err := ScanRTCP(buf, &ev); err != nil || ev.TransportCC != 1 {
			t.Errorf("our own scanner: %v", err)
		}
		packets = append(packets, fb)
		out = append(out, readTWCC(t, fb)...)
	}
	return out, packets
}

func TestTransportCCContents(t *testing.T) {
	const tick = 250 * time.Microsecond
	type in struct {
		seq uint16
		at  time.Duration
	}
	run := func(first uint16, n int, from, step time.Duration) (out []in) {
		for i := range n {
			out = append(out, in{first + uint16(i), from + time.Duration(i)*step})
		}
		return out
	}
	rows := []struct {
		name    string
		in      []in
		packets int
	}{
		{"one", []in{{7, 100 * ms}}, 1},
		{"in order", run(7, 100, 0, ms), 1},
		{"over the wrap", run(65500, 100, 0, ms), 1},
		{"every other", slices.DeleteFunc(run(0, 100, 0, ms), func(i in) bool { return i.seq%2 == 1 }), 1},
		{"one in a hundred", []in{{0, 0}, {100, ms}, {200, 2 * ms}}, 1},
		{"reordered", []in{{1, 0}, {3, ms}, {2, 2 * ms}, {4, 3 * ms}}, 1},
		{"slow", run(0, 20, 0, 100*ms), 1},
		{"mixed deltas", []in{{0, 0}, {1, ms}, {2, 200 * ms}, {3, 201 * ms}, {5, 202 * ms}, {6, 203 * ms}, {7, 600 * ms}, {8, 601 * ms}}, 1},
		{"within a tick", []in{{0, 0}, {1, tick / 4}, {2, tick / 2}, {3, tick}}, 1},
		{"too far apart for one packet", []in{{0, 0}, {1, 10 * time.Second}}, 2},
		{"too many for one packet", run(0, 1000, 0, ms), 3},
		{"clock past its 24 bits", run(5, 10, (1<<24)*64*ms-5*ms, ms), 1},
		{"days later", run(5, 10, 13*24*time.Hour, ms), 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := new(transportRecorder)
			want, low, high, last := make(map[uint16]int64), row.in[0].seq, row.in[0].seq, time.Duration(0)
			for _, p := range row.in {
				r.observe(p.seq, int64(p.at))
				want[p.seq] = int64(p.at / tick)
				if int16(p.seq-high) > 0 {
					high = p.seq
				}
				last = max(last, p.at)
			}
			got, packets := takeTWCC(t, r, int64(last))
			if len(packets) != row.packets {
				t.Errorf("%d packets", len(packets))
			}
			if len(got) != int(high-low)+1 || got[0].seq != low {
				t.Fatalf("%d packets from %d on, want %d from %d on", len(got), got[0].seq, high-low+1, low)
			}
			for i, g := range got {
				at, received := want[g.seq]
				if g.seq != low+uint16(i) || g.received != received || received && g.at != at%(1<<32) && g.at != at {
					t.Errorf("%+v, want received %v at %d", g, received, at)
				}
			}
			for i, p := range packets {
				if int(p.FbPktCount) != i || p.SenderSSRC != rigSelf || p.MediaSSRC != rigVideo {
					t.Errorf("packet %d: count %d, SSRCs %x, %x", i, p.FbPktCount, p.SenderSSRC, p.MediaSSRC)
				}
			}
			if _, again := takeTWCC(t, r, int64(last)); len(again) != 0 {
				t.Error("reported twice")
			}
		})
	}
}

func TestTransportCCContinues(t *testing.T) {
	r := new(transportRecorder)
	observe := func(now int64, seqs ...uint16) {
		for _, seq := range seqs {
			r.observe(seq, now)
		}
	}
	check := func(want ...uint16) { // what is reported as received
		t.Helper()
		got, _ := takeTWCC(t, r, second)
		var seqs []uint16
		for _, g := range got {
			if g.received {
				seqs = append(seqs, g.seq)
			}
		}
		if !slices.Equal(seqs, want) {
			t.Errorf("reported %v, want %v", seqs, want)
		}
	}
	observe(0, 10, 11, 13)
	check(10, 11, 13)
	observe(1, 15)
	got, _ := takeTWCC(t, r, second)
	if len(got) != 2 || got[0].seq != 14 || got[0].received || !got[1].received {
		t.Errorf("what is missing between two reports: %+v", got)
	}
	observe(2, 12) // after it was reported missing
	check(12, 13, 15)
	observe(3, 16)
	check(16)
	observe(4, 30000) // another beginning
	check(30000)
	observe(5, 30001, 5)
	check(5)
	if _, packets := takeTWCC(t, r, second); len(packets) != 0 {
		t.Error("something is left")
	}
}

// Whatever arrives, each packet of the window is reported, with its time.
func TestTransportCCProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := new(transportRecorder)
		next, now := rapid.Uint16().Draw(t, "first"), int64(0)
		arrived := make(map[uint16]int64)
		reported := make(map[uint16]int64)
		steps := rapid.IntRange(1, 400).Draw(t, "steps")
		for range steps {
			now += rapid.Int64Range(0, 20e6).Draw(t, "pause")
			seq := next
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				next += rapid.Uint16Range(1, 20).Draw(t, "loss")
				seq = next
				next++
			case 1:
				seq -= rapid.Uint16Range(1, 20).Draw(t, "late")
				if _, dup := arrived[seq]; dup {
					continue
				}
			default:
				next++
			}
			arrived[seq] = now / 250_000
			r.observe(seq, now)
			if rapid.IntRange(0, 20).Draw(t, "report") == 0 {
				noteTWCC(t, r, now, reported)
			}
		}
		noteTWCC(t, r, now, reported)
		if len(arrived) != len(reported) {
			t.Fatalf("%d arrived, %d reported", len(arrived), len(reported))
		}
		for seq, at := range arrived {
			if reported[seq] != at {
				t.Fatalf("%d: reported at %d, came at %d", seq, reported[seq], at)
			}
		}
	})
}

func noteTWCC(t *rapid.T, r *transportRecorder, now int64, reported map[uint16]int64) {
	got, _ := takeTWCC(t, r, now)
	for _, g := range got {
		if g.received {
			reported[g.seq] = g.at
		}
	}
}

// Sequence numbers at random, as a hostile publisher would choose them.
func TestTransportCCHostile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := new(transportRecorder)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now := rapid.Int64Range(0, 1e15).Draw(t, "now")
			r.observe(rapid.Uint16().Draw(t, "seq"), now)
			if rapid.Bool().Draw(t, "report") {
				takeTWCC(t, r, now+rapid.Int64Range(-1e6, 1e6).Draw(t, "skew"))
			}
		}
	})
}

// Several readers at once: nothing gets lost between them and the taker.
func TestTransportCCConcurrent(t *testing.T) {
	r := new(transportRecorder)
	const readers, each = 4, 5000
	var next sync.Mutex
	var seq uint16
	reported := make(map[uint16]bool)
	note := func() {
		got, _ := takeTWCC(t, r, second)
		for _, g := range got {
			if g.received {
				reported[g.seq] = true
			}
		}
	}
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for range each {
				next.Lock()
				mine := seq
				seq++
				next.Unlock()
				r.observe(mine, second)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		note()
	}
	note()
	// The readers may outrun the taker by more than the window; what the last
	// window holds must be there.
	for back := range uint16(transportBack) {
		if !reported[seq-1-back] {
			t.Errorf("%d is not reported", seq-1-back)
		}
	}
}

// One recorder for all tracks of a session, and feedback every 50 ms.
func TestTransportCCSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.NACK, c.PLI, c.FIR = false, false, false })
		defer r.close()
		audio := rigLayer()
		audio.SSRC = rigAudio
		other := r.u.NewTrack(TrackConfig{Mid: "1"}).NewUpTrack(audio)
		transport := uint16(65000)
		for i := range uint16(1000) { // 5 s
			ingestInto(t, r.layer, stamped(videoPacket(i, uint32(i), false), transport))
			p := stamped(videoPacket(i, uint32(i), false), transport+1)
			p.PayloadType = 111
			ingestInto(t, other, p)
			r.u.ObserveTransport(transport + 2)
			transport += 4 // one is lost
			time.Sleep(5 * ms)
		}
		time.Sleep(100 * ms)
		feedback, at := sentOf[*rtcp.TransportLayerCC](r.reports())
		next, received := uint16(65000), 0
		for i, fb := range feedback {
			if i > 0 && at[i]-at[i-1] < 50*ms || int(fb.FbPktCount) != i%256 {
				t.Errorf("feedback %d at %v after %v", fb.FbPktCount, at[i], at[i-1])
			}
			for _, s := range readTWCC(t, fb) {
				if s.received && s.seq == next-1 {
					continue // arrived while the report before was made, and so is in both
				}
				if s.seq != next {
					t.Fatalf("status of %d, want %d", s.seq, next)
				}
				if lost := (s.seq-65000)%4 == 3; lost == s.received {
					t.Errorf("%d: received %v", s.seq, s.received)
				}
				if s.received {
					received++
				}
				next++
			}
		}
		if received != 3000 || len(feedback) < 99 || len(feedback) > 102 {
			t.Errorf("%d packets in %d feedbacks", received, len(feedback))
		}
	})
}

// A microphone's packets are too few for feedback at every interval.
func TestTransportCCSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, func(c *UpTrackConfig) { c.NACK = false })
		defer r.close()
		for seq := range uint16(250) { // 5 s
			r.u.ObserveTransport(seq)
			time.Sleep(20 * ms)
		}
		for seq := uint16(250); seq < 260; seq++ { // and one every 400 ms, as in silence
			r.u.ObserveTransport(seq)
			time.Sleep(400 * ms)
		}
		feedback, _ := sentOf[*rtcp.TransportLayerCC](r.reports())
		received, silence := 0, 0
		for _, fb := range feedback {
			n := 0
			for _, s := range readTWCC(t, fb) {
				if s.received {
					n++
				}
			}
			if n == 1 {
				silence++
			}
			received += n
		}
		if received != 260 || len(feedback)-silence < 20 || len(feedback)-silence > 30 || silence < 9 {
			t.Errorf("%d packets in %d feedbacks, %d of them about one", received, len(feedback), silence)
		}
	})
}

// Many packets do not wait for the time.
func TestTransportCCEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{TransportCCEvery: time.Second}, func(c *UpTrackConfig) { c.NACK = false })
		defer r.close()
		time.Sleep(2 * time.Second)
		r.u.ObserveTransport(0)
		synctest.Wait()
		if feedback, _ := sentOf[*rtcp.TransportLayerCC](r.reports()); len(feedback) != 1 {
			t.Errorf("%d feedbacks for the first packet", len(feedback))
		}
		for seq := uint16(1); seq <= transportMany; seq++ {
			r.u.ObserveTransport(seq)
		}
		synctest.Wait()
		feedback, _ := sentOf[*rtcp.TransportLayerCC](r.reports())
		if len(feedback) != 1 || feedback[0].PacketStatusCount != transportMany {
			t.Errorf("%d feedbacks", len(feedback))
		}
	})
}
