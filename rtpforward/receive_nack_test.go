// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
)

// quietLayer leaves only NACKs and reports.
func quietLayer(c *UpTrackConfig) { c.TransportCC, c.PLI, c.FIR = false, false, false }

const ms = time.Millisecond

func TestNACKTiming(t *testing.T) {
	type ask struct {
		at   time.Duration
		seqs []uint16
	}
	rows := []struct {
		name string
		feed func(*uplinkRig)
		span time.Duration
		want []ask
	}{
		{"late by less than the allowance", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
			time.Sleep(9 * ms)
			r.video(1, 0)
		}, time.Second, nil},
		{"asked after the allowance", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
		}, 15 * ms, []ask{{10 * ms, []uint16{1}}}},
		{"overtaken by three", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
			time.Sleep(ms)
			r.video(3, 0)
			time.Sleep(ms)
			r.video(4, 0)
		}, 15 * ms, []ask{{2 * ms, []uint16{1}}}},
		{"two that were lost together", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(3, 0)
			time.Sleep(ms)
			r.video(4, 0)
			time.Sleep(ms)
			r.video(5, 0)
		}, 15 * ms, []ask{{ms, []uint16{1, 2}}}},
		{"gap of many, in one packet", func(r *uplinkRig) {
			r.video(65530, 0)
			r.video(20, 0)
		}, 5 * ms, []ask{{0, seqRange16(65531, 25)}}},
		{"repeated until given up", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
		}, 3 * time.Second, []ask{
			{10 * ms, []uint16{1}},
			{110 * ms, []uint16{1}},
			{210 * ms, []uint16{1}},
			{310 * ms, []uint16{1}},
			{410 * ms, []uint16{1}},
			{510 * ms, []uint16{1}},
			{610 * ms, []uint16{1}},
			{710 * ms, []uint16{1}},
			{810 * ms, []uint16{1}},
			{910 * ms, []uint16{1}},
		}},
		{"no longer than the history", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
			time.Sleep(250 * ms)
			for seq := uint16(3); seq < 1100; seq++ {
				r.video(seq, 0)
			}
		}, 3 * time.Second, []ask{{10 * ms, []uint16{1}}, {110 * ms, []uint16{1}}, {210 * ms, []uint16{1}}}},
		{"stops with the answer", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
			time.Sleep(50 * ms)
			r.video(1, 0)
		}, time.Second, []ask{{10 * ms, []uint16{1}}}},
		{"every round trip, once it is known", func(r *uplinkRig) {
			r.video(0, 0)
			r.video(2, 0)
			time.Sleep(50 * ms) // 40 ms after the request
			r.video(1, 0)
			time.Sleep(150 * ms)
			r.video(4, 0) // at 200
		}, 105 * ms, []ask{
			{10 * ms, []uint16{1}}, {210 * ms, []uint16{3}}, {255 * ms, []uint16{3}}, {300 * ms, []uint16{3}},
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newUplinkRig(t, Config{}, quietLayer)
				defer r.close()
				synctest.Wait()
				row.feed(r)
				time.Sleep(row.span)
				synctest.Wait()
				var got []ask
				nacks, at := sentOf[*rtcp.TransportLayerNack](r.reports())
				for i, n := range nacks {
					var seqs []uint16
					for _, pair := range n.Nacks {
						seqs = append(seqs, pair.PacketList()...)
					}
					got = append(got, ask{at[i], seqs})
					if n.MediaSSRC != rigVideo || n.SenderSSRC != rigSelf {
						t.Errorf("SSRCs %x, %x", n.SenderSSRC, n.MediaSSRC)
					}
				}
				if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(ask{})); diff != "" {
					t.Error(diff)
				}
				asked := 0
				for _, a := range row.want {
					asked += len(a.seqs)
				}
				if s := r.track.Stats(); int(s.NACKsSent) != asked {
					t.Errorf("%d asked for, counted %d", asked, s.NACKsSent)
				}
			})
		})
	}
}

func seqRange16(first uint16, n int) (out []uint16) {
	for i := range n {
		out = append(out, first+uint16(i))
	}
	return out
}

func TestNACKBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, quietLayer)
		defer r.close()
		r.video(0, 0)
		r.video(1000, 0) // 999 are missing
		time.Sleep(50 * ms)
		nacks, _ := sentOf[*rtcp.TransportLayerNack](r.reports())
		var seqs []uint16
		for _, n := range nacks {
			for _, pair := range n.Nacks {
				seqs = append(seqs, pair.PacketList()...)
			}
		}
		if !slices.Equal(seqs, seqRange16(1000-missingMost, missingMost)) {
			t.Errorf("asked for %d packets: %v", len(seqs), seqs)
		}
		if len(nacks) > 4 {
			t.Errorf("in %d packets", len(nacks))
		}
	})
}

func TestNACKNotNegotiated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, quietLayer, func(c *UpTrackConfig) { c.NACK = false })
		defer r.close()
		r.video(0, 0)
		r.video(20, 0)
		time.Sleep(time.Second)
		if nacks, _ := sentOf[*rtcp.TransportLayerNack](r.reports()); len(nacks) != 0 {
			t.Errorf("asked %d times", len(nacks))
		}
	})
}

func TestNACKStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, quietLayer)
		defer r.close()
		synctest.Wait()
		for _, seq := range []uint16{0, 1, 3, 2, 5, 6, 7} { // 2 is only late, 4 is missing
			r.video(seq, 0)
		}
		time.Sleep(60 * ms)
		r.video(4, 0) // 60 ms after it was asked for, having been overtaken
		time.Sleep(100 * ms)
		s := r.track.Stats()
		checkIdentity(t, s)
		if s.Recovered != 1 || s.NACKsSent != 1 || s.Lost != 0 || s.RTT != 60*ms {
			t.Errorf("recovered %d, asked %d, lost %d, RTT %v", s.Recovered, s.NACKsSent, s.Lost, s.RTT)
		}
	})
}

// After a jump what was dropped on probation is asked for, and nothing of the
// stretch that was never sent.
func TestNACKAfterJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{}, quietLayer)
		defer r.close()
		r.video(0, 0)
		for seq := uint16(40000); seq < 40013; seq++ {
			r.video(seq, 1)
		}
		time.Sleep(20 * ms)
		nacks, _ := sentOf[*rtcp.TransportLayerNack](r.reports())
		if len(nacks) != 1 || len(nacks[0].Nacks) != 1 || !slices.Equal(nacks[0].Nacks[0].PacketList(), seqRange16(40000, 7)) {
			t.Errorf("asked for %v", nacks)
		}
	})
}

// TestRecoveryUnderLoss sends 20 s of video over 50 ms and 5 % loss each way,
// which also hit requests and retransmissions.
func TestRecoveryUnderLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, delay = 20 * 200, 50 * ms
		rng := rand.New(rand.NewPCG(1, 2))
		lost := func() bool { return rng.IntN(100) < 5 }
		type arrival struct {
			at  time.Duration
			seq uint16
		}
		r := newUplinkRig(t, Config{}, quietLayer)
		defer r.close()
		start := time.Now()
		var line []arrival // what is under way; the packets of one instant in order
		send := func(seq uint16, at time.Duration) {
			if !lost() {
				line = append(line, arrival{at + delay, seq})
			}
		}
		retransmissions := 0
		for i := 0; time.Since(start) < 22*time.Second; i++ {
			now := time.Since(start)
			if i%5 == 0 && i/5 < n {
				send(uint16(65000+i/5), now)
			}
			reports := r.reports()
			nacks, at := sentOf[*rtcp.TransportLayerNack](reports)
			for j, nack := range nacks {
				if lost() {
					continue
				}
				for _, pair := range nack.Nacks {
					for _, seq := range pair.PacketList() {
						retransmissions++
						send(seq, at[j]+delay)
					}
				}
			}
			slices.SortStableFunc(line, func(a, b arrival) int { return int(a.at - b.at) })
			for len(line) > 0 && line[0].at <= now {
				r.video(line[0].seq, uint32(line[0].seq))
				line = line[1:]
			}
			time.Sleep(ms)
			synctest.Wait()
		}
		s := r.track.Stats()
		checkIdentity(t, s)
		t.Logf("accepted %d of %d, recovered %d, asked %d, retransmitted %d, duplicates %d",
			s.Accepted, n, s.Recovered, s.NACKsSent, retransmissions, s.Drops[DropDuplicate])
		// The first packets cannot be missed if they are the ones that got lost.
		if missing := n - int(s.Accepted); missing > n/1000 {
			t.Errorf("%d of %d packets missing in the end", missing, n)
		}
		if s.Recovered < n/25 {
			t.Errorf("recovered %d", s.Recovered)
		}
		if s.NACKsSent > 2*n*5/100 {
			t.Errorf("asked %d times for about %d lost packets", s.NACKsSent, n*5/100)
		}
	})
}
