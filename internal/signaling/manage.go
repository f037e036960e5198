// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// manages says whether the client may manage a room, as the node has it now: the grants may have changed since it was told of
// them. An update that changes nothing answers the member.
func (c *client) manages(ctx context.Context, room string, incarnation uint64) error {
	reply, err := c.node.api.room.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{
		SessionId: c.id, SessionEpoch: c.epoch, RoomId: room, Incarnation: incarnation,
	})
	switch {
	case err != nil:
		return err
	case !reply.GetMember().GetGrants().GetManage():
		return errManage
	}
	return nil
}

// manager is the room that a request is about, if the client may manage it.
func (c *client) manager(ctx context.Context, id string) (room string, incarnation uint64, err error) {
	room = c.only(id)
	if incarnation, err = c.in(room); err != nil {
		return "", 0, err
	}
	return room, incarnation, c.manages(ctx, room, incarnation)
}

func (c *client) setRoomMetadata(ctx context.Context, id uint32, r *signalv1.SetRoomMetadata) error {
	room, incarnation, err := c.manager(ctx, r.GetRoomId())
	if err != nil {
		return err
	}
	_, err = c.node.api.room.SetRoomMetadata(ctx, &sfuv1.SetRoomMetadataRequest{
		AppId: c.app, RoomId: room, Incarnation: incarnation, Key: r.GetKey(), Value: r.Value,
	})
	if err != nil {
		return err
	}
	c.answer(done(id))
	return nil
}

func (c *client) kickUser(ctx context.Context, id uint32, r *signalv1.KickUser) error {
	room, incarnation, err := c.manager(ctx, r.GetRoomId())
	if err != nil {
		return err
	}
	request := &sfuv1.KickUserRequest{AppId: c.app, RoomId: room, Incarnation: incarnation, UserId: r.GetUserId(), Reason: r.GetReason()}
	if r.GetBanSeconds() > 0 {
		// Without a fence the ban holds for one who has just left, too.
		request.BanFor, request.Incarnation = durationpb.New(time.Duration(r.GetBanSeconds())*time.Second), 0
	}
	if _, err := c.node.api.room.KickUser(ctx, request); err != nil {
		return err
	}
	c.answer(done(id))
	return nil
}

func (c *client) closeRoom(ctx context.Context, id uint32, r *signalv1.CloseRoom) error {
	room, incarnation, err := c.manager(ctx, r.GetRoomId())
	if err != nil {
		return err
	}
	_, err = c.node.api.room.CloseRoom(ctx, &sfuv1.CloseRoomRequest{AppId: c.app, RoomId: room, Incarnation: incarnation, Reason: r.GetReason()})
	if err != nil {
		return err
	}
	c.answer(done(id))
	return nil
}

// sendMessage sends a message. The node checks the grant by the user: that it is this client's, and that it is in the room
// with this session, is for the tier to see to.
func (c *client) sendMessage(ctx context.Context, id uint32, r *signalv1.SendMessage) error {
	room := c.only(r.GetRoomId())
	incarnation, err := c.in(room)
	if err != nil {
		return err
	}
	reply, err := c.node.api.message.SendRoomMessage(ctx, &sfuv1.SendRoomMessageRequest{
		AppId: c.app, RoomId: room, Incarnation: incarnation, FromUser: c.user, Kind: r.GetKind(), ToUsers: r.GetToUsers(),
		Payload: []byte(r.GetText()), ClientMessageId: r.GetClientMessageId(),
	})
	if err != nil {
		return err
	}
	c.answer(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Sent{Sent: &signalv1.Sent{MessageId: reply.GetMessageId()}}})
	return nil
}

// goodbye ends the session. What the node tells of that is not told again.
func (c *client) goodbye(ctx context.Context, id uint32) error {
	c.node.unregister(c)
	_, err := c.node.api.session.CloseSession(ctx, &sfuv1.CloseSessionRequest{SessionId: c.id, SessionEpoch: c.epoch})
	if err != nil && !ended(err) {
		c.server.fail(c.conn, id, err)
		c.readAgain("the session was not closed")
		return nil
	}
	c.answer(done(id))
	c.conn.finish("", 1000, "goodbye")
	return nil
}
