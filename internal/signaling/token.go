// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchyard-media/sfu/internal/auth"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func expired(c *auth.Claims) bool { return !c.Expires.After(time.Now()) }

// renewal is a newer token for one room.
type renewal struct {
	member *membership
	token  *auth.Claims
	grants *sfuv1.Grants // absent: those of the member stay
}

// renewToken shows a newer token, for one room or for all that were entered with the token of Hello.
func (c *client) renewToken(ctx context.Context, id uint32, r *signalv1.RenewToken) error {
	claims, err := c.tokenOf(r.GetToken())
	if err != nil {
		return err
	}
	renewals, err := c.renewals(r.GetRoomId(), claims)
	if err != nil {
		return err
	}
	for _, x := range renewals {
		if err := c.renew(ctx, x); err != nil {
			return err
		}
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for _, x := range renewals {
		x.member.token = claims
		if r.GetRoomId() != "" {
			x.member.ofHello = false
		}
	}
	if r.GetRoomId() == "" {
		c.token = claims
	}
	c.answer(done(id))
	return nil
}

// renewals checks a token against what it is to replace.
func (c *client) renewals(room string, claims *auth.Claims) ([]renewal, error) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if room == "" && claims.Issued.Before(c.token.Issued) {
		return nil, errTokenOlder
	}
	if room != "" {
		m := c.rooms[room]
		_, granted := claims.In(room)
		switch {
		case m == nil || m.incarnation == 0:
			return nil, errNotMember
		case !granted:
			return nil, errNotGranted
		case claims.Issued.Before(m.token.Issued):
			return nil, errTokenOlder
		}
		return []renewal{c.renewal(m, claims)}, nil
	}
	var list []renewal
	for id, m := range c.rooms {
		if _, granted := claims.In(id); granted && m.ofHello {
			list = append(list, c.renewal(m, claims))
		}
	}
	return list, nil
}

// renewal says what a token changes. Grants are given by one that was issued later alone: with the same one as before, what an
// operator has changed since would come back. They are taken by any: the client may have come back with this very token, and be
// a member by one that allowed more. With node.mu held.
func (c *client) renewal(m *membership, claims *auth.Claims) renewal {
	x := renewal{member: m, token: claims}
	g, _ := claims.In(m.key.room)
	if !claims.Issued.After(m.token.Issued) {
		g.Publish, g.Subscribe = g.Publish && m.grants.GetPublish(), g.Subscribe && m.grants.GetSubscribe()
		g.Message, g.Manage = g.Message && m.grants.GetMessage(), g.Manage && m.grants.GetManage()
	}
	if now := grantsIn(g); !sameGrants(now, m.grants) {
		x.grants = now
	}
	return x
}

// renew carries one renewal out. Grants first: a token that takes some away must not have renewed the others.
func (c *client) renew(ctx context.Context, x renewal) error {
	room := x.member.key.room
	if x.grants != nil {
		_, err := c.node.api.room.UpdateMember(ctx, &sfuv1.UpdateMemberRequest{
			SessionId: c.id, SessionEpoch: c.epoch, RoomId: room, Incarnation: x.member.incarnation, Grants: x.grants,
		})
		if err != nil {
			return err
		}
	}
	_, err := c.node.api.room.RenewMember(ctx, &sfuv1.RenewMemberRequest{
		SessionId: c.id, SessionEpoch: c.epoch, RoomId: room, Incarnation: x.member.incarnation,
		ExpireTime: timestamppb.New(x.token.Expires),
	})
	return err
}
