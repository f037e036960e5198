// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// TestClientsTakeAnswers has a real client offer lines of many kinds, and take the answer to each.
func TestClientsTakeAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T, *webrtc.PeerConnection)
		offer   func(string) string // how the client's first offer is changed, if at all
		want    string              // the directions of the client's transceivers
		has     string              // the answer
	}{
		"receive": {prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
			for range 4 {
				lineTo(t, pc, webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverDirectionRecvonly)
				lineTo(t, pc, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionRecvonly)
			}
		}, want: strings.Repeat("recvonly ", 8)},
		"send": {prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
			lineFor(t, pc, webrtc.MimeTypeOpus, webrtc.RTPTransceiverDirectionSendonly)
			lineFor(t, pc, webrtc.MimeTypeH264, webrtc.RTPTransceiverDirectionSendonly)
		}, want: "sendonly sendonly "},
		"send layers": {prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
			lineFor(t, pc, webrtc.MimeTypeVP8, webrtc.RTPTransceiverDirectionSendonly, "q", "h", "f")
		}, want: "sendonly ", has: "a=rid:f recv\r\na=simulcast:recv q;h;f\r\n"},
		"both ways, data": {prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
			lineFor(t, pc, webrtc.MimeTypeOpus, webrtc.RTPTransceiverDirectionSendrecv)
			lineTo(t, pc, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionRecvonly)
			if _, err := pc.CreateDataChannel("x", nil); err != nil {
				t.Fatal(err)
			}
		}, want: "sendrecv recvonly "},
		"data only": {prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
			if _, err := pc.CreateDataChannel("x", nil); err != nil {
				t.Fatal(err)
			}
		}},
		"the client serves DTLS": {
			prepare: func(t *testing.T, pc *webrtc.PeerConnection) {
				lineTo(t, pc, webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverDirectionRecvonly)
			},
			offer: func(s string) string { return strings.Replace(s, "setup:actpass", "setup:passive", 1) },
			want:  "recvonly ", has: "a=setup:active\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pc := offerer(t)
			c.prepare(t, pc)
			f := newFormats()
			var lines []line
			for range 2 { // the second time with answered lines
				raw := localOffer(t, pc)
				if c.offer != nil && lines == nil {
					raw = c.offer(raw)
				}
				e := exchange(t, f, raw, lines)
				if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: e.answer}); err != nil {
					t.Fatalf("%v\n%s", err, e.answer)
				}
				if !strings.Contains(e.answer, c.has) {
					t.Errorf("the answer does not say %q\n%s", c.has, e.answer)
				}
				lines = e.lines
			}
			got := ""
			for _, tr := range pc.GetTransceivers() {
				got += tr.Direction().String() + " "
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if state := pc.SignalingState(); state != webrtc.SignalingStateStable {
				t.Errorf("the client is in state %v", state)
			}
		})
	}
}

// TestClientTakesGivenUpLine stops a client's transceiver between two offers.
func TestClientTakesGivenUpLine(t *testing.T) {
	pc := offerer(t)
	lineFor(t, pc, webrtc.MimeTypeOpus, webrtc.RTPTransceiverDirectionSendonly)
	stopped := lineFor(t, pc, webrtc.MimeTypeVP8, webrtc.RTPTransceiverDirectionSendonly)
	f := newFormats()
	first := exchange(t, f, localOffer(t, pc), nil)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: first.answer}); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Stop(); err != nil {
		t.Fatal(err)
	}
	again := exchange(t, f, localOffer(t, pc), first.lines)
	if again.lines[1].active {
		t.Errorf("the line is %+v", again.lines[1])
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: again.answer}); err != nil {
		t.Fatalf("%v\n%s", err, again.answer)
	}
}

// offerer is a client that is never connected.
func offerer(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s := webrtc.SettingEngine{LoggerFactory: quiet}
	s.SetInterfaceFilter(func(string) bool { return false })
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	})

	return pc
}

func localOffer(t *testing.T, pc *webrtc.PeerConnection) string {
	t.Helper()
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}

	return offer.SDP
}

func lineTo(t *testing.T, pc *webrtc.PeerConnection, kind webrtc.RTPCodecType, d webrtc.RTPTransceiverDirection) {
	t.Helper()
	if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: d}); err != nil {
		t.Fatal(err)
	}
}

func lineFor(t *testing.T, pc *webrtc.PeerConnection, mime string, d webrtc.RTPTransceiverDirection, rids ...string) *webrtc.RTPTransceiver {
	t.Helper()
	tracks := make([]*webrtc.TrackLocalStaticRTP, max(1, len(rids)))
	for i := range tracks {
		var options []func(*webrtc.TrackLocalStaticRTP)
		if len(rids) > 0 {
			options = append(options, webrtc.WithRTPStreamID(rids[i]))
		}
		var err error
		if tracks[i], err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, "track", "stream", options...); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := pc.AddTransceiverFromTrack(tracks[0], webrtc.RTPTransceiverInit{Direction: d})
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range tracks[1:] {
		if err := tr.Sender().AddEncoding(track); err != nil {
			t.Fatal(err)
		}
	}

	return tr
}
