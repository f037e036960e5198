// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/packetio"

	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/bench/stats"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Source is what a client sends on lines of its own; nil: nothing of that kind.
type Source struct{ Audio, Video *Track }

// Publication announces a source in a room.
type Publication struct {
	Room, Stream string
	Source       int // index in Config.Sources
}

// Want is a subscription. Expect lists the tracks that it brings, audio first; either may be nil.
type Want struct {
	Room, Stream string
	Expect       Source
}

// Config is one client.
type Config struct {
	App, User     string
	Rooms         []string
	Sources       []Source
	Publishes     []Publication
	Wants         []Want
	TransportCC   bool // offer transport-wide congestion control, as browsers do
	SubscribeOnly bool // join without the publish grant

	Later                []Want      // not subscribed to by joining, but may come
	IdleAudio, IdleVideo int         // slots more than the wants need
	Weights              []uint32    // of Rooms, when the link is short; none: all the same
	Down, Up             *path.Shape // the client's access link; nil: none. Times are Unix ns
	Seed                 uint64      // of the link's chance
	Apart                bool        // its latency is counted apart from that of all others, and what it has twice or late not at all
}

// Timeline says when the steps of a join were done.
type Timeline struct {
	Start    time.Time // before the call of Connect
	Answered time.Time // Connect has answered
	Checked  time.Time // the ICE check was answered
	Secured  time.Time // the DTLS handshake was done
}

// Client is one user: one session, one connection.
type Client struct {
	// immutable after Join
	Session   string
	Timeline  Timeline
	poller    *Poller
	sessions  sfuv1.SessionServiceClient
	socket    *socket
	self      credentials
	remote    *answer
	lines     []line
	keys      keys
	handshake *packetio.Buffer // DTLS datagrams from the node
	latency   *stats.Histogram // the Poller's, under its lock
	apart     bool

	transportSeq atomic.Uint32 // next transport-wide number; written by its publishers

	// owned by the Poller, under its lock
	id         int32
	dropped    uint32
	checked    chan struct{} // closed by the first answer to a check; nil afterwards
	in, out    *srtp.Context // nil until secured
	early      []earlyPacket // came before that
	slots      map[uint32]*slot
	order      []*slot
	received   []*Received
	publishers map[uint32]*Publisher // by SSRC
	header     rtp.Header
	plain      [packetSize]byte
	scratch    [packetSize]byte
	sealed     [packetSize]byte
	arrivals   arrivals
	leaving    []departure // packets since Leaving; nil before
	loss       uint32      // of 1 << 32
	dice       uint32
	stalled    bool
	access     *access // nil: none
	trace      *Trace  // nil: none
	decoders   map[uint32]*decoder
	nextCheck  int64
	nextTCC    int64
	rate       int64 // bit/s that arrived in the last second
	rateBytes  int64 // since rateAt
	rateAt     int64
}

// earlyPacket came before the keys were there.
type earlyPacket struct {
	data []byte
	at   int64
}

// Join lets a client into its rooms in one call, and connects it. On an error nothing is left on this side.
func Join(ctx context.Context, p *Poller, sessions sfuv1.SessionServiceClient, cfg Config) (*Client, error) {
	s, err := openSocket(p.merge)
	if err != nil {
		return nil, err
	}
	c := &Client{
		poller: p, sessions: sessions, socket: s, handshake: packetio.NewBuffer(), checked: make(chan struct{}),
		slots: make(map[uint32]*slot), publishers: make(map[uint32]*Publisher), decoders: make(map[uint32]*decoder),
		latency: &p.latency, dice: rand.Uint32() | 1,
	}
	c.access = newAccess(c, cfg)
	if cfg.Apart {
		c.latency, c.apart = &p.apart, true
	}
	if err := c.join(ctx, cfg); err != nil {
		if c.Session == "" || c.remote == nil {
			s.close()
		} else {
			c.Close()
		}

		return nil, fmt.Errorf("joining as %s: %w", cfg.User, err)
	}

	return c, nil
}

func (c *Client) join(ctx context.Context, cfg Config) error {
	identity, err := sharedIdentity()
	if err != nil {
		return err
	}
	c.self = identity.credentials()
	request := c.request(cfg)
	c.Timeline.Start = time.Now()
	reply, err := c.sessions.Connect(ctx, request)
	if err != nil {
		return err
	}
	c.Timeline.Answered = time.Now()
	c.Session = reply.GetSession().GetId()
	if c.remote, err = parseAnswer(reply.GetAnswerSdp()); err != nil {
		c.remote = nil

		return err
	}
	c.socket.aim(c.remote.address)
	c.expect(cfg)
	if err := c.poller.add(c); err != nil {
		c.remote = nil

		return err
	}

	return c.connect(ctx, identity)
}

// request also lays out the lines: sources first, then a slot for each track wanted.
func (c *Client) request(cfg Config) *sfuv1.ConnectRequest {
	r := &sfuv1.ConnectRequest{
		AppId: cfg.App, User: &sfuv1.User{Id: cfg.User, Name: cfg.User}, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI, OfferId: 1,
	}
	for i, room := range cfg.Rooms {
		spec := &sfuv1.JoinSpec{RoomId: room}
		if i < len(cfg.Weights) {
			spec.Weight = cfg.Weights[i]
		}
		if cfg.SubscribeOnly {
			spec.Grants = &sfuv1.Grants{Subscribe: true}
		}
		r.Joins = append(r.Joins, spec)
	}
	mids := make([][2]string, len(cfg.Sources))
	for i, s := range cfg.Sources {
		if s.Audio != nil {
			mids[i][0] = c.addLine(false, true, nil)
		}
		if s.Video != nil {
			mids[i][1] = c.addLine(true, true, s.Video.Layers)
		}
	}
	for _, p := range cfg.Publishes {
		r.Publishes = append(r.Publishes, &sfuv1.PublishSpec{RoomId: p.Room, StreamId: p.Stream, AudioMid: mids[p.Source][0], VideoMid: mids[p.Source][1]})
	}
	for _, w := range cfg.Wants {
		if w.Expect.Audio != nil {
			c.addLine(false, false, nil)
		}
		if w.Expect.Video != nil {
			c.addLine(true, false, nil)
		}
		r.Subscriptions = append(r.Subscriptions, &sfuv1.SubscriptionSpec{
			RoomId: w.Room, StreamId: w.Stream, Audio: w.Expect.Audio != nil, Video: w.Expect.Video != nil,
		})
	}
	for i := range cfg.IdleAudio + cfg.IdleVideo {
		c.addLine(i >= cfg.IdleAudio, false, nil)
	}
	r.OfferSdp = offer(c.lines, c.self, rand.Uint64()>>1, cfg.TransportCC)

	return r
}

func (c *Client) addLine(video, sends bool, layers []Layer) string {
	l := line{mid: strconv.Itoa(len(c.lines)), video: video}
	for _, layer := range layers {
		l.rids = append(l.rids, layer.RID)
	}
	if sends {
		l.ssrc = rand.Uint32() | 1
		if video {
			l.rtx = l.ssrc ^ 0x55aa00
		}
	}
	c.lines = append(c.lines, l)

	return l.mid
}

// expect prepares for what will come: nothing of it is allocated per packet.
func (c *Client) expect(cfg Config) {
	for _, w := range slices.Concat(cfg.Wants, cfg.Later) {
		for _, t := range []*Track{w.Expect.Audio, w.Expect.Video} {
			if t != nil {
				c.received = append(c.received, &Received{Track: t, Room: w.Room, layers: make([]Received, len(t.Layers))})
			}
		}
	}
	for _, l := range c.lines {
		a := c.remote.lines[l.mid]
		if l.ssrc != 0 || a.ssrc == 0 {
			continue
		}
		s := &slot{video: l.video, ssrc: a.ssrc, rtx: a.rtx, transport: a.transport}
		c.order = append(c.order, s)
		c.slots[a.ssrc] = s
		if a.rtx != 0 {
			c.slots[a.rtx] = s
		}
	}
}

// Received is what the client expects, and what has come of it; read it inside Poller.Locked.
func (c *Client) Received() []*Received { return c.received }

// Port is the client's UDP port on 127.0.0.1.
func (c *Client) Port() int { return c.socket.port }

// Leave ends the session on the node, and returns when that was answered.
func (c *Client) Leave(ctx context.Context) error {
	_, err := c.sessions.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: c.Session})

	return err
}

// NodeAddress is where the client sends to.
func (c *Client) NodeAddress() netip.AddrPort { return c.remote.address }

// Lose makes the client throw away a share (0 to 1) of the RTP packets that arrive, as a bad network does.
func (c *Client) Lose(share float64) {
	c.poller.Locked(func() { c.loss = uint32(min(max(share, 0), 1) * math.MaxUint32) })
}

// Stall stops reading and sending feedback, as a client does whose process hangs: its socket's buffer runs full.
func (c *Client) Stall() {
	c.poller.Locked(func() {
		if !c.stalled {
			c.stalled = true
			c.poller.reader.remove(c.socket)
		}
	})
}

// Close frees the client's socket. Its publishers are to be stopped before. The node hears nothing of it.
func (c *Client) Close() {
	c.poller.remove(c)
	_ = c.handshake.Close() // its readers are told
}
