// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"fmt"

	"github.com/pion/webrtc/v4"

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
func (s *session) negotiate(
	raw string, id uint64, commit func([]router.Line) ([]router.Line, error),
) (answer Answer, err error) {
	if s.last != nil && id <= s.last.id {
		if id < s.last.id || raw != s.last.raw {
			return Answer{}, ErrStaleOffer.Now(s.last.id)
		}

		return s.answer, nil
	}
	o, err := parseOffer(raw, id, &s.node.cfg, s.lines)
	if err != nil {
		return Answer{}, err
	}
	lines := o.decide(s.lines)
	sdp, err := s.exchange(o, lines)
	if err != nil {
		return Answer{}, s.undo(err)
	}
	if s.last != nil && s.last.ufrag != o.ufrag { // an ICE restart comes with candidates of its own
		s.candidates = 0
	}
	before := s.lines
	s.lines = lines
	now, err := commit(routerLines(lines))
	if err != nil && !errors.Is(err, ErrStopTimeout) { // after that the lines are in force, and a repeat is answered
		// pion has the offer, the router does not want it: the session is gone, or another one by now. Nobody else can
		// see the difference, and the next offer replaces it.
		s.lines = before

		return Answer{}, err
	}
	s.last, s.answer = o, Answer{SDP: sdp, OfferID: id, Lines: now}
	s.tellLines()

	return s.answer, err
}

// exchange runs an offer through pion and returns the answer for the client.
func (s *session) exchange(o *offer, lines []line) (string, error) {
	candidates := s.node.transports.lines
	normal, err := o.normalized(lines, !s.node.lite())
	if err != nil {
		return "", badSDP("%v", err)
	}
	if s.peer == nil {
		if s.peer, err = s.node.peers.newPeer(o.passive, s.seen, s.events()); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInternal, err)
		}
	}
	s.seen.allow(len(lines))
	slots, mids, err := s.newSlots(lines)
	if err != nil {
		return "", err
	}
	answer, parsed, err := s.peer.answerTo(normal, slots, mids)
	if err != nil {
		return "", badSDP("%s", clip(err.Error()))
	}
	if len(parsed.MediaDescriptions) != len(lines) {
		return "", badSDP("%d of %d m-lines could be answered", len(parsed.MediaDescriptions), len(lines))
	}
	final, err := o.finish(parsed, lines, s.cname, candidates)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInternal, err)
	}
	extensions := rtpforward.ExtensionMap{}
	for i, l := range lines {
		f := s.node.formats.formatsOf(parsed.MediaDescriptions[i])
		if l.active && l.role != roleData && len(f.payloads) == 0 {
			return "", badLine(i, l.mid, "no codec with parameters that this node routes")
		}
		switch {
		case l.role == roleSource && l.active:
			s.prepareSource(l, f)
		case l.role == roleSlot && l.active:
			s.prepareSlot(l, f)
			for _, kind := range rtpforward.Extensions() {
				if id := f.extensions.ID(kind); id != 0 {
					extensions.Set(kind, id)
				}
			}
		}
	}
	if err := s.peer.commit(answer); err != nil {
		return "", badSDP("%s", clip(err.Error()))
	}
	if err := s.checkSlots(lines); err != nil {
		return "", err
	}
	s.prepareDownlink(extensions)

	return final, nil
}

// checkSlots makes sure that pion has bound every slot: the router will use them.
func (s *session) checkSlots(lines []line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range lines {
		if l.role == roleSlot && l.active && (s.slots[l.mid] == nil || s.slots[l.mid].down == nil) {
			return badLine(i, l.mid, "could not be made a line to send on")
		}
	}

	return nil
}

// newSlots returns the slots for the lines that have just become slots, with their mids.
func (s *session) newSlots(lines []line) (slots []*slot, mids []string, err error) {
	if err := s.peer.agrees(lines); err != nil {
		return nil, nil, err
	}
	for i, l := range lines {
		if i < len(s.lines) && s.lines[i].role != roleNone {
			continue
		}
		if l.role != roleSlot {
			continue
		}
		slot := s.peer.slotFor(l.mid, l.kind)
		if slot == nil {
			slot = s.makeSlot(l.kind)
		}
		slots, mids = append(slots, slot), append(mids, l.mid)
	}

	return slots, mids, nil
}

func (s *session) makeSlot(kind router.Kind) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.downlink == nil {
		p := s.peer
		s.downlink = s.node.forward.NewDownlink(rtpforward.DownlinkConfig{
			CNAME: s.cname, WriteRTCP: p.writeRTCP,
		})
		if s.ended {
			s.downlink.Close()
		}
	}

	return &slot{session: s, kind: kind}
}

// prepareSlot gives a slot what its line's answer says, before pion binds it.
func (s *session) prepareSlot(l line, f lineFormats) {
	slot := s.peer.placed[l.mid]
	if slot == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.formats = f
	s.slots[l.mid] = slot
	if slot.down != nil {
		slot.config.Formats = f.out
		slot.down.Reconfigure(slot.config)
	}
}

// prepareDownlink gives the downlink the header extensions that the slots have. They are shared: within a BUNDLE group
// an id means one thing (RFC 9143, section 9.2).
func (s *session) prepareDownlink(m rtpforward.ExtensionMap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.downlink == nil || s.ended {
		return
	}
	s.downlink.SetExtensions(m)
	if s.connected {
		s.downlink.SetReady(true) // the first slot of a session that has only published so far
	}
}

// undo takes back what an offer that failed has left in pion, so that the next one finds the session as before.
func (s *session) undo(cause error) error {
	if s.last == nil {
		s.discardPeer()

		return cause
	}
	if err := s.peer.settle(); err != nil {
		s.log().Warn("session ended: an offer that failed could not be taken back", "offer", cause, "error", err)
		s.fail()

		return errors.Join(cause, err)
	}

	return cause
}

// discardPeer throws away a PeerConnection that was never answered for.
func (s *session) discardPeer() {
	if s.peer == nil {
		return
	}
	s.peer.close()
	s.work.Wait()
	s.peer = nil
	s.mu.Lock()
	if s.downlink != nil {
		s.downlink.Close()
	}
	s.downlink, s.slots, s.ssrcs = nil, make(map[string]*slot), nil
	s.mu.Unlock()
	s.sources.mu.Lock()
	u := s.sources.uplink
	s.sources.uplink, s.sources.byMid = nil, make(map[string]*source)
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
	if s.last == nil {
		return ErrNotNegotiated.About(string(s.id))
	}
	if s.candidates+len(candidates) > s.node.cfg.MaxCandidates {
		return ErrCandidateLimit.About(string(s.id))
	}
	s.candidates += len(candidates)
	for _, c := range candidates {
		if c.Candidate == "" {
			continue // the end of one m-line's candidates, as browsers write it
		}
		if err := s.peer.addCandidate(c); err != nil {
			return saying(ErrCandidate, clip(err.Error()))
		}
	}
	if end && !s.peer.lite {
		return s.peer.pc.AddICECandidate(webrtc.ICECandidateInit{})
	}

	return nil
}
