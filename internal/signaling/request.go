// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"time"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
)

// serve takes the client's requests until its connection ends.
func (c *client) serve() {
	silence := 3 * c.server.config.PingInterval
	c.conn.expect(silence, "silent", closeSilent, "nothing came for too long")
	for {
		c.conn.silence.Reset(silence)
		frame, err := c.conn.read()
		if err != nil {
			return
		}
		request, id, err := decode(frame, c.last)
		if id == 0 {
			c.server.fail(c.conn, 0, err)
			c.conn.finish("protocol", closeProtocol, "a frame that is no request")
			return
		}
		c.last = id
		if !c.allowed(id, costOf(request, len(frame))) {
			continue
		}
		if err != nil {
			c.server.fail(c.conn, id, err)
			continue
		}
		c.server.counts.request(kindOf(request))
		c.accept(id, request)
	}
}

// sizeOfOne is how long a frame may be that counts as one request. toldToAll is how many one counts for of which every member of
// a room is told: they pay for it, too.
const (
	sizeOfOne = 16 << 10
	toldToAll = 4
)

// costOf is how many requests one counts for. Messages have rates of their own on the node.
func costOf(m *signalv1.ClientMessage, size int) int {
	cost := 1 + size/sizeOfOne
	switch m.GetRequest().(type) {
	case *signalv1.ClientMessage_LoginRoom, *signalv1.ClientMessage_LogoutRoom, *signalv1.ClientMessage_SwitchRoom,
		*signalv1.ClientMessage_StartPublishing, *signalv1.ClientMessage_StopPublishing, *signalv1.ClientMessage_UpdatePublishing,
		*signalv1.ClientMessage_SetRoomMetadata:
		cost += toldToAll - 1
	}
	return cost
}

// allowed keeps the client's rate. Refusing costs little, but not nothing: one that is refused as often as it may ask, for longer
// than a moment, is cut off.
func (c *client) allowed(id uint32, cost int) bool {
	r := c.limit.ReserveN(time.Now(), min(cost, c.limit.Burst()))
	wait := r.Delay()
	if wait == 0 {
		return true
	}
	r.Cancel()
	c.server.fail(c.conn, id, errRate.after(max(wait, time.Millisecond)))
	if !c.refusals.Allow() {
		c.conn.finish("rate", closeRate, "too many requests")
	}
	return false
}

// accept gives a request its turn.
func (c *client) accept(id uint32, m *signalv1.ClientMessage) {
	switch m.GetRequest().(type) {
	case *signalv1.ClientMessage_Ping:
		c.answer(done(id))
		return
	case *signalv1.ClientMessage_Hello:
		c.server.fail(c.conn, id, errProtocol.saying("hello was said already"))
		return
	}
	run := func() {
		ctx, cancel := c.server.within()
		defer cancel()
		if err := c.carryOut(ctx, id, m); err != nil {
			c.failed(id, err)
		}
	}
	if !c.begin(&job{room: c.roomOfRequest(m), run: run}, false) {
		c.server.fail(c.conn, id, errBusy)
	}
}

// failed answers a request that was not carried out. When that is because the session is no more, the client hears it.
func (c *client) failed(id uint32, err error) {
	c.server.fail(c.conn, id, err)
	if ended(err) {
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		c.sessionOver(0, "the node has it no more")
	}
}

// begin gives a job its turn. It reports false when too many wait.
func (c *client) begin(j *job, own bool) bool {
	ready, ok := c.turns.add(j, own)
	c.start(ready)
	return ok
}

func (c *client) start(jobs []*job) {
	for _, j := range jobs {
		c.server.running.Go(func() { c.work(j) })
	}
}

// work does a job, and lets those begin that have waited for it.
func (c *client) work(j *job) {
	c.contain("a request", j.run)
	c.start(c.turns.done(j))
}

// roomOfRequest is the room that a request is about; empty: the session, or several rooms.
func (c *client) roomOfRequest(m *signalv1.ClientMessage) string {
	switch r := m.GetRequest().(type) {
	case *signalv1.ClientMessage_LoginRoom:
		return r.LoginRoom.GetRoomId()
	case *signalv1.ClientMessage_LogoutRoom:
		return r.LogoutRoom.GetRoomId()
	case *signalv1.ClientMessage_RenewToken:
		return r.RenewToken.GetRoomId()
	case *signalv1.ClientMessage_StartPublishing:
		return r.StartPublishing.GetRoomId()
	case *signalv1.ClientMessage_StopPublishing:
		return r.StopPublishing.GetRoomId()
	case *signalv1.ClientMessage_UpdatePublishing:
		return r.UpdatePublishing.GetRoomId()
	case *signalv1.ClientMessage_StartPlaying:
		return r.StartPlaying.GetRoomId()
	case *signalv1.ClientMessage_StopPlaying:
		return c.roomOfPlaying(r.StopPlaying.GetId())
	case *signalv1.ClientMessage_UpdatePlaying:
		return c.roomOfPlaying(r.UpdatePlaying.GetId())
	case *signalv1.ClientMessage_SendMessage:
		return r.SendMessage.GetRoomId()
	case *signalv1.ClientMessage_SetRoomMetadata:
		return r.SetRoomMetadata.GetRoomId()
	case *signalv1.ClientMessage_KickUser:
		return r.KickUser.GetRoomId()
	case *signalv1.ClientMessage_CloseRoom:
		return r.CloseRoom.GetRoomId()
	}
	return ""
}

// carryOut does what a request asks for and answers it, or says why not.
func (c *client) carryOut(ctx context.Context, id uint32, m *signalv1.ClientMessage) error {
	switch r := m.GetRequest().(type) {
	case *signalv1.ClientMessage_Negotiate:
		return c.negotiate(ctx, id, r.Negotiate)
	case *signalv1.ClientMessage_AddCandidates:
		return c.addCandidates(ctx, id, r.AddCandidates)
	case *signalv1.ClientMessage_LoginRoom:
		return c.loginRoom(ctx, id, r.LoginRoom)
	case *signalv1.ClientMessage_LogoutRoom:
		return c.logoutRoom(ctx, id, r.LogoutRoom)
	case *signalv1.ClientMessage_SwitchRoom:
		return c.switchRoom(ctx, id, r.SwitchRoom)
	case *signalv1.ClientMessage_RenewToken:
		return c.renewToken(ctx, id, r.RenewToken)
	case *signalv1.ClientMessage_StartPublishing:
		return c.startPublishing(ctx, id, r.StartPublishing)
	case *signalv1.ClientMessage_StopPublishing:
		return c.stopPublishing(ctx, id, r.StopPublishing)
	case *signalv1.ClientMessage_UpdatePublishing:
		return c.updatePublishing(ctx, id, r.UpdatePublishing)
	case *signalv1.ClientMessage_StartPlaying:
		return c.startPlaying(ctx, id, r.StartPlaying)
	case *signalv1.ClientMessage_StopPlaying:
		return c.stopPlaying(ctx, id, r.StopPlaying)
	case *signalv1.ClientMessage_SwitchPlaying:
		return c.switchPlaying(ctx, id, r.SwitchPlaying)
	case *signalv1.ClientMessage_UpdatePlaying:
		return c.updatePlaying(ctx, id, r.UpdatePlaying)
	case *signalv1.ClientMessage_SendMessage:
		return c.sendMessage(ctx, id, r.SendMessage)
	case *signalv1.ClientMessage_SetRoomMetadata:
		return c.setRoomMetadata(ctx, id, r.SetRoomMetadata)
	case *signalv1.ClientMessage_KickUser:
		return c.kickUser(ctx, id, r.KickUser)
	case *signalv1.ClientMessage_CloseRoom:
		return c.closeRoom(ctx, id, r.CloseRoom)
	case *signalv1.ClientMessage_Goodbye:
		return c.goodbye(ctx, id)
	}
	return errUnknown
}

func done(id uint32) *signalv1.Reply {
	return &signalv1.Reply{Id: id, Result: &signalv1.Reply_Done{Done: &signalv1.Done{}}}
}
