// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
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

// TestSSRCFlood has a client with a valid transport use one SSRC after the other. pion keeps state for each, so the
// session ends; others do not notice.
func TestSSRCFlood(t *testing.T) {
	n := startNode(t)
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
	n := startNode(t)
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate().connected()
	alice.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	mid := bob.subscribe("r", "s", true, false).AudioMid
	bob.more(mid)
	now := uint16(voice.sent.Load())
	ssrc := uint32(voice.t.Sender().GetParameters().Encodings[0].SSRC)
	for _, h := range []rtp.Header{
		{Version: 2, SSRC: ssrc, PayloadType: 5, SequenceNumber: now + 20}, // unknown payload type
		{Version: 2, SSRC: ssrc, PayloadType: 111, SequenceNumber: now + 21, CSRC: make([]uint32, 15)},
		{Version: 2, SSRC: 0, PayloadType: 111}, // a bandwidth probe, as browsers send
		{Version: 2, SSRC: ssrc, PayloadType: 111, SequenceNumber: now + 22, Timestamp: 1 << 31},
	} {
		writeRaw(voice, &rtp.Packet{Header: h, Payload: []byte{0xfc, 1, 2, 3, 4}})
	}
	bob.more(mid)
	audio, _, err := n.StreamStats("app", "r", "s")
	if err != nil || audio.Drops[rtpforward.DropPayloadType] == 0 {
		t.Errorf("an unknown payload type was not counted: %+v, %v", audio, err)
	}
	if audio.Received != audio.Accepted+audio.Drops.Total() {
		t.Errorf("%d received, %d accepted, %d dropped", audio.Received, audio.Accepted, audio.Drops.Total())
	}
}

// TestNoiseOnTheSocket sends datagrams of no session while one is served.
func TestNoiseOnTheSocket(t *testing.T) {
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
		for _, count := range n.Load().UDPDropped {
			if count == 0 {
				return false
			}
		}

		return true
	})
}

// TestInboxIsBounded stops a session's effects from being carried out: it ends when too many wait, nobody waits for it.
func TestInboxIsBounded(t *testing.T) {
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	s, err := n.find(c.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
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
	s.carryOut()
	<-s.done
}

// TestChurnLeavesNothing makes and ends sessions and joins and leaves rooms; goroutines come back to what they were.
func TestChurnLeavesNothing(t *testing.T) {
	n := startNode(t)
	newClient(t, n).join("warm").slots(audioKind, videoKind).listen().negotiate().connected().close()
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
			c := newClient(t, n).join("r").slots(audioKind, videoKind).listen().negotiate().connected()
			all = append(all, c)
		}
		for _, c := range all {
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
}

// TestStopTimeout has a shard that never confirms: the caller is told so, in time.
func TestStopTimeout(t *testing.T) {
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
