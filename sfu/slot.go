// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"math/rand/v2"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// slot is a down line. Its SSRCs never change; what is forwarded into it is between its DownTrack and the router.
type slot struct {
	slotSSRCs // immutable

	// guarded by session.mu
	config rtpforward.DownTrackConfig
	down   *rtpforward.DownTrack
	bound  router.BindSlot  // Subscription "" while idle
	wish   rtpforward.Wish  // as down has it
	gate   *rtpforward.Gate // the same
}

// slotSSRCs returns what every slot of the lines is sent with, by mid: those that are there, and new ones for the new. Every
// SSRC of the transport is another (RFC 3550, section 8.1), the client's too. Loop only.
func (s *session) slotSSRCs(lines []line, agreements []agreed) map[string]slotSSRCs {
	taken := map[uint32]bool{0: true, s.feedbackSSRC: true}
	for _, a := range agreements {
		for _, ssrc := range a.ssrcs {
			taken[ssrc] = true
		}
		for ssrc := range a.repairSSRCs {
			taken[ssrc] = true
		}
	}
	out := make(map[string]slotSSRCs)
	s.mu.Lock()
	for mid, slot := range s.slots {
		out[mid] = slot.slotSSRCs
		taken[slot.ssrc], taken[slot.rtxSSRC] = true, true
	}
	s.mu.Unlock()
	free := func() uint32 {
		for {
			if ssrc := rand.Uint32(); !taken[ssrc] {
				taken[ssrc] = true

				return ssrc
			}
		}
	}
	for _, l := range lines {
		if _, has := out[l.mid]; has || l.role != roleSlot {
			continue
		}
		made := slotSSRCs{ssrc: free()}
		if l.kind == router.Video { // audio is not retransmitted on a stream of its own
			made.rtxSSRC = free()
		}
		out[l.mid] = made
	}

	return out
}

// linkFeedback is what a session's slots have agreed to about its link.
type linkFeedback struct {
	controlled bool // the node makes use of any
	transport  bool // transport-wide feedback, on one slot at least
	remb       bool // the client's own estimate, the same
}

func feedbackOf(c *change) linkFeedback {
	return linkFeedback{
		controlled: c.offer.controlled,
		transport:  anySlot(c.lines, c.agreed, func(a *agreed) bool { return a.transport }),
		remb:       anySlot(c.lines, c.agreed, func(a *agreed) bool { return a.remb }),
	}
}

// prepareSlot makes the line's slot, or gives it what a new answer says. The first slot makes the Downlink, which stays as long
// as the transport: its Writer is of one shard. It returns what takes the rest back. Loop only; the transport is there.
func (s *session) prepareSlot(l line, f *lineFormats, ssrcs slotSSRCs, link linkFeedback) (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return func() {}
	}
	if old := s.slots[l.mid]; old != nil {
		before := old.config
		old.configure(l, f, link)
		old.down.Reconfigure(old.config)

		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			old.config = before
			old.down.Reconfigure(before)
		}
	}
	if s.downlink == nil {
		t := s.transport
		s.downlink = s.node.forward.NewDownlink(rtpforward.DownlinkConfig{
			CNAME: s.cname, NewWriter: func(shard int) rtpforward.Writer { return t.Writer(shard) },
			// These hold for the session's life, but lines may come that agree to something else. Numbers are stamped as soon as
			// the extensions have them, and an estimate of the client's own is taken once it comes.
			TransportCC: link.controlled, REMB: link.remb, OnSlot: s.slotShows,
		})
		s.reports.Store(s.downlink)
	}
	made := &slot{slotSSRCs: ssrcs, wish: plainWish}
	made.configure(l, f, link)
	made.down = s.downlink.NewDownTrack(made.config)
	s.slots[l.mid] = made

	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.slots, l.mid)
		made.down.Close()
	}
}

func (slot *slot) configure(l line, f *lineFormats, link linkFeedback) {
	slot.config = rtpforward.DownTrackConfig{Mid: l.mid, Video: l.kind == router.Video, SSRC: slot.ssrc, Formats: f.out}
	slot.config.NoTransportCC = link.transport && !f.transport
	if f.repaired() {
		slot.config.RTXSSRC = slot.rtxSSRC
	}
}

// prepareDownlink gives the downlink the header extensions that the slots have. They are shared: within a BUNDLE group
// an id means one thing (RFC 9143, section 9.2). Loop only.
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
