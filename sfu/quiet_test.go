// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// TestQuietIsHeldBack: what has no place in a room is not forwarded there, and counted as that; in a room without a limit it is.
func TestQuietIsHeldBack(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.voice(t, "loud", 10, "limited", "free")
	n.voice(t, "mid", 35, "limited", "free")
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(1))})
	n.hears(t, "limited", "loud")
	bob := newClient(t, n).join("limited", "free").slots(audioKind, audioKind, audioKind).negotiate().connected()
	held, heard := bob.subscribe("limited", "mid", true, false), bob.subscribe("limited", "loud", true, false)
	free := bob.subscribe("free", "mid", true, false)
	bob.more(heard.AudioMid)
	bob.more(free.AudioMid)
	stats := func(sub router.Subscription) rtpforward.DownTrackStats {
		t.Helper()
		audio, _, err := n.SubscriptionStats(sub.ID)
		if err != nil || audio == nil {
			t.Fatalf("%v, %v", audio, err)
		}

		return *audio
	}
	eventually(t, "packets are counted as quiet", func() bool { return stats(held).Drops[rtpforward.DropQuiet] >= 20 })
	if others := stats(heard).Drops[rtpforward.DropQuiet] + stats(free).Drops[rtpforward.DropQuiet]; others != 0 {
		t.Errorf("%d packets were held back of who has a place, or in the other room", others)
	}
	must[router.RoomSummary](t, n, router.SetRoomAudio{App: "app", Room: "limited", Loudest: new(uint32(2))})
	bob.more(held.AudioMid)
}

// layered publishes a camera in three sizes, a keyframe in each packet, and returns its mid.
func (c *client) layered(room, stream string, rids ...string) string {
	c.t.Helper()
	var tracks []*webrtc.TrackLocalStaticRTP
	capability := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	for _, rid := range rids {
		track, err := webrtc.NewTrackLocalStaticRTP(capability, "video", "stream", webrtc.WithRTPStreamID(rid))
		if err != nil {
			c.t.Fatal(err)
		}
		tracks = append(tracks, track)
	}
	transceiver, err := c.pc.AddTransceiverFromTrack(tracks[0], webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, track := range tracks[1:] {
		if err := transceiver.Sender().AddEncoding(track); err != nil {
			c.t.Fatal(err)
		}
	}
	c.negotiate().connected()
	must[router.Stream](c.t, c.n, router.Publish{Session: c.id, Room: room, Stream: stream, VideoMid: transceiver.Mid()})
	ids := make(map[string]uint8)
	for _, e := range transceiver.Sender().GetParameters().HeaderExtensions {
		ids[e.URI] = uint8(e.ID)
	}
	c.writers.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := uint16(0); ; i++ {
			select {
			case <-tick.C:
			case <-c.stopped:
				return
			}
			for layer, track := range tracks {
				payload := append([]byte(nil), vp8Key...)
				payload[7], payload[9] = byte(80*(layer+1)), byte(60*(layer+1)) // width and height
				payload[8] = 0
				p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: i, Timestamp: uint32(i) * 900, Marker: true}, Payload: payload}
				_ = p.SetExtension(ids[sdp.SDESMidURI], []byte(transceiver.Mid()))
				_ = p.SetExtension(ids[sdp.SDESRTPStreamIDURI], []byte(track.RID()))
				_ = track.WriteRTP(p)
			}
		}
	})

	return transceiver.Mid()
}

// TestUnwantedLayers has one subscriber take the smallest layer alone, then all: the room and the publisher are told.
func TestUnwantedLayers(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Forward.UnwantedAfter = 50 * time.Millisecond })
	alice := newClient(t, n).join("r").listen()
	mid := alice.layered("r", "cam", "q", "h", "f")
	wanted := func(what, want string) {
		t.Helper()
		eventually(t, what+" told in band", func() bool {
			list := alice.layersHeard()

			return len(list) > 0 && wantedRIDs(list[len(list)-1]) == want
		})
		eventually(t, what+" told to the room", func() bool {
			var st router.Stream
			n.Read(func(r *router.Router) { st, _ = r.Stream("app", "r", "cam") })
			var list []layerText
			for _, l := range st.Layers {
				list = append(list, layerText{l.RID, l.Spatial, l.Wanted})
			}

			return wantedRIDs(list) == want
		})
	}
	wanted("nobody watches", "q- h- f-")
	bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
	sub := must[router.Subscription](t, n, router.Subscribe{
		Session: bob.id, Room: "r", Stream: "cam", Video: true, Preference: router.Preference{MaxSpatial: new(uint8(0))},
	})
	bob.more(sub.VideoMid)
	wanted("the smallest is watched", "q+ h- f-")
	must[any](t, n, router.UpdateSubscription{ID: sub.ID, Preference: &router.Preference{}})
	wanted("the largest is watched", "q- h- f+")
	layers, err := n.StreamLayers("app", "r", "cam")
	if err != nil || len(layers) != 3 || layers[2].Width != 240 || layers[2].RID != "f" || !layers[2].Live {
		t.Errorf("layers: %+v, %v", layers, err)
	}
	if dumped := n.session(alice.id).dump(); len(dumped.Lines) == 0 || !hasLayers(dumped, mid) {
		t.Errorf("the dump has no layers: %+v", dumped)
	}
}

func wantedRIDs(list []layerText) (text string) {
	for i, l := range list {
		if i > 0 {
			text += " "
		}
		text += l.RID
		if l.Wanted {
			text += "+"
		} else {
			text += "-"
		}
	}

	return text
}

func hasLayers(d DumpedSession, mid string) bool {
	for _, l := range d.Lines {
		if l.Mid == mid {
			return len(l.Layers) == 3
		}
	}

	return false
}

func (n *testNode) session(id router.SessionID) *session {
	s, err := n.find(id, router.Fence{})
	if err != nil {
		n.t.Fatal(err)
	}

	return s
}
