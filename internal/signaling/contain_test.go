// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"sync/atomic"
	"testing"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
)

// TestPanics: a fault while a request is carried out costs its client the connection and nobody else anything; one while events
// are followed costs a gap.
func TestPanics(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	ann, bob := x.user("ann"), x.user("bob")
	ann.login("r1")
	bob.login("r1")
	way.set(func() {
		way.before = func(method string) error {
			if method == "SendRoomMessage" {
				panic("a test")
			}
			return nil
		}
	})
	ann.send(said("r1"))
	if code := ann.closed(); code != closeReadAgain {
		t.Errorf("closed with %d, want %d", code, closeReadAgain)
	}
	if got := x.Stats().Dropped["panic"]; got != 1 {
		t.Errorf("%d connections are counted as dropped by a panic", got)
	}

	var panics atomic.Int32
	way.set(func() {
		way.before = func(method string) error {
			if method == "WatchEvents" && panics.Add(1) == 1 {
				panic("another test")
			}
			return nil
		}
	})
	x.nodes[0].mu.Lock()
	x.nodes[0].restart()
	x.nodes[0].mu.Unlock()
	bob.notice("the room anew", func(n *signalv1.Notice) bool { return n.GetRoom().GetRoomId() == "r1" })
	back := x.resume(ann)
	bob.ask(said("r1"))
	back.notice("a message", func(n *signalv1.Notice) bool { return n.GetMessage().GetFrom().GetId() == "bob" })
}

func said(room string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_SendMessage{SendMessage: &signalv1.SendMessage{
		RoomId: room, Kind: 1, Text: "hello",
	}}}
}
