// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// ended waits for the end of a session and returns its reason.
func ended(t *testing.T, w *Watcher) router.Reason {
	t.Helper()
	for {
		batch, err := w.Next(context.Background(), patience, 0)
		if err != nil || len(batch.Events) == 0 {
			t.Fatalf("%+v, %v", batch, err)
		}
		for _, e := range batch.Events {
			if p, ok := e.Payload.(router.SessionEvent); ok && p.Session.Connection == router.ConnectionClosed {
				return p.Reason
			}
		}
	}
}

func watchSession(t *testing.T, n *testNode, id router.SessionID) *Watcher {
	t.Helper()
	w, err := n.Watch(WatchRequest{FromNow: true, Sessions: []router.SessionID{id}, Kinds: []string{"session_state"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)

	return w
}

// TestWrongFingerprint has a client present another certificate than it has announced: no media, and the session ends.
func TestWrongFingerprint(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind)
	w := watchSession(t, n, c.id)
	offer := c.offer(nil)
	was := attribute(offer, "fingerprint")
	digit := "0"
	if strings.HasSuffix(was, "0") {
		digit = "1"
	}
	answer, err := n.Negotiate(context.Background(), c.id, router.Fence{}, strings.ReplaceAll(offer, was, was[:len(was)-1]+digit), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.take(answer)
	if reason := ended(t, w); reason != router.ReasonMediaFailed {
		t.Errorf("reason %v", reason)
	}
	if len(n.Load().Profiles) != 0 {
		t.Error("counted as connected")
	}
}

// TestSSRCFlood has a client with a valid transport use one SSRC after the other. SRTP keeps state for each, so the
// session ends; others do not notice.
func TestSSRCFlood(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		other := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
		c := newClient(t, n).join("r")
		voice := c.source(webrtc.MimeTypeOpus)
		c.negotiate().connected()
		w := watchSession(t, n, c.id)
		stop := make(chan struct{})
		c.writers.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for ssrc := uint32(1); ssrc < 20000; ssrc++ {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
				writeRaw(voice, &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 111}, Payload: []byte{1}})
			}
		})
		if reason := ended(t, w); reason != router.ReasonMediaFailed {
			t.Errorf("reason %v", reason)
		}
		close(stop)
		if other.state() != router.ConnectionConnected {
			t.Error("the other client suffered")
		}
	})
}

// rawTrack is a local track that sends packets as they are, whatever SSRC they have.
type rawTrack struct {
	*webrtc.TrackLocalStaticRTP
	writer webrtc.TrackLocalWriter
}

func (r *rawTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	r.writer = ctx.WriteStream()

	return r.TrackLocalStaticRTP.Bind(ctx)
}

func writeRaw(m *media, p *rtp.Packet) { _, _ = m.raw.writer.WriteRTP(&p.Header, p.Payload) }

// TestOddPackets sends what no client should over a transport that works; the session's media goes on beside it.
func TestOddPackets(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		voice := alice.source(webrtc.MimeTypeOpus)
		alice.negotiate().connected()
		alice.publish("r", "s", voice, nil)
		voice.run()
		bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
		mid := bob.subscribe("r", "s", true, false).AudioMid
		bob.more(mid)
		ssrc := uint32(voice.t.Sender().GetParameters().Encodings[0].SSRC)
		odd := func() {
			now := uint16(voice.sent.Load())
			for _, h := range []rtp.Header{
				{Version: 2, SSRC: ssrc, PayloadType: 5, SequenceNumber: now + 20}, // unknown payload type
				{Version: 2, SSRC: ssrc, PayloadType: 111, SequenceNumber: now + 21, CSRC: make([]uint32, 15)},
				{Version: 2, SSRC: 0, PayloadType: 111}, // a bandwidth probe, as browsers send
				{Version: 2, SSRC: ssrc, PayloadType: 111, SequenceNumber: now + 22, Timestamp: 1 << 31},
			} {
				writeRaw(voice, &rtp.Packet{Header: h, Payload: []byte{0xfc, 1, 2, 3, 4}})
			}
		}
		var audio *TrackStats
		// Again and again: the media beside it may have used these numbers before they were sent.
		eventually(t, "an unknown payload type is counted", func() bool {
			odd()
			var err error
			audio, _, err = n.StreamStats("app", "r", "s")

			return err == nil && audio != nil && audio.Drops[rtpforward.DropPayloadType] > 0
		})
		bob.more(mid)
		if audio.Received != audio.Accepted+audio.Drops.Total() {
			t.Errorf("%d received, %d accepted, %d dropped", audio.Received, audio.Accepted, audio.Drops.Total())
		}
	})
}

// TestNoiseOnTheSocket sends datagrams of no session while one is served.
func TestNoiseOnTheSocket(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	noise, err := net.Dial("udp4", n.Info().UDP[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Close()
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate()
	for i := range 256 {
		b := make([]byte, 200)
		b[0] = byte(i)
		_, _ = noise.Write(b)
		_, _ = noise.Write(b[:i%12])
		_, _ = noise.Write(stunRequestFor("nowhere:x"))
	}
	alice.connected()
	alice.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	bob.more(bob.subscribe("r", "s", true, false).AudioMid)
	eventually(t, "every reason is counted", func() bool {
		for _, first := range []byte{0, 22, 64, 128} { // again: a full socket loses some of the above
			b := make([]byte, 200)
			b[0] = first
			_, _ = noise.Write(b)
		}
		dropped := n.Load().UDPDropped
		for _, reason := range []string{"short", "protocol", "stun_malformed", "stun_unknown_ufrag", "unknown_source", "dtls_malformed"} {
			if dropped[reason] == 0 { // the others take somebody on a session's path
				return false
			}
		}

		return true
	})
}

// stunRequestFor builds a binding request with a user name.
func stunRequestFor(username string) []byte {
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(username))

	return m.Raw
}

// TestInboxIsBounded stops a session's effects from being carried out: it ends when too many wait, nobody waits for it.
func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	s, err := n.find(c.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock() // nobody empties the inbox
	s.inboxMu.Lock()
	for range maxInbox {
		s.inbox = append(s.inbox, &effect{Effect: router.AskKeyframe{Session: c.id, Mid: "none"}})
	}
	s.inboxMu.Unlock()
	if s.enqueue(&effect{Effect: router.AskKeyframe{Session: c.id}}) {
		t.Error("one more was taken")
	}
	if !s.enqueue(&effect{Effect: router.EndSession{Session: c.id}}) {
		t.Error("the end was not taken")
	}
	s.mu.Unlock()
	s.carryOut()
	<-s.done
}

// TestChurnLeavesNothing makes and ends sessions and joins and leaves rooms; goroutines come back to what they were.
func TestChurnLeavesNothing(t *testing.T) {
	n := startNode(t)
	warm := newClient(t, n).join("warm").slots(audioKind, videoKind).listen().negotiate().connected()
	must[router.Stopped](t, n, router.CloseSession{Session: warm.id}) // what a client says when it goes may be lost
	warm.close()
	settled := func() int {
		eventually(t, "no session is left", func() bool {
			n.aliveMu.Lock()
			defer n.aliveMu.Unlock()

			return len(n.alive) == 0
		})

		return runtime.NumGoroutine()
	}
	before := settled()
	for range 5 {
		var all []*client
		for range 4 {
			all = append(all, newClient(t, n).join("r").slots(audioKind, videoKind).listen().negotiate())
		}
		for _, c := range all {
			c.connected()
			for range 20 {
				must[router.Stopped](t, n, router.LeaveRoom{Session: c.id, Room: "r"})
				c.join("r")
				c.subscribe("r", "none", true, true)
			}
			must[router.Stopped](t, n, router.CloseSession{Session: c.id})
			c.close()
		}
	}
	eventually(t, "goroutines are back", func() bool { return settled() <= before+2 })
	if counts := n.Load().Counts; counts != (router.Counts{}) {
		t.Errorf("left: %+v", counts)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sessions)+len(n.published) != 0 {
		t.Errorf("left: %d sessions, %d sources", len(n.sessions), len(n.published))
	}
}

// TestStopTimeout has a shard that never confirms: the caller is told so, in time.
func TestStopTimeout(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.StopTimeout = 20 * time.Millisecond })
	never := []routed{{effect: &effect{ack: make(chan struct{})}}}
	if err := n.waitStops(context.Background(), never); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("%v", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := n.waitStops(canceled, never); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("%v", err)
	}
}

// stallRelay stands between a client and the node's TCP port. Stalled, it takes nothing off the node any more.
func stallRelay(t *testing.T, node string, stalled <-chan struct{}) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", node)
			if err != nil {
				t.Error(err)

				return
			}
			mu.Lock()
			open = append(open, client, back)
			mu.Unlock()
			if tcp, ok := back.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(4096)
			}
			running.Go(func() { _, _ = io.Copy(back, client) })
			running.Go(func() {
				buf := make([]byte, 2048)
				for {
					select {
					case <-stalled:
						return
					default:
					}
					n, err := back.Read(buf)
					if err != nil {
						return
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())

	return port
}

// TestStuckTCPClient has a client on ICE-TCP stop reading while media flows: one on the same shard gets everything.
func TestStuckTCPClient(t *testing.T) {
	n := startNode(t, func(c *Config) {
		c.TCPAddress, c.Forward.Shards = "127.0.0.1:0", 1
		c.Forward.NoCongestionControl = true // or it would not be sent what it does not read
	})
	alice := newClient(t, n).join("r")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate().connected()
	alice.publish("r", "cam", nil, camera)
	stall := make(chan struct{})
	node := n.Info().TCP[0]
	relay := stallRelay(t, node.String(), stall)
	stuck := newClient(t, n, func(s *webrtc.SettingEngine) {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
		s.SetICETimeouts(patience, patience, 2*time.Second) // it hears nothing, and asks for media all the same
	}).join("r").slots(videoKind)
	answer, err := n.Negotiate(context.Background(), stuck.id, router.Fence{}, stuck.offer(nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	answer.SDP = strings.ReplaceAll(answer.SDP, " "+strconv.Itoa(int(node.Port()))+" typ host tcptype", " "+relay+" typ host tcptype")
	stuck.take(answer)
	stuck.connected()
	bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
	alice.writers.Go(func() { // a megabyte and a half a second
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		frame := append(append([]byte(nil), vp8Key...), make([]byte, 1100)...)
		for i := uint32(0); ; i++ {
			select {
			case <-tick.C:
				camera.write(i, frame)
			case <-alice.stopped:
				return
			}
		}
	})
	stuckSub := stuck.subscribe("r", "cam", false, true)
	mid := bob.subscribe("r", "cam", false, true).VideoMid
	stuck.more(stuckSub.VideoMid)
	bob.more(mid)
	close(stall)
	before := bob.got(mid)
	// Twice what fits between the node and the client that does not read.
	eventually(t, "media to the other client", func() bool { return bob.got(mid) > before+2*(tcpWriteBuffer+2*tcpKernelBuffer)/1100 })
	bob.noGap(mid)
	// pion's ICE swallows what a full buffer refuses, so the count of writes is all there is to see.
	eventually(t, "more is written than fits into the buffers", func() bool {
		_, video, err := n.SubscriptionStats(stuckSub.ID)

		return err == nil && video.Bytes >= tcpWriteBuffer+2*tcpKernelBuffer+1<<18
	})
	must[router.Stopped](t, n, router.LeaveRoom{Session: stuck.id, Room: "r"})
}
