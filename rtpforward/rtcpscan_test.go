// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pion/rtcp"
)

// marshalRTCP lets pion write a compound packet.
func marshalRTCP(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	buf, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func checkEvents(t *testing.T, name string, got, want RTCPEvents) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// feedback is a transport-wide report on five packets, one lost, one early.
func feedback() *rtcp.TransportLayerCC {
	return &rtcp.TransportLayerCC{
		Header:     rtcp.Header{Padding: true, Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 6},
		SenderSSRC: 1, MediaSSRC: 2, BaseSequenceNumber: 65534, PacketStatusCount: 5, ReferenceTime: 3, FbPktCount: 4,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.StatusVectorChunk{Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: []uint16{1, 1, 0, 2, 1, 0, 0}},
		},
		RecvDeltas: []*rtcp.RecvDelta{
			{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 1000},
			{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250},
			{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: -500},
			{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 0},
		},
	}
}

// compound is what a browser may send at once, and more.
func compound() []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.SenderReport{
			SSRC: 11, NTPTime: math.MaxUint64, RTPTime: 12, PacketCount: 13, OctetCount: 14,
			Reports: []rtcp.ReceptionReport{{SSRC: 21, FractionLost: 255, TotalLost: 0x7fffff, LastSequenceNumber: 22, Jitter: 23, LastSenderReport: 24, Delay: 25}},
		},
		&rtcp.ReceiverReport{SSRC: 31, Reports: []rtcp.ReceptionReport{{SSRC: 32, TotalLost: 0xffffff}, {SSRC: 33, TotalLost: 0x800000}}},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 11, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "name"}}}}},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 41, Nacks: []rtcp.NackPair{{PacketID: 65530, LostPackets: 0x8021}, {PacketID: 100}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 51},
		&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: 0, FIR: []rtcp.FIREntry{{SSRC: 61, SequenceNumber: 255}, {SSRC: 62, SequenceNumber: 0}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 2_000_000, SSRCs: []uint32{51, 61}},
		feedback(),
		&rtcp.Goodbye{Sources: []uint32{71, 72}, Reason: "bye"},
	}
}

func compoundEvents() RTCPEvents {
	return RTCPEvents{
		Reports: []ReportBlock{
			{Reporter: 11, SSRC: 21, FractionLost: 255, TotalLost: 0x7fffff, HighestSequence: 22, Jitter: 23, LastSR: 24, DelaySinceSR: 25},
			{Reporter: 31, SSRC: 32, TotalLost: -1},
			{Reporter: 31, SSRC: 33, TotalLost: -0x800000},
		},
		NACKs:         []NACKPair{{41, 65530}, {41, 65531}, {41, 0}, {41, 10}, {41, 100}},
		Keyframes:     []KeyframeRequest{{MediaSSRC: 51}, {MediaSSRC: 61, FIR: true, FIRSeq: 255}, {MediaSSRC: 62, FIR: true}},
		SenderReports: []SenderReport{{SSRC: 11, NTP: math.MaxUint64, RTP: 12, Packets: 13, Octets: 14}},
		REMB:          2_000_000,
		Byes:          []uint32{71, 72},
		TransportCC:   1,
	}
}

func TestScanRTCPCompound(t *testing.T) {
	var ev RTCPEvents
	for range 2 { // the second time with what the first left behind
		if err := ScanRTCP(marshalRTCP(t, compound()...), &ev); err != nil {
			t.Fatal(err)
		}
		checkEvents(t, "compound", ev, compoundEvents())
	}
	// Each packet alone, as reduced-size RTCP.
	for _, p := range compound() {
		if err := ScanRTCP(marshalRTCP(t, p), &ev); err != nil || ev.Malformed+ev.Unknown != 0 {
			t.Errorf("%T: %v, %+v", p, err, ev)
		}
	}
	ev.Reset()
	checkEvents(t, "after Reset", ev, RTCPEvents{})
}

// B8: packets that lie. Where the framing holds, what stands before and after
// counts; where it does not, what stands before.
func TestScanRTCPLies(t *testing.T) {
	const pli, after = "81ce0002 00000001 00000033", "81ce0002 00000001 00000044"
	one := []KeyframeRequest{{MediaSSRC: 0x33}}
	both := []KeyframeRequest{{MediaSSRC: 0x33}, {MediaSSRC: 0x44}}
	rows := []struct {
		name, hex string
		err       error
		unknown   int
	}{
		{"three bytes left", "81ce00", ErrRTCPFraming, 0},
		{"version 0", "01ce0002 00000001 00000044", ErrRTCPFraming, 0},
		{"version 3", "c1ce0002 00000001 00000044", ErrRTCPFraming, 0},
		{"length beyond the end", "81ce0006 00000001 00000044", ErrRTCPFraming, 0},
		{"length of 65535", "80c9ffff 00000001", ErrRTCPFraming, 0},
		{"padding of zero", "a1ce0003 00000001 00000044 00000000", ErrRTCPBody, 0},
		{"padding beyond the packet", "a1ce0003 00000001 00000044 0000000d", ErrRTCPBody, 0},
		{"padding without a body", "a1ce0000", ErrRTCPBody, 0},
		{"padding eats the body", "a1ce0003 00000001 00000044 0000000c", ErrRTCPBody, 0},
		{"RR of 31 blocks, none there", "9fc90001 00000001", ErrRTCPBody, 0},
		{"RR of 31 blocks, one there", "9fc90007 00000001" + strings.Repeat("00", 24), ErrRTCPBody, 0},
		{"RR without its SSRC", "80c90000", ErrRTCPBody, 0},
		{"SR cut", "80c80005 00000001" + strings.Repeat("00", 16), ErrRTCPBody, 0},
		{"SR of one block, none there", "81c80006 00000001" + strings.Repeat("00", 20), ErrRTCPBody, 0},
		{"BYE of 31 sources, one there", "9fcb0001 00000001", ErrRTCPBody, 0},
		{"BYE, reason too long", "81cb0002 00000001 04616263", ErrRTCPBody, 0},
		{"NACK without pairs", "81cd0002 00000001 00000033", ErrRTCPBody, 0},
		{"NACK without a source", "81cd0001 00000001", ErrRTCPBody, 0},
		{"NACK, half a pair", "a1cd0003 00000001 00000033 00010002", ErrRTCPBody, 0},
		{"PLI without a source", "81ce0001 00000001", ErrRTCPBody, 0},
		{"FIR without entries", "84ce0002 00000001 00000000", ErrRTCPBody, 0},
		{"FIR, half an entry", "84ce0003 00000001 00000000 00000033", ErrRTCPBody, 0},
		{"FIR, one and a half entries", "84ce0005 00000001 00000000 00000033 01000000 00000034", ErrRTCPBody, 0},
		{"REMB cut", "8fce0003 00000001 00000000 52454d42", ErrRTCPBody, 0},
		{"REMB of 255 sources, one there", "8fce0005 00000001 00000000 52454d42 ff100001 00000033", ErrRTCPBody, 0},
		{"application feedback without a source", "8fce0001 00000001", ErrRTCPBody, 0},
		{"transport-wide, cut", "8fcd0003 00000001 00000002 00000001", ErrRTCPBody, 0},
		{"transport-wide, about nothing", "8fcd0004 00000001 00000002 00000000 00000000", ErrRTCPBody, 0},
		{"transport-wide, no chunks", "8fcd0004 00000001 00000002 0000ffff 00000000", ErrRTCPBody, 0},
		{"transport-wide, run shorter than the count", "8fcd0005 00000001 00000002 00000005 00000000 00040000", ErrRTCPBody, 0},
		{"transport-wide, runs of no length", "8fcd0005 00000001 00000002 00000005 00000000 00000000", ErrRTCPBody, 0},
		{"transport-wide, reserved symbol in a run", "8fcd0005 00000001 00000002 00000001 00000000 60010000", ErrRTCPBody, 0},
		{"transport-wide, reserved symbol in a vector", "8fcd0005 00000001 00000002 00000001 00000000 f0000000", ErrRTCPBody, 0},
		{"transport-wide, 65535 received, deltas missing", "8fcd0009 00000001 00000002 0000ffff 00000000" + strings.Repeat("3fff", 9) + "0000", ErrRTCPBody, 0},
		{"transport-wide, one delta missing", "8fcd0005 00000001 00000002 00000003 00000000 20030000", ErrRTCPBody, 0},
		{"APP", "80cc0003 00000001 41424344 00000000", nil, 1},
		{"APP, garbage", "9fcc0000", nil, 1},
		{"XR, garbage", "80cf0002 00000001 ffffffff", nil, 1},
		{"SDES, garbage", "9fca0001 ffffffff", nil, 0},
		{"SLI", "82ce0003 00000001 00000033 00000000", nil, 1},
		{"congestion control feedback of RFC 8888", "8bcd0003 00000001 00000033 00000000", nil, 1},
		{"application feedback of others", "8fce0003 00000001 00000000 41424344", nil, 1},
		{"packet type 0", "80000000", nil, 1},
		{"packet type 255", "80ff0000", nil, 1},
	}
	var ev RTCPEvents
	for _, r := range rows {
		buf := unhex(t, pli+r.hex)
		if !errors.Is(r.err, ErrRTCPFraming) {
			buf = append(buf, unhex(t, after)...)
		}
		err := ScanRTCP(slices.Clip(buf), &ev)
		if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
			t.Errorf("%s: error %v, want %v", r.name, err, r.err)
		}
		want := RTCPEvents{Keyframes: both, Unknown: r.unknown}
		if errors.Is(r.err, ErrRTCPFraming) {
			want.Keyframes = one
		}
		if r.err != nil {
			want.Malformed = 1
		}
		checkEvents(t, r.name, ev, want)
	}
	if err := ScanRTCP(nil, &ev); !errors.Is(err, ErrRTCPFraming) {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestScanRTCPBounds(t *testing.T) {
	var packets []rtcp.Packet
	blocks := make([]rtcp.ReceptionReport, 31)
	var nacks []rtcp.NackPair
	for i := range 60 {
		nacks = append(nacks, rtcp.NackPair{PacketID: uint16(i * 17), LostPackets: 0xffff})
	}
	for range 3 { // 93 blocks, 3060 sequence numbers, 186 sources that leave, …
		packets = append(packets, &rtcp.ReceiverReport{SSRC: 1, Reports: blocks},
			&rtcp.TransportLayerNack{MediaSSRC: 2, Nacks: nacks},
			&rtcp.Goodbye{Sources: make([]uint32, 31)})
	}
	for range 100 {
		packets = append(packets, &rtcp.SenderReport{SSRC: 1}, &rtcp.PictureLossIndication{MediaSSRC: 2},
			&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 3}, {SSRC: 4}}})
	}
	buf := marshalRTCP(t, packets...)
	var ev RTCPEvents
	if err := ScanRTCP(buf, &ev); err != nil {
		t.Fatal(err)
	}
	got := []int{len(ev.Reports), len(ev.SenderReports), len(ev.Byes), len(ev.Keyframes)}
	if want := []int{MaxRTCPReports, MaxRTCPSenders, MaxRTCPByes, MaxRTCPKeyframes}; !slices.Equal(got, want) {
		t.Errorf("%v events, want %v", got, want)
	}
	if n := len(ev.NACKs); n > MaxRTCPNACKs || n < MaxRTCPNACKs-17 {
		t.Errorf("%d sequence numbers, want the most whole pairs in %d", n, MaxRTCPNACKs)
	}
	if !ev.Truncated {
		t.Error("not marked as truncated")
	}
	if err := ScanRTCP(marshalRTCP(t, compound()...), &ev); err != nil || ev.Truncated {
		t.Errorf("the next packet: %v, truncated %v", err, ev.Truncated)
	}
}

func TestScanRTCPEstimate(t *testing.T) {
	rows := []struct {
		name, field string // count, exponent, mantissa
		want        uint64
	}{
		{"zero", "00000000", 0},
		{"zero with an exponent", "00fc0000", 0},
		{"one", "00000001", 1},
		{"262143", "0003ffff", 262143},
		{"2^60", "00f00001", MaxREMB},
		{"the largest", "00ffffff", MaxREMB},
		{"2^36", "00900001", 1 << 36},
		{"2^37", "00940001", MaxREMB},
		{"just below the bound", "00517487", 95367 << 20},
		{"overflow of 64 bits to zero", "00fe0000", MaxREMB},
	}
	var ev RTCPEvents
	for _, r := range rows {
		if err := ScanRTCP(unhex(t, "8fce0004 00000001 00000000 52454d42"+r.field), &ev); err != nil || ev.REMB != r.want {
			t.Errorf("%s: %d, %v; want %d", r.name, ev.REMB, err, r.want)
		}
	}
}

// TestScanRTCPTransportCC checks the sizes of feedback that is whole.
func TestScanRTCPTransportCC(t *testing.T) {
	rows := []struct{ name, body string }{
		{"65535 lost", "0000ffff 00000000" + strings.Repeat("1fff", 9) + "0000"},
		{"a run of small deltas", "00000003 00000000 2003 010203 000000"},
		{"a run of large deltas", "00000003 00000000 4003 800001020304"},
		{"run longer than the count", "00000003 00000000 3fff 010203 000000"},
		{"14 of one bit", "0000000e 00000000 bfff" + strings.Repeat("01", 14)},
		{"one bit, symbols beyond the count", "00000002 00000000 bfff 0102"},
		{"7 of two bits", "00000007 00000000 d555 01020304050607 000000"},
		{"two bits, reserved symbol beyond the count", "00000001 00000000 dfff 0100"},
		{"repeated: base and count of one", "ffff0001 ffffffff 2001 0100"},
	}
	var ev RTCPEvents
	for _, r := range rows {
		body := unhex(t, "00000001 00000002"+r.body)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		buf := append([]byte{0x8f, 205, 0, byte(len(body) / 4)}, body...)
		if err := ScanRTCP(buf, &ev); err != nil || ev.TransportCC != 1 {
			t.Errorf("%s: %v, %d", r.name, err, ev.TransportCC)
		}
	}
}

// compareRTCP holds ev against pion's parser. pion gives up at the first packet
// that it does not like, so that only what it accepts is compared; it accepts
// some packets that we call malformed.
func compareRTCP(t *testing.T, buf []byte, ev *RTCPEvents) {
	t.Helper()
	packets, err := rtcp.Unmarshal(buf)
	if err != nil || ev.Truncated || ev.Malformed > 0 {
		return
	}
	var want RTCPEvents
	block := func(reporter uint32, r rtcp.ReceptionReport) {
		want.Reports = append(want.Reports, ReportBlock{
			Reporter: reporter, SSRC: r.SSRC, FractionLost: r.FractionLost, TotalLost: int32(r.TotalLost<<8) >> 8,
			HighestSequence: r.LastSequenceNumber, Jitter: r.Jitter, LastSR: r.LastSenderReport, DelaySinceSR: r.Delay,
		})
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			want.SenderReports = append(want.SenderReports, SenderReport{p.SSRC, p.NTPTime, p.RTPTime, p.PacketCount, p.OctetCount})
			for _, r := range p.Reports {
				block(p.SSRC, r)
			}
		case *rtcp.ReceiverReport:
			for _, r := range p.Reports {
				block(p.SSRC, r)
			}
		case *rtcp.TransportLayerNack:
			for _, pair := range p.Nacks {
				for _, sequence := range pair.PacketList() {
					want.NACKs = append(want.NACKs, NACKPair{p.MediaSSRC, sequence})
				}
			}
		case *rtcp.PictureLossIndication:
			want.Keyframes = append(want.Keyframes, KeyframeRequest{MediaSSRC: p.MediaSSRC})
		case *rtcp.FullIntraRequest:
			for _, entry := range p.FIR {
				want.Keyframes = append(want.Keyframes, KeyframeRequest{entry.SSRC, true, entry.SequenceNumber})
			}
		case *rtcp.Goodbye:
			want.Byes = append(want.Byes, p.Sources...)
		case *rtcp.TransportLayerCC:
			want.TransportCC++
		}
	}
	want.REMB, want.Unknown = ev.REMB, ev.Unknown
	if diff := cmp.Diff(want, *ev, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%x (-pion +got):\n%s", buf, diff)
	}
}

func TestScanRTCPAgainstPion(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(10, 11))
	var ev RTCPEvents
	accepted := 0
	for range 5_000 {
		packets := compound()
		rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
		buf := marshalRTCP(t, packets[:1+rng.IntN(len(packets))]...)
		if err := ScanRTCP(buf, &ev); err != nil {
			t.Fatalf("%x: %v", buf, err)
		}
		compareRTCP(t, buf, &ev)
		for range 1 + rng.IntN(4) { // and damaged, headers left alone more often than not
			buf[rng.IntN(len(buf))] = byte(rng.Uint32())
		}
		if ScanRTCP(buf, &ev) == nil {
			accepted++
		}
		compareRTCP(t, buf, &ev)
	}
	if accepted < 1000 {
		t.Errorf("only %d of the damaged packets could be compared", accepted)
	}
}

func TestScanRTCPAllocatesNothing(t *testing.T) {
	good := marshalRTCP(t, compound()...)
	bad := slices.Clone(good[:len(good)-2])
	var ev RTCPEvents
	if n := testing.AllocsPerRun(100, func() {
		if err := ScanRTCP(good, &ev); err != nil {
			t.Error(err)
		}
		if err := ScanRTCP(bad, &ev); err == nil {
			t.Error("a cut packet was accepted")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScanRTCP(b *testing.B) {
	buf := marshalRTCP(b, compound()...)
	var ev RTCPEvents
	b.ReportAllocs()
	for b.Loop() {
		if err := ScanRTCP(buf, &ev); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzScanRTCP(f *testing.F) {
	f.Add(marshalRTCP(f, compound()...))
	for _, p := range compound() {
		f.Add(marshalRTCP(f, p))
	}
	f.Fuzz(func(t *testing.T, buf []byte) {
		buf = slices.Clip(buf)
		var ev RTCPEvents
		err := ScanRTCP(buf, &ev)
		if (err != nil) != (ev.Malformed > 0 || len(buf) == 0) {
			t.Fatalf("%x: %v with %d malformed", buf, err, ev.Malformed)
		}
		if len(ev.Reports) > MaxRTCPReports || len(ev.SenderReports) > MaxRTCPSenders || len(ev.NACKs) > MaxRTCPNACKs ||
			len(ev.Keyframes) > MaxRTCPKeyframes || len(ev.Byes) > MaxRTCPByes || ev.REMB > MaxREMB {
			t.Fatalf("%x: out of bounds: %+v", buf, ev)
		}
		compareRTCP(t, buf, &ev)
	})
}
