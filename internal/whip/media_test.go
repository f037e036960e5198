// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// peer is pion with nothing of ours around it.
type peer struct {
	s           *stage
	pc          *webrtc.PeerConnection
	token       string
	at, tag     string // of the resource
	connections chan webrtc.PeerConnectionState
}

// dial makes an offer of what fill adds, posts it with all its candidates, and takes the answer.
func (s *stage) dial(path string, fill func(*webrtc.PeerConnection)) *peer {
	s.t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		s.t.Fatal(err)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(engine))
	pc, err := api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = pc.GracefulClose() })
	p := &peer{s: s, pc: pc, token: s.token(auth.Claims{}), connections: make(chan webrtc.PeerConnectionState, 16)}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { p.connections <- state })
	fill(pc)
	a := s.open(path, p.offer(nil), p.token)
	p.at, p.tag = a.header.Get("Location"), a.header.Get("ETag")
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.body}); err != nil {
		s.t.Fatal(err)
	}
	p.connects()
	return p
}

func (p *peer) offer(options *webrtc.OfferOptions) string {
	p.s.t.Helper()
	offer, err := p.pc.CreateOffer(options)
	if err != nil {
		p.s.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		p.s.t.Fatal(err)
	}
	<-gathered
	return p.pc.LocalDescription().SDP
}

func (p *peer) connects() {
	p.s.t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case state := <-p.connections:
			if state == webrtc.PeerConnectionStateConnected {
				return
			}
		case <-late:
			p.s.t.Fatal("the client has never been connected")
		}
	}
}

// restart does ICE's restart by PATCH.
func (p *peer) restart() {
	p.s.t.Helper()
	offer := p.offer(&webrtc.OfferOptions{ICERestart: true})
	a := p.s.ask(http.MethodPatch, p.at, fragmentOf(offer), fragType, bearer(p.token), "If-Match: *")
	if a.status != http.StatusOK {
		p.s.t.Fatalf("restart: %d %s", a.status, a.body)
	}
	f, err := readFragment(a.body, func(string) bool { return true })
	if err != nil {
		p.s.t.Fatal(err)
	}
	answer, err := readOffer(p.pc.CurrentRemoteDescription().SDP)
	if err != nil {
		p.s.t.Fatal(err)
	}
	var texts []string
	for _, c := range f.candidates {
		texts = append(texts, c.text)
	}
	next := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.restarted(f.ice, texts).text()}
	if err := p.pc.SetRemoteDescription(next); err != nil {
		p.s.t.Fatal(err)
	}
}

// TestMedia sends packets from a publisher to a viewer, over ICE restarts of both, and stops them with DELETE.
func TestMedia(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]bool{"lite": false, "full": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			media(t, start(t, func(n *sfu.Config, _ *Config) { n.FullICE = full }))
		})
	}
}

func media(t *testing.T, s *stage) {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "stream")
	if err != nil {
		t.Fatal(err)
	}
	sender := s.dial("/whip/demo/r1/cam", func(pc *webrtc.PeerConnection) {
		if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
	})
	heard := make(chan string, 64)
	player := s.dial("/whep/demo/r1/cam", func(pc *webrtc.PeerConnection) {
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			for {
				p, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				select {
				case heard <- string(p.Payload):
				default:
				}
			}
		})
		if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	})
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 7}}
	says := func(text string) { // until it is heard
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		late := time.After(time.Minute)
		for {
			select {
			case <-tick.C:
				packet.SequenceNumber, packet.Timestamp, packet.Payload = packet.SequenceNumber+1, packet.Timestamp+960, []byte(text)
				if err := track.WriteRTP(packet); err != nil {
					t.Fatal(err)
				}
			case got := <-heard:
				if got == text {
					return
				}
			case <-late:
				t.Fatalf("nobody has heard %q", text)
			}
		}
	}
	says("hello")
	player.restart()
	says("after the player's restart")
	sender.restart()
	says("after the publisher's restart")
	for _, p := range []*peer{player, sender} {
		if got := s.ask(http.MethodDelete, p.at, "", bearer(p.token)); got.status != http.StatusOK {
			t.Errorf("DELETE: %d %s", got.status, got.body)
		}
	}
	if got := s.node.Load().Counts; got != (router.Counts{}) {
		t.Errorf("after DELETE there are %+v", got)
	}
}

// TestClientCloses ends the session and its resource without DELETE.
func TestClientCloses(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "video", "stream")
	if err != nil {
		t.Fatal(err)
	}
	p := s.dial("/whip/demo/r1/cam", func(pc *webrtc.PeerConnection) {
		if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
	})
	if err := p.pc.Close(); err != nil {
		t.Fatal(err)
	}
	s.until("the session has ended", func() bool { return s.server.Stats().Sessions[whip] == 0 && s.node.Load().Counts == (router.Counts{}) })
	if got := s.ask(http.MethodGet, p.at, "", bearer(p.token)); got.status != http.StatusNotFound || !strings.Contains(got.body, "SESSION_NOT_FOUND") {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}
