// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/stun/v4"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// call is two people who talk while somebody does harm.
type call struct {
	*stage
	ann, bob *person
}

func newCall(t *testing.T, change func(*sfu.Config, *control.Config)) *call {
	t.Helper()
	c := &call{stage: newStage(t, change)}
	people := c.enter([]string{"ann", "bob"}, func(string) cast { return cast{sends: true, audio: 1, video: 1} })
	c.ann, c.bob = people["ann"], people["bob"]
	for _, p := range []*person{c.ann, c.bob} {
		c.join(p, "room")
		c.publish(p, "room", p.User)
	}
	c.subscribe(c.bob, "room", "ann", c.ann)
	c.subscribe(c.ann, "room", "bob", c.bob)
	c.begin()
	return c
}

// stranger is a UDP socket that has nothing to do with any session.
func (c *call) stranger() *net.UDPConn {
	c.t.Helper()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(c.Media()))
	c.must(err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// throw sends datagrams, a few at a time, and waits after each lot until the node has counted them all under one of the
// reasons; then it lets the call go on.
func (c *call) throw(conn *net.UDPConn, datagrams [][]byte, reasons ...string) {
	c.t.Helper()
	before := c.dropped(reasons...)
	for i, d := range datagrams {
		if _, err := conn.Write(d); err != nil {
			c.t.Fatalf("sending %d bytes: %v", len(d), err)
		}
		if i%32 != 31 && i != len(datagrams)-1 {
			continue
		}
		want := before + uint64(i) + 1
		if !sfutest.Eventually(c.ctx, func() bool { return c.dropped(reasons...) >= want }) {
			c.t.Fatalf("%d datagrams were sent, %d are counted under %v", i+1, c.dropped(reasons...)-before, reasons)
		}
	}
	if got := c.dropped(reasons...) - before; got != uint64(len(datagrams)) {
		c.t.Errorf("%d datagrams were sent, %d are counted under %v", len(datagrams), got, reasons)
	}
	c.advance(60 * time.Millisecond)
}

// dropped sums up counters of the media socket; all of them without reasons.
func (c *call) dropped(reasons ...string) uint64 {
	var n uint64
	all := c.SFU.Load().UDPDropped
	if len(reasons) == 0 {
		for _, count := range all {
			n += count
		}
	}
	for _, r := range reasons {
		n += all[r]
	}
	return n
}

// TestHostileDatagrams: noise of every size and first byte, from a source that no check has come from, is counted and costs
// nothing else.
func TestHostileDatagrams(t *testing.T) {
	c := newCall(t, nil)
	conn := c.stranger()
	rng := rand.New(rand.NewPCG(1, 1))
	goroutines := c.goroutines()

	var short [][]byte
	for size := range 4 {
		short = append(short, make([]byte, size))
	}
	c.throw(conn, short, "short")
	var sweep [][]byte
	for first := range 256 {
		for _, size := range []int{12, 100, 1472} {
			sweep = append(sweep, noise(rng, byte(first), size))
		}
	}
	c.throw(conn, sweep)
	c.throw(conn, [][]byte{noise(rng, 0x80, 65507), noise(rng, 0, 65507), noise(rng, 22, 65507), noise(rng, 255, 65507)})
	var random [][]byte
	for range 2000 {
		random = append(random, noise(rng, byte(rng.Uint32()), 1+rng.IntN(1400)))
	}
	c.throw(conn, random)

	var hellos, media [][]byte
	for i := range 1000 {
		hellos = append(hellos, clientHello(rng, uint64(i)))
		media = append(media, rtpFrom(rng, uint32(i)))
	}
	c.throw(conn, hellos, "unknown_source")
	c.throw(conn, media, "unknown_source")
	c.advance(500 * time.Millisecond)
	c.verify()
	c.noMore(goroutines)
}

func noise(rng *rand.Rand, first byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	b[0] = first
	return b
}

// clientHello is a DTLS record that says it is one (RFC 6347, section 4.1), with a fragment that claims 16 MB.
func clientHello(rng *rand.Rand, number uint64) []byte {
	b := noise(rng, 22, 13+12+200)
	b[1], b[2] = 0xfe, 0xfd
	binary.BigEndian.PutUint64(b[3:], number) // epoch 0 and sequence number
	binary.BigEndian.PutUint16(b[11:], uint16(len(b)-13))
	copy(b[13:], []byte{1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 200})
	return b
}

func rtpFrom(rng *rand.Rand, ssrc uint32) []byte {
	b := noise(rng, 0x80, 200)
	b[1] = 96
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

// TestHostileSTUN: checks for nobody, checks with wrong credentials for somebody, and malformed ones.
func TestHostileSTUN(t *testing.T) {
	c := newCall(t, nil)
	goroutines := c.goroutines()
	victim := ufragOf(c.bob.PeerConnection().RemoteDescription().SDP)
	conn := c.stranger()
	var unknown [][]byte
	for i := range 5000 {
		unknown = append(unknown, check(t, "nobody"+string(rune('a'+i%26))+":x", "wrong password entirely", uint32(i)))
	}
	c.throw(conn, unknown, "stun_unknown_ufrag")
	for range 20 { // the same from other ports
		c.throw(c.stranger(), unknown[:20], "stun_unknown_ufrag")
	}
	var broken [][]byte
	whole := check(t, victim+":x", "wrong password entirely", 1)
	for size := 12; size < len(whole); size += 7 {
		broken = append(broken, bytes.Clone(whole[:size]))
	}
	for _, size := range []uint16{0, 1, 0xffff, 0x8000} {
		lies := bytes.Clone(whole)
		binary.BigEndian.PutUint16(lies[2:], size)
		broken = append(broken, lies)
	}
	manyAttributes := bytes.Clone(whole[:20])
	for range 300 {
		manyAttributes = append(manyAttributes, 0x7f, 0xff, 0, 0)
	}
	binary.BigEndian.PutUint16(manyAttributes[2:], uint16(len(manyAttributes)-20))
	broken = append(broken, manyAttributes)
	c.throw(conn, broken, "stun_malformed")

	// These name bob's session. They are for pion's agent to refuse; it may answer with an error, never with more than it got.
	for i := range 2000 {
		request := check(t, victim+":x", "wrong password entirely", uint32(i))
		_, err := conn.Write(request)
		c.must(err)
		if i%100 == 99 {
			c.advance(20 * time.Millisecond)
		}
	}
	c.advance(500 * time.Millisecond)
	c.verify()
	_ = conn.SetReadDeadline(time.Now()) // what it has sent by now is there
	buf := make([]byte, 2048)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			break
		}
		if m := (&stun.Message{Raw: bytes.Clone(buf[:n])}); m.Decode() != nil || m.Type == stun.BindingSuccess || n > len(whole) {
			t.Errorf("a request with a wrong password was answered with %d bytes: %v", n, m)
		}
	}
	if pair, err := c.bob.Remote(); err != nil || !pair.IsValid() {
		t.Errorf("bob's way is %v, %v", pair, err)
	}
	c.noMore(goroutines)
}

// check is a binding request signed with a password (RFC 8445, section 7.1).
func check(t *testing.T, username, password string, number uint32) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.NewTransactionIDSetter([stun.TransactionIDSize]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}),
		stun.NewUsername(username), stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.NewShortTermIntegrity(password), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

var ufragLine = regexp.MustCompile(`(?m)^a=ice-ufrag:(\S+)`)

func ufragOf(sdp string) string {
	f := ufragLine.FindStringSubmatch(sdp)
	if f == nil {
		return ""
	}
	return f[1]
}

// TestHostileSRTP: somebody on the path of one client replays, damages and makes up packets in its name. Nothing of that is
// forwarded, and neither that client's media nor anybody else's suffers.
func TestHostileSRTP(t *testing.T) {
	st := newStage(t, nil)
	link := st.link(sfutest.Shape{}, sfutest.Shape{})
	people := st.enter([]string{"ann", "bob"}, func(name string) cast {
		c := cast{sends: true, audio: 1, video: 1}
		if name == "ann" {
			c.config.Link = link
		}
		return c
	})
	c := &call{stage: st, ann: people["ann"], bob: people["bob"]}
	for _, p := range []*person{c.ann, c.bob} {
		st.join(p, "room")
		st.publish(p, "room", p.User)
	}
	st.subscribe(c.bob, "room", "ann", c.ann)
	st.subscribe(c.ann, "room", "bob", c.bob)
	st.begin()
	goroutines := st.goroutines()
	rng := rand.New(rand.NewPCG(3, 3))
	var old [][]byte         // owned by the link's goroutine until Extra(nil)
	var copied atomic.Uint64 // RTP packets of ann's
	link.Extra(func(data []byte) [][]byte {
		if len(data) < 12 || data[0] < 128 || data[0] > 191 {
			return nil
		}
		again := bytes.Clone(data)
		bad := bytes.Clone(data)
		bad[len(bad)-1] ^= 1
		cut := bytes.Clone(data[:len(data)/2])
		if _, _, ok := sfutest.RTPHeader(data); ok {
			copied.Add(1)
		}
		other := bytes.Clone(data) // the packet of another SSRC, of another session even
		binary.BigEndian.PutUint32(other[8:], rng.Uint32())
		out := [][]byte{again, bad, cut, other, noise(rng, 0x80, 12), noise(rng, 0x81, 1400)}
		if copied.Load()%8 == 1 { // now and then: a socket's buffer holds a few of them only, and ann's own must not be lost for it
			out = append(out, noise(rng, 0x80, 60000))
		}
		if len(old) < 200 {
			old = append(old, again)
		}
		return append(out, old[rng.IntN(len(old))])
	})
	in := st.SFU.Load().Forward.In
	sent := st.Ledger.Sent(c.ann.audio.Number) + st.Ledger.Sent(c.ann.video.Number) + st.Ledger.Sent(c.bob.audio.Number) + st.Ledger.Sent(c.bob.video.Number)
	st.advance(2 * time.Second)
	link.Extra(nil)
	st.verify()
	sent = st.Ledger.Sent(c.ann.audio.Number) + st.Ledger.Sent(c.ann.video.Number) + st.Ledger.Sent(c.bob.audio.Number) + st.Ledger.Sent(c.bob.video.Number) - sent
	if got := st.SFU.Load().Forward.In - in; got != uint64(sent) {
		t.Errorf("%d packets came through decryption, %d were sent by those who have the keys", got, sent)
	}
	// Of each packet two copies are replayed, and two are changed.
	for _, reason := range []string{"srtp_replayed", "srtp_forged"} {
		if !sfutest.Eventually(st.ctx, func() bool { return c.dropped(reason) >= 2*copied.Load() }) || copied.Load() == 0 {
			t.Errorf("%d are counted as %s, of %d packets that were meddled with", c.dropped(reason), reason, copied.Load())
		}
	}
	c.noMore(goroutines)
}

// TestHostileRTCP: a real client with real keys sends nonsense as feedback.
func TestHostileRTCP(t *testing.T) {
	c := newCall(t, func(c *sfu.Config, _ *control.Config) { c.Forward.KeyframeEvery = time.Hour })
	c.advance(2200 * time.Millisecond) // past a keyframe
	goroutines := c.goroutines()
	var slot, theirs uint32
	for _, p := range c.bob.Packets(0) {
		if p.Source == c.ann.video.Number {
			slot = p.SSRC
		}
	}
	theirs = c.ann.video.SSRC()
	plis := c.ann.video.PLIs()
	for i := range 300 {
		// The same few over and over: more SSRCs than a client can need would end its session, as the next test shows.
		for _, p := range nonsense(rand.New(rand.NewPCG(5, uint64(i%2))), slot, theirs, i%2) {
			if err := c.bob.PeerConnection().WriteRTCP([]rtcp.Packet{p}); err != nil {
				t.Fatalf("%T: %v", p, err)
			}
		}
		if i%20 == 19 {
			c.advance(40 * time.Millisecond)
		}
	}
	c.advance(500 * time.Millisecond)
	c.verify()
	if got := c.ann.video.PLIs() - plis; got > 1 {
		t.Errorf("%d keyframe requests went upward for a storm of them within one interval", got)
	}
	load := c.SFU.Load().Forward
	if load.Retransmitted*4 > load.Out {
		t.Errorf("%d packets were retransmitted for nonsense, beside %d sent", load.Retransmitted, load.Out)
	}
	c.noMore(goroutines)
}

// nonsense is feedback that no honest client sends. What asks for retransmissions asks for packets that were never sent.
func nonsense(rng *rand.Rand, slot, theirs uint32, i int) []rtcp.Packet {
	raw := func(kind byte, count byte, words uint16, body int) rtcp.Packet {
		b := noise(rng, 0x80|count, 4+body)
		b[1] = kind
		binary.BigEndian.PutUint16(b[2:], words)
		p := rtcp.RawPacket(b)
		return &p
	}
	var never []uint16
	for n := range 1000 {
		never = append(never, uint16(40000+n))
	}
	return []rtcp.Packet{
		raw(201, 31, 0xffff, 28), raw(205, 1, 2, 400), raw(205, 15, 100, 400), raw(206, 15, 5, 20), raw(206, 1, 0, 4), raw(204, 0, 3, 12), raw(207, 0, 4, 16),
		raw(byte(192+i%32), byte(i%32), uint16(i), 4+4*(i%50)),
		&rtcp.TransportLayerNack{MediaSSRC: slot, Nacks: rtcp.NackPairsFromSequenceNumbers(never)},
		&rtcp.TransportLayerNack{MediaSSRC: theirs, Nacks: rtcp.NackPairsFromSequenceNumbers(never[:17])},
		&rtcp.PictureLossIndication{MediaSSRC: slot}, &rtcp.PictureLossIndication{MediaSSRC: theirs}, &rtcp.PictureLossIndication{MediaSSRC: rng.Uint32()},
		&rtcp.FullIntraRequest{MediaSSRC: slot, FIR: []rtcp.FIREntry{{SSRC: slot, SequenceNumber: uint8(i)}, {SSRC: theirs}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 0, SSRCs: []uint32{slot}},
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1 << 60, SSRCs: []uint32{slot}},
		&rtcp.Goodbye{Sources: []uint32{slot, theirs}},
		&rtcp.SenderReport{SSRC: slot, NTPTime: 1<<64 - 1, RTPTime: rng.Uint32(), PacketCount: 1<<32 - 1, OctetCount: 1<<32 - 1},
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: slot, FractionLost: 255, TotalLost: 1<<24 - 1, LastSequenceNumber: rng.Uint32(), Jitter: 1<<32 - 1, LastSenderReport: rng.Uint32(), Delay: 1<<32 - 1}}},
	}
}

// TestHostilePublisher: a real client with real keys publishes packets that no encoder makes.
func TestHostilePublisher(t *testing.T) {
	t.Parallel()
	c := newCall(t, nil)
	mal := c.one("mal", cast{sends: true})
	c.join(mal, "room")
	c.publish(mal, "room", "mal")
	c.sources = c.sources[:len(c.sources)-2] // mal sends as it likes
	eve := c.one("eve", cast{audio: 1, video: 1})
	c.join(eve, "room")
	_, err := eve.Subscribe(c.ctx, "room", "mal")
	c.must(err)
	if !sfutest.Eventually(c.ctx, func() bool { mal.video.Step(); return eve.From(mal.video.Number) > 0 }) {
		t.Fatal("mal's stream never began")
	}
	rng := rand.New(rand.NewPCG(9, 9))
	seq, ts, sent := uint16(1), uint32(1), 0
	for i := range 3000 {
		h := rtp.Header{Version: 2, PayloadType: 96, SSRC: mal.video.SSRC(), SequenceNumber: seq, Timestamp: ts, Marker: i%3 == 0}
		switch i % 11 {
		case 1:
			seq += 1 << 15
		case 2:
			ts += 1 << 31
		case 3:
			h.Padding, h.PaddingSize = true, byte(rng.Uint32())
		case 4:
			h.PayloadType = byte(rng.IntN(128))
		case 5:
			for range 15 {
				h.CSRC = append(h.CSRC, rng.Uint32())
			}
		case 6:
			for id := range 14 {
				_ = h.SetExtension(byte(id+1), noise(rng, byte(id), 1+rng.IntN(16))) // ids and sizes are in range
			}
		case 7:
			seq -= uint16(rng.IntN(2000))
		case 8:
			seq = uint16(rng.Uint32())
		case 9: // the two-byte form with application bits, which pion writes as it is told: repeated ids, and lengths past the end
			h.Extension, h.ExtensionProfile = true, 0x1001
			_ = h.SetExtension(0, [][]byte{
				{3, 1, 9, 3, 1, 8, 3, 0}, {1, 255, 0, 0}, {2, 200, 1, 2, 3, 4, 5, 6}, {0, 0, 0, 7}, noise(rng, byte(rng.IntN(15)), 4*(1+rng.IntN(20))),
			}[rng.IntN(5)])
			seq++
		default:
			seq++
			ts += 6000
		}
		if mal.video.Inject(h, noise(rng, byte(rng.Uint32()), 1+rng.IntN(1100))) == nil { // pion refuses some of it
			sent++
		}
		if i%100 == 99 {
			c.advance(20 * time.Millisecond)
		}
	}
	c.advance(300 * time.Millisecond)
	c.verify()
	// Its own stream still works when it behaves again.
	behaved := c.Ledger.Sent(mal.video.Number)
	again := func() bool {
		mal.video.Step()
		return eve.Last("", mal.video.Number) >= behaved
	}
	if !sfutest.Eventually(c.ctx, again) {
		t.Error("mal's stream never came to life again")
	}
	wantOrder(t, eve)
	stats, err := c.Stream.GetStreamStats(c.ctx, &sfuv1.GetStreamStatsRequest{AppId: app, RoomId: "room", StreamId: "mal"})
	c.must(err)
	// The first item counts all layers; what mal sent had at least one.
	if video := stats.GetStats().GetVideo(); sent < 2000 || len(video) < 2 || len(video[0].GetDrops()) == 0 {
		t.Errorf("%d packets were sent, the node counts %v", sent, video)
	}

	// A flood of SSRCs that were never announced costs the client its session, and nobody else anything.
	w := watch(t, c.API, &sfuv1.WatchEventsRequest{})
	flood := func() bool {
		for range 50 {
			if err := mal.video.Inject(rtp.Header{Version: 2, PayloadType: 96, SSRC: rng.Uint32(), SequenceNumber: 1}, []byte{0x10, 0}); err != nil {
				return true
			}
		}
		_, err := c.Session.GetSession(c.ctx, &sfuv1.GetSessionRequest{SessionId: mal.ID})
		return err != nil
	}
	if !sfutest.Eventually(c.ctx, flood) {
		t.Error("a client may use as many SSRCs as it likes")
	}
	await(t, w, "the end of mal's session", stateEvent(mal.ID, sfuv1.SessionState_SESSION_STATE_CLOSED))
	c.advance(300 * time.Millisecond)
	c.verify()
}

// wantOrder checks that what a person got looks like one good encoder's work, lost packets apart: on each line one SSRC, no sequence
// number twice, and none further off than what the node takes for loss.
func wantOrder(t *testing.T, p *person) {
	t.Helper()
	lines := make(map[string][]sfutest.Packet)
	for _, got := range p.Packets(0) {
		lines[got.Mid] = append(lines[got.Mid], got)
	}
	if len(lines) == 0 {
		t.Errorf("%s got nothing", p.User)
	}
	for mid, packets := range lines {
		seen, highest := make(map[int]bool), int(packets[0].Sequence)
		for i, got := range packets {
			step := int(int16(got.Sequence - uint16(highest)))
			if got.SSRC != packets[0].SSRC || seen[highest+step] || step > 1024 || step < -1024 {
				t.Errorf("%s, line %s, packet %d of %d: SSRC %d number %d, after %d", p.User, mid, i, len(packets), got.SSRC, got.Sequence, highest)
				break
			}
			seen[highest+step] = true
			highest = max(highest, highest+step)
		}
		t.Logf("%s, line %s: %d packets over %d numbers", p.User, mid, len(packets), highest-int(packets[0].Sequence)+1)
	}
}

// TestHostileFingerprint: who cannot show the certificate that the offer names gets no connection and no media, and its session
// ends.
func TestHostileFingerprint(t *testing.T) {
	t.Parallel()
	c := newCall(t, nil)
	w := watch(t, c.API, &sfuv1.WatchEventsRequest{})
	eve := &person{Client: c.ClientWith(t, sfutest.ClientConfig{User: "eve"})}
	c.must(eve.AddSlots(1, 1))
	offer, err := eve.Offer(nil)
	c.must(err)
	forged := fingerprintLine.ReplaceAllStringFunc(offer, func(line string) string {
		return line[:len(line)-2] + map[bool]string{true: "01", false: "00"}[strings.HasSuffix(line, "00")]
	})
	if forged == offer {
		t.Fatal("no fingerprint in the offer")
	}
	reply, err := c.Session.Negotiate(c.ctx, &sfuv1.NegotiateRequest{SessionId: eve.ID, OfferSdp: forged, OfferId: 1})
	c.must(err)
	c.join(eve, "room")
	_, err = eve.Subscribe(c.ctx, "room", "ann")
	c.must(err)
	c.must(eve.Answer(reply.GetAnswerSdp()))
	closed := await(t, w, "the end of eve's session", stateEvent(eve.ID, sfuv1.SessionState_SESSION_STATE_CLOSED))
	if got := closed.GetSessionState().GetReason(); got != sfuv1.EndReason_END_REASON_MEDIA_FAILED {
		t.Errorf("it ended by %v", got)
	}
	for _, e := range w.Events() {
		if stateEvent(eve.ID, sfuv1.SessionState_SESSION_STATE_CONNECTED)(e) {
			t.Error("it was connected")
		}
	}
	c.advance(300 * time.Millisecond)
	c.verify()
	if got := eve.Packets(0); len(got) != 0 {
		t.Errorf("eve got %d packets", len(got))
	}
}

var fingerprintLine = regexp.MustCompile(`a=fingerprint:sha-256 [0-9A-Fa-f:]+`)
