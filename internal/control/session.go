// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"time"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type sessionService struct {
	sfuv1.UnimplementedSessionServiceServer
	*face
}

// CreateSession implements sfuv1.SessionServiceServer.
func (s sessionService) CreateSession(ctx context.Context, r *sfuv1.CreateSessionRequest) (*sfuv1.CreateSessionResponse, error) {
	command, err := createIn(r.GetAppId(), r.GetSessionId(), r.GetUser(), r.GetRoomMode(), r.GetLabels())
	if err != nil {
		return nil, err
	}
	if command.TTL, err = durationIn("ttl", r.GetTtl(), time.Second, maxTTL); err != nil {
		return nil, err
	}
	session, err := sfu.Do[router.Session](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	return &sfuv1.CreateSessionResponse{Session: s.answer(session)}, nil
}

func createIn(app, id string, user *sfuv1.User, mode sfuv1.RoomMode, labels map[string]string) (router.CreateSession, error) {
	c := router.CreateSession{App: app, ID: router.SessionID(id), User: userIn(user), Labels: labels}
	var err error
	if c.Mode, err = modeIn(mode); err != nil {
		return c, err
	}
	return c, labelsIn(labels)
}

// Negotiate implements sfuv1.SessionServiceServer.
func (s sessionService) Negotiate(ctx context.Context, r *sfuv1.NegotiateRequest) (*sfuv1.NegotiateResponse, error) {
	id := router.SessionID(r.GetSessionId())
	answer, err := s.node.Negotiate(ctx, id, fence(r.GetSessionEpoch(), 0), r.GetOfferSdp(), r.GetOfferId())
	if err != nil {
		return nil, err
	}
	return &sfuv1.NegotiateResponse{
		AnswerSdp: answer.SDP, Media: s.lines(id, answer.Lines), OfferId: answer.OfferID, NegotiationNeeded: s.missing(id),
	}, nil
}

// AddIceCandidates implements sfuv1.SessionServiceServer.
func (s sessionService) AddIceCandidates(ctx context.Context, r *sfuv1.AddIceCandidatesRequest) (*sfuv1.AddIceCandidatesResponse, error) {
	candidates := make([]sfu.Candidate, len(r.GetCandidates()))
	for i, c := range r.GetCandidates() {
		if c.GetSdpMlineIndex() > 0xffff {
			return nil, argument(fmt.Sprintf("candidates[%d].sdp_mline_index", i), "must be at most 65535")
		}
		candidates[i] = sfu.Candidate{
			Candidate: c.GetCandidate(), Mid: c.GetSdpMid(), MLineIndex: uint16(c.GetSdpMlineIndex()), UsernameFragment: c.GetUsernameFragment(),
		}
	}
	err := s.node.AddCandidates(ctx, router.SessionID(r.GetSessionId()), fence(r.GetSessionEpoch(), 0), candidates, r.GetEnd())
	if err != nil {
		return nil, err
	}
	return &sfuv1.AddIceCandidatesResponse{}, nil
}

// CloseSession implements sfuv1.SessionServiceServer.
func (s sessionService) CloseSession(ctx context.Context, r *sfuv1.CloseSessionRequest) (*sfuv1.CloseSessionResponse, error) {
	if err := textIn("reason", r.GetReason(), maxReason); err != nil {
		return nil, err
	}
	command := router.CloseSession{Session: router.SessionID(r.GetSessionId()), Fence: fence(r.GetSessionEpoch(), 0), Why: r.GetReason()}
	stopped, err := sfu.Do[router.Stopped](ctx, s.node, command)
	if err != nil {
		return nil, err
	}
	if r.GetReason() != "" {
		s.log.Info("session closed by its signaling tier", "session", r.GetSessionId(), "why", r.GetReason())
	}
	return &sfuv1.CloseSessionResponse{Ended: endedOf(stopped)}, nil
}

// GetSession implements sfuv1.SessionServiceServer.
func (s sessionService) GetSession(_ context.Context, r *sfuv1.GetSessionRequest) (*sfuv1.GetSessionResponse, error) {
	var session router.Session
	var err error
	s.node.Read(func(r2 *router.Router) { session, err = r2.Session(router.SessionID(r.GetSessionId())) })
	if err != nil {
		return nil, err
	}
	return &sfuv1.GetSessionResponse{Session: s.answer(session)}, nil
}

// ListSessions implements sfuv1.SessionServiceServer.
func (s sessionService) ListSessions(_ context.Context, r *sfuv1.ListSessionsRequest) (*sfuv1.ListSessionsResponse, error) {
	f := r.GetFilter()
	filter := router.SessionFilter{App: f.GetAppId(), User: f.GetUserId(), Room: f.GetRoomId()}
	var list []router.Session
	var next string
	var err error
	s.node.Read(func(r2 *router.Router) { list, next, err = r2.Sessions(filter, pageIn(r.GetPage())) })
	if err != nil {
		return nil, err
	}
	return &sfuv1.ListSessionsResponse{Sessions: each(list, s.answer), NextPageToken: next}, nil
}

// Connect implements sfuv1.SessionServiceServer.
func (s sessionService) Connect(ctx context.Context, r *sfuv1.ConnectRequest) (*sfuv1.ConnectResponse, error) {
	command, err := connectIn(r)
	if err != nil {
		return nil, err
	}
	done, err := s.node.Connect(ctx, sfu.ConnectRequest{Command: command, Offer: r.GetOfferSdp(), OfferID: r.GetOfferId()})
	if err != nil {
		return nil, err
	}
	reply := done.Reply
	out := &sfuv1.ConnectResponse{
		Session: s.answer(reply.Session), AnswerSdp: done.Answer.SDP, OfferId: done.Answer.OfferID,
		Media: linesWithStreams(done.Answer.Lines, reply.Streams), Streams: each(reply.Streams, streamOf),
		Subscriptions: each(reply.Subscriptions, subscriptionOf), NodeEpoch: s.node.Info().Epoch,
		NegotiationNeeded: s.missing(reply.Session.ID),
	}
	for _, room := range reply.Rooms {
		out.Members = append(out.Members, memberOf(room.Member))
		out.Snapshots = append(out.Snapshots, roomSnapshotOf(room.Room))
		out.Revision = max(out.Revision, room.Revision)
	}
	return out, nil
}

func connectIn(r *sfuv1.ConnectRequest) (router.Connect, error) {
	var c router.Connect
	var err error
	if c.Create, err = createIn(r.GetAppId(), r.GetSessionId(), r.GetUser(), r.GetRoomMode(), r.GetLabels()); err != nil {
		return c, err
	}
	if c.Create.TTL, err = durationIn("ttl", r.GetTtl(), time.Second, maxTTL); err != nil {
		return c, err
	}
	for i, j := range r.GetJoins() {
		expires, err := timeIn(fmt.Sprintf("joins[%d].expire_time", i), j.GetExpireTime())
		if err != nil {
			return c, err
		}
		c.Joins = append(c.Joins, router.JoinRoom{
			Room: j.GetRoomId(), User: userPointer(j.GetUser()), Grants: grantsIn(j.GetGrants()), Expires: expires, Metadata: j.GetMetadata(),
			Weight: j.GetWeight(),
		})
	}
	for _, p := range r.GetPublishes() {
		c.Publishes = append(c.Publishes, router.Publish{
			Room: p.GetRoomId(), Stream: p.GetStreamId(), AudioMid: p.GetAudioMid(), VideoMid: p.GetVideoMid(), Metadata: p.GetMetadata(),
		})
	}
	for i, sub := range r.GetSubscriptions() {
		subscribe, err := subscriptionIn(fmt.Sprintf("subscriptions[%d]", i), sub)
		if err != nil {
			return c, err
		}
		c.Subscriptions = append(c.Subscriptions, subscribe)
	}
	return c, nil
}
