// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
)

// reportRig runs a Forwarder in a bubble, with a publisher of sound and picture
// and one subscriber.
type reportRig struct {
	f            *Forwarder
	u            *Uplink
	video, audio *UpTrack
	d            *Downlink
	slots        [2]*DownTrack // video, audio
	writers      [2]*recorder

	mu   sync.Mutex
	rtcp [][]byte  // guarded by mu
	last time.Time // guarded by mu; when the last of rtcp was sent
}

func newReportRig() *reportRig {
	r := &reportRig{f: New(Config{Shards: 2})}
	r.u = r.f.NewUplink(UplinkConfig{})
	r.video = r.u.NewTrack(TrackConfig{Video: true}).NewUpTrack(upConfig())
	sound := upConfig()
	sound.SSRC = 99
	r.audio = r.u.NewTrack(TrackConfig{}).NewUpTrack(sound)
	r.writers = [2]*recorder{{}, {}}
	r.d = r.f.NewDownlink(DownlinkConfig{CNAME: "user@node", NewWriter: outWith(bySSRC{slotSSRC: r.writers[0], slotSSRC + 1: r.writers[1]}, func(b []byte) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rtcp, r.last = append(r.rtcp, append([]byte(nil), b...)), time.Now()
		return nil
	})})
	r.slots[0] = r.d.NewDownTrack(videoSlot())
	r.slots[1] = r.d.NewDownTrack(audioSlot())
	r.d.SetReady(true)
	<-r.slots[0].Bind(r.video.track, false)
	<-r.slots[1].Bind(r.audio.track, false)
	return r
}

func (r *reportRig) compounds() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rtcp
}

func (r *reportRig) lastSent() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *reportRig) close() {
	r.u.Close()
	<-r.d.Close()
	r.f.Close()
}

// play has the publisher send for a while, 50 packets a second of both. The
// publisher's clocks started at some random place; frame n was captured at n*20 ms.
func (r *reportRig) play(from, to uint64) {
	for n := from; n < to; n++ {
		payload := rigDelta
		if n == 0 {
			payload = rigKey
		}
		ingest(r.video, packet(r.video, base+n, 7_000_000+n*1800, 0, 96, payload))
		ingest(r.audio, packet(r.audio, base+n, 123_456+n*960, 0, 98, []byte{1}))
		time.Sleep(20 * time.Millisecond)
	}
	synctest.Wait()
}

func lastOf(compounds [][]byte) []byte { return compounds[len(compounds)-1] }

func senderReports(t *testing.T, compound []byte) map[uint32]*rtcp.SenderReport {
	packets, err := rtcp.Unmarshal(compound)
	if err != nil {
		t.Fatalf("%v: %x", err, compound)
	}
	reports := make(map[uint32]*rtcp.SenderReport)
	var described []string
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			reports[p.SSRC] = p
		case *rtcp.SourceDescription:
			for _, c := range p.Chunks {
				described = append(described, fmt.Sprint(c.Source, c.Items[0].Type, c.Items[0].Text))
			}
		default:
			t.Errorf("unexpected %T", p)
		}
	}
	if len(described) != len(reports) {
		t.Errorf("%d reports, described: %v", len(reports), described)
	}
	for ssrc := range reports {
		found := false
		for _, d := range described {
			found = found || d == fmt.Sprint(ssrc, rtcp.SDESCNAME, "user@node")
		}
		if !found {
			t.Errorf("SSRC %x has no CNAME: %v", ssrc, described)
		}
	}
	return reports
}

func TestSenderReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReportRig()
		defer r.close()
		r.play(0, 500)
		if n := len(r.compounds()); n < 10 || n > 12 {
			t.Fatalf("%d compound packets in 10 s, want one a second and one at the start", n)
		}
		last := senderReports(t, lastOf(r.compounds()))
		for i, slot := range r.slots {
			sr := last[slot.cfg.SSRC]
			if sr == nil {
				t.Fatalf("no report for slot %d", i)
			}
			sent := r.writers[i].take()
			octets := 0
			for _, w := range sent[:sr.PacketCount] {
				octets += len(w.payload)
			}
			if int(sr.OctetCount) != octets || len(sent) != 500 {
				t.Errorf("slot %d: %d packets with %d octets reported, were %d", i, sr.PacketCount, sr.OctetCount, octets)
			}
			// The report's moment lies on the line that the packets are on.
			rate := float64(slot.clock.rate)
			age := float64(int32(sr.RTPTime-sent[0].header.Timestamp)) / rate
			passed := ntpSeconds(sr.NTPTime - r.f.ntp(int64(sent[0].at.Sub(r.f.start))))
			if d := age - passed; d > 0.001 || d < -0.001 {
				t.Errorf("slot %d: %f s of RTP time in %f s", i, age, passed)
			}
		}
	})
}

func ntpSeconds(d uint64) float64 { return float64(int64(d)) / (1 << 32) }

// TestLipSync: a publisher whose picture is 100 ms behind its sound on the wire
// says so in its sender reports, and the subscriber's reports still say it.
func TestLipSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReportRig()
		defer r.close()
		r.play(0, 25)
		report := func(up *UpTrack, ntp uint64, rtpTime uint32) {
			b := appendRTCPHeader(nil, rtcpSR, 0, 7)
			b = binary.BigEndian.AppendUint32(b, up.cfg.SSRC)
			b = binary.BigEndian.AppendUint64(b, ntp)
			b = binary.BigEndian.AppendUint32(b, rtpTime)
			up.uplink.HandleRTCP(binary.BigEndian.AppendUint64(b, 0))
		}
		theirs := uint64(55555) << 32 // a clock that has nothing to do with ours
		report(r.audio, theirs, uint32(123_456+25*960))
		report(r.video, theirs, uint32(7_000_000+25*1800-9000)) // 100 ms
		r.play(25, 300)
		last := senderReports(t, lastOf(r.compounds()))
		// captured says when a packet was captured, by the report of its slot.
		captured := func(i int, w written) float64 {
			sr := last[r.slots[i].cfg.SSRC]
			return ntpSeconds(sr.NTPTime-1<<63) + float64(int32(w.header.Timestamp-sr.RTPTime))/float64(r.slots[i].clock.rate)
		}
		video, audio := r.writers[0].take(), r.writers[1].take()
		for n := range video {
			if d := captured(0, video[n]) - captured(1, audio[n]) - 0.1; d > 0.001 || d < -0.001 {
				t.Fatalf("packet %d: picture and sound are %f s apart from what the publisher said", n, d)
			}
		}
	})
}

// TestRoundTripTime comes from a receiver report on one of our sender reports.
func TestRoundTripTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReportRig()
		defer r.close()
		r.play(0, 100)
		sr := senderReports(t, lastOf(r.compounds()))[slotSSRC]
		time.Sleep(time.Until(r.lastSent().Add(1250 * time.Millisecond)))
		r.d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{
			SSRC: slotSSRC, FractionLost: 12, TotalLost: 34, Jitter: 900,
			LastSR: uint32(sr.NTPTime >> 16), DelaySinceSR: 1 << 16 * 12 / 10,
		}}))
		time.Sleep(shardTick) // nobody waits for a report, so it wakes no shard
		synctest.Wait()
		st := r.slots[0].Stats()
		if d := st.RTT - 50*time.Millisecond; d > time.Millisecond || d < -time.Millisecond {
			t.Errorf("round trip %v, want 50 ms", st.RTT)
		}
		if st.Lost != 34 || st.FractionLost != 12 || st.Jitter != 10*time.Millisecond {
			t.Errorf("%+v", st)
		}
		// A report on what we never sent measures nothing.
		r.d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, LastSR: 4711, DelaySinceSR: 1}}))
		time.Sleep(shardTick)
		synctest.Wait()
		if now := r.slots[0].Stats(); now.RTT != st.RTT || now.Lost != 0 {
			t.Errorf("%+v", now)
		}
	})
}

// TestReportsOfManySlots stay below the size of a datagram.
func TestReportsOfManySlots(t *testing.T) {
	r := newEgressRig(t, Config{})
	up := r.source(false)
	var compounds [][]byte
	d := r.f.NewDownlink(DownlinkConfig{CNAME: "user@node", NewWriter: outWith(&discard{}, func(b []byte) error {
		compounds = append(compounds, append([]byte(nil), b...))
		return nil
	})})
	d.SetReady(true)
	const slots = 100
	for i := range slots {
		cfg := audioSlot()
		cfg.SSRC = uint32(1000 + i)
		d.NewDownTrack(cfg).Bind(up.track, false)
	}
	r.step(0)
	r.push(packet(up, base, 0, 0, 98, nil))
	r.step(0)
	d.sendReports(1)
	seen := 0
	for _, c := range compounds {
		if len(c) > reportSize {
			t.Errorf("a compound packet of %d bytes", len(c))
		}
		seen += len(senderReports(t, c))
	}
	if seen != slots {
		t.Errorf("%d reports in %d packets, want %d", seen, len(compounds), slots)
	}
	compounds = nil
	d.sendReports(2)
	if len(compounds) != 0 {
		t.Error("reports about slots that have sent nothing since")
	}
}

// TestReportOfSourceBegunAnew: between a jump of the source's numbers, after which
// its clock means nothing, and what is shown next of it there is no report.
func TestReportOfSourceBegunAnew(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, reports := r.source(true), 0
	w := &recorder{}
	d := r.f.NewDownlink(DownlinkConfig{CNAME: "c", NewWriter: outWith(w, func([]byte) error { reports++; return nil })})
	dt := d.NewDownTrack(videoSlot())
	dt.SetWish(Wish{Preference: Preference{Temporal: 1}})
	d.SetReady(true)
	dt.Bind(up.track, false)
	r.step(0)
	n := base
	show := func(temporal byte, key bool) {
		n++
		payload := []byte{0x90, 0x20, temporal<<6 | 0x20, 0x11, 0, 0}
		if key {
			payload = append(payload[:3:3], 0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0)
		}
		r.push(packet(up, n, (n-base)*3000, 0, 96, payload))
		r.step(0)
	}
	turn := func() { // a report interval
		for range r.s.phases {
			r.s.tick(r.f.now())
		}
	}
	show(0, true)
	show(2, false)
	if turn(); reports != 1 || len(w.take()) != 1 {
		t.Fatalf("%d reports", reports)
	}
	show(0, false)
	n += 5000
	show(2, false) // of a layer that is not shown
	if turn(); reports != 1 {
		t.Errorf("%d reports, one of them of a clock that nobody knows", reports)
	}
	show(0, true)
	if turn(); reports != 2 || len(w.take()) != 2 {
		t.Errorf("%d reports after what was shown", reports)
	}
}
