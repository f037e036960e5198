// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// resource is a session as HTTP sees it.
type resource struct {
	target         // immutable, as the next five
	user    string // of the session
	owner   string // of the token that it was made with
	session router.SessionID
	epoch   uint64
	wish    router.Subscribe // of a viewer

	turn chan struct{} // has room for one: who has put something in owns the rest until it takes it out

	offer  *offer // that holds
	offers uint64 // so many so far, the failed ones too
	etag   string // of the ICE session, with its quotes; strong
}

func newETag() string { return `"` + random(8) + `"` }

func (r *resource) fence() router.Fence { return router.Fence{SessionEpoch: r.epoch} }

// find is the resource that a request with this token may see. What is somebody else's is forbidden even to those who know
// its path; paths cannot be guessed.
func (s *Server) find(r *http.Request, t target) (*resource, error) {
	claims, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	res := s.resources[t.id]
	s.mu.Unlock()
	if res == nil || res.protocol != t.protocol || res.app != t.app || res.room != t.room || res.stream != t.stream {
		return nil, errNoResource
	}
	if claims.App != res.app || claims.UserID != res.owner {
		return nil, errGrant.saying("the session is of another user's token").
			with("WWW-Authenticate", `Bearer realm="sfu", error="insufficient_scope"`)
	}
	if !s.alive(res) {
		s.forget(res)
		return nil, errNoResource
	}
	return res, nil
}

// onResource answers what is asked of a session.
func (s *Server) onResource(w http.ResponseWriter, r *http.Request, t target) (reply, error) {
	res, err := s.find(r, t)
	if err != nil {
		return reply{}, err
	}
	switch r.Method {
	case http.MethodDelete: // whatever If-Match says (RFC 9725, section 4.3.1)
		if err := s.end(r.Context(), res); err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusOK}, nil
	case http.MethodPatch:
		return s.patch(w, r, res)
	default: // GET and HEAD: there is nothing to show (section 4.1)
		return reply{status: http.StatusNoContent}, nil
	}
}

// end closes the session of a resource, which is forgotten whatever comes of it. It does so for a client that has gone away, too:
// pages that are being closed ask for it as their last word.
func (s *Server) end(ctx context.Context, res *resource) error {
	s.forget(res)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, err := sfu.Do[router.Stopped](ctx, s.cfg.Node, router.CloseSession{Session: res.session, Fence: res.fence(), Why: res.protocol + " DELETE"})
	if errors.Is(err, sfu.ErrStopTimeout) {
		return nil // it has ended; only its last packets are not confirmed to be the last
	}
	return err
}

// patch takes candidates, or restarts ICE (RFC 9725, section 4.3).
func (s *Server) patch(w http.ResponseWriter, r *http.Request, res *resource) (reply, error) {
	text, err := s.body(w, r, typeFragment)
	if err != nil {
		return reply{}, err
	}
	ctx := r.Context()
	select {
	case res.turn <- struct{}{}:
		defer func() { <-res.turn }()
	case <-ctx.Done():
		return reply{}, sfu.ErrDeadline
	}
	f, err := readFragment(text, func(mid string) bool {
		return slices.ContainsFunc(res.offer.sections, func(m section) bool { return m.mid == mid })
	})
	if err != nil {
		return reply{}, err
	}
	restart, err := f.restarts(res.offer.ice)
	if err != nil {
		return reply{}, err
	}
	// Conditions come after everything else that is wrong (RFC 9110, section 13.2.1).
	if err := condition(r.Header.Values("If-Match"), res.etag); err != nil {
		return reply{}, err
	}
	if restart {
		return s.restart(ctx, res, f)
	}
	candidates := make([]sfu.Candidate, len(f.candidates))
	for i, c := range f.candidates {
		candidates[i] = sfu.Candidate{Candidate: "candidate:" + c.text, Mid: c.mid, UsernameFragment: f.ice.ufrag}
	}
	if err := s.cfg.Node.AddCandidates(ctx, res.session, res.fence(), candidates, f.end); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// restarts says whether a fragment begins another ICE session: both credentials are new then (RFC 8839, section 4.4.1.1.1).
func (f *fragment) restarts(now credentials) (bool, error) {
	switch {
	case f.ice == credentials{}, f.ice == now:
		return false, nil
	case f.ice.ufrag == now.ufrag, f.ice.pwd == now.pwd:
		return false, errFragment.saying("of a=ice-ufrag and a=ice-pwd only one is new: a restart changes both")
	default:
		return true, nil
	}
}

// condition evaluates If-Match (RFC 9110, section 13.1.1) by strong comparison. RFC 9725 shows the asterisk in quotes, so that
// is taken for one too.
func condition(fields []string, etag string) error {
	if len(fields) == 0 {
		return errNoCondition
	}
	for _, field := range fields {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimSpace(tag); tag == etag || tag == "*" || tag == `"*"` {
				return nil
			}
		}
	}
	return errCondition
}

// restart begins another ICE session: for the node that is an offer like the one before but for what the fragment says.
func (s *Server) restart(ctx context.Context, res *resource, f *fragment) (reply, error) {
	texts := make([]string, len(f.candidates))
	for i, c := range f.candidates {
		texts[i] = c.text
	}
	next := res.offer.restarted(f.ice, texts)
	res.offers++ // also when it fails: after a deadline nobody knows whether the number was used
	answer, err := s.cfg.Node.Negotiate(ctx, res.session, res.fence(), next.text(), res.offers)
	if err != nil {
		return reply{}, err
	}
	res.offer, res.etag = next, newETag()
	return reply{status: http.StatusOK, body: fragmentOf(answer.SDP), header: [][2]string{
		{"Content-Type", typeFragment}, {"ETag", res.etag},
	}}, nil
}
