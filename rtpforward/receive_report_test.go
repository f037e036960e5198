// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
)

// referenceReception computes what a report says from the list of arrivals,
// straight from the text of RFC 3550 with real numbers.
type referenceReception struct {
	first, highest uint64
	got            map[uint64]bool
	jitter, last   float64 // in units of the clock
	stamp          uint32
	priorExpected  uint64
	priorReceived  uint64
}

func (r *referenceReception) arrive(seq uint64, stamp uint32, at time.Duration) {
	if r.got == nil {
		r.got, r.first, r.highest = make(map[uint64]bool), seq, seq
		r.last, r.stamp = at.Seconds()*90000-float64(stamp), stamp
	}
	if seq > r.highest {
		r.highest = seq
		if stamp != r.stamp {
			transit := at.Seconds()*90000 - float64(stamp)
			r.jitter += (math.Abs(transit-r.last) - r.jitter) / 16
			r.last, r.stamp = transit, stamp
		}
	}
	r.got[seq] = true
}

func (r *referenceReception) lost() (total int64, fraction float64) {
	expected, received := r.highest-r.first+1, uint64(len(r.got))
	interval := expected - r.priorExpected
	lost := float64(interval) - float64(received-r.priorReceived)
	r.priorExpected, r.priorReceived = expected, received
	return int64(expected) - int64(received), max(lost, 0) / float64(interval)
}

func TestReceiverReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		rng := rand.New(rand.NewPCG(3, 4))
		synctest.Wait()
		var ref referenceReception
		var late []uint64
		seq, reports := uint64(65000), 0
		start := time.Now()
		for range 1000 { // 10 s, over the wrap
			stamp := func(seq uint64) uint32 { return uint32(seq) * 900 }
			time.Sleep(time.Duration(5000+rng.IntN(10000)) * time.Microsecond)
			synctest.Wait()
			now := time.Since(start)
			if got := r.reports(); len(got) > 0 {
				reports++
				checkReport(t, &ref, got)
			}
			switch rng.IntN(20) {
			case 0: // lost
			case 1:
				late = append(late, seq)
			default:
				r.video(uint16(seq), stamp(seq))
				ref.arrive(seq, stamp(seq), now)
			}
			if len(late) > 3 {
				r.video(uint16(late[0]), stamp(late[0]))
				ref.arrive(late[0], stamp(late[0]), now)
				late = late[1:]
			}
			seq++
		}
		if reports < 9 || reports > 11 {
			t.Errorf("%d reports in 10 s", reports)
		}
		if s := r.track.Stats(); math.Abs(s.Jitter.Seconds()*90000-ref.jitter) > 2 {
			t.Errorf("jitter %v, want %v units", s.Jitter, ref.jitter)
		}
		time.Sleep(1100 * ms)
		r.reports()
		time.Sleep(5 * time.Second)
		if got := r.reports(); len(got) != 0 {
			t.Errorf("%d reports on a source that is silent", len(got))
		}
	})
}

func checkReport(t *testing.T, ref *referenceReception, got []rigReport) {
	t.Helper()
	rr, _ := sentOf[*rtcp.ReceiverReport](got)
	if len(rr) != 1 || rr[0].SSRC != rigSelf || len(rr[0].Reports) != 1 {
		t.Fatalf("%v", got)
	}
	b := rr[0].Reports[0]
	total, fraction := ref.lost()
	if b.SSRC != rigVideo || uint64(b.LastSequenceNumber) != ref.highest || int64(b.TotalLost) != total {
		t.Errorf("SSRC %x, highest %d, lost %d; want %d and %d", b.SSRC, b.LastSequenceNumber, b.TotalLost, ref.highest, total)
	}
	if want := uint8(fraction * 256); b.FractionLost != want {
		t.Errorf("fraction lost %d, want %d", b.FractionLost, want)
	}
	if math.Abs(float64(b.Jitter)-ref.jitter) > 2 { // ours is in whole numbers
		t.Errorf("jitter %d, want %.1f", b.Jitter, ref.jitter)
	}
	if b.LastSenderReport != 0 || b.Delay != 0 {
		t.Errorf("LSR %d, DLSR %d without a sender report", b.LastSenderReport, b.Delay)
	}
}

// More layers than one report has room for.
func TestManyReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		synctest.Wait()
		for i := range uint32(70) {
			layer := rigLayer()
			plainLayer(&layer)
			layer.SSRC = i
			ingestInto(t, r.track.NewUpTrack(layer), videoPacket(1, 1, false))
		}
		time.Sleep(1100 * ms)
		rr, _ := sentOf[*rtcp.ReceiverReport](r.reports())
		seen := make(map[uint32]bool)
		for _, p := range rr {
			for _, b := range p.Reports {
				seen[b.SSRC] = true
			}
		}
		if len(seen) != 70 {
			t.Errorf("reported on %d layers", len(seen))
		}
	})
}

func TestReportsAnswerSenderReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		synctest.Wait()
		time.Sleep(600 * ms)
		r.video(1, 1)
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: rigVideo, NTPTime: 0x1234_5678_9abc_def0, RTPTime: 1}))
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: 5, NTPTime: 1, RTPTime: 1})) // not of this layer
		r.u.HandleRTCP([]byte{1, 2, 3})
		time.Sleep(500 * ms) // the report is at 1 s
		rr, _ := sentOf[*rtcp.ReceiverReport](r.reports())
		if len(rr) != 1 || len(rr[0].Reports) != 1 {
			t.Fatalf("%v", rr)
		}
		if b := rr[0].Reports[0]; b.LastSenderReport != 0x5678_9abc || b.Delay != 65536*4/10 {
			t.Errorf("LSR %x, DLSR %d", b.LastSenderReport, b.Delay)
		}
	})
}

// A source that changes its clock, or makes a pause, has no jitter from that.
func TestJitterStartsAnew(t *testing.T) {
	var r reception
	r.observe(1<<32, 0, 90000)
	r.observe(1<<32+1800, 30*second/1000, 90000) // 10 ms late
	want := r.jitter.Load()
	if want != 900/16 {
		t.Errorf("jitter %d", want)
	}
	r.observe(1<<32+3600, 100*second, 90000)
	if got := r.jitter.Load(); got != want {
		t.Errorf("jitter %d after a pause", got)
	}
	r.observe(1<<33, 101*second, 48000)
	if got := r.jitter.Load(); got != want {
		t.Errorf("jitter %d after another clock", got)
	}
	r.observe(1<<34, 101*second, 0) // a format without a clock
	if r.clock.Load() != 48000 {
		t.Errorf("clock %d", r.clock.Load())
	}
}

func TestCumulativeLossClamps(t *testing.T) {
	var r reception
	r.expected.Store(1 << 30)
	if b := r.block(1, 1<<16, 0); b.TotalLost != 1<<23-1 || b.FractionLost != 255 {
		t.Errorf("%+v", b)
	}
	r.received.Store(1<<30 + 5)
	if b := r.block(1, 1<<16, 0); b.TotalLost != -5 || b.FractionLost != 0 {
		t.Errorf("%+v", b)
	}
}

// Audio and video of a publisher keep their relation, whatever its clock says
// and however late a report comes.
func TestWallclock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, plainLayer)
		defer r.close()
		cfg := rigLayer()
		cfg.SSRC, cfg.Payloads = rigAudio, map[uint8]Format{111: formatOpus}
		audio := r.u.NewTrack(TrackConfig{Mid: "1"}).NewUpTrack(cfg)
		r.video(1, 90_000)
		if _, ok := r.layer.wallclock(1<<32 + 90_000); ok {
			t.Error("known before a sender report")
		}
		const theirs = uint64(77) << 32 // the publisher's NTP time
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: rigVideo, NTPTime: theirs, RTPTime: 90_000}))
		node := r.f.ntp(r.f.now())
		time.Sleep(300 * ms) // the audio report was under way for longer
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: rigAudio, NTPTime: theirs, RTPTime: 0xffff_ff00}))
		rows := []struct {
			name  string
			layer *UpTrack
			stamp uint64
			want  int64 // ns after the moment of the reports
		}{
			{"video, same moment", r.layer, 1<<32 + 90_000, 0},
			{"video, a second on", r.layer, 1<<32 + 180_000, second},
			{"video, earlier", r.layer, 1<<32 + 45_000, -second / 2},
			{"audio, same moment", audio, 1<<32 + 0xffff_ff00, 0},
			{"audio, over the wrap", audio, 1<<32 + 0xffff_ff00 + 4800, second / 10},
		}
		for _, row := range rows {
			got, ok := row.layer.wallclock(row.stamp)
			ahead := time.Duration(math.Round(float64(int64(got-node)) / (1 << 32) * 1e9))
			if !ok || (ahead-time.Duration(row.want)).Abs() > 2 {
				t.Errorf("%s: %v, want %v", row.name, ahead, time.Duration(row.want))
			}
		}
		// A publisher whose clock was set by an hour: followed, not believed for ever.
		r.u.HandleRTCP(marshalRTCP(t, &rtcp.SenderReport{SSRC: rigVideo, NTPTime: theirs + 3600<<32, RTPTime: 90_000}))
		if got, _ := r.layer.wallclock(1<<32 + 90_000); got != r.f.ntp(r.f.now()) {
			t.Errorf("%d off after the clock was set", int64(got-r.f.ntp(r.f.now()))>>32)
		}
	})
}
