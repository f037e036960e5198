// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// maxOffer bounds an offer, in bytes: it is kept as long as its session, for ICE restarts. Browsers' offers of two lines have a
// sixth of it.
const maxOffer = 64 << 10

// create answers a POST to an endpoint: one session, all of it or nothing.
func (s *Server) create(w http.ResponseWriter, r *http.Request, t target) (reply, error) {
	claims, err := s.authenticate(r)
	if err != nil {
		return reply{}, err
	}
	grants, err := authorize(claims, t)
	if err != nil {
		return reply{}, err
	}
	text, err := s.body(w, r, typeSDP)
	if err != nil {
		return reply{}, err
	}
	if len(text) > maxOffer {
		return reply{}, errTooLarge.saying(fmt.Sprintf("an offer of one audio and one video line has at most %d bytes here", maxOffer))
	}
	o, err := readOffer(text)
	if err != nil {
		return reply{}, err
	}
	if err := o.choose(t.protocol); err != nil {
		return reply{}, err
	}
	if o.lite && s.cfg.Node.Info().ICELite { // section 4.4.5: clients are full agents
		return reply{}, errMedia.saying("the offer is of an ICE-lite agent, as this server is one: nobody would begin")
	}
	o.adapt(t.protocol)
	if err := s.admits(claims, t); err != nil {
		return reply{}, err
	}
	if err := s.reserve(); err != nil {
		return reply{}, err
	}
	return s.connect(r.Context(), t, claims, grants, o)
}

// body reads what a request brings, in the one media type that is taken.
func (s *Server) body(w http.ResponseWriter, r *http.Request, want string) (string, error) {
	refused := errMediaType.saying("the body has to be "+want).with("Accept-Post", typeSDP)
	if want == typeFragment {
		refused = errMediaType.saying("the body has to be "+want).with("Accept-Patch", typeFragment)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != want {
		return "", refused
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "", refused.saying("the body has to come without a content coding").with("Accept-Encoding", "identity")
	}
	if r.ContentLength > int64(s.cfg.MaxBody) {
		return "", errTooLarge
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody)))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return "", errTooLarge
	case err != nil:
		return "", errBody
	}
	return string(text), nil
}

// admits asks the node what it would not refuse by itself: a ban of the token's user is not one of the session's, and a viewer
// could wait for a stream for ever. A stream has to be published when its viewer comes; one that ends later may come back.
func (s *Server) admits(claims *auth.Claims, t target) error {
	if err := router.CheckIDs(t.app, t.room, t.stream); err != nil {
		return err
	}
	if err := s.kicks.check(claims, t); err != nil {
		return err
	}
	var missing error
	banned := false
	s.cfg.Node.Read(func(r *router.Router) {
		if t.protocol == whep {
			_, missing = r.Stream(t.app, t.room, t.stream)
		}
		_, banned = r.Banned(time.Now(), t.app, t.room, claims.UserID)
	})
	switch {
	case banned:
		return router.ErrBanned.About(claims.UserID)
	case missing != nil: // the draft's section on session management
		return errNotLive
	default:
		return nil
	}
}

// connect has the node make the session, and makes its resource. A place is kept for it.
func (s *Server) connect(ctx context.Context, t target, claims *auth.Claims, grants auth.Grants, o *offer) (reply, error) {
	defer s.release()
	name := claims.UserName
	if name == "" {
		name = claims.UserID
	}
	user := memberID(claims.UserID, t)
	given := router.Grants(grants)
	command := router.Connect{
		Create: router.CreateSession{
			App: t.app, User: router.User{ID: user, Name: name}, Mode: router.ModeSingle, TTL: s.cfg.SessionTTL,
			Labels: map[string]string{"protocol": t.protocol, "user": claims.UserID},
		},
		Joins: []router.JoinRoom{{Room: t.room, Grants: &given, Expires: claims.Expires}},
	}
	wish := router.Subscribe{Room: t.room, Stream: t.stream, Audio: o.audio != "", Video: o.video != ""}
	if t.protocol == whip {
		command.Publishes = []router.Publish{{Room: t.room, Stream: t.stream, AudioMid: o.audio, VideoMid: o.video}}
	} else {
		command.Subscriptions = []router.Subscribe{wish}
	}
	done, err := s.cfg.Node.Connect(ctx, sfu.ConnectRequest{Command: command, Offer: o.text(), OfferID: 1})
	if err != nil {
		return reply{}, err
	}
	res := &resource{
		target: t, user: user, owner: claims.UserID, session: done.Reply.Session.ID, epoch: done.Reply.Session.Epoch, wish: wish,
		turn: make(chan struct{}, 1), offer: o, offers: 1, etag: newETag(),
	}
	res.id = random(16)
	answer, err := o.finish(done.Answer.SDP)
	if err != nil {
		return reply{}, errors.Join(err, s.end(ctx, res))
	}
	if !s.register(res) {
		return reply{}, errNoResource.saying("the session has ended already")
	}
	s.cfg.Logger.Debug("session by HTTP", "protocol", t.protocol, "app", t.app, "room", t.room, "stream", t.stream, "session", res.session)
	out := reply{status: http.StatusCreated, body: answer, header: [][2]string{
		{"Content-Type", typeSDP}, {"Location", t.endpoint + "/" + res.id}, {"ETag", res.etag}, {"Accept-Patch", typeFragment},
	}}
	for _, link := range s.links {
		out.header = append(out.header, [2]string{"Link", link})
	}
	return out, nil
}
