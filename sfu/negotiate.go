// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchyard-media/sfu/internal/transport"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// Negotiate takes a client's offer and answers it. The client always offers: for the first connection, for publishing, for
// more slots, for an ICE restart. offerID grows with every offer; a repeat of the last one gets the same answer, anything
// else that is not newer is ErrStaleOffer. A failed offer leaves the session as it was.
func (n *Node) Negotiate(
	ctx context.Context, session router.SessionID, fence router.Fence, offer string, offerID uint64,
) (Answer, error) {
	s, err := n.find(session, fence)
	if err != nil {
		return Answer{}, err
	}
	var answer Answer
	callErr := s.call(ctx, func() {
		err = ErrInternal // what the caller gets when this panics
		answer, err = s.negotiate(offer, offerID, func(lines []router.Line) (now []router.Line, err error) {
			cmd := router.SetLines{Session: session, Fence: fence, Lines: lines}
			_, effects, err := n.applyEffects(cmd, func(r *router.Router, _ any) { now, _ = r.Lines(session) })
			if err == nil {
				err = n.waitStops(ctx, effects) // of slots that are none any more
			}

			return now, err
		})
	})
	if callErr != nil {
		return Answer{}, callErr
	}

	return answer, err
}

// negotiate does one offer. commit tells the router about the lines and returns them as they are then. Loop only.
//
// Everything that can fail for what is in the offer comes first and leaves nothing behind. What the new lines need is made
// then, since the router's answer uses it already, and taken back when the router does not want them. The transport begins or
// goes on last.
func (s *session) negotiate(
	raw string, id uint64, commit func([]router.Line) ([]router.Line, error),
) (answer Answer, err error) {
	first := s.last.ufrag == ""
	if !first && id <= s.last.id {
		if !s.last.is(id, raw) {
			return Answer{}, ErrStaleOffer.Now(s.last.id)
		}

		return s.answer, nil
	}
	o, err := parseOffer(raw, id, &s.node.cfg, s.lines)
	if err != nil {
		return Answer{}, err
	}
	if !first && s.last.fingerprint != o.fingerprint { // another client, or one that has started anew (RFC 8842, section 3.1)
		return Answer{}, badSDP("the fingerprint differs from the former offer's: a new DTLS association needs a new session")
	}
	for i := range o.lines {
		if l := &o.lines[i]; len(l.mid) > maxHeaderMid && !l.application() {
			return Answer{}, badLine(i, clip(l.mid), "mid is longer than %d bytes", maxHeaderMid)
		}
	}
	c := &change{offer: o, lines: o.decide(s.lines), local: s.local, first: first, restart: !first && s.last.ufrag != o.ufrag}
	for i := range c.lines { // they outlive the offer's text
		c.lines[i].mid = strings.Clone(c.lines[i].mid)
	}
	if c.agreed, err = o.agree(c.lines, s.node.formats); err != nil {
		return Answer{}, err
	}
	if c.first || c.restart {
		c.local = transport.NewCredentials()
	}
	c.ssrcs = s.slotSSRCs(c.lines, c.agreed)
	text := o.answer(c.lines, c.agreed, s.answerParts(c))
	if err := s.prepare(c); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrInternal, err)
	}
	now, err := commit(routerLines(c.lines))
	if err != nil && !errors.Is(err, ErrStopTimeout) { // after that the lines are in force, and a repeat is answered
		c.undo()

		return Answer{}, err
	}
	if failed := s.put(c); failed != nil {
		s.log().Warn("session ended: its transport cannot go on", "error", failed)
		s.fail()

		return Answer{}, fmt.Errorf("%w: %w", ErrInternal, failed)
	}
	s.answer = Answer{SDP: text, OfferID: id, Lines: now}
	s.tellLines()
	s.poke() // a source that is back, to be told as live

	return s.answer, err
}

// maxHeaderMid is the longest mid that fits a header extension element of one-byte form (RFC 8285, section 4.2).
const maxHeaderMid = 16

// change is what one offer makes of a session.
type change struct {
	offer   *offer
	lines   []line
	agreed  []agreed
	local   transport.Credentials
	ssrcs   map[string]slotSSRCs
	first   bool     // the session's first one
	restart bool     // of ICE
	undone  []func() // how to take back what has been made, in the order of making
}

func (c *change) undo() {
	for _, f := range slices.Backward(c.undone) {
		f()
	}
}

func (s *session) answerParts(c *change) answerParts {
	return answerParts{
		session: s.sdpID, local: c.local, fingerprint: s.node.maker.Fingerprint(), lite: s.node.lite(), cname: s.cname,
		candidates: s.node.transports.lines, slots: c.ssrcs, maxMessage: sctpMessage,
	}
}

// prepare makes the transport of a first offer, and slots and sources for new lines; those that there are get what the new
// answer says of them.
func (s *session) prepare(c *change) error {
	if s.transport == nil {
		made, err := s.node.maker.New(s, c.local, c.offer.passive)
		if err != nil {
			return err
		}
		s.transport = made
		c.undone = append(c.undone, func() { s.discard() })
	}
	extensions := rtpforward.ExtensionMap{}
	link := feedbackOf(c)
	for i, l := range c.lines {
		if !l.active {
			continue
		}
		f := &c.agreed[i].lineFormats
		switch l.role {
		case roleSource:
			c.undone = append(c.undone, s.prepareSource(l))
		case roleSlot:
			c.undone = append(c.undone, s.prepareSlot(l, f, c.ssrcs[l.mid], link))
			for _, kind := range rtpforward.Extensions() {
				if id := f.extensions.ID(kind); id != 0 {
					extensions.Set(kind, id)
				}
			}
		case roleNone, roleData:
		}
	}
	s.prepareDownlink(extensions)
	before := s.extensions
	s.extensions = extensions
	c.undone = append(c.undone, func() { s.extensions = before; s.prepareDownlink(before) })

	return nil
}

// put makes an offer that everybody has agreed to the session's last one.
func (s *session) put(c *change) error {
	var ups []*upLine
	for i, l := range c.lines {
		if src := s.source(l.mid); src != nil && l.active && l.role == roleSource {
			ups = append(ups, newUpLine(&c.agreed[i], src))
		}
		if l.role == roleData && l.active && !s.accepting {
			s.accepting = true
			s.transport.AcceptChannels(sctpMessage)
		}
	}
	if s.demux.update(s.sources.uplink.Load(), ups, len(c.lines)) {
		s.flooded.Store(true) // seen to by the look that follows
	}
	s.lines, s.local = c.lines, c.local
	s.last = accepted{
		id: c.offer.id, sum: sha256.Sum256([]byte(c.offer.raw)),
		ufrag: strings.Clone(c.offer.ufrag), fingerprint: strings.Clone(c.offer.fingerprint),
	}
	remote := c.offer.remote()
	remote.Ufrag, remote.Pwd, remote.Fingerprint = s.last.ufrag, strings.Clone(remote.Pwd), s.last.fingerprint
	switch {
	case c.first:
		return s.transport.Start(remote)
	case c.restart:
		s.candidates = 0 // it comes with candidates of its own
		err := s.transport.Restart(c.local, remote)
		s.restarted.Store(true)

		return err
	}

	return nil
}

// discard throws away a transport that was never answered for.
func (s *session) discard() {
	s.mu.Lock()
	if s.downlink != nil && !s.ended { // of this transport's Writer
		s.downlink.Close()
		s.downlink = nil
		s.reports.Store(nil)
	}
	s.mu.Unlock()
	s.transport.Close()
	s.transport = nil
	s.sources.mu.Lock()
	u := s.sources.uplink.Swap(nil)
	s.sources.mu.Unlock()
	if u != nil {
		u.Close()
	}
}

// AddCandidates takes trickled candidates of the client. With ICE-lite they are checked and counted, nothing more: a lite
// agent learns the client's addresses from its checks (RFC 8445, section 7.3.1.3).
func (n *Node) AddCandidates(
	ctx context.Context, session router.SessionID, fence router.Fence, candidates []Candidate, end bool,
) error {
	s, err := n.find(session, fence)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		if err := checkCandidate(c.Candidate); c.Candidate != "" && err != nil {
			return err
		}
	}
	callErr := s.call(ctx, func() {
		err = ErrInternal
		err = s.addCandidates(candidates, end)
	})
	if callErr != nil {
		return callErr
	}

	return err
}

func (s *session) addCandidates(candidates []Candidate, end bool) error {
	if s.last.ufrag == "" {
		return ErrNotNegotiated.About(string(s.id))
	}
	if s.candidates+len(candidates) > s.node.cfg.MaxCandidates {
		return ErrCandidateLimit.About(string(s.id))
	}
	s.candidates += len(candidates)
	for _, c := range candidates {
		if c.Candidate == "" || c.UsernameFragment != "" && c.UsernameFragment != s.last.ufrag {
			continue // the end of one m-line's candidates, as browsers write it, or one of before a restart
		}
		if err := s.transport.AddCandidate(strings.TrimPrefix(c.Candidate, "a=")); err != nil {
			return saying(ErrCandidate, clip(err.Error()))
		}
	}
	if end {
		return s.transport.AddCandidate("")
	}

	return nil
}
