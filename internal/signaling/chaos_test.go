// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// world is what a client makes of everything that it was told, in its order.
type world struct {
	Rooms   map[string]*worldRoom
	Playing map[string]string // subscription: room, stream and state
	ended   bool
	faults  []string
}

type worldRoom struct {
	Users   map[string]bool
	Streams map[string]bool
	Grants  string
	Mark    string // metadata "mark"
}

func grantsText(g *sfuv1.Grants) string {
	return fmt.Sprint(g.GetPublish(), g.GetSubscribe(), g.GetMessage(), g.GetManage())
}

func newWorldRoom(s *signalv1.RoomState) *worldRoom {
	r := &worldRoom{
		Users: map[string]bool{}, Streams: map[string]bool{}, Grants: grantsText(s.GetGrants()), Mark: s.GetMetadata()["mark"],
	}
	for _, u := range s.GetUsers() {
		r.Users[u.GetId()] = true
	}
	for _, v := range s.GetStreams() {
		r.Streams[v.GetStreamId()] = true
	}
	return r
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *world) play(p *signalv1.Playing) {
	if p.GetState() == playingEnded {
		delete(w.Playing, p.GetId())
		return
	}
	w.Playing[p.GetId()] = fmt.Sprint(p.GetRoomId(), " ", p.GetStreamId(), " ", p.GetState())
}

// reply takes in the answer to a request.
func (w *world) reply(asked *signalv1.ClientMessage, r *signalv1.Reply) {
	switch {
	case r.GetWelcome() != nil:
		for _, s := range r.GetWelcome().GetRooms() {
			w.Rooms[s.GetRoomId()] = newWorldRoom(s)
		}
		for _, p := range r.GetWelcome().GetPlaying() {
			w.play(p)
		}
	case r.GetFailure() != nil:
	case r.GetRoom() != nil:
		if s := asked.GetSwitchRoom(); s != nil && s.GetFromRoomId() != s.GetToRoomId() {
			delete(w.Rooms, s.GetFromRoomId())
		}
		w.Rooms[r.GetRoom().GetRoomId()] = newWorldRoom(r.GetRoom())
	case asked.GetLogoutRoom() != nil:
		if room := asked.GetLogoutRoom().GetRoomId(); room != "" {
			delete(w.Rooms, room)
		} else {
			clear(w.Rooms)
		}
	case r.GetPlaying() != nil:
		w.play(r.GetPlaying())
	case asked.GetStopPlaying() != nil:
		delete(w.Playing, asked.GetStopPlaying().GetId())
	}
}

// notice takes in something that happened. What concerns a room comes between its state and its end, and each change once.
func (w *world) notice(n *signalv1.Notice) {
	switch {
	case n.GetRoom() != nil:
		w.Rooms[n.GetRoom().GetRoomId()] = newWorldRoom(n.GetRoom())
		return
	case n.GetPlaying() != nil:
		w.play(n.GetPlaying())
		return
	case n.GetSessionEnded() != nil:
		w.ended = true
		return
	}
	id := roomOfNotice(n)
	room := w.Rooms[id]
	if id == "" {
		return
	}
	if room == nil {
		w.fault("of a room that it is not in: %v", n)
		return
	}
	change := func(set map[string]bool, id string, there bool) {
		if set[id] == there {
			w.fault("twice, or something is missing: %v", n)
		}
		if delete(set, id); there {
			set[id] = true
		}
	}
	for _, u := range n.GetUsers().GetAdded() {
		change(room.Users, u.GetId(), true)
	}
	for _, u := range n.GetUsers().GetRemoved() {
		change(room.Users, u.GetId(), false)
	}
	for _, s := range n.GetStreams().GetAdded() {
		change(room.Streams, s.GetStreamId(), true)
	}
	for _, s := range n.GetStreams().GetRemoved() {
		change(room.Streams, s.GetStreamId(), false)
	}
	switch {
	case n.GetRoomEnded() != nil:
		delete(w.Rooms, id)
	case n.GetMembership() != nil:
		room.Grants = grantsText(n.GetMembership().GetGrants())
	case n.GetRoomMetadata().GetKey() == "mark":
		room.Mark = n.GetRoomMetadata().GetValue()
	}
}

// actor is a peer that asks without waiting for answers.
type actor struct {
	*peer
	asked map[uint32]*signalv1.ClientMessage
}

func (a *actor) fire(m *signalv1.ClientMessage) {
	a.id++
	m.Id = a.id
	a.asked[m.Id] = m
	frame, err := protojson.Marshal(m)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = a.socket.Write(context.Background(), websocket.MessageText, frame) // its connection may be over
}

// world is all that it has been told on this connection. With mu held.
func (a *actor) world() *world {
	w := &world{Rooms: map[string]*worldRoom{}, Playing: map[string]string{}}
	for _, f := range a.frames {
		if r := f.GetReply(); r != nil {
			w.reply(a.asked[r.GetId()], r)
		} else {
			w.notice(f.GetNotice())
		}
	}
	return w
}

// chaos is some clients and an operator on one tier.
type chaos struct {
	*tier
	node   *sfutest.Node
	random *rand.Rand
	actors []*actor
	offer  string // of everybody
	breaks int    // of the event stream
}

// enter signs a user in, with the session that it had or another one.
func (c *chaos) enter(user string, before *actor) *actor {
	a := &actor{peer: c.connect(), asked: map[uint32]*signalv1.ClientMessage{}}
	token := claims(user)
	token.Issued = token.Issued.Add(4 * time.Second) // kicks of a while ago do not keep it out
	h := &signalv1.Hello{Token: c.sign(token), RoomMode: multi}
	if before != nil {
		s := before.hello.GetSession()
		h.Resume = &signalv1.Resume{SessionId: s.GetId(), SessionEpoch: s.GetEpoch()}
	}
	for {
		c.awake()
		m := hello(h)
		a.fire(m)
		if w := a.reply(m.GetId()).GetWelcome(); w != nil {
			a.hello = w
			if !w.GetResumed() {
				a.fire(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{OfferSdp: c.offer, OfferId: 1}}})
			}
			return a
		}
		if a.reply(m.GetId()).GetFailure().GetReason() == "SESSION_NOT_FOUND" {
			h.Resume = nil
		}
	}
}

// awake waits until the tier hears of the node again.
func (c *chaos) awake() {
	n := c.nodes[0]
	if err := n.wait(c.t.Context(), func() (bool, error) { return n.live && n.learned, nil }); err != nil {
		c.t.Fatal(err)
	}
}

// act has one client do something.
func (c *chaos) act(i int) {
	a := c.actors[i]
	room, stream := fmt.Sprint("r", c.random.IntN(3)), fmt.Sprint("s", c.random.IntN(4))
	a.mu.Lock()
	w, dead := a.world(), a.err != nil
	a.mu.Unlock()
	subscriptions := slices.Sorted(maps.Keys(w.Playing))
	sub := "none"
	if len(subscriptions) > 0 {
		sub = subscriptions[c.random.IntN(len(subscriptions))]
	}
	switch n := c.random.IntN(26); {
	case dead || n == 0:
		if n < 10 {
			_ = a.socket.CloseNow()
		}
		c.actors[i] = c.enter(a.userID(), a)
	case n < 6:
		a.fire(login(room))
	case n < 9:
		a.fire(logout(room))
	case n == 9:
		a.fire(logout(""))
	case n < 12:
		a.fire(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchRoom{SwitchRoom: &signalv1.SwitchRoom{
			FromRoomId: room, ToRoomId: fmt.Sprint("r", c.random.IntN(3)),
		}}})
	case n < 16:
		a.fire(playing(room, stream))
	case n < 18:
		a.fire(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_StopPlaying{StopPlaying: &signalv1.StopPlaying{Id: sub}}})
	case n < 22:
		a.fire(publishing(room, stream))
	case n < 24:
		a.fire(unpublishing(room, stream))
	default:
		a.fire(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_SwitchPlaying{SwitchPlaying: &signalv1.SwitchPlaying{
			Id: sub, RoomId: room, StreamId: stream,
		}}})
	}
}

// operate has the operator do something; most of it will not fit.
func (c *chaos) operate() {
	ctx, rooms := c.t.Context(), c.node.Room
	room, user := fmt.Sprint("r", c.random.IntN(3)), fmt.Sprint("u", c.random.IntN(len(c.actors)))
	switch c.random.IntN(8) {
	case 0:
		_, _ = rooms.KickUser(ctx, &sfuv1.KickUserRequest{AppId: app, RoomId: room, UserId: user})
	case 1:
		_, _ = rooms.CloseRoom(ctx, &sfuv1.CloseRoomRequest{AppId: app, RoomId: room})
	case 2, 3:
		_, _ = rooms.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{
			AppId: app, RoomId: room, UserId: user, Grants: &sfuv1.Grants{Subscribe: c.random.IntN(2) == 0, Message: c.random.IntN(2) == 0},
		})
	case 4, 5:
		_, _ = rooms.MoveMembers(ctx, &sfuv1.MoveMembersRequest{AppId: app, Batch: []*sfuv1.Move{{
			UserId: user, From: room, To: fmt.Sprint("r", c.random.IntN(3)),
		}}})
	case 6:
		if c.breaks++; c.breaks > 2 { // the tier takes its time, and longer each time
			return
		}
		c.nodes[0].mu.Lock()
		c.nodes[0].restart()
		c.nodes[0].mu.Unlock()
	}
}

// want is the world as the node has it for one client. ok is false when the client has no session any more.
func (c *chaos) want(a *actor) (w *world, ok bool) {
	ctx, id := c.t.Context(), a.hello.GetSession().GetId()
	session, err := c.node.Session.GetSession(ctx, &sfuv1.GetSessionRequest{SessionId: id})
	if err != nil {
		return nil, false
	}
	w = &world{Rooms: map[string]*worldRoom{}, Playing: map[string]string{}}
	for _, room := range session.GetSession().GetRoomIds() {
		got, err := c.node.Room.GetRoom(ctx, &sfuv1.GetRoomRequest{AppId: app, RoomId: room})
		if err != nil {
			c.t.Fatal(err)
		}
		r := &worldRoom{Users: map[string]bool{}, Streams: map[string]bool{}}
		for _, m := range got.GetMembers() {
			if m.GetSessionId() == id {
				r.Grants = grantsText(m.GetGrants())
			} else {
				r.Users[m.GetUser().GetId()] = true
			}
		}
		for _, v := range got.GetStreams() {
			r.Streams[v.GetId()] = true
		}
		for _, v := range got.GetMetadata() {
			r.Mark = v.GetValue()
		}
		w.Rooms[room] = r
	}
	list, err := c.node.Subscription.ListSubscriptions(ctx, &sfuv1.ListSubscriptionsRequest{SessionId: id, Page: &sfuv1.Page{Size: 1000}})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range list.GetSubscriptions() {
		w.Playing[s.GetId()] = fmt.Sprint(s.GetRoomId(), " ", s.GetStreamId(), " ", s.GetState())
	}
	return w, true
}

// worldly compares what is known of a world.
var worldly = cmpopts.IgnoreUnexported(world{})

// becomes waits until the client's world is as wanted, or nothing comes any more.
func (a *actor) becomes(want *world) *world {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		a.mu.Lock()
		got, changed := a.world(), a.changed
		a.mu.Unlock()
		if cmp.Equal(want, got, worldly) {
			return got
		}
		select {
		case <-changed:
		case <-timeout.C:
			return got
		}
	}
}

// settle waits until everything that was asked is answered, marks every room, and compares.
func (c *chaos) settle() {
	c.awake()
	for i, a := range c.actors {
		a.mu.Lock()
		dead := a.err != nil
		a.mu.Unlock()
		if dead {
			a = c.enter(a.userID(), a)
			c.actors[i] = a
		}
		m := &signalv1.ClientMessage{Request: &signalv1.ClientMessage_Negotiate{Negotiate: &signalv1.Negotiate{OfferId: 1}}} // waits for all before it
		a.fire(m)
		a.reply(m.GetId())
	}
	for i := range 3 {
		_, _ = c.node.Room.SetRoomMetadata(c.t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: fmt.Sprint("r", i), Key: "mark", Value: new("end")})
	}
	for _, a := range c.actors {
		want, ok := c.want(a)
		if !ok {
			c.t.Errorf("%s has no session", a.userID())
			continue
		}
		got := a.becomes(want)
		if d := cmp.Diff(want, got, worldly); d != "" {
			c.t.Errorf("%s (-node +client):\n%s", a.userID(), d)
		}
		for _, f := range got.faults {
			c.t.Errorf("%s was told %s", a.userID(), f)
		}
	}
}

// TestChaos has clients and the operator do this and that without waiting for each other, while connections and event streams
// break. In the end every client's world, made of what it was told alone, is the node's.
func TestChaos(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	node := startNode(t, func(c *sfu.Config) { c.Router.EventRingCount = 8 })
	c := &chaos{
		tier: startTier(t, newKeys(t), func(c *Config) { c.Rate, c.Burst = 100_000, 100_000 }, node), node: node,
		random: rand.New(rand.NewPCG(seed, 1)), offer: offer(t, 1, 2),
	}
	for i := range 6 {
		c.actors = append(c.actors, c.enter(fmt.Sprint("u", i), nil))
	}
	for range 600 {
		c.act(c.random.IntN(len(c.actors)))
		if c.random.IntN(4) == 0 {
			c.operate()
		}
	}
	c.settle()
	t.Logf("resyncs %d", c.Stats().Resyncs)
	for _, a := range c.actors {
		_ = a.socket.CloseNow()
	}
}
