// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// sorter is a demux with what a session puts around it.
type sorter struct {
	demux
	t       *testing.T
	forward *rtpforward.Forwarder
	uplink  *rtpforward.Uplink
	formats *formats
	sources map[string]*source
	lines   []line
	offers  uint64
	numbers map[uint32]uint16 // next sequence number, by SSRC

	strangers atomic.Uint64 // atomic: written by the demux, read by the test

	mu       sync.Mutex
	feedback [][]byte // written by the uplink
}

func newSorter(t *testing.T, sections ...string) *sorter {
	t.Helper()
	s := &sorter{
		t: t, forward: rtpforward.New(rtpforward.Config{Shards: 1}), formats: newFormats(), sources: make(map[string]*source),
		numbers: make(map[uint32]uint16),
	}
	s.uplink = s.forward.NewUplink(rtpforward.UplinkConfig{SSRC: 1, WriteRTCP: func(b []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.feedback = append(s.feedback, slices.Clone(b))

		return nil
	}})
	s.init(&s.strangers)
	t.Cleanup(s.stop)
	s.offer(sections...)

	return s
}

func (s *sorter) stop() {
	s.close()
	s.uplink.Close()
	s.forward.Close()
}

// offer does with an offer what a session does, as far as the demux is concerned.
func (s *sorter) offer(sections ...string) {
	s.t.Helper()
	s.offers++
	o, err := parseOffer(sdpText(sections...), s.offers, testConfig(s.t), s.lines)
	if err != nil {
		s.t.Fatal(err)
	}
	s.lines = o.decide(s.lines)
	agreements, err := o.agree(s.lines, s.formats)
	if err != nil {
		s.t.Fatal(err)
	}
	var ups []*upLine
	for i, l := range s.lines {
		if l.role != roleSource || !l.active {
			continue
		}
		if s.sources[l.mid] == nil {
			s.sources[l.mid] = &source{mid: l.mid, track: s.uplink.NewTrack(rtpforward.TrackConfig{Mid: l.mid, Video: l.kind == router.Video})}
		}
		ups = append(ups, newUpLine(&agreements[i], s.sources[l.mid]))
	}
	if s.update(s.uplink, ups, len(s.lines)) {
		s.t.Error("an offer counts as a flood")
	}
}

// sent is one packet of a client.
type sent struct {
	ssrc               uint32
	payload            uint8
	mid, rid, repaired string
	want               string // "mid/rid", with "+" for a retransmission; empty: nobody's
}

const (
	idMid, idRid, idRepaired, idTransport = 4, 10, 11, 3

	layered = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n" +
		"a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
	transported = "a=rtcp-fb:96 transport-cc\na=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	midOnly     = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"
)

func (s *sorter) packet(p sent) []byte {
	s.t.Helper()
	number := s.numbers[p.ssrc]
	s.numbers[p.ssrc]++
	out := rtp.Packet{Header: rtp.Header{
		Version: 2, SSRC: p.ssrc, PayloadType: p.payload, SequenceNumber: 1000 + number, Timestamp: 3000 * uint32(number), Marker: true,
	}, Payload: []byte{0, 9, 0x10, 0, 0, 0}}
	for id, value := range map[uint8]string{idMid: p.mid, idRid: p.rid, idRepaired: p.repaired} {
		if value == "" {
			continue
		}
		if err := out.SetExtension(id, []byte(value)); err != nil {
			s.t.Fatal(err)
		}
	}
	b, err := out.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}

	return b
}

// received is how many packets every source has got.
func (s *sorter) received() map[string]uint64 {
	out := make(map[string]uint64)
	for mid, src := range s.sources {
		out[mid] = src.track.Stats().Received
	}

	return out
}

// send hands a packet over, and looks at who has got it.
func (s *sorter) send(what string, p sent) {
	s.t.Helper()
	before, strangers := s.received(), s.strangers.Load()
	if s.media(s.packet(p)) {
		s.t.Errorf("%s: a flood", what)
	}
	got := ""
	for mid, n := range s.received() {
		if n == before[mid] {
			continue
		}
		st, repair := s.streams[p.ssrc], ""
		if st.of != nil {
			st, repair = st.of, "+"
		}
		got += mid + "/" + st.rid + repair
	}
	if counted := s.strangers.Load() != strangers; counted == (got != "") {
		t := "not "
		if counted {
			t = ""
		}
		s.t.Errorf("%s: %+v went to %q and was %scounted as nobody's", what, p, got, t)
	}
	if got != p.want {
		s.t.Errorf("%s: %+v went to %q", what, p, got)
	}
}

// layers lists the running streams as "mid/rid:ssrc".
func (s *sorter) layers() []string {
	var out []string
	for ssrc, st := range s.streams {
		if st.up != nil {
			out = append(out, fmt.Sprintf("%s/%s:%d", st.line.source.mid, st.rid, ssrc))
		}
	}
	slices.Sort(out)

	return out
}

func TestDemux(t *testing.T) {
	audio := func(mid int, extra ...string) string {
		return section(mid, "audio", "sendonly", append([]string{midOnly}, extra...)...)
	}
	video := func(mid int, extra ...string) string {
		return section(mid, "video", "sendonly", append([]string{layered}, extra...)...)
	}
	simulcast := video(0, "a=rid:h send\na=rid:l send\na=simulcast:send h;l")
	for name, c := range map[string]struct {
		offers [][]string // of the sections; the first is made at once, the others where a packet has no SSRC
		sent   []sent
		layers []string
	}{
		"announced by SSRC": {
			[][]string{{audio(0, "a=ssrc:1 cname:x"), video(1, "a=ssrc-group:FID 2 3\na=ssrc:2 cname:x\na=ssrc:3 cname:x")}},
			[]sent{
				{1, 111, "", "", "", "0/"},
				{3, 97, "", "", "", "1/+"}, // its stream has begun with the answer
				{2, 96, "", "", "", "1/"},
				{2, 50, "", "", "", "1/"}, // an unknown payload type is the layer's to count
				{2, 97, "", "", "", "1/"}, // retransmitted on the stream itself
				{9, 111, "", "", "", ""},  // announced by nobody, and both lines have said what they send
			},
			[]string{"0/:1", "1/:2"},
		},
		"simulcast by mid and rid": {
			[][]string{{simulcast}},
			[]sent{
				{1, 96, "0", "h", "", "0/h"},
				{2, 96, "0", "l", "", "0/l"},
				{1, 96, "", "", "", "0/h"}, // known by now
				{3, 97, "0", "", "h", "0/h+"},
				{4, 97, "0", "", "l", "0/l+"},
				{3, 97, "", "", "", "0/h+"},
				{5, 97, "0", "", "", ""},  // repairs it does not say which
				{6, 96, "0", "", "", ""},  // is a layer it does not say which
				{7, 96, "0", "x", "", ""}, // is a layer that was not offered
				{8, 96, "1", "h", "", ""}, // is of a line that is not there
				{9, 96, "", "h", "", ""},
				{7, 96, "0", "h", "", "0/h"}, // says it now, and takes the layer over
				{1, 96, "0", "h", "", ""},    // and the former is past, whatever it says
				{1, 96, "", "", "", ""},
				{10, 97, "0", "", "h", "0/h+"},
			},
			[]string{"0/h:7", "0/l:2"},
		},
		"by mid": {
			[][]string{{audio(0), video(1)}},
			[]sent{
				{1, 111, "0", "", "", "0/"},
				{2, 96, "1", "", "", "1/"},
				{3, 97, "1", "", "", "1/+"}, // of the only layer
				{4, 96, "1", "", "", "1/"},  // the browser has started again
				{2, 96, "", "", "", ""},
				{3, 97, "", "", "", ""},
				{5, 97, "1", "", "", "1/+"},
			},
			[]string{"0/:1", "1/:4"},
		},
		"nothing is announced": {
			[][]string{{section(0, "audio", "sendonly")}},
			[]sent{{7, 111, "", "", "", "0/"}, {8, 5, "", "", "", ""}, {9, 111, "", "", "", "0/"}, {7, 111, "", "", "", ""}},
			[]string{"0/:9"},
		},
		"nothing is announced, payload types differ": {
			[][]string{{section(0, "audio", "sendonly"), section(1, "video", "sendonly"), section(2, "audio", "recvonly")}},
			[]sent{{8, 97, "", "", "", ""}, {7, 111, "", "", "", "0/"}, {6, 96, "", "", "", "1/"}, {8, 97, "", "", "", "1/+"}},
			[]string{"0/:7", "1/:6"},
		},
		"nothing is announced, payload types are shared": {
			[][]string{{section(0, "audio", "sendonly"), section(1, "audio", "sendonly")}},
			[]sent{{7, 111, "", "", "", ""}},
			nil,
		},
		"an announced SSRC with another line's mid": {
			[][]string{{audio(0, "a=ssrc:1 cname:x"), audio(1, "a=ssrc:2 cname:x")}},
			[]sent{{1, 111, "1", "", "", "0/"}, {3, 111, "1", "", "", "1/"}, {2, 111, "", "", "", "1/"}},
			[]string{"0/:1", "1/:2", "1/:3"},
		},
		"an SSRC goes to another line": {
			[][]string{
				{audio(0, "a=ssrc:1 cname:x"), audio(1, "a=ssrc:2 cname:x")},
				{audio(0, "a=ssrc:3 cname:x"), audio(1, "a=ssrc:1 cname:x")},
			},
			[]sent{{1, 111, "", "", "", "0/"}, {}, {1, 111, "", "", "", "1/"}, {3, 111, "", "", "", "0/"}, {2, 111, "", "", "", ""}},
			[]string{"0/:3", "1/:1"},
		},
		"retransmissions become media": {
			[][]string{
				{video(0, "a=ssrc-group:FID 2 3\na=ssrc:2 cname:x\na=ssrc:3 cname:x")},
				{video(0, "a=ssrc-group:FID 3 2\na=ssrc:2 cname:x\na=ssrc:3 cname:x")},
			},
			[]sent{{2, 96, "", "", "", "0/"}, {3, 97, "", "", "", "0/+"}, {}, {3, 96, "", "", "", "0/"}, {2, 97, "", "", "", "0/+"}},
			[]string{"0/:3"},
		},
		"a line goes and comes back": {
			[][]string{
				{simulcast},
				{section(0, "video", "inactive", layered)},
				{simulcast},
			},
			[]sent{
				{1, 96, "0", "h", "", "0/h"},
				{2, 97, "0", "", "h", "0/h+"},
				{},
				{1, 96, "", "", "", ""},
				{2, 97, "", "", "", ""},
				{},
				{2, 97, "", "", "", ""},
				{1, 96, "", "", "", "0/h"}, // browsers do not say again what a stream is
				{2, 97, "", "", "", "0/h+"},
			},
			[]string{"0/h:1"},
		},
		"other payload types": {
			[][]string{
				{simulcast},
				{"m=video 9 UDP/TLS/RTP/SAVPF 98 99\nc=IN IP4 0.0.0.0\na=rtpmap:98 VP8/90000\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\n" +
					simulcast[len("m=video 9 UDP/TLS/RTP/SAVPF 96 97\nc=IN IP4 0.0.0.0\na=rtpmap:96 VP8/90000\na=rtcp-fb:96 nack\n")+
						len("a=rtcp-fb:96 nack pli\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"):]},
			},
			[]sent{
				{1, 96, "0", "h", "", "0/h"},
				{2, 97, "0", "", "h", "0/h+"},
				{},
				{1, 98, "", "", "", "0/h"},
				{2, 99, "", "", "", "0/h+"},
			},
			[]string{"0/h:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSorter(t, c.offers[0]...)
			next := 1
			for i, p := range c.sent {
				if p == (sent{}) {
					s.offer(c.offers[next]...)
					next++

					continue
				}
				s.send(fmt.Sprint("packet ", i), p)
			}
			if diff := cmp.Diff(c.layers, s.layers()); diff != "" {
				t.Errorf("layers: %s", diff)
			}
		})
	}
}

// TestDemuxCountsOtherPayloads: what a layer's client sends under a payload type that was not agreed to is counted as that.
func TestDemuxCountsOtherPayloads(t *testing.T) {
	s := newSorter(t, section(0, "audio", "sendonly", "a=ssrc:1 cname:x"))
	s.send("known", sent{1, 111, "", "", "", "0/"})
	s.send("unknown", sent{1, 5, "", "", "", "0/"})
	if got := s.sources["0"].track.Stats(); got.Accepted != 1 || got.Drops[rtpforward.DropPayloadType] != 1 {
		t.Errorf("%+v", got)
	}
}

// TestDemuxFlood has a client use one SSRC after the other, some of them as a layer: that is told once, and what is kept has
// a bound. SSRCs that take turns make no new layers.
func TestDemuxFlood(t *testing.T) {
	s := newSorter(t, section(0, "audio", "sendonly", midOnly))
	floods := 0
	for ssrc := uint32(1); ssrc < 1000; ssrc++ {
		mid := ""
		if ssrc%10 == 0 {
			mid = "0"
		}
		if s.media(s.packet(sent{ssrc: ssrc, payload: 5, mid: mid})) {
			floods++
		}
	}
	if floods != 1 || len(s.seen) > s.limit+1 {
		t.Errorf("%d floods, %d SSRCs are remembered", floods, len(s.seen))
	}
	if got := s.layers(); len(got) != 1 {
		t.Errorf("layers: %v", got)
	}

	for what, flood := range map[string]func(s *sorter, ssrc uint32) bool{
		"broken packets": func(s *sorter, ssrc uint32) bool {
			p := s.packet(sent{ssrc: ssrc, payload: 111, mid: "0"})
			p[0] |= 0x20 // padded, by 0 bytes

			return s.media(p)
		},
		"reports": func(s *sorter, ssrc uint32) bool {
			return s.report([]byte{0x80, 201, 0, 1, byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc)})
		},
	} {
		s, floods := newSorter(t, section(0, "audio", "sendonly", midOnly)), 0
		for ssrc := range uint32(1000) {
			if flood(s, ssrc) {
				floods++
			}
		}
		if floods != 1 || len(s.seen) > s.limit+1 {
			t.Errorf("%s: %d floods, %d SSRCs are remembered", what, floods, len(s.seen))
		}
	}

	turns := newSorter(t, section(0, "audio", "sendonly", midOnly))
	for i := range 100 {
		turns.media(turns.packet(sent{ssrc: uint32(1 + i%2), payload: 111, mid: "0"}))
	}
	if diff := cmp.Diff([]string{"0/:2"}, turns.layers()); diff != "" {
		t.Error(diff)
	}
	if got := turns.sources["0"].track.Stats().Received; got != 51 {
		t.Errorf("%d packets taken, not the first of one SSRC and all of the other", got)
	}
}

// TestProbesAreObserved: browsers probe for bandwidth with padding, on retransmission streams and on SSRC 0. It is nobody's
// media, but transport-wide feedback says that it has come.
func TestProbesAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSorter(t, section(0, "video", "sendonly", layered, transported, "a=ssrc-group:FID 2 3\na=ssrc:2 cname:x\na=ssrc:3 cname:x"))
		probe := func(ssrc uint32, payload uint8, number uint16, padding byte) {
			out := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: payload, SequenceNumber: number, Padding: padding > 0}, PaddingSize: padding}
			if padding == 0 {
				out.Payload = []byte{0, byte(number), 0x10, 0, 0, 0}
			}
			if err := out.SetExtension(idTransport, []byte{byte(number >> 8), byte(number)}); err != nil {
				t.Fatal(err)
			}
			b, err := out.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			s.media(b)
		}
		probe(2, 96, 256, 0)
		probe(0, 96, 257, 200)
		probe(3, 97, 258, 200)
		probe(3, 97, 259, 0)
		probe(77, 97, 260, 200) // nobody knows whose
		probe(2, 96, 262, 0)
		time.Sleep(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		var got []uint16
		for _, compound := range s.feedback {
			packets, err := rtcp.Unmarshal(compound)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range packets {
				if cc, ok := p.(*rtcp.TransportLayerCC); ok {
					got = append(got, arrivals(cc)...)
				}
			}
		}
		if diff := cmp.Diff([]uint16{256, 257, 258, 259, 260, 262}, got); diff != "" {
			t.Errorf("told as arrived: %s", diff)
		}
		if st := s.sources["0"].track.Stats(); st.Received != 3 {
			t.Errorf("%d packets of media, not 3", st.Received)
		}
	})
}

// arrivals lists the transport-wide numbers that a feedback packet says have come.
func arrivals(cc *rtcp.TransportLayerCC) (out []uint16) {
	n := cc.BaseSequenceNumber
	add := func(symbol uint16) {
		if symbol != rtcp.TypeTCCPacketNotReceived && n-cc.BaseSequenceNumber < cc.PacketStatusCount {
			out = append(out, n)
		}
		n++
	}
	for _, chunk := range cc.PacketChunks {
		switch chunk := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range chunk.RunLength {
				add(chunk.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range chunk.SymbolList {
				add(symbol)
			}
		}
	}

	return out
}

// TestInboundAllocates nothing for packets, but what UpTrack keeps of each that it accepts.
func TestInboundAllocates(t *testing.T) {
	s := newSorter(t, section(0, "audio", "sendonly", midOnly, "a=ssrc:1 cname:x"), section(1, "video", "sendonly", layered, transported))
	s.send("a layer", sent{5, 96, "1", "", "", "1/"})
	s.send("its successor", sent{6, 96, "1", "", "", "1/"})
	for name, p := range map[string]sent{
		"of a kept packet":  {ssrc: 1, payload: 111},
		"of a stranger":     {ssrc: 99, payload: 96},
		"of a past layer":   {ssrc: 5, payload: 96, mid: "1"},
		"of a probe":        {ssrc: 0, payload: 96},
		"of a line unknown": {ssrc: 98, payload: 96, mid: "7"},
	} {
		b := s.packet(p)
		most := 0.0
		if p.ssrc == 1 {
			most = 1
		}
		number := byte(0)
		if n := testing.AllocsPerRun(1000, func() {
			number++
			b[3] = number
			s.media(b)
		}); n > most {
			t.Errorf("%s: %v allocations", name, n)
		}
	}

	node := &Node{}
	session := newSession(node)
	session.sources.uplink.Store(s.uplink)
	down := s.forward.NewDownlink(rtpforward.DownlinkConfig{NewWriter: func(int) rtpforward.Writer { return nobody{} }})
	defer func() { <-down.Close() }()
	session.reports.Store(down)
	report, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 7}}},
		&rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 9, LostPackets: 3}}},
		&rtcp.PictureLossIndication{MediaSSRC: 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 { // until the buffers are there
		session.HandleMedia(report, true)
	}
	if n := testing.AllocsPerRun(1000, func() { session.HandleMedia(report, true) }); n != 0 {
		t.Errorf("of a compound RTCP packet: %v allocations", n)
	}
}

// nobody is a way out for nothing.
type nobody struct{}

func (nobody) Reserve(int) []byte     { return nil }
func (nobody) Commit() error          { return nil }
func (nobody) WriteRTCP([]byte) error { return nil }

func TestRTCPRoles(t *testing.T) {
	marshal := func(packets ...rtcp.Packet) []byte {
		b, err := rtcp.Marshal(packets)
		if err != nil {
			t.Fatal(err)
		}

		return b
	}
	describe := rtcp.NewCNAMESourceDescription(1, "x")
	for name, c := range map[string]struct {
		b              []byte
		sends, listens bool
	}{
		"one who publishes":          {marshal(&rtcp.SenderReport{SSRC: 1}, describe), true, false},
		"one who plays":              {marshal(&rtcp.ReceiverReport{SSRC: 1}, describe, &rtcp.PictureLossIndication{}), false, true},
		"both":                       {marshal(&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{}}}), true, true},
		"a sender's report and NACK": {marshal(&rtcp.SenderReport{SSRC: 1}, &rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{}}}), true, true},
		"the end":                    {marshal(&rtcp.ReceiverReport{SSRC: 1}, &rtcp.Goodbye{Sources: []uint32{1}}), true, true},
		"names":                      {marshal(describe), false, false},
		"half a packet":              {marshal(&rtcp.SenderReport{SSRC: 1})[:6], true, false},
		"nothing":                    {nil, false, false},
	} {
		if sends, listens := rtcpRoles(c.b); sends != c.sends || listens != c.listens {
			t.Errorf("%s: %v, %v", name, sends, listens)
		}
	}
}
