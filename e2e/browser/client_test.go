// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

const app = "demo"

// startNode starts a node on loopback whose sessions may take their time to connect. change may adapt its configuration.
func startNode(t *testing.T, change ...func(*sfu.Config)) *sfutest.Node {
	t.Helper()
	return sfutest.StartNode(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.SessionTTL = time.Hour
		c.Forward.LeastBitrate = 1_000_000_000 // a machine that is slow for a moment shall not look like a link that is
		for _, f := range change {
			f(c)
		}
	})
}

// client is a page with a session: the page's side and its signaling tier's.
type client struct {
	*chromium.Tab
	t       *testing.T
	api     *sfutest.API
	user    string
	session string
	offers  uint64
	media   netip.AddrPort // of the node
	link    *sfutest.Link  // stands for it when not nil
}

// enter opens a page and a session for it, in some rooms.
func enter(t *testing.T, browser *pages, node *sfutest.Node, user string, rooms ...string) *client {
	t.Helper()
	reply, err := node.Session.CreateSession(t.Context(), &sfuv1.CreateSessionRequest{
		AppId: app, User: &sfuv1.User{Id: user, Name: user}, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI,
	})
	must(t, err)
	c := &client{Tab: browser.open(t), t: t, api: node.API, user: user, session: reply.GetSession().GetId(), media: node.Media()}
	for _, room := range rooms {
		c.join(room)
	}
	return c
}

// behindLink puts the client behind a link that is perfect for now.
func (c *client) behindLink() {
	c.t.Helper()
	var err error
	c.link, err = sfutest.NewLink(c.media, sfutest.Shape{}, sfutest.Shape{}, 7)
	must(c.t, err)
	c.t.Cleanup(c.link.Close)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *client) join(room string) {
	c.t.Helper()
	_, err := c.api.Room.JoinRoom(c.t.Context(), &sfuv1.JoinRoomRequest{SessionId: c.session, RoomId: room})
	must(c.t, err)
}

func (c *client) leave(room string) {
	c.t.Helper()
	_, err := c.api.Room.LeaveRoom(c.t.Context(), &sfuv1.LeaveRoomRequest{SessionId: c.session, RoomId: room})
	must(c.t, err)
}

// negotiate carries the page's offer to the node, the answer back and the candidates after it, and waits until they are
// connected.
func (c *client) negotiate(restart bool) {
	c.t.Helper()
	c.offers++
	offer := ask[string](c.Tab, "offer", restart)
	reply, err := c.api.Session.Negotiate(c.t.Context(), &sfuv1.NegotiateRequest{SessionId: c.session, OfferSdp: offer, OfferId: c.offers})
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", c.user, err, offer)
	}
	answer := reply.GetAnswerSdp()
	if c.link != nil {
		answer = strings.ReplaceAll(answer, fmt.Sprintf(" %d typ ", c.media.Port()), fmt.Sprintf(" %d typ ", c.link.Addr().Port()))
	}
	c.tell("answer", answer)
	c.trickle()
	c.until("connected", func(now report) bool { return now.State == "connected" })
}

func (c *client) trickle() {
	c.t.Helper()
	var found []*sfuv1.IceCandidate
	for _, given := range ask[[]struct{ Candidate, Mid, Ufrag string }](c.Tab, "gathered") {
		found = append(found, &sfuv1.IceCandidate{Candidate: given.Candidate, SdpMid: given.Mid, UsernameFragment: given.Ufrag})
	}
	if len(found) == 0 {
		return
	}
	_, err := c.api.Session.AddIceCandidates(c.t.Context(), &sfuv1.AddIceCandidatesRequest{SessionId: c.session, Candidates: found})
	must(c.t, err)
}

// mid is the m-line of a transceiver, known after negotiate.
func (c *client) mid(index int) string {
	c.t.Helper()
	return ask[[]string](c.Tab, "mids")[index]
}

func (c *client) publish(room, stream, audio, video string) {
	c.t.Helper()
	_, err := c.api.Stream.Publish(c.t.Context(), &sfuv1.PublishRequest{
		SessionId: c.session, RoomId: room, StreamId: stream, AudioMid: audio, VideoMid: video,
	})
	must(c.t, err)
}

// wish subscribes, whatever comes of it.
func (c *client) wish(room, stream string, audio, video bool) *sfuv1.Subscription {
	c.t.Helper()
	reply, err := c.api.Subscription.Subscribe(c.t.Context(), &sfuv1.SubscribeRequest{
		SessionId: c.session, RoomId: room, StreamId: stream, Audio: audio, Video: video,
	})
	must(c.t, err)
	return reply.GetSubscription()
}

// subscribe wishes for what has slots and can begin.
func (c *client) subscribe(room, stream string, audio, video bool) *sfuv1.Subscription {
	c.t.Helper()
	sub := c.wish(room, stream, audio, video)
	if sub.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		c.t.Fatalf("%s subscribing to %s in %s: %v", c.user, stream, room, sub.GetState())
	}
	return sub
}

// report is what the tests need of getStats; names are those of the W3C.
type report struct {
	State, ICE string
	Needed     int // negotiationneeded events so far
	Transport  struct {
		SRTPCipher string `json:"srtpCipher"`
		Ufrag      string `json:"iceLocalUsernameFragment"`
	}
	Pair struct {
		AvailableOutgoingBitrate float64 // bit/s
	}
	Received map[string]received // by mid
	Sent     []sent
}

type received struct {
	SSRC                         uint32
	Codec                        string
	PacketsReceived, PacketsLost int
	FramesReceived               int // whole ones, handed to the decoder
	FramesDecoded, FramesDropped int
	KeyFramesDecoded             int
	FrameWidth, FrameHeight      int
	FreezeCount, PLICount        int
	TotalFreezesDuration         float64 // seconds
	TotalAudioEnergy             float64
	TotalSamplesReceived         int // of audio that was played, with what follows
	ConcealedSamples             int // made up for packets that were not there in time
	NACKCount                    int
	RetransmittedPacketsReceived int
	Node                         struct{ ReportsSent int } // sender reports of the node
}

type sent struct {
	Codec, MID, RID string
	PacketsSent     int
	BytesSent       int
	FramesEncoded   int
	FrameHeight     int
	Active          bool
	ScalabilityMode string
	TargetBitrate   float64 // bit/s
	TotalEncodeTime float64 // seconds
	Limited         string  `json:"qualityLimitationReason"`
	NACKCount       int

	RetransmittedPacketsSent int

	Node struct{ PacketsLost, RoundTripTimeMeasurements int } // receiver reports of the node
}

func (c *client) report() report {
	c.t.Helper()
	return ask[report](c.Tab, "report")
}

// until reads reports until one will do, and answers it.
func (c *client) until(what string, enough func(report) bool) report {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), chromium.Patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now := c.report()
		if enough(now) {
			return now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, err := json.MarshalIndent(now, "", "  ")
			must(c.t, err)
			c.t.Fatalf("%s: waited in vain for %s; last report: %s", c.user, what, text)
		}
	}
}

// plays waits until both kinds of a subscription have been received and decoded for a while longer.
func (c *client) plays(sub *sfuv1.Subscription) report {
	c.t.Helper()
	before := c.report()
	return c.until(fmt.Sprintf("media of %s in %s", sub.GetStreamId(), sub.GetRoomId()), func(now report) bool {
		return (!sub.GetAudio() || hears(before, now, sub.GetAudioMid())) && (!sub.GetVideo() || sees(before, now, sub.GetVideoMid(), 10))
	})
}

func hears(before, now report, mid string) bool {
	b, n := before.Received[mid], now.Received[mid]
	return n.PacketsReceived >= b.PacketsReceived+10 && n.TotalAudioEnergy > b.TotalAudioEnergy
}

// sees tells whether so many more frames of a line have been decoded.
func sees(before, now report, mid string, frames int) bool {
	return now.Received[mid].FramesDecoded >= before.Received[mid].FramesDecoded+frames
}
