// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sctp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/router"
)

// together is how many tests run at a time: most of what they do is to wait for sockets and timers. But sources send in real time, and
// sockets keep only so much for clients that are late. Tests that count goroutines or allocations, or send as much as the machine
// takes, are not parallel, and run before the others.
func together() int {
	if raced {
		return 3
	}

	return 6
}

func TestMain(m *testing.M) {
	flag.Parse()
	given := false // by who runs the tests; of fuzz tests it is the number of processes
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" || f.Name == "test.fuzz" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(together()))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for something that must come, and ends hangs only: nothing that works takes that long, on the slowest
// machine. No test measures time with it.
const patience = time.Minute

// tap is the node's packet connection, with a look at everything that leaves.
type tap struct {
	net.PacketConn
	mu   sync.Mutex
	seen map[uint32]int // RTP packets out, by SSRC: in clear with SRTP
	deaf atomic.Bool    // swallow STUN from the clients
}

func (c *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || n == 0 || b[0] > 3 || !c.deaf.Load() {
			return n, from, err
		}
	}
}

func (c *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	if len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) {
		c.mu.Lock()
		c.seen[binary.BigEndian.Uint32(b[8:])]++
		c.mu.Unlock()
	}

	return c.PacketConn.WriteTo(b, to)
}

func (c *tap) count(ssrc uint32) int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.seen[ssrc]
}

type testNode struct {
	*Node
	t    *testing.T
	tap  *tap
	user atomic.Int64
}

func startNode(t *testing.T, change ...func(*Config)) *testNode {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20) // best effort: a machine that is slow for a moment should lose nothing
	taps := &tap{PacketConn: conn, seen: make(map[uint32]int)}
	cfg := Config{PacketConn: taps, SpeakerEvery: -1}
	cfg.Router.DefaultApp.MultiRoom = true
	cfg.Forward.Shards = 2
	cfg.Forward.LeastBitrate = 1_000_000_000 // a machine that is slow for a moment shall not look like a link that is
	for _, f := range change {
		f(&cfg)
	}
	n, err := NewNode(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})

	return &testNode{Node: n, t: t, tap: taps}
}

// eachLane runs a test with media going directly between socket and SRTP, and through pion's ICE agent. A test that does not
// look at what leaves runs on sockets of the kernel's too, several of them and with whatever the kernel can do.
func eachLane(t *testing.T, looks bool, f func(t *testing.T, lane func(*Config))) {
	t.Helper()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		f(t, func(*Config) {})
	})
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		f(t, func(c *Config) { c.PlainLane = true })
	})
	if looks {
		return
	}
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("sockets, plain=%v", plain), func(t *testing.T) {
			t.Parallel()
			f(t, func(c *Config) {
				_ = c.PacketConn.Close()
				c.PacketConn, c.UDPAddress, c.Sockets, c.PlainLane, c.NoGSO = nil, "127.0.0.1:0", 2, plain, plain
			})
		})
	}
}

func must[R any](t *testing.T, n *testNode, cmd router.Command) R {
	t.Helper()
	r, err := Do[R](context.Background(), n.Node, cmd)
	if err != nil {
		t.Fatalf("%T: %v", cmd, err)
	}

	return r
}

// eventually waits until f holds, looking whenever the node or a client may have changed.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never came: %s", what)
		}
	}
}

// client is a WebRTC client on pion's defaults.
type client struct {
	t       *testing.T
	n       *testNode
	id      router.SessionID
	pc      *webrtc.PeerConnection
	offerID uint64
	answer  Answer

	mu       sync.Mutex
	received map[string][]*rtp.Packet // by mid
	texts    []string
	stopped  chan struct{}
	writers  sync.WaitGroup
}

type clientOption func(*webrtc.SettingEngine)

func newClient(t *testing.T, n *testNode, options ...clientOption) *client {
	t.Helper()
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.SDESRTPStreamIDURI} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
		t.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s := webrtc.SettingEngine{LoggerFactory: quiet}
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM)
	for _, o := range options {
		o(&s)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(registry)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, n: n, pc: pc, received: make(map[string][]*rtp.Packet), stopped: make(chan struct{})}
	pc.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		mid := r.RTPTransceiver().Mid()
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.received[mid] = append(c.received[mid], p)
			c.mu.Unlock()
		}
	})
	t.Cleanup(c.close)

	return c
}

func (c *client) close() {
	select {
	case <-c.stopped:
		return
	default:
		close(c.stopped)
	}
	// The node may have ended the session, and with it the association of the data channel.
	if err := c.pc.GracefulClose(); err != nil && !errors.Is(err, sctp.ErrResetPacketInStateNotExist) {
		c.t.Errorf("closing a client: %v", err)
	}
	c.writers.Wait()
}

// join makes the session and joins rooms.
func (c *client) join(rooms ...string) *client {
	c.t.Helper()
	if c.id == "" {
		user := fmt.Sprintf("user%d", c.n.user.Add(1))
		c.id = must[router.Session](c.t, c.n, router.CreateSession{
			App: "app", User: router.User{ID: user, Name: user}, Mode: router.ModeMulti,
		}).ID
	}
	for _, room := range rooms {
		must[router.JoinReply](c.t, c.n, router.JoinRoom{Session: c.id, Room: room})
	}

	return c
}

// slots adds lines to receive on.
func (c *client) slots(kinds ...webrtc.RTPCodecType) *client {
	c.t.Helper()
	for _, k := range kinds {
		if _, err := c.pc.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			c.t.Fatal(err)
		}
	}

	return c
}

// offer makes an offer with all candidates.
func (c *client) offer(options *webrtc.OfferOptions) string {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(options)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered

	return c.pc.LocalDescription().SDP
}

func (c *client) take(answer Answer) {
	c.t.Helper()
	c.answer = answer
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
		c.t.Fatalf("answer not taken: %v\n%s", err, answer.SDP)
	}
}

func (c *client) negotiate() *client {
	c.t.Helper()
	c.offerID++
	answer, err := c.n.Negotiate(context.Background(), c.id, router.Fence{}, c.offer(nil), c.offerID)
	if err != nil {
		c.t.Fatalf("Negotiate: %v", err)
	}
	c.take(answer)

	return c
}

// connected waits until the node sees the client.
func (c *client) connected() *client {
	c.t.Helper()
	eventually(c.t, "connected", func() bool { return c.state() == router.ConnectionConnected })

	return c
}

func (c *client) state() (state router.ConnectionState) {
	c.n.Read(func(r *router.Router) {
		s, _ := r.Session(c.id)
		state = s.Connection
	})

	return state
}

// media is a track that the client sends, and what the node asks for it.
type media struct {
	c     *client
	track *webrtc.TrackLocalStaticRTP
	video bool
	plis  atomic.Int64
	mid   func() string
	sent  atomic.Int64
	raw   *rawTrack
	level uint8 // of audio, -dBov; 0: not sent
	t     *webrtc.RTPTransceiver
}

func (c *client) source(mime string) *media {
	c.t.Helper()
	m := &media{c: c, video: mime != webrtc.MimeTypeOpus}
	capability := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 48000, Channels: 2}
	if m.video {
		capability = webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}
	}
	track, err := webrtc.NewTrackLocalStaticRTP(capability, fmt.Sprintf("t%p", m), fmt.Sprintf("s%p", m))
	if err != nil {
		c.t.Fatal(err)
	}
	m.track = track
	m.raw = &rawTrack{TrackLocalStaticRTP: track}
	transceiver, err := c.pc.AddTransceiverFromTrack(m.raw, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		c.t.Fatal(err)
	}
	m.mid, m.t = transceiver.Mid, transceiver
	c.writers.Go(func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				switch p.(type) {
				case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
					m.plis.Add(1)
				}
			}
		}
	})

	return m
}

// vp8Key and vp8Delta are one-packet frames: a descriptor that starts partition 0, and a frame header.
var (
	vp8Key   = []byte{0x10, 0x00, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00}
	vp8Delta = []byte{0x10, 0x01, 0x00, 0x00}
)

// run sends a frame every few milliseconds until the client closes. Every frame carries its number at the end; video sends
// a keyframe whenever it was asked for one, and first.
func (m *media) run() *media {
	m.c.writers.Go(func() {
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		asked := int64(-1)
		for i := uint32(0); ; i++ {
			select {
			case <-tick.C:
			case <-m.c.stopped:
				return
			}
			payload := []byte{0xfc}
			if m.video {
				payload = vp8Delta
				if n := m.plis.Load(); n != asked {
					asked, payload = n, vp8Key
				}
			}
			m.write(i, payload)
		}
	})

	return m
}

func (m *media) write(i uint32, payload []byte) {
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: i * 360, Marker: true},
		Payload: binary.BigEndian.AppendUint32(append([]byte(nil), payload...), i),
	}
	if m.level != 0 {
		for _, e := range m.t.Sender().GetParameters().HeaderExtensions {
			if e.URI == sdp.AudioLevelURI {
				_ = p.SetExtension(uint8(e.ID), []byte{0x80 | m.level})
			}
		}
	}
	if m.track.WriteRTP(p) == nil {
		m.sent.Add(1)
	}
}

// publish announces streams in rooms.
func (c *client) publish(room, stream string, audio, video *media) {
	c.t.Helper()
	cmd := router.Publish{Session: c.id, Room: room, Stream: stream}
	if audio != nil {
		cmd.AudioMid = audio.mid()
	}
	if video != nil {
		cmd.VideoMid = video.mid()
	}
	must[router.Stream](c.t, c.n, cmd)
}

func (c *client) subscribe(room, stream string, audio, video bool) router.Subscription {
	c.t.Helper()

	return must[router.Subscription](c.t, c.n, router.Subscribe{Session: c.id, Room: room, Stream: stream, Audio: audio, Video: video})
}

// got returns how many packets have come on a line.
func (c *client) got(mid string) int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return len(c.received[mid])
}

// more waits for packets on a line beyond those that have come.
func (c *client) more(mid string) {
	c.t.Helper()
	before := c.got(mid)
	eventually(c.t, "media on mid "+mid, func() bool { return c.got(mid) >= before+10 })
}

// ssrc is the SSRC that the node sends a slot with.
func (c *client) ssrc(mid string) uint32 {
	c.t.Helper()
	s, err := c.n.find(c.id, router.Fence{})
	if err != nil {
		c.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.slots[mid].config.SSRC
}

// listen opens the data channel and collects what comes.
func (c *client) listen() *client {
	c.t.Helper()
	protocol := channelProtocol
	dc, err := c.pc.CreateDataChannel(channelLabel, &webrtc.DataChannelInit{Protocol: &protocol})
	if err != nil {
		c.t.Fatal(err)
	}
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.texts = append(c.texts, string(m.Data))
	})

	return c
}

// heard waits for a text with all the parts.
func (c *client) heard(parts ...string) string {
	c.t.Helper()
	var found string
	eventually(c.t, fmt.Sprintf("a text with %q", parts), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, text := range c.texts {
			all := true
			for _, p := range parts {
				all = all && strings.Contains(text, p)
			}
			if all {
				found = text

				return true
			}
		}

		return false
	})

	return found
}
