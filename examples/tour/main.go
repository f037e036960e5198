// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Command tour plays a signaling tier and its clients against a running node, to show in one short program what the node is
// for: alice publishes one camera into two rooms; bob is in both rooms over one PeerConnection and plays her in each; when
// bob leaves one room, exactly that room falls silent.
//
// It uses what anyone can use: the control API over gRPC, and a stock WebRTC client. The "camera" is a test pattern of numbered
// packets.
//
// Goroutines:
//   - go (*client).play: sends the test pattern; ended with the program
//   - go run: prints events; ended with the program
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func main() {
	node := flag.String("node", "127.0.0.1:7781", "gRPC address of the node")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *node, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// api is the part of the control API that the tour needs.
type api struct {
	sessions      sfuv1.SessionServiceClient
	rooms         sfuv1.RoomServiceClient
	streams       sfuv1.StreamServiceClient
	subscriptions sfuv1.SubscriptionServiceClient
	events        sfuv1.EventServiceClient
}

func run(ctx context.Context, node string, out io.Writer) error {
	conn, err := grpc.NewClient(node, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	a := &api{
		sfuv1.NewSessionServiceClient(conn), sfuv1.NewRoomServiceClient(conn), sfuv1.NewStreamServiceClient(conn),
		sfuv1.NewSubscriptionServiceClient(conn), sfuv1.NewEventServiceClient(conn),
	}
	go printEvents(ctx, a, out)

	alice, err := join(ctx, a, "alice", "stage", "backstage")
	if err != nil {
		return err
	}
	defer alice.close(a)
	bob, err := join(ctx, a, "bob", "stage", "backstage")
	if err != nil {
		return err
	}
	defer bob.close(a)

	if err := publish(ctx, a, alice); err != nil {
		return err
	}
	slots, err := subscribe(ctx, a, bob)
	if err != nil {
		return err
	}
	say(out, "bob plays alice in both rooms, over one PeerConnection:"+"\n")
	if err := bob.report(ctx, out, slots, "stage", "backstage"); err != nil {
		return err
	}
	ended, err := a.rooms.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: bob.session, RoomId: "stage"})
	if err != nil {
		return err
	}
	say(out, "bob left stage (%d subscription ended); only backstage goes on:\n", ended.GetEnded().GetSubscriptions())
	return bob.report(ctx, out, slots, "stage", "backstage")
}

func printEvents(ctx context.Context, a *api, out io.Writer) {
	stream, err := a.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{WatcherId: "tour", Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
	if err != nil {
		return
	}
	for {
		item, err := stream.Recv()
		if err != nil {
			return
		}
		if e := item.GetEvent(); e != nil && e.GetRoomId() != "" {
			say(out, "  event %d in %s: %T\n", e.GetRevision(), e.GetRoomId(), e.GetKind())
		}
	}
}

// say prints; a terminal that is gone is no reason to stop.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// client is a user: one session, one PeerConnection.
type client struct {
	session string
	pc      *webrtc.PeerConnection
	camera  *webrtc.TrackLocalStaticRTP
	offers  uint64
	got     map[string]*atomic.Int64 // packets by mid; the map is complete before packets come
}

func join(ctx context.Context, a *api, user string, rooms ...string) (*client, error) {
	created, err := a.sessions.CreateSession(ctx, &sfuv1.CreateSessionRequest{
		AppId: "demo", User: &sfuv1.User{Id: user, Name: user}, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI,
	})
	if err != nil {
		return nil, err
	}
	for _, room := range rooms {
		if _, err := a.rooms.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: created.GetSession().GetId(), RoomId: room}); err != nil {
			return nil, err
		}
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	return &client{session: created.GetSession().GetId(), pc: pc, got: make(map[string]*atomic.Int64)}, nil
}

// negotiate offers whatever the PeerConnection has, and waits until it is connected.
func (c *client) negotiate(ctx context.Context, a *api) error {
	connected := make(chan struct{})
	var once sync.Once // the connection may be lost and come back
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	c.offers++
	answer, err := a.sessions.Negotiate(ctx, &sfuv1.NegotiateRequest{SessionId: c.session, OfferSdp: c.pc.LocalDescription().SDP, OfferId: c.offers})
	if err != nil {
		return err
	}
	for _, line := range answer.GetMedia() {
		c.got[line.GetMid()] = new(atomic.Int64)
	}
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.GetAnswerSdp()}); err != nil {
		return err
	}
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publish uploads one video track and announces it in both rooms: one uplink, two streams.
func publish(ctx context.Context, a *api, c *client) error {
	camera, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "camera", "alice")
	if err != nil {
		return err
	}
	line, err := c.pc.AddTransceiverFromTrack(camera, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	if err := c.negotiate(ctx, a); err != nil {
		return err
	}
	for _, room := range []string{"stage", "backstage"} {
		_, err := a.streams.Publish(ctx, &sfuv1.PublishRequest{SessionId: c.session, RoomId: room, StreamId: "alice-camera", VideoMid: line.Mid()})
		if err != nil {
			return err
		}
	}
	c.camera = camera
	go c.play(ctx)
	return nil
}

// play sends 50 one-packet VP8 keyframes a second. Only their first bytes mean anything (RFC 7741, sections 4.2 and 4.3).
func (c *client) play(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		payload := []byte{0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 1, 180, 0, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(payload[11:], n)
		packet := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: uint16(n), Timestamp: n * 1800}, Payload: payload}
		if err := c.camera.WriteRTP(packet); errors.Is(err, io.ErrClosedPipe) {
			return
		}
	}
}

// subscribe offers two slots and plays the stream of each room; it returns the slot's mid by room.
func subscribe(ctx context.Context, a *api, c *client) (map[string]string, error) {
	for range 2 {
		_, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return nil, err
		}
	}
	c.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mid := ""
		for _, t := range c.pc.GetTransceivers() {
			if t.Receiver() == receiver {
				mid = t.Mid()
			}
		}
		for {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			c.got[mid].Add(1)
		}
	})
	if err := c.negotiate(ctx, a); err != nil {
		return nil, err
	}
	slots := make(map[string]string)
	for _, room := range []string{"stage", "backstage"} {
		reply, err := a.subscriptions.Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: c.session, RoomId: room, StreamId: "alice-camera", Video: true})
		if err != nil {
			return nil, err
		}
		slots[room] = reply.GetSubscription().GetVideoMid()
	}
	return slots, nil
}

// report counts what comes in each room over a second.
func (c *client) report(ctx context.Context, out io.Writer, slots map[string]string, rooms ...string) error {
	before := make(map[string]int64)
	for _, room := range rooms {
		before[room] = c.got[slots[room]].Load()
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, room := range rooms {
		say(out, "  %-10s %3d packets in a second\n", room, c.got[slots[room]].Load()-before[room])
	}
	return nil
}

// close ends the session on the node and the PeerConnection, as well as it can: the program ends after it.
func (c *client) close(a *api) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = a.sessions.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: c.session})
	_ = c.pc.Close()
}
