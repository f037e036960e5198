// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// The epoch travels into the command: it is what is in the room that is checked, not what was there before.
func TestMembersAreFencedByTheirSession(t *testing.T) {
	_, target := start(t, Config{})
	conn := dial(t, target, nil)
	made, err := sfuv1.NewSessionServiceClient(conn).CreateSession(t.Context(), &sfuv1.CreateSessionRequest{AppId: "a", User: &sfuv1.User{Id: "u", Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	id, epoch := made.GetSession().GetId(), made.GetSession().GetEpoch()
	rooms := sfuv1.NewRoomServiceClient(conn)
	if _, err := rooms.JoinRoom(t.Context(), &sfuv1.JoinRoomRequest{SessionId: id, RoomId: "r"}); err != nil {
		t.Fatal(err)
	}
	text := "text"
	for name, call := range map[string]func(user, session string, epoch uint64) error{
		"UpdateMember": func(user, session string, epoch uint64) error {
			_, err := rooms.UpdateMember(t.Context(), &sfuv1.UpdateMemberRequest{
				AppId: "a", RoomId: "r", UserId: user, SessionId: session, SessionEpoch: epoch, Metadata: &text,
			})
			return err
		},
		"RenewMember": func(user, session string, epoch uint64) error {
			_, err := rooms.RenewMember(t.Context(), &sfuv1.RenewMemberRequest{AppId: "a", RoomId: "r", UserId: user, SessionId: session, SessionEpoch: epoch})
			return err
		},
	} {
		for _, who := range []struct{ user, session string }{{"u", ""}, {"", id}, {"u", id}} {
			err := call(who.user, who.session, epoch+1)
			if info, _ := detail[*errdetails.ErrorInfo](t, err); status.Code(err) != codes.Aborted || info.GetReason() != "STALE_EPOCH" {
				t.Errorf("%s of %v in a later life: %v", name, who, err)
			}
			for _, fits := range []uint64{0, epoch} {
				if err := call(who.user, who.session, fits); err != nil {
					t.Errorf("%s of %v, epoch %d: %v", name, who, fits, err)
				}
			}
		}
	}
}
