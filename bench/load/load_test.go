// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/srtp/v3"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/bench/stats"
	"github.com/switchyard-media/sfu/internal/sfutest/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStamp(t *testing.T) {
	payload := make([]byte, 100)
	want := Stamp{Track: 7, Counter: 1 << 40, Sent: 1_700_000_000_123_456_789, Key: true, Index: 3, Count: 9}
	want.put(payload)
	got, ok := readStamp(payload)
	if !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, short := range [][]byte{nil, make([]byte, stampSize-1), make([]byte, 100)} {
		if _, ok := readStamp(short); ok {
			t.Errorf("a stamp in %d bytes without one", len(short))
		}
	}
}

func TestReceivedCounts(t *testing.T) {
	w := NewWindow()
	r := &Received{Track: &Track{ID: 1, Video: true}}
	take := func(counter uint64, sent int64, key bool, index, count uint8) bool {
		return r.take(Stamp{Counter: counter, Sent: sent, Key: key, Index: index, Count: count}, sent+1000, w)
	}
	w.Open(time.Unix(0, 100), 100)
	take(5, 50, true, 0, 2) // before the window
	if !r.FirstKeyframe.IsZero() {
		t.Error("half a keyframe is none")
	}
	take(7, 100, false, 0, 1)
	take(6, 99, true, 1, 2) // late, and before the window
	if r.FirstKeyframe.UnixNano() != 1099 {
		t.Errorf("the keyframe is whole at %d", r.FirstKeyframe.UnixNano())
	}
	if take(7, 100, false, 0, 1) {
		t.Error("a duplicate is new")
	}
	take(8, 199, false, 0, 1)
	take(9, 200, false, 0, 1) // after the window
	got := []uint64{r.Packets, r.Duplicates, r.Reordered, r.WindowPackets}
	if diff := cmp.Diff([]uint64{5, 1, 1, 2}, got); diff != "" {
		t.Errorf("packets, duplicates, reordered, in the window (-want +got):\n%s", diff)
	}
	if take(math.MaxUint64, 150, false, 0, 1) {
		t.Error("a counter out of bounds is taken")
	}
	w.Shut()
	if w.holds(150) {
		t.Error("a shut window holds something")
	}
}

func TestOfferIsSDP(t *testing.T) {
	lines := []line{{mid: "0", ssrc: 11}, {mid: "1", video: true, ssrc: 12, rtx: 13}, {mid: "2"}, {mid: "3", video: true}}
	text := offer(lines, credentials{"ufrg", "password", "AA:BB"}, 4, true)
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	if group, _ := d.Attribute("group"); group != "BUNDLE 0 1 2 3" {
		t.Errorf("group %q", group)
	}
	for i, m := range d.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		_, sends := m.Attribute("sendonly")
		_, receives := m.Attribute("recvonly")
		if mid != lines[i].mid || sends == receives || sends != (lines[i].ssrc != 0) {
			t.Errorf("line %d: mid %q, sendonly %v, recvonly %v", i, mid, sends, receives)
		}
		if want := map[bool]string{true: "video", false: "audio"}[lines[i].video]; m.MediaName.Media != want {
			t.Errorf("line %d is %s", i, m.MediaName.Media)
		}
	}
	if without := offer(lines, credentials{}, 4, false); strings.Contains(without, "transport") {
		t.Error("transport-wide congestion control is offered all the same")
	}
}

const someAnswer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=fingerprint:sha-256 aa:bb\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:passive\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=sendonly\r\n" +
	"a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=candidate:1 1 tcp 2130706431 127.0.0.1 5000 typ host tcptype passive\r\n" +
	"a=candidate:1 1 udp 2130706431 127.0.0.1 5001 typ host\r\na=ssrc:10 cname:x\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\na=rtcp-fb:96 transport-cc\r\n" +
	"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=ssrc-group:FID 20 21\r\na=ssrc:20 cname:x\r\na=ssrc:21 cname:x\r\n"

func TestAnswer(t *testing.T) {
	a, err := parseAnswer(someAnswer)
	if err != nil {
		t.Fatal(err)
	}
	if a.ufrag != "u" || a.pwd != "p" || a.fingerprint != "AA:BB" || a.active || a.address.String() != "127.0.0.1:5001" {
		t.Errorf("%+v", a)
	}
	want := map[string]answeredLine{"0": {ssrc: 10}, "1": {ssrc: 20, rtx: 21, transport: true}}
	if diff := cmp.Diff(want, a.lines, cmp.AllowUnexported(answeredLine{})); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if _, err := parseAnswer(strings.ReplaceAll(someAnswer, "127.0.0.1 5001", "192.0.2.1 5001")); err == nil {
		t.Error("an answer without loopback is taken")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(someAnswer)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := parseAnswer(text); err == nil && !a.address.Addr().IsLoopback() {
			t.Errorf("load outside loopback: %v", a.address)
		}
	})
}

func TestVideoHasItsBitRate(t *testing.T) {
	v := newVideo(2_000_000)
	total, packets := 0, 0
	for _, f := range v.between {
		for i, p := range f.payloads {
			if i < len(f.payloads)-1 && len(p) != maxPayload || len(p) < minPayload || len(p) > maxPayload {
				t.Fatalf("payload of %d bytes", len(p))
			}
			total += len(p) - descriptorSize
			packets++
		}
	}
	rate := float64(total) * 8 * framesPerSecond / float64(len(v.between))
	if math.Abs(rate-2_000_000) > 20_000 {
		t.Errorf("%.0f bit/s", rate)
	}
	if len(v.keyframes) == 0 || v.keyframes[0].payloads[0][0] != 0x90 {
		t.Error("a keyframe does not begin with a partition")
	}
	// What a decoder finds first is the clip.
	if clip := media.VP8()[0].Data; !bytes.HasPrefix(v.keyframes[0].payloads[0][descriptorSize:], clip[:10]) {
		t.Error("the keyframe is not the clip's")
	}
	if p := PatternOf(true, 2_000_000); len(p.Frames) != len(v.between) || len(p.Frames[0]) != len(v.between[0].payloads) {
		t.Error("the floor's pattern is not the publisher's")
	}
}

// pair is a client that is connected to nothing, and a context that encrypts what it decrypts.
func pair(t *testing.T) (*Client, *srtp.Context) {
	t.Helper()
	key, salt := make([]byte, 16), make([]byte, 12)
	create := func(o ...srtp.ContextOption) *srtp.Context {
		context, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm, o...)
		if err != nil {
			t.Fatal(err)
		}

		return context
	}
	socket, err := openSocket(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(socket.close)
	socket.aim(netip.MustParseAddrPort("127.0.0.1:9")) // what is sent goes nowhere
	c := &Client{
		latency: new(stats.Histogram),
		socket:  socket, poller: &Poller{window: NewWindow()}, in: create(srtp.SRTPNoReplayProtection(), srtp.SRTCPNoReplayProtection()), out: create(),
		slots: make(map[uint32]*slot), publishers: make(map[uint32]*Publisher), remote: &answer{},
	}
	s := &slot{video: true, ssrc: 10, rtx: 11, transport: true}
	c.slots[10], c.slots[11] = s, s
	c.order = []*slot{s}
	c.received = []*Received{{Track: &Track{ID: 1, Video: true}}}

	return c, create()
}

func seal(t *testing.T, context *srtp.Context, ssrc uint32, seq uint16, payload []byte) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: payloadVP8, SSRC: ssrc, SequenceNumber: seq}, Payload: payload}
	if err := p.SetExtension(extTransport, []byte{byte(seq >> 8), byte(seq)}); err != nil {
		t.Fatal(err)
	}
	plain, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := context.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}

	return sealed
}

func stamped(counter uint64) []byte {
	payload := make([]byte, 500)
	Stamp{Track: 1, Counter: counter, Sent: 1, Count: 1}.put(payload)

	return payload
}

func TestClientCountsPackets(t *testing.T) {
	c, context := pair(t)
	c.handle(seal(t, context, 10, 1, stamped(0)), 1000)
	c.handle(seal(t, context, 10, 3, stamped(2)), 2000)
	c.handle(seal(t, context, 11, 1, append([]byte{0, 2}, stamped(1)...)), 3000) // number 2 again
	c.handle(seal(t, context, 10, 4, stamped(2)), 4000)
	c.handle(seal(t, context, 10, 5, make([]byte, 50)), 5000)
	c.handle(seal(t, context, 99, 5, stamped(4)), 6000)
	broken := seal(t, context, 10, 6, stamped(5))
	broken[len(broken)-1] ^= 1
	c.handle(broken, 7000)
	floor := make([]byte, 100)
	floor[0] = 0x80
	binary.BigEndian.PutUint32(floor[8:], FloorSSRC)
	c.handle(floor, 8000)
	got := c.poller.counters
	want := Counters{
		Packets: 4, Bytes: got.Bytes, Duplicates: 1, Reordered: 1, Unexpected: 1, Foreign: 1, Undecrypted: 1, Repaired: 1, Floor: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if r := c.received[0]; r.Packets != 3 {
		t.Errorf("%d packets of the track", r.Packets)
	}
}

func TestMergedPacketsAreTakenApart(t *testing.T) {
	c, context := pair(t)
	var b []byte
	for n := range 3 {
		b = append(b, seal(t, context, 10, uint16(n), stamped(uint64(n)))...)
	}
	segment := len(b) / 3
	short := seal(t, context, 10, 3, stamped(3)[400:])
	c.handleAll(append(b, short...), segment, 1000)
	c.handleAll(b[:segment], segment, 2000)
	c.handleAll(short, 0, 3000)
	if n := c.poller.counters; n.Packets != 6 || n.Duplicates != 2 || n.Undecrypted != 0 {
		t.Errorf("%+v", n)
	}
}

func TestSilenceOfARoom(t *testing.T) {
	c, context := pair(t)
	c.received[0].Room = "hall"
	c.Leaving()
	for n, at := range []int64{900, 1100, 1300} { // stamped as sent at 1
		c.handle(seal(t, context, 10, uint16(n), stamped(uint64(n))), at)
	}
	want := Silence{Packets: true, Last: 300, Arrived: 2}
	if diff := cmp.Diff(want, c.Silent("hall", time.Unix(0, 1000))); diff != "" {
		t.Errorf("as of 1000 (-want +got):\n%s", diff)
	}
	if s := c.Silent("hall", time.Unix(0, 0)); s.SentLater != 3 {
		t.Errorf("%d packets were sent after 0", s.SentLater)
	}
	if s := c.Silent("elsewhere", time.Unix(0, 1000)); s.Packets {
		t.Errorf("%+v of a room that nothing has come of", s)
	}
}

func TestUnluckyLosesAShare(t *testing.T) {
	c, _ := pair(t)
	c.dice = 7
	c.Lose(0.3)
	lost := 0
	for range 10_000 {
		if c.unlucky() {
			lost++
		}
	}
	if lost < 2700 || lost > 3300 {
		t.Errorf("%d of 10000", lost)
	}
}

func TestEarlyPacketsAreKept(t *testing.T) {
	c, context := pair(t)
	in := c.in
	c.in = nil
	c.handle(seal(t, context, 10, 1, stamped(0)), 1000)
	if len(c.early) != 1 || c.poller.counters.Packets != 0 {
		t.Fatal("not kept")
	}
	c.in = in
	c.media(c.early[0].data, c.early[0].at)
	if c.poller.counters.Packets != 1 || c.received[0].First.UnixNano() != 1000 {
		t.Error("not counted as of its arrival")
	}
}

func TestNoAllocationPerPacket(t *testing.T) {
	c, context := pair(t)
	var packets [][]byte
	for n := range 600 {
		packets = append(packets, seal(t, context, 10, uint16(n), stamped(uint64(n))))
	}
	next := 0
	if n := testing.AllocsPerRun(500, func() {
		c.handle(packets[next], int64(next)*1000)
		next++
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if c.poller.counters.Packets < 500 {
		t.Errorf("%d packets were counted", c.poller.counters.Packets)
	}
}
