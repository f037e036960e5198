// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/testing/protocmp"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// offer is the SDP of a client that sends up pairs of audio and video and has slots for down pairs; mids count from "0".
func offer(t testing.TB, up, down int) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	for i := range up + down {
		direction := webrtc.RTPTransceiverDirectionSendonly
		if i >= up {
			direction = webrtc.RTPTransceiverDirectionRecvonly
		}
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: direction}); err != nil {
				t.Fatal(err)
			}
		}
	}
	sdp, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sdp.SDP
}

// negotiate offers up pairs of lines that send, and down that receive. The client never connects.
func (p *peer) negotiate(up, down int) {
	p.t.Helper()
	answer := p.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{
		OfferSdp: offer(p.t, up, down), OfferId: 1,
	}}}).GetAnswer()
	if answer.GetAnswerSdp() == "" || answer.GetOfferId() != 1 {
		p.t.Fatalf("answer %v", answer)
	}
}

func publishing(room, stream string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_StartPublishing{StartPublishing: &signalv1.StartPublishing{
		RoomId: room, StreamId: stream, AudioMid: "0", VideoMid: "1",
	}}}
}

func unpublishing(room, stream string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPublishing{StopPublishing: &signalv1.StopPublishing{
		RoomId: room, StreamId: stream,
	}}}
}

func playing(room, stream string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_StartPlaying{StartPlaying: &signalv1.StartPlaying{
		RoomId: room, StreamId: stream, Audio: true, Video: true,
	}}}
}

// diff compares messages; it ignores how long something lasts.
func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	lasting := protocmp.IgnoreFields(&signalv1.RoomState{}, "expires_in_ms", "room_session_id")
	if d := cmp.Diff(want, got, protocmp.Transform(), lasting); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func userOf(id string) *sfuv1.User { return &sfuv1.User{Id: id, Name: "name of " + id} }

// TestPublishAndPlay goes the way of a call: two users, a room, a stream.
func TestPublishAndPlay(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	host, guest := x.user("host"), x.user("guest")
	host.negotiate(1, 0)
	guest.negotiate(0, 1)
	diff(t, "the host's room", &signalv1.RoomState{RoomId: "r1", Grants: &sfuv1.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}}, host.login("r1"))

	own := &signalv1.StreamInfo{
		RoomId: "r1", StreamId: "cam", User: userOf("host"), Audio: true, Video: true, Own: true, AudioMid: "0", VideoMid: "1",
	}
	diff(t, "the stream", own, host.ask(publishing("r1", "cam")).GetStream())
	added := host.notice("its own stream", func(n *signalv1.Notice) bool { return n.GetStreams() != nil })
	diff(t, "the notice", &signalv1.StreamsChanged{RoomId: "r1", Added: []*signalv1.StreamInfo{own}}, added.GetStreams())

	seen := &signalv1.StreamInfo{RoomId: "r1", StreamId: "cam", User: userOf("host"), Audio: true, Video: true}
	diff(t, "the guest's room", &signalv1.RoomState{
		RoomId: "r1", Users: []*sfuv1.User{userOf("host")}, Streams: []*signalv1.StreamInfo{seen},
		Grants: &sfuv1.Grants{Publish: true, Subscribe: true, Message: true, Manage: true},
	}, guest.login("r1"))
	played := guest.ask(playing("r1", "cam")).GetPlaying()
	diff(t, "the subscription", &signalv1.Playing{
		Id: played.GetId(), RoomId: "r1", StreamId: "cam", State: sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE,
		Audio: true, Video: true, AudioMid: "0", VideoMid: "1",
	}, played)

	host.ask(unpublishing("r1", "cam"))
	over := guest.notice("the end of the subscription", func(n *signalv1.Notice) bool { return n.GetPlaying() != nil }).GetPlaying()
	if over.GetId() != played.GetId() || over.GetState() != playingEnded || over.GetReason() != sfuv1.EndReason_END_REASON_STREAM_REMOVED {
		t.Errorf("the guest was told %v", over)
	}
	removed := guest.notice("the end of the stream", func(n *signalv1.Notice) bool { return len(n.GetStreams().GetRemoved()) > 0 })
	seen.Reason = sfuv1.EndReason_END_REASON_REQUESTED
	diff(t, "the notice of the end", []*signalv1.StreamInfo{seen}, removed.GetStreams().GetRemoved())
}
