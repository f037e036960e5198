// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type messageService struct {
	sfuv1.UnimplementedMessageServiceServer
	*face
}

// SendRoomMessage implements sfuv1.MessageServiceServer.
func (s messageService) SendRoomMessage(ctx context.Context, r *sfuv1.SendRoomMessageRequest) (*sfuv1.SendRoomMessageResponse, error) {
	if len(r.GetToUsers()) > maxBatch {
		return nil, argument("to_users", "at most %d users", maxBatch)
	}
	if err := textIn("client_message_id", r.GetClientMessageId(), maxID); err != nil {
		return nil, err
	}
	command := router.SendMessage{
		App: r.GetAppId(), Room: r.GetRoomId(), Fence: fence(0, r.GetIncarnation()), From: r.GetFromUser(), FromServer: r.GetFromServer(),
		To: r.GetToUsers(), Payload: r.GetPayload(), ClientMessageID: r.GetClientMessageId(),
	}
	for kind, wire := range messageKinds {
		if wire == r.GetKind() {
			command.Kind = kind
		}
	}
	if command.Kind == 0 {
		return nil, argument("kind", "must be BROADCAST, BARRAGE or COMMAND")
	}
	reply, err := sfu.Do[router.MessageReply](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	return &sfuv1.SendRoomMessageResponse{
		MessageId: reply.ID, Accepted: uint32(reply.Accepted), Dropped: uint32(reply.Dropped),
	}, nil
}
