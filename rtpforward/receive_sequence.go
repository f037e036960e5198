// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// Rules for jumps of the sequence number, after
// https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1 .
const (
	maxDropout   = 3000 // a larger step ahead is not taken for loss at once
	probation    = 2    // packets in a row that make a jump credible
	probationOld = 8    // the same where the packets could be late retransmissions

	timestampBack = 1 << 20 // 11 s of video: further back no encoder puts its pictures
)

// standing says where a packet stands in the sequence.
type standing uint8

const (
	standAhead   standing = iota // newer than all before
	standBehind                  // within the history: late, a retransmission or a duplicate
	standOutside                 // too old, or a jump not believed yet
	standRestart                 // the jump is believed: counting goes on from here
)

// numbering extends sequence numbers and timestamps to 64 bits and decides what
// is old, what is new and what is another beginning. It is owned by the reader.
// Extended numbers start in their second cycle, so that packets reordered
// across the first one do not go below zero, and never come twice.
type numbering struct {
	window uint64 // sequence numbers that the history keeps

	started   bool
	highest   uint64 // newest
	first     uint64 // of the present run of numbers
	timestamp uint64 // extended, of the newest
	expected  uint64 // numbers that should have come, over all runs
	next      uint16 // what would continue the jump on probation
	run       uint64 // packets in a row on probation
}

// take finds the place of a sequence number, without believing it yet to be new
// when it is behind: that is for the history to say. quiet tells that nothing
// came for so long that late retransmissions are unlikely.
func (s *numbering) take(sequence uint16, quiet bool) (extended uint64, where standing) {
	if !s.started {
		s.started = true
		s.highest = 1<<16 | uint64(sequence)
		s.first, s.expected = s.highest, 1
		return s.highest, standAhead
	}
	ahead := uint64(sequence - uint16(s.highest))
	behind := uint64(uint16(s.highest) - sequence)
	switch {
	case behind < s.window:
		return s.highest - behind, standBehind
	case ahead <= max(maxDropout, s.window):
		s.advance(s.highest+ahead, ahead)
		return s.highest, standAhead
	}
	return s.outside(sequence, quiet)
}

func (s *numbering) advance(to, expected uint64) {
	s.highest, s.run = to, 0
	s.expected += expected
}

// late notes that a packet behind the newest was accepted.
func (s *numbering) late(extended uint64) {
	s.run = 0
	if extended < s.first { // reordered across the very first one
		s.expected += s.first - extended
		s.first = extended
	}
}

// outside puts a packet on probation. Counting restarts with the first of a
// row of packets that nothing else came in between. The packets that were
// dropped until then count as missing, so a NACK brings them.
func (s *numbering) outside(sequence uint16, quiet bool) (extended uint64, where standing) {
	if s.run == 0 || sequence != s.next {
		s.run = 0
	}
	s.run++
	s.next = sequence + 1
	need := uint64(probationOld)
	if quiet || sequence-uint16(s.highest) < 1<<15 {
		need = probation // nothing retransmitted is newer than the newest
	}
	if s.run < need {
		return 0, standOutside
	}
	to := s.highest + uint64(sequence-uint16(s.highest))
	if to < s.highest+s.run+s.window {
		to += 1 << 16 // the new run shall not meet the old one's entries
	}
	run := s.run
	s.first = to - run + 1
	s.advance(to, run)
	return to, standRestart
}

// extend gives the extended form of a timestamp, and remembers it when it is
// the newest packet's.
func (s *numbering) extend(timestamp uint32, where standing) uint64 {
	if s.timestamp == 0 {
		s.timestamp = 1<<32 | uint64(timestamp)
	}
	ahead := int64(int32(timestamp - uint32(s.timestamp)))
	if where != standBehind && ahead < -timestampBack {
		ahead += 1 << 32 // another beginning: the extended form does not go back
	}
	extended := s.timestamp + uint64(ahead)
	if where != standBehind {
		s.timestamp = extended
	}
	return extended
}
