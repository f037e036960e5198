// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

// Rules for asking again, https://www.rfc-editor.org/rfc/rfc4585#section-6.2.1 .
const (
	missingMost   = 256          // numbers asked for at a time; of more the oldest are given up
	nackReorder   = second / 100 // a packet may be this late before it is asked for
	nackPackets   = 3            // unless so many newer ones overtook it
	nackEveryMin  = second / 50  // bounds on the time between two requests for a packet
	nackEveryMax  = second / 5
	nackEveryIdle = second / 10       // while the round trip is not known
	nackTimes     = 10                // requests for a packet
	nackTogether  = 5 * second / 1000 // repetitions due within this time go along with others
)

// missing is what one layer lacks and how often it was asked for. It compares
// the history with what should be in it, so the reader has no part in it but to
// say that there is a gap.
type missing struct {
	// owned by Uplink.run
	scanned uint64 // numbers up to here were looked at
	gaps    []gap  // ascending
	trip    int64  // round trip, smoothed; 0 unknown

	// atomic: written by Uplink.run, read by anyone
	sent      atomic.Uint64 // sequence numbers asked for
	recovered atomic.Uint64
	rtt       atomic.Int64
}

type gap struct {
	sequence uint64
	since    int64 // when it was noticed
	asked    int64 // last time
	first    int64 // first time
	times    int
}

// ask appends to out the sequence numbers to ask for now and returns when to
// call again, at the latest (0: when there is a new gap).
func (m *missing) ask(h *history, now, age int64, out []uint16) (seqs []uint16, next int64) {
	m.scan(h, now)
	highest := h.highest.Load()
	oldest := max(h.first.Load(), highest-min(highest, h.size()-1))
	every := m.every()
	soon := now
	for _, g := range m.gaps {
		if g.due(highest, every) <= now {
			soon = now + nackTogether // a request goes out anyway
			break
		}
	}
	keep := m.gaps[:0]
	with := uint64(0) // goes along, being lost with the one before
	for _, g := range m.gaps {
		if p := h.at(g.sequence); p != nil {
			m.arrived(g, p.Arrival)
			continue
		}
		if g.sequence < oldest || now-g.since >= age {
			continue
		}
		due := g.due(highest, every)
		if due <= now || due <= soon && g.times > 0 || g.times == 0 && g.sequence == with {
			if g.times == nackTimes {
				continue
			}
			with = g.sequence + 1
			out = append(out, uint16(g.sequence))
			g.times++
			g.asked = now
			if g.first == 0 {
				g.first = now
			}
			due = now + every
		}
		if next == 0 || due < next {
			next = due
		}
		keep = append(keep, g)
	}
	m.gaps = keep
	m.sent.Add(uint64(len(out)))
	return out, next
}

// scan notes the numbers up to the newest one that did not come.
func (m *missing) scan(h *history, now int64) {
	highest := h.highest.Load()
	from := max(m.scanned+1, h.first.Load(), highest-min(highest, h.size()-1))
	for seq := from; seq <= highest; seq++ {
		// The reader goes on meanwhile: what it has overwritten, or is about to, did come.
		if h.at(seq) == nil && seq+h.size() > h.highest.Load()+1 {
			m.gaps = append(m.gaps, gap{sequence: seq, since: now})
		}
	}
	m.scanned = max(m.scanned, highest)
	if over := len(m.gaps) - missingMost; over > 0 {
		m.gaps = m.gaps[:copy(m.gaps, m.gaps[over:])]
	}
}

// due is when a packet is asked for next.
func (g *gap) due(highest uint64, every int64) int64 {
	switch {
	case g.times > 0:
		return g.asked + every
	case highest-g.sequence >= nackPackets:
		return g.since
	}
	return g.since + nackReorder
}

// arrived takes the round trip from the answer. After several requests it
// could be to any of them (Karn's problem), and then says something only if it
// came too soon for the last one: our idea of the round trip is too short then.
func (m *missing) arrived(g gap, at int64) {
	if g.times == 0 || at < g.first {
		return // was only late
	}
	m.recovered.Add(1)
	trip := max(at-g.first, 1)
	switch {
	case m.trip == 0:
		m.trip = trip // at most this: better too long than never to see it answered once
	case g.times == 1, g.times == 2 && at-g.asked < m.trip/2:
		m.trip += (trip - m.trip) / 8
	default:
		return
	}
	m.rtt.Store(m.trip)
}

// every is the time between two requests for a packet: a round trip, and a
// little more so that an answer on its way is not asked for again.
func (m *missing) every() int64 {
	if m.trip == 0 {
		return nackEveryIdle
	}
	return min(max(m.trip+m.trip/8, nackEveryMin), nackEveryMax)
}
