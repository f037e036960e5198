// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// together is how many tests run at a time: most of what they do is to wait for sockets and timers. Those that count goroutines or
// allocations are not parallel, and run before the others.
const together = 12

func TestMain(m *testing.M) {
	flag.Parse()
	given := false // by who runs the tests; of fuzz tests it is the number of processes
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" || f.Name == "test.fuzz" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(together))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what a test waits for; nothing is measured against it.
const patience = 30 * time.Second

// owner is a Handler that notes what it is told.
type owner struct {
	state   chan struct{}
	chosen  chan netip.AddrPort
	media   chan []byte
	channel func(*datachannel.DataChannel)
	move    func(netip.AddrPort) bool
	inside  atomic.Int32 // calls of HandleMedia under way
	overlap atomic.Bool
	states  struct {
		sync.Mutex
		seen []State
	}
	of atomic.Pointer[Transport]
}

func newOwner() *owner {
	return &owner{state: make(chan struct{}, 1), chosen: make(chan netip.AddrPort, 64), media: make(chan []byte, 4096)}
}

func (o *owner) HandleState() {
	if t := o.of.Load(); t != nil {
		o.states.Lock()
		if s := t.State(); len(o.states.seen) == 0 || o.states.seen[len(o.states.seen)-1] != s {
			o.states.seen = append(o.states.seen, s)
		}
		o.states.Unlock()
	}
	select {
	case o.state <- struct{}{}:
	default:
	}
}

func (o *owner) HandleCheck(from netip.AddrPort) bool { return o.move != nil && o.move(from) }

func (o *owner) HandleChosen(to netip.AddrPort) {
	select {
	case o.chosen <- to:
	default:
	}
}

func (o *owner) HandleMedia(packet []byte, _ bool) {
	if o.inside.Add(1) != 1 {
		o.overlap.Store(true)
	}
	select {
	case o.media <- bytes.Clone(packet):
	default:
	}
	o.inside.Add(-1)
}

func (o *owner) HandleChannel(c *datachannel.DataChannel) {
	if o.channel != nil {
		o.channel(c)
	}
}

// node is a Mux and a Maker on loopback.
type node struct {
	t     testing.TB
	mux   *udpmux.Mux
	maker *Maker
	tcp   uint16 // port, 0: none
}

func newNode(t testing.TB, change func(*Config)) *node {
	t.Helper()
	mux, err := udpmux.New(udpmux.Config{Address: "127.0.0.1:0", Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	cfg := Config{Mux: mux, Lite: true, ConsentTimeout: 10 * time.Second}
	n := &node{t: t, mux: mux}
	if change != nil {
		change(&cfg)
	}
	if n.maker, err = NewMaker(cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.TCP != nil {
		t.Cleanup(func() { _ = cfg.TCP.Close() })
		if bound, ok := cfg.TCP.(interface{ LocalAddr() net.Addr }); ok {
			n.tcp = netip.MustParseAddrPort(bound.LocalAddr().String()).Port()
		}
	}

	return n
}

func (n *node) transport(o *owner, local Credentials, dtlsClient bool) *Transport {
	n.t.Helper()
	tr, err := n.maker.New(o, local, dtlsClient)
	if err != nil {
		n.t.Fatal(err)
	}
	o.of.Store(tr)
	n.t.Cleanup(tr.Close)

	return tr
}

// quiet keeps pion's clients from the test's output.
func quiet() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
}

// peer is a client: a PeerConnection with one line that sends, one that receives, and a channel if asked for.
type peer struct {
	t     testing.TB
	pc    *webrtc.PeerConnection
	video *webrtc.TrackLocalStaticRTP
	got   chan *rtp.Packet
	role  webrtc.DTLSRole // of the client

	remote Remote // of the newest offer
	port   int    // where the node is said to be
}

type peerOptions struct {
	change func(*webrtc.SettingEngine)
	role   webrtc.DTLSRole
	port   int // where the client finds the node; 0: where it is
}

// outSSRC is what the node sends to clients.
const outSSRC = 0x1234

func newPeer(t testing.TB, o peerOptions) *peer {
	t.Helper()
	s := webrtc.SettingEngine{LoggerFactory: quiet()}
	s.SetIncludeLoopbackCandidate(true)
	if o.change != nil {
		o.change(&s)
	}
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, pc: pc, got: make(chan *rtp.Packet, 4096), role: o.role, port: o.port}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	if p.video, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "v", "s"); err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTransceiverFromTrack(p.video, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			select {
			case p.got <- packet:
			default:
			}
		}
	})

	return p
}

// offer makes the client's offer and what a Transport needs of it.
func (p *peer) offer(restart bool) (string, Remote) {
	p.t.Helper()
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		p.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		p.t.Fatal(err)
	}
	<-gathered
	text := p.pc.LocalDescription().SDP
	r := Remote{}
	for line := range strings.SplitSeq(text, "\r\n") {
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "a=ice-ufrag":
			r.Ufrag = value
		case "a=ice-pwd":
			r.Pwd = value
		case "a=fingerprint":
			r.Fingerprint = value
		case "a=candidate":
			r.Candidates = append(r.Candidates, value)
		}
	}

	p.remote = r

	return text, r
}

// answer gives the client an answer that takes everything that it has offered.
func (p *peer) answer(offer string, n *node, local Credentials) {
	p.t.Helper()
	setup := "passive"
	if p.role == webrtc.DTLSRoleServer {
		setup = "active"
	}
	text := answerText(offer, n, local, setup)
	if p.port != 0 {
		text = strings.ReplaceAll(text, fmt.Sprintf("127.0.0.1 %d typ", n.mux.LocalAddr().Port), fmt.Sprintf("127.0.0.1 %d typ", p.port))
	}
	err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text})
	if err != nil {
		p.t.Fatal(err, text)
	}
}

// connect brings a client and a transport together.
func connect(t testing.TB, n *node, p *peer, o *owner) *Transport {
	t.Helper()
	local := NewCredentials()
	offer, remote := p.offer(false)
	tr := n.transport(o, local, p.role == webrtc.DTLSRoleServer)
	if err := tr.Start(remote); err != nil {
		t.Fatal(err)
	}
	p.answer(offer, n, local)
	o.await(t, func() bool { return tr.State() >= StateSecure })
	if s := tr.State(); s != StateSecure {
		t.Fatalf("state is %v", s)
	}

	return tr
}

func (o *owner) await(t testing.TB, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !done() {
		select {
		case <-o.state:
		case <-ctx.Done():
			t.Fatal("it did not come to that state in time")
		}
	}
}

// answerText takes everything that an offer has, from the other side.
func answerText(offer string, n *node, local Credentials, setup string) string {
	addr := n.mux.LocalAddr()
	var out []string
	for line := range strings.SplitSeq(offer, "\r\n") {
		key, _, _ := strings.Cut(line, ":")
		switch key {
		case "a=sendonly":
			line = "a=recvonly"
		case "a=recvonly":
			line = fmt.Sprintf("a=sendonly\r\na=msid:s v\r\na=ssrc:%d cname:node", outSSRC)
		case "a=ice-ufrag":
			line = "a=ice-ufrag:" + local.Ufrag
		case "a=ice-pwd":
			line = "a=ice-pwd:" + local.Pwd
		case "a=fingerprint":
			line = "a=fingerprint:" + n.maker.Fingerprint()
		case "a=setup":
			line = "a=setup:" + setup
			if n.tcp != 0 {
				line += fmt.Sprintf("\r\na=candidate:2 1 tcp 1518280447 127.0.0.1 %d typ host tcptype passive", n.tcp)
			} else {
				line += fmt.Sprintf("\r\na=candidate:1 1 udp 2130706431 127.0.0.1 %d typ host", addr.Port)
			}
			line += "\r\na=end-of-candidates"
		case "a=group":
			line += "\r\na=ice-lite"
		case "a=candidate", "a=end-of-candidates", "a=msid", "a=ssrc", "a=ssrc-group", "a=ice-options", "a=rtcp", "a=msid-semantic":
			continue
		}
		out = append(out, line)
	}

	return strings.Join(out, "\r\n")
}
