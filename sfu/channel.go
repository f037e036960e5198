// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/pion/datachannel"

	"github.com/switchyard-media/sfu/router"
)

// The data channel that a client may open for what the node has to tell it. See docs/session.md for the messages.
const (
	channelLabel    = "sfu"
	channelProtocol = "sfu.v1"

	maxChannels  = 16   // a client that opens more is ended: pion keeps state for each
	inboundRate  = 100  // messages a second from the client before its channel is closed; the node has no use for any
	channelQueue = 1024 // messages waiting for the writer
)

// channel is a session's open data channel. What must not be lost for the newest to count (slots, lines, layers) is built when
// it is sent; the rest is a bounded queue that drops what does not fit. There is a writer only while there is something to
// write.
type channel struct {
	dc *datachannel.DataChannel // immutable

	// guarded by session.mu
	queue        [][]byte
	bytes        int
	slots, lines bool     // to be told again
	layers       []string // mids of sources whose layers are to be told
	writing      bool     // there is a writer
	over         bool     // nobody sends any more

	// owned by HandleChannel
	window time.Time
	count  int
}

// HandleChannel implements transport.Handler: it adopts the first channel that is ours, and closes any other. It reads until
// the channel ends, of what a client sends nothing is of use.
func (s *session) HandleChannel(dc *datachannel.DataChannel) {
	defer s.contain("data channel")
	defer func() { _ = dc.Close() }()
	if n := s.channels.Add(1); n > maxChannels {
		s.fail()

		return
	}
	ours := dc.Label == channelLabel && (dc.Protocol == channelProtocol || dc.Protocol == "")
	c := &channel{dc: dc, slots: true, lines: true}
	if !ours || !s.adoptChannel(c) {
		return
	}
	defer s.leaveChannel(c)
	var buf [64]byte // nobody looks at what it says
	for {
		if _, _, err := dc.ReadDataChannel(buf[:]); err != nil && !errors.Is(err, io.ErrShortBuffer) {
			return
		}
		if s.floods(c) {
			s.log().Info("data channel closed: the client floods it")

			return
		}
	}
}

// adoptChannel makes a channel the session's, unless it has one.
func (s *session) adoptChannel(c *channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel != nil || s.ended {
		return false
	}
	s.channel = c
	for mid := range s.layers {
		c.layers = append(c.layers, mid)
	}
	c.dc.SetBufferedAmountLowThreshold(uint64(s.node.cfg.ChannelBuffer) / 2)
	c.dc.OnBufferedAmountLow(func() { // a map that was held back
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wakeWriter(c)
	})
	s.wakeWriter(c)

	return true
}

// floods counts what the client sends.
func (s *session) floods(c *channel) bool {
	now := time.Now()
	if now.Sub(c.window) > time.Second {
		c.window, c.count = now, 0
	}
	c.count++

	return c.count >= inboundRate
}

// wakeWriter starts a writer if there is none and something to write. With mu held.
func (s *session) wakeWriter(c *channel) {
	if c.writing || c.over || !c.slots && !c.lines && len(c.layers)+len(c.queue) == 0 {
		return
	}
	c.writing = true
	s.work.Add(1)
	go s.writeChannel(c)
}

// writeChannel sends what there is to tell, and what comes meanwhile.
func (s *session) writeChannel(c *channel) {
	defer s.work.Done()
	defer s.contain("data channel writer")
	for {
		texts, messages := s.takeTexts(c)
		if len(texts)+len(messages) == 0 {
			return
		}
		if !s.sendTexts(c, texts, messages) {
			s.leaveChannel(c)

			return
		}
	}
}

// sendTexts sends texts, then messages: these may be about what those tell. False: the channel is closed.
func (s *session) sendTexts(c *channel, texts, messages [][]byte) bool {
	for _, text := range texts {
		if _, err := c.dc.WriteDataChannel(text, true); err != nil {
			s.node.messagesDropped.Add(uint64(len(messages)))

			return false
		}
	}
	for i, text := range messages {
		if c.dc.BufferedAmount() > uint64(s.node.cfg.ChannelBuffer) {
			s.node.messagesDropped.Add(1)

			continue
		}
		if _, err := c.dc.WriteDataChannel(text, true); err != nil {
			s.node.messagesDropped.Add(uint64(len(messages) - i))

			return false
		}
		s.node.messagesDelivered.Add(1)
	}

	return true
}

// leaveChannel gives the channel up, and counts what will not be written.
func (s *session) leaveChannel(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node.messagesDropped.Add(uint64(len(c.queue)))
	c.queue, c.bytes, c.over = nil, 0, true
	if s.channel == c {
		s.channel = nil
	}
}

// takeTexts takes what there is to write; when that is nothing, the caller is no writer any more. The maps wait while the
// client does not read.
func (s *session) takeTexts(c *channel) (texts, messages [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := c.dc.BufferedAmount() <= uint64(s.node.cfg.ChannelBuffer)
	if c.lines && room {
		c.lines = false
		texts = append(texts, s.linesText())
	}
	if c.slots && room {
		c.slots = false
		texts = append(texts, s.slotsText())
	}
	if room {
		texts = append(texts, s.takeLayers(c)...)
	}
	messages = c.queue
	c.queue, c.bytes = nil, 0
	c.writing = len(texts)+len(messages) > 0

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
	s.wakeWriter(c)
}

// slotsChanged has the client told the new map of slots. With mu held.
func (s *session) slotsChanged() {
	if s.channel != nil {
		s.channel.slots = true
		s.wakeWriter(s.channel)
	}
}

// tellLines has the client told its lines after a negotiation. Loop only.
func (s *session) tellLines() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.offerID = s.lines, s.last.id
	if s.channel != nil {
		s.channel.lines = true
		s.wakeWriter(s.channel)
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
