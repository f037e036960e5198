// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/json"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// The data channel that a client may open for what the node has to tell it. See docs/session.md for the messages.
const (
	channelLabel    = "sfu"
	channelProtocol = "sfu.v1"

	maxChannels  = 16   // a client that opens more is ended: pion keeps state for each
	inboundRate  = 100  // messages a second from the client before its channel is closed; the node has no use for any
	channelQueue = 1024 // texts waiting for the writer
)

// channel is a session's open data channel. What must not be lost for the newest to count (slots, lines) is built when
// it is sent; the rest is a bounded queue that drops what does not fit.
type channel struct {
	dc     *webrtc.DataChannel // immutable
	wake   chan struct{}       // immutable; capacity 1
	closed chan struct{}       // immutable; closed by stop
	once   sync.Once

	// guarded by session.mu
	queue        [][]byte
	bytes        int
	slots, lines bool // to be told again
	over         bool // nobody sends any more

	// owned by pion's reader of the channel
	window time.Time
	count  int
}

func (c *channel) stop() { c.once.Do(func() { close(c.closed) }) }

func (c *channel) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// onChannel adopts the first channel that is ours, and closes any other. A goroutine of pion's.
func (s *session) onChannel(dc *webrtc.DataChannel) {
	defer s.contain("data channel")
	if n := s.channels.Add(1); n > maxChannels {
		s.fail()

		return
	}
	c := &channel{dc: dc, wake: make(chan struct{}, 1), closed: make(chan struct{}), slots: true, lines: true}
	s.mu.Lock()
	mine := dc.Label() == channelLabel && (dc.Protocol() == channelProtocol || dc.Protocol() == "") && s.channel == nil && !s.ended
	if mine {
		s.channel = c
		s.work.Add(1)
	}
	s.mu.Unlock()
	if !mine {
		dc.OnOpen(func() { _ = dc.Close() })

		return
	}
	dc.OnClose(func() {
		c.stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.channel == c {
			s.channel = nil
		}
	})
	dc.OnMessage(func(webrtc.DataChannelMessage) { s.ignore(c) })
	dc.OnOpen(c.poke)
	go s.writeChannel(c)
}

// ignore counts what the client sends, and closes the channel of one that floods.
func (s *session) ignore(c *channel) {
	now := time.Now()
	if now.Sub(c.window) > time.Second {
		c.window, c.count = now, 0
	}
	if c.count++; c.count == inboundRate {
		s.log().Info("data channel closed: the client floods it")
		c.stop()
		_ = c.dc.Close()
	}
}

// writeChannel sends what there is to tell, until the channel or the session ends.
func (s *session) writeChannel(c *channel) {
	defer s.work.Done()
	defer s.contain("data channel writer")
	defer s.leaveChannel(c)
	for {
		select {
		case <-c.wake:
		case <-c.closed:
			return
		case <-s.quit:
			return
		}
		if c.dc.ReadyState() != webrtc.DataChannelStateOpen {
			continue
		}
		if !s.sendTexts(c) {
			return
		}
	}
}

// sendTexts sends what waits; false: the channel is closed. Slot and line maps come first: a message may be about what they
// tell.
func (s *session) sendTexts(c *channel) bool {
	texts, messages := s.takeTexts(c)
	for _, text := range texts {
		if c.dc.SendText(string(text)) != nil {
			s.node.messagesDropped.Add(uint64(len(messages)))

			return false
		}
	}
	for i, text := range messages {
		if c.dc.BufferedAmount() > uint64(s.node.cfg.ChannelBuffer) {
			s.node.messagesDropped.Add(1)

			continue
		}
		if c.dc.SendText(string(text)) != nil {
			s.node.messagesDropped.Add(uint64(len(messages) - i))

			return false
		}
		s.node.messagesDelivered.Add(1)
	}

	return true
}

// leaveChannel counts what the writer leaves behind, and what comes after it.
func (s *session) leaveChannel(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node.messagesDropped.Add(uint64(len(c.queue)))
	c.queue, c.bytes, c.over = nil, 0, true
}

// takeTexts empties the queue.
func (s *session) takeTexts(c *channel) (texts, messages [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.lines && c.dc.BufferedAmount() <= uint64(s.node.cfg.ChannelBuffer) {
		c.lines = false
		texts = append(texts, s.linesText())
	}
	if c.slots && c.dc.BufferedAmount() <= uint64(s.node.cfg.ChannelBuffer) {
		c.slots = false
		texts = append(texts, s.slotsText())
	}
	messages = c.queue
	c.queue, c.bytes = nil, 0

	return texts, messages
}

// deliver queues a room message for the client, and counts it unless it is queued: then the writer does. A client that has
// opened no channel does not want any. With mu held.
func (s *session) deliver(e router.DeliverMessage) {
	c := s.channel
	if c == nil || s.ended || e.Message == nil {
		return
	}
	text := messageText(e)
	if c.over || c.bytes+len(text) > s.node.cfg.ChannelBuffer || len(c.queue) >= channelQueue {
		s.node.messagesDropped.Add(1)

		return
	}
	c.queue, c.bytes = append(c.queue, text), c.bytes+len(text)
	c.poke()
}

// slotsChanged has the client told the new map of slots. With mu held.
func (s *session) slotsChanged() {
	if s.channel != nil {
		s.channel.slots = true
		s.channel.poke()
	}
}

// tellLines has the client told its lines after a negotiation. Loop only.
func (s *session) tellLines() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.offerID = s.lines, s.last.id
	if s.channel != nil {
		s.channel.lines = true
		s.channel.poke()
	}
}

func (s *session) closeChannel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel != nil {
		s.channel.stop()
		s.channel = nil
	}
}

type slotText struct {
	Mid          string `json:"mid"`
	Kind         string `json:"kind"`
	Room         string `json:"room,omitempty"`
	Stream       string `json:"stream,omitempty"`
	Subscription string `json:"subscription,omitempty"`
}

func kindText(k router.Kind) string {
	if k == router.Audio {
		return "audio"
	}

	return "video"
}

// slotsText is the whole map of slots, idle ones too, in m-line order. With mu held.
func (s *session) slotsText() []byte {
	list := []slotText{}
	for _, l := range s.told {
		if slot := s.slots[l.mid]; slot != nil {
			b := slot.bound
			list = append(list, slotText{l.mid, kindText(l.kind), b.Room, b.Stream, string(b.Subscription)})
		}
	}

	return encode(struct {
		Type  string     `json:"type"`
		Slots []slotText `json:"slots"`
	}{"slots", list})
}

type lineText struct {
	Mid       string `json:"mid"`
	Kind      string `json:"kind"`
	Direction string `json:"direction"`
}

// linesText is the whole list of media lines, in order. With mu held.
func (s *session) linesText() []byte {
	list := []lineText{}
	for _, l := range s.told {
		if l.role == roleData {
			continue
		}
		direction := "inactive"
		if l.active && l.role == roleSource {
			direction = "source"
		} else if l.active {
			direction = "slot"
		}
		list = append(list, lineText{l.mid, kindText(l.kind), direction})
	}

	return encode(struct {
		Type  string     `json:"type"`
		Lines []lineText `json:"lines"`
	}{"lines", list})
}

type messageBody struct {
	Type     string `json:"type"`
	Room     string `json:"room"`
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	From     string `json:"from"`
	FromName string `json:"from_name,omitempty"`
	Text     string `json:"text,omitempty"`
	Data     []byte `json:"data,omitempty"` // base64
	SentMS   int64  `json:"sent_ms"`
}

func messageText(e router.DeliverMessage) []byte {
	m := e.Message
	body := messageBody{
		Type: "message", Room: e.Room, ID: m.ID, From: m.From.ID, FromName: m.From.Name, SentMS: m.Sent.UnixMilli(),
	}
	switch m.MessageKind {
	case router.MessageBroadcast:
		body.Kind = "broadcast"
	case router.MessageBarrage:
		body.Kind = "barrage"
	case router.MessageCommand:
		body.Kind = "command"
	}
	if utf8.Valid(m.Payload) {
		body.Text = string(m.Payload)
	} else {
		body.Data = m.Payload
	}

	return encode(body)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // strings and numbers only: it cannot
		return []byte("{}")
	}

	return b
}
