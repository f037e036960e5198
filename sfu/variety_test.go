// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// TestSendrecvLines offers lines of both directions before ones to receive on: the former become sources, and the slots
// land on the lines that they are for.
func TestSendrecvLines(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate().connected()
	alice.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r")
	for range 2 {
		if _, err := bob.pc.AddTransceiverFromKind(audioKind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv}); err != nil {
			t.Fatal(err)
		}
	}
	bob.slots(audioKind).negotiate().connected()
	var got []router.LineDirection
	for _, l := range bob.answer.Lines {
		got = append(got, l.Direction)
	}
	if diff := cmp.Diff([]router.LineDirection{router.LineUp, router.LineUp, router.LineDown}, got); diff != "" {
		t.Error(diff)
	}
	if strings.Count(bob.answer.SDP, "a=recvonly") != 2 || strings.Count(bob.answer.SDP, "a=sendonly") != 1 {
		t.Errorf("answered:\n%s", bob.answer.SDP)
	}
	sub := bob.subscribe("r", "s", true, false)
	if sub.AudioMid != "2" {
		t.Errorf("slot %q", sub.AudioMid)
	}
	bob.more(sub.AudioMid)
}

// TestLineGoesAndComesBack makes a source and a slot inactive and active again.
func TestLineGoesAndComesBack(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate().connected()
	alice.publish("r", "s", voice, nil)
	voice.run()
	bob := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	bob.more(bob.subscribe("r", "s", true, false).AudioMid)
	ssrc := bob.ssrc("0")

	offer := bob.offer(nil)
	bob.offerID++
	answer, err := n.Negotiate(context.Background(), bob.id, router.Fence{}, strings.Replace(offer, "a=recvonly", "a=inactive", 1), bob.offerID)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Lines[0].Direction != router.LineInactive || !strings.Contains(answer.SDP, "a=inactive") {
		t.Errorf("answered %+v", answer.Lines)
	}
	after, sent := n.tap.count(ssrc), voice.sent.Load()
	eventually(t, "the publisher goes on", func() bool { return voice.sent.Load() >= sent+10 })
	if now := n.tap.count(ssrc); now != after {
		t.Errorf("%d packets into an inactive line", now-after)
	}
	bob.offerID++
	if answer, err = n.Negotiate(context.Background(), bob.id, router.Fence{}, offer, bob.offerID); err != nil {
		t.Fatal(err)
	}
	if answer.Lines[0].Subscription == "" {
		t.Errorf("the waiting subscription did not get its slot back: %+v", answer.Lines)
	}
	bob.take(answer)
	bob.more("0")
	if bob.ssrc("0") != ssrc {
		t.Error("the slot has another SSRC now")
	}

	up := alice.offer(nil)
	alice.offerID++
	if answer, err = n.Negotiate(context.Background(), alice.id, router.Fence{}, strings.Replace(up, "a=sendonly", "a=inactive", 1), alice.offerID); err != nil {
		t.Fatal(err)
	}
	alice.offerID++
	if answer, err = n.Negotiate(context.Background(), alice.id, router.Fence{}, up, alice.offerID); err != nil {
		t.Fatal(err)
	}
	alice.take(answer)
	alice.publish("r", "again", voice, nil)
	must[any](t, n, router.SetSubscriptions{Session: bob.id, Room: "r", Generation: 1, Desired: []router.Subscribe{{Stream: "again", Audio: true}}})
	bob.more("0")
}

// TestClientIsDTLSServer offers setup:passive: the node connects then.
func TestClientIsDTLSServer(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind)
	answer, err := n.Negotiate(context.Background(), c.id, router.Fence{}, strings.ReplaceAll(c.offer(nil), "setup:actpass", "setup:passive"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer.SDP, "a=setup:active") {
		t.Errorf("answered:\n%s", answer.SDP)
	}
	c.take(answer)
	c.connected()
}

func TestDataOnly(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").listen().negotiate().connected()
	if len(c.answer.Lines) != 0 {
		t.Errorf("lines %+v", c.answer.Lines)
	}
	c.heard(`"type":"slots","slots":[]`)
	c.heard(`"lines":[]`)
}

func TestIPv6AndAllInterfaces(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Logf("no IPv6 here (%v): only the mixed socket is tried", err)
	} else {
		n := startNode(t, func(c *Config) { _ = c.PacketConn.Close(); c.PacketConn = conn })
		own, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
		if err != nil {
			t.Fatal(err)
		}
		mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: own}) // pion does not gather ::1 by itself
		t.Cleanup(func() { _ = mux.Close() })
		v6 := func(s *webrtc.SettingEngine) {
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP6})
			s.SetICEUDPMux(mux)
		}
		c := newClient(t, n, v6).join("r").slots(audioKind).negotiate().connected()
		if !strings.Contains(c.answer.SDP, " ::1 ") {
			t.Errorf("answered:\n%s", c.answer.SDP)
		}
	}
	n := startNode(t, func(c *Config) {
		_ = c.PacketConn.Close()
		c.PacketConn, c.UDPAddress, c.Loopback = nil, ":0", true
	})
	c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	if !strings.Contains(c.answer.SDP, " 127.0.0.1 ") {
		t.Errorf("answered:\n%s", c.answer.SDP)
	}
}

// TestSpeakers has two people speak, one louder, and one room in which one of them is muted.
func TestSpeakers(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.SpeakerEvery = 10 * time.Millisecond })
	w, err := n.Watch(WatchRequest{FromNow: true, Kinds: []string{"active_speakers"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, level := range map[string]uint8{"loud": 10, "low": 35, "silent": 100} {
		c := newClient(t, n).join("r", "quiet")
		voice := c.source(webrtc.MimeTypeOpus)
		voice.level = level
		c.negotiate().connected()
		c.publish("r", name, voice, nil)
		if name == "loud" {
			c.publish("quiet", name, voice, nil)
			must[any](t, n, router.MuteStream{App: "app", Room: "quiet", Stream: "loud", Audio: new(true)})
		}
		voice.run()
	}
	for {
		batch, err := w.Next(context.Background(), patience, 1)
		if err != nil || len(batch.Events) == 0 {
			t.Fatalf("never told that both speak: %+v, %v", batch, err)
		}
		e := batch.Events[0]
		p, ok := e.Payload.(router.SpeakersEvent)
		if !ok || e.Room != "r" {
			t.Fatalf("told %+v", e)
		}
		for _, s := range p.Speakers {
			if s.Stream == "silent" {
				t.Fatalf("one who is silent speaks: %+v", p.Speakers)
			}
		}
		if len(p.Speakers) == 2 && p.Speakers[0].Stream == "loud" && p.Speakers[1].Stream == "low" {
			return
		}
	}
}

// TestSimulcast sends three layers by rid; one of them is forwarded.
func TestSimulcast(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		var tracks []*webrtc.TrackLocalStaticRTP
		capability := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
		for _, rid := range []string{"q", "h", "f"} {
			track, err := webrtc.NewTrackLocalStaticRTP(capability, "video", "stream", webrtc.WithRTPStreamID(rid))
			if err != nil {
				t.Fatal(err)
			}
			tracks = append(tracks, track)
		}
		transceiver, err := alice.pc.AddTransceiverFromTrack(tracks[0], webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			t.Fatal(err)
		}
		for _, track := range tracks[1:] {
			if err := transceiver.Sender().AddEncoding(track); err != nil {
				t.Fatal(err)
			}
		}
		alice.negotiate().connected()
		if !strings.Contains(alice.answer.SDP, "a=simulcast:recv q;h;f") {
			t.Errorf("answered:\n%s", alice.answer.SDP)
		}
		must[router.Stream](t, n, router.Publish{Session: alice.id, Room: "r", Stream: "cam", VideoMid: transceiver.Mid()})
		bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
		mid := bob.subscribe("r", "cam", false, true).VideoMid
		ids := make(map[string]uint8)
		for _, e := range transceiver.Sender().GetParameters().HeaderExtensions {
			ids[e.URI] = uint8(e.ID)
		}
		alice.writers.Go(func() {
			tick := time.NewTicker(4 * time.Millisecond)
			defer tick.Stop()
			for i := uint16(0); ; i++ {
				select {
				case <-tick.C:
				case <-alice.stopped:
					return
				}
				for layer, track := range tracks {
					p := &rtp.Packet{
						Header:  rtp.Header{Version: 2, SequenceNumber: i, Timestamp: uint32(i) * 360, Marker: true},
						Payload: append(append([]byte(nil), vp8Key...), byte(layer)),
					}
					_ = p.SetExtension(ids[sdp.SDESMidURI], []byte(transceiver.Mid()))
					_ = p.SetExtension(ids[sdp.SDESRTPStreamIDURI], []byte(track.RID()))
					_ = track.WriteRTP(p)
				}
			}
		})
		bob.more(mid)
		bob.more(mid)
		bob.mu.Lock()
		defer bob.mu.Unlock()
		// It starts with what comes first and goes up from there: two changes, unless a layer is taken to be silent on a
		// machine that is busy.
		changes, before := 0, bob.received[mid][0].Payload
		for _, p := range bob.received[mid] {
			if p.Payload[len(p.Payload)-1] != before[len(before)-1] {
				changes++
			}
			before = p.Payload
		}
		if n := len(bob.received[mid]); changes > 2+n/10 {
			t.Fatalf("layers are mixed: %d changes in %d packets", changes, n)
		}
	})
}

// TestAnswerStaysWithinTheOffer offers fewer codecs on one line than on another.
func TestAnswerStaysWithinTheOffer(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r")
	both := strings.Replace(section(1, "audio", "recvonly"), "SAVPF 111\n", "SAVPF 63 111\na=rtpmap:63 red/48000/2\na=fmtp:63 111/111\n", 1)
	answer, err := n.Negotiate(context.Background(), c.id, router.Fence{}, sdpText(section(0, "audio", "recvonly"), both), 1)
	if err != nil {
		t.Fatal(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer.SDP); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"111"}, {"63", "111"}} {
		if diff := cmp.Diff(want, d.MediaDescriptions[i].MediaName.Formats); diff != "" {
			t.Errorf("line %d: %s", i, diff)
		}
	}
}

// TestOwnCertificate configures the certificate; clients are told its fingerprint.
func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, func(c *Config) { c.Certificate = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key} })
	digest := fmt.Sprintf("% X", sha256.Sum256(der))
	for range 2 {
		c := newClient(t, n).join("r").slots(audioKind).negotiate().connected()
		if want := "sha-256 " + strings.ReplaceAll(digest, " ", ":"); attribute(c.answer.SDP, "fingerprint") != want {
			t.Errorf("fingerprint %s, not %s", attribute(c.answer.SDP, "fingerprint"), want)
		}
	}
	if _, err := NewNode(Config{UDPAddress: "127.0.0.1:0", Certificate: &tls.Certificate{}}); err == nil {
		t.Error("an empty certificate was taken")
	}
}
