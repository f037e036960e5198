// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/sfutest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTier: two pages' worth of clients see each other come, play and leave; the tier is stopped and started in between.
func TestTier(t *testing.T) {
	node := sfutest.StartNode(t, nil)
	at, stop := serve(t, node.Target)
	ann := enter(t, at, "ann")
	bob := enter(t, at, "bob")
	bob.hears(t, "now", "ann")
	bob.plays(t, "ann")
	ann.hears(t, "added", "bob")
	ann.plays(t, "bob")

	stop()
	at, stop = serve(t, node.Target)
	defer stop()
	ann.at, bob.at = at, at
	bob.listen(t)
	bob.hears(t, "now", "ann")
	ann.leave(t)
	bob.hears(t, "removed", "ann")
	if _, err := ask[struct{}](t, at, "play", playRequest{bob.joined.Session, "elsewhere", "ann"}); err == nil || !strings.Contains(err.Error(), "not in the room") {
		t.Errorf("playing in a room that bob is not in: %v", err)
	}
	bob.leave(t)
}

// serve runs a tier until stop.
func serve(t *testing.T, node string) (at string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, node, listener) }()
	return "http://" + listener.Addr().String() + "/", func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the tier ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

func ask[Out any](t *testing.T, at, what string, in any) (out Out, err error) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.Post(at+what, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(reply.Body)
		return out, fmt.Errorf("%s: %s", reply.Status, text)
	}
	return out, json.NewDecoder(reply.Body).Decode(&out)
}

// guest does what the page does.
type guest struct {
	at       string
	pc       *webrtc.PeerConnection
	joined   joinReply
	told     chan news
	received int // audio packets, counted by plays
	audio    chan int
}

func enter(t *testing.T, at, user string) *guest {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	g := &guest{at: at, pc: pc, audio: make(chan int, 1)}
	t.Cleanup(func() { _ = pc.Close() })
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "mic")
	must(t, err)
	line, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(t, err)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		_, err = pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(t, err)
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for n := 1; ; n++ {
			if _, _, err := remote.ReadRTP(); err != nil {
				return
			}
			select {
			case <-g.audio:
			default:
			}
			g.audio <- n
		}
	})
	offer, err := pc.CreateOffer(nil)
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	must(t, pc.SetLocalDescription(offer))
	<-gathered
	g.joined, err = ask[joinReply](t, at, "join", joinRequest{Room: "lobby", User: user, Offer: pc.LocalDescription().SDP, AudioMid: line.Mid()})
	must(t, err)
	must(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: g.joined.Answer}))
	g.listen(t)
	go g.speak(t.Context(), track)
	return g
}

func (g *guest) speak(ctx context.Context, track *webrtc.TrackLocalStaticSample) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for track.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen opens the event stream; it ends with the test or the tier.
func (g *guest) listen(t *testing.T) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.at+"events?room=lobby", nil)
	must(t, err)
	reply, err := http.DefaultClient.Do(request)
	must(t, err)
	told := make(chan news, 64)
	g.told = told
	go func() {
		defer reply.Body.Close()
		defer close(told)
		for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
			var n news
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(text), &n) == nil {
				told <- n
			}
		}
	}()
}

// hears reads on until a stream is told of.
func (g *guest) hears(t *testing.T, kind, id string) {
	t.Helper()
	for n := range g.told {
		if n.Kind == kind && slices.ContainsFunc(n.Streams, func(s stream) bool { return s.ID == id }) {
			return
		}
	}
	t.Fatalf("the event stream ended before %s was told as %s", id, kind)
}

func (g *guest) plays(t *testing.T, stream string) {
	t.Helper()
	lines, err := ask[playReply](t, g.at, "play", playRequest{g.joined.Session, "lobby", stream})
	must(t, err)
	if lines.AudioMid == "" {
		t.Fatalf("playing %s: no line for its audio", stream)
	}
	for g.received < 20 {
		select {
		case g.received = <-g.audio:
		case <-t.Context().Done():
			t.Fatal("no audio")
		}
	}
}

func (g *guest) leave(t *testing.T) {
	t.Helper()
	_, err := ask[struct{}](t, g.at, "leave", struct{ Session string }{g.joined.Session})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
