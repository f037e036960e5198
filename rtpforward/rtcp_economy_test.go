// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
)

// feedbackKinds is all that clients send, as compound packets.
func feedbackKinds(t testing.TB) map[string][]byte {
	report := &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: slotSSRC}, {SSRC: slotRTXSSRC}}}
	kinds := map[string][]rtcp.Packet{
		"receiver report": {report},
		"sender report":   {&rtcp.SenderReport{SSRC: rigVideo, NTPTime: 1 << 40, RTPTime: 5}},
		"description": {report, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: 1, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "c"}},
		}}}},
		"goodbye": {report, &rtcp.Goodbye{Sources: []uint32{rigVideo}}},
		"NACK":    {report, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: slotSSRC, Nacks: []rtcp.NackPair{{PacketID: 3, LostPackets: 0xffff}}}},
		"PLI":     {report, &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: slotSSRC}},
		"FIR":     {report, &rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: slotSSRC, SequenceNumber: 3}}}},
		"REMB":    {report, &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 1e6, SSRCs: []uint32{slotSSRC}}},
		"transport-wide feedback": {&rtcp.TransportLayerCC{
			Header:     rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5, Padding: true},
			SenderSSRC: 1, PacketStatusCount: 2, PacketChunks: []rtcp.PacketStatusChunk{
				&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
			},
			RecvDeltas: []*rtcp.RecvDelta{
				{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250}, {Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250},
			},
		}},
	}
	out := map[string][]byte{
		"unknown":   {0x80, 204, 0, 2, 0, 0, 0, 1, 'n', 'a', 'm', 'e'},
		"damaged":   append(appendPLI(nil, 1, slotSSRC), 0x81, 206, 0, 9),
		"one wrong": append(append([]byte{0xa1, 206, 0, 0}, appendPLI(nil, 1, slotSSRC)...), 0x9f, 201, 0, 1, 0, 0, 0, 1),
	}
	for name, packets := range kinds {
		out[name] = marshalRTCP(t, packets...)
	}
	return out
}

// TestReceivedRTCPDoesNotAllocate, whatever it is and from whichever side it comes.
func TestReceivedRTCPDoesNotAllocate(t *testing.T) {
	for name, compound := range feedbackKinds(t) {
		t.Run(name, func(t *testing.T) {
			r := newEgressRig(t, Config{})
			up := r.source(true)
			d, _ := r.slot(up, &discard{}, videoSlot())
			ingest(up, keyPacket(up, base, 0, 0))
			r.step(0)
			down := func() {
				d.HandleRTCP(compound)
				r.s.step(0)
			}
			down()
			if n := testing.AllocsPerRun(200, down); n != 0 {
				t.Errorf("from a subscriber: %v allocations", n)
			}
			if n := d.shard.feedbackDropped.Load(); n != 0 {
				t.Errorf("%d were dropped", n)
			}
			p := newUplinkRig(t, Config{})
			defer p.close()
			p.u.HandleRTCP(compound)
			if n := testing.AllocsPerRun(200, func() { p.u.HandleRTCP(compound) }); n != 0 {
				t.Errorf("from a publisher: %v allocations", n)
			}
		})
	}
}

// TestUplinkHandleRTCP: one scan serves all layers of the session, and what is
// wrong in one part loses no other.
func TestUplinkHandleRTCP(t *testing.T) {
	r := newUplinkRig(t, Config{})
	defer r.close()
	cfg := rigLayer()
	cfg.SSRC = rigAudio
	audio := r.u.NewTrack(TrackConfig{Mid: "1"}).NewUpTrack(cfg)
	r.video(1, 0)
	ingestInto(t, audio, videoPacket(1, 0, false))
	sr := func(ssrc uint32, ntp uint64) []byte {
		return marshalRTCP(t, &rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp, RTPTime: 7})
	}
	wrong := [][]byte{{0x9f, 201, 0, 1, 0, 0, 0, 1}, {0xa0, 200, 0, 0}, {0x81, 203, 0, 0}}
	var compound []byte
	compound = append(append(compound, wrong[0]...), sr(rigVideo, 100<<32)...)
	compound = append(append(compound, wrong[1]...), sr(4711, 55<<32)...)
	compound = append(append(compound, sr(rigAudio, 200<<32)...), wrong[2]...)
	compound = append(compound, marshalRTCP(t, &rtcp.Goodbye{Sources: []uint32{4711, rigAudio}})...)
	r.u.HandleRTCP(append(compound, 0x80, 200, 0xff, 0xff))
	clear(compound) // it was not kept
	for layer, want := range map[*UpTrack]uint64{r.layer: 100 << 32, audio: 200 << 32} {
		if ntp, stamp, _, ok := layer.reception.sender.read(); !ok || ntp != want || stamp != 7 {
			t.Errorf("%x: report of %x, want %x", layer.cfg.SSRC, ntp, want)
		}
	}
	if r.layer.lastArrival() == 0 || audio.lastArrival() != 0 {
		t.Error("the wrong layer has ended")
	}
}

// TestReportsWakeNobody: a subscriber's plain report waits for the next packet or
// tick, what is asked for does not.
func TestReportsWakeNobody(t *testing.T) {
	r := newEgressRig(t, Config{})
	d, dt := r.slot(r.source(true), &discard{}, videoSlot())
	kinds := feedbackKinds(t)
	for name, wakes := range map[string]bool{
		"receiver report": false, "description": false, "REMB": false, "transport-wide feedback": false,
		"NACK": true, "PLI": true, "FIR": true,
	} {
		for _, asleep := range []bool{true, false} {
			r.s.sleeping.Store(asleep)
			d.HandleRTCP(kinds[name])
			woken := false
			select {
			case <-r.s.wake:
				woken = true
			default:
			}
			if woken != (wakes && asleep) || r.s.sleeping.Load() != (asleep && !woken) {
				t.Errorf("%s while asleep is %v: woken %v", name, asleep, woken)
			}
			r.step(0)
		}
	}
	r.s.sleeping.Store(false)
	if st := dt.Stats(); st.PLIs != 4 || st.NACKs != 34 || !dt.confirmed {
		t.Errorf("%+v", st)
	}
}

// BenchmarkFeedback is what a subscriber's compound packet costs, its shard's part
// included.
func BenchmarkFeedback(b *testing.B) {
	for name, compound := range feedbackKinds(b) {
		b.Run(name, func(b *testing.B) {
			r := newEgressRig(b, Config{})
			d, _ := r.slot(r.source(true), &discard{}, videoSlot())
			b.ReportAllocs()
			for b.Loop() {
				d.HandleRTCP(compound)
				r.s.step(0)
			}
		})
	}
}

// TestReportsAreSeenSoon, also by a shard that nothing wakes.
func TestReportsAreSeenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Shards: 1})
		d := f.NewDownlink(DownlinkConfig{})
		dt := d.NewDownTrack(videoSlot())
		<-dt.Unbind()
		for lost := uint32(1); lost < 30; lost++ {
			time.Sleep(time.Duration(lost) * 7 * time.Millisecond)
			d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, TotalLost: int32(lost)}}))
			time.Sleep(shardTick)
			synctest.Wait()
			if got := dt.Stats().Lost; got != int32(lost) {
				t.Fatalf("%d lost after %v, want %d", got, shardTick, lost)
			}
		}
		<-d.Close()
		f.Close()
	})
}
