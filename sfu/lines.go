// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import "github.com/switchyard-media/sfu/router"

// role is what a session's m-line is for. It is fixed by the first offer in which the line is not inactive: streams and
// subscriptions refer to lines by mid, and a slot that a browser's addTrack has turned into sendrecv stays a slot.
type role uint8

const (
	roleNone   role = iota // inactive so far
	roleSource             // the client sends
	roleSlot               // the node sends
	roleData               // the application line
)

// line is one m-line of a session as of the last accepted offer.
type line struct {
	mid    string
	kind   router.Kind // 0: application
	role   role
	pair   int // of a slot: its number among those of its kind, from 1, in m-line order; that of router.Line
	active bool
	// passive: the client is the DTLS server; the same on all lines
	passive bool
}

// decide fixes the lines of an offer, given those before it.
func (o *offer) decide(before []line) []line {
	lines := make([]line, len(o.lines))
	var slots [3]int // so far, by kind
	for i := range o.lines {
		l := &o.lines[i]
		now := line{mid: l.mid, kind: l.kind, passive: o.passive}
		if i < len(before) {
			now = before[i]
		}
		receives := !l.rejected && (l.direction == recvonly || l.direction == sendrecv)
		switch {
		case l.application():
			now.role, now.active = roleData, !l.rejected
		case now.role == roleNone && l.sends():
			now.role, now.active = roleSource, true
		case now.role == roleNone && receives && i >= len(before):
			now.role, now.active = roleSlot, true
		case now.role == roleSource:
			now.active = l.sends()
		case now.role == roleSlot:
			now.active = receives
		default:
			now.active = false
		}
		if now.role == roleSlot { // slots are new lines, so that the number is the same with every offer
			slots[now.kind]++
			now.pair = slots[now.kind]
		}
		lines[i] = now
	}

	return lines
}

// answered is the direction attribute of the node's answer.
func (l line) answered() string {
	switch {
	case l.role == roleData:
		return "sendrecv" // means nothing there, and is what everybody writes
	case !l.active:
		return "inactive"
	case l.role == roleSlot:
		return "sendonly"
	default:
		return "recvonly"
	}
}

// routerLines is what the router is told: media lines only.
func routerLines(lines []line) []router.Line {
	out := make([]router.Line, 0, len(lines))
	for _, l := range lines {
		if l.role == roleData {
			continue
		}
		r := router.Line{Mid: l.mid, Kind: l.kind, Direction: router.LineInactive}
		if l.active && l.role == roleSource {
			r.Direction = router.LineUp
		} else if l.active && l.role == roleSlot {
			r.Direction = router.LineDown
		}
		out = append(out, r)
	}

	return out
}
