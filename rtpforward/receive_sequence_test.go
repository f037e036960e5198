// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNumberingSteps(t *testing.T) {
	type step struct {
		seq   uint16
		where standing
		want  int64 // extended, less the first cycle
	}
	const window = 128
	rows := []struct {
		name     string
		quiet    bool
		steps    []step
		expected uint64
	}{
		{"in order over the wrap", false, []step{
			{65534, standAhead, 65534}, {65535, standAhead, 65535}, {0, standAhead, 65536}, {1, standAhead, 65537},
		}, 4},
		{"late over the wrap", false, []step{
			{65535, standAhead, 65535}, {1, standAhead, 65537}, {0, standBehind, 65536}, {65535, standBehind, 65535},
		}, 3},
		{"before the first", false, []step{{0, standAhead, 0}, {65535, standBehind, 65535 - 65536}}, 2},
		{"largest loss that is believed", false, []step{{0, standAhead, 0}, {maxDropout, standAhead, maxDropout}}, maxDropout + 1},
		{"edge of the window", false, []step{
			{1000, standAhead, 1000}, {1000 - window + 1, standBehind, 1000 - window + 1}, {1000 - window, standOutside, 0},
		}, window},
		{"jump ahead", false, []step{
			{0, standAhead, 0},
			{20000, standOutside, 0},
			{20001, standRestart, 20001},
			{20002, standAhead, 20002},
			{20000, standBehind, 20000},
		}, 1 + 3},
		{"lone stray", false, []step{
			{0, standAhead, 0}, {20000, standOutside, 0}, {1, standAhead, 1}, {20001, standOutside, 0}, {2, standAhead, 2},
		}, 3},
		{"strays apart", false, []step{
			{0, standAhead, 0}, {20000, standOutside, 0}, {20002, standOutside, 0}, {25000, standOutside, 0}, {1, standAhead, 1},
		}, 2},
		{"back to old numbers", false, []step{
			{20000, standAhead, 20000},
			{10000, standOutside, 0},
			{10001, standOutside, 0},
			{10002, standOutside, 0},
			{10003, standOutside, 0},
			{10004, standOutside, 0},
			{10005, standOutside, 0},
			{10006, standOutside, 0},
			{10007, standRestart, 65536 + 10007},
		}, 1 + 8},
		{"back after a silence", true, []step{
			{20000, standAhead, 20000}, {10000, standOutside, 0}, {10001, standRestart, 65536 + 10001},
		}, 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := numbering{window: window}
			for i, st := range row.steps {
				got, where := s.take(st.seq, row.quiet)
				if where == standBehind {
					s.late(got)
				}
				if where != st.where || where != standOutside && int64(got) != st.want+1<<16 {
					t.Fatalf("step %d, %d: %d, standing %d, want %d, %d", i, st.seq, int64(got)-1<<16, where, st.want, st.where)
				}
			}
			if s.expected != row.expected {
				t.Errorf("expected %d, want %d", s.expected, row.expected)
			}
		})
	}
}

// Whatever comes: numbers keep their low bits, the newest only grows, and what
// is behind is within the window.
func TestNumberingInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := numbering{window: 128}
		seq := rapid.Uint16().Draw(t, "start")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				seq = rapid.Uint16().Draw(t, "jump")
			case 1:
				seq -= rapid.Uint16Range(0, 300).Draw(t, "back")
			default:
				seq += rapid.Uint16Range(0, 3).Draw(t, "on")
			}
			before := s.highest
			got, where := s.take(seq, rapid.Bool().Draw(t, "quiet"))
			if s.highest < before {
				t.Fatalf("newest went from %d back to %d", before, s.highest)
			}
			switch where {
			case standAhead, standRestart:
				if got != s.highest || got <= before {
					t.Fatalf("new number %d after %d", got, before)
				}
			case standBehind:
				if got > before || before-got >= s.window {
					t.Fatalf("%d is behind %d", got, before)
				}
			case standOutside:
				continue
			}
			if uint16(got) != seq {
				t.Fatalf("%d became %d", seq, got)
			}
		}
	})
}

// ingestModel is the plain account of a stream without jumps: which numbers
// came, and what they were.
type ingestModel struct {
	seen              map[uint64]bool // true: padding
	highest           uint64
	first             uint64
	accepted, dropped int
}

// TestIngestModel sends a stream with loss, reordering, duplicates, padding and
// retransmissions past the model.
func TestIngestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newUplinkRig(t, Config{VideoHistory: 64})
		defer r.close()
		base := 1<<16 + uint64(rapid.Uint16().Draw(t, "base"))
		m := ingestModel{seen: make(map[uint64]bool), highest: base, first: base}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			next := m.highest
			if len(m.seen) > 0 {
				// up to 100 behind or 5 ahead
				next = m.highest + 5 - uint64(rapid.IntRange(0, 105).Draw(t, "distance")*rapid.IntRange(0, 1).Draw(t, "far"))
			}
			padding := rapid.IntRange(0, 5).Draw(t, "padding") == 0
			p := videoPacket(uint16(next), uint32(next)*10, false)
			if padding {
				p.Payload, p.Padding, p.PaddingSize = nil, true, 10
			}
			ingestInto(t, r.layer, p)
			m.step(t, next, padding, r.layer.hist.size())
		}
		s := r.track.Stats()
		checkIdentity(t, s)
		if int(s.Accepted) != m.accepted || int(s.Drops.Total()) != m.dropped {
			t.Fatalf("accepted %d, dropped %d, model %d and %d", s.Accepted, s.Drops.Total(), m.accepted, m.dropped)
		}
		if want := m.highest - m.first + 1 - uint64(len(m.seen)); s.Lost != want {
			t.Fatalf("lost %d, model %d", s.Lost, want)
		}
		for back := range r.layer.hist.size() {
			seq := m.highest - back
			padding, seen := m.seen[seq]
			p := r.layer.packetAt(uint16(seq))
			if (p != nil) != (seen && !padding) || p != nil && p.Sequence != seq || r.layer.blank(seq) != (seen && padding) {
				t.Fatalf("%d (newest %d): seen %v, padding %v, history %v", seq, m.highest, seen, padding, p)
			}
		}
	})
}

func (m *ingestModel) step(t *rapid.T, seq uint64, padding bool, window uint64) {
	if _, seen := m.seen[seq]; seen || m.highest > seq && m.highest-seq >= window {
		m.dropped++
		return
	}
	m.seen[seq] = padding
	m.highest, m.first = max(m.highest, seq), min(m.first, seq)
	if padding {
		m.dropped++
	} else {
		m.accepted++
	}
}
