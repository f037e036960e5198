// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

func TestChannelTellsSlotsAndMessages(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("r")
	voice := alice.source(webrtc.MimeTypeOpus)
	alice.negotiate()
	alice.publish("r", "s", voice, nil)
	bob := newClient(t, n).join("r").slots(audioKind).listen().negotiate().connected()
	bob.heard(`"type":"lines"`, `"direction":"slot"`)
	bob.heard(`"type":"slots"`, `{"mid":"0","kind":"audio"}`)
	sub := bob.subscribe("r", "s", true, false)
	text := bob.heard(`"type":"slots"`, string(sub.ID))
	var got struct {
		Type  string
		Slots []slotText
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := []slotText{{Mid: "0", Kind: "audio", Room: "r", Stream: "s", Subscription: string(sub.ID)}}
	if diff := cmp.Diff(want, got.Slots); diff != "" {
		t.Errorf("slots: %s", diff)
	}
	must[router.MessageReply](t, n, router.SendMessage{
		App: "app", Room: "r", From: "user1", Kind: router.MessageBroadcast, Payload: []byte("hello \u2713"),
	})
	bob.heard(`"type":"message"`, `"room":"r"`, `"from":"user1"`, "hello \u2713", `"kind":"broadcast"`)
	must[router.Stopped](t, n, router.Unsubscribe{ID: sub.ID})
	eventually(t, "the message is counted", func() bool { return n.Load().MessagesDelivered == 1 })
}

// TestChannelIsBounded fills a channel whose writer is not let through: what does not fit is dropped and counted, and the
// sender of the messages never waits.
func TestChannelIsBounded(t *testing.T) {
	s := newSession(&Node{cfg: Config{ChannelBuffer: 1000}})
	s.channel = &channel{writing: true}
	c := s.channel
	m := &router.MessageEvent{ID: "1", MessageKind: router.MessageBarrage, Payload: bytes.Repeat([]byte("x"), 300)}
	for range 10 {
		s.deliver(router.DeliverMessage{Message: m, Room: "r"})
	}
	waiting, dropped := uint64(len(s.channel.queue)), s.node.messagesDropped.Load()
	if waiting == 0 || waiting > 3 || waiting+dropped != 10 || s.channel.bytes > 1000 {
		t.Errorf("%d wait, %d dropped, %d bytes wait", waiting, dropped, s.channel.bytes)
	}
	s.leaveChannel(c)
	s.channel = c
	s.deliver(router.DeliverMessage{Message: m, Room: "r"})
	if delivered, dropped := s.node.messagesDelivered.Load(), s.node.messagesDropped.Load(); delivered != 0 || dropped != 11 {
		t.Errorf("%d delivered and %d dropped by a writer that is gone", delivered, dropped)
	}
}

// TestStrangeChannels opens channels that are not ours, and floods the one that is.
func TestStrangeChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind)
	other, err := c.pc.CreateDataChannel("chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := c.pc.CreateDataChannel(channelLabel, nil)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	ours.OnOpen(func() { close(opened) })
	c.negotiate().connected()
	<-opened
	eventually(t, "the other channel is closed", func() bool { return other.ReadyState() == webrtc.DataChannelStateClosed })
	for range 3 * inboundRate {
		if ours.Send([]byte{0}) != nil {
			break
		}
	}
	eventually(t, "the flooded channel is closed", func() bool { return ours.ReadyState() == webrtc.DataChannelStateClosed })
	if c.state() != router.ConnectionConnected {
		t.Error("the session suffered")
	}
	for range 2 * maxChannels {
		if _, err := c.pc.CreateDataChannel("x", nil); err != nil {
			break
		}
	}
	eventually(t, "a session with that many channels ends", func() bool {
		_, err := n.find(c.id, router.Fence{})

		return err != nil
	})
}
