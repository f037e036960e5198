// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import "time"

func durationOf(ns int64) time.Duration { return time.Duration(ns) }

const (
	nackFirst = int64(20 * time.Millisecond)  // a packet may just be late
	nackAgain = int64(100 * time.Millisecond) // a round trip and some more
	nackMost  = 10                            // times
	maxGap    = 64                            // more at once is no loss but a break
)

// sequence follows one SSRC's sequence numbers: what RFC 3550, appendix A, needs for reports, and what is missing.
type sequence struct {
	started  bool
	extended uint32 // highest, with rollovers
	base     uint32
	received uint32

	jitter  float64 // timestamp units
	origin  int64   // arrival of the first packet
	transit int64
	clocked bool

	missing [maxGap]absent
	absent  int
}

// absent is a packet to ask for.
type absent struct {
	seq   uint16
	next  int64 // when to ask (again)
	tries int
}

// add takes the number of a packet; direct is false for a retransmission, which says nothing about the path.
func (s *sequence) add(seq uint16, timestamp uint32, at int64, video, direct bool) {
	if !direct {
		s.found(seq)

		return
	}
	s.received++
	s.jitters(timestamp, at, video)
	if !s.started {
		s.started, s.extended, s.base = true, uint32(seq), uint32(seq)

		return
	}
	ahead := int(int16(seq - uint16(s.extended)))
	if ahead <= 0 {
		s.found(seq)

		return
	}
	if video && ahead <= maxGap { // audio has no retransmission
		for n := 1; n < ahead; n++ {
			s.lose(uint16(s.extended)+uint16(n), at)
		}
	}
	s.extended += uint32(ahead)
}

func (s *sequence) lose(seq uint16, at int64) {
	if s.absent < maxGap {
		s.missing[s.absent] = absent{seq: seq, next: at + nackFirst}
		s.absent++
	}
}

func (s *sequence) found(seq uint16) {
	for i := range s.absent {
		if s.missing[i].seq == seq {
			s.absent--
			copy(s.missing[i:s.absent], s.missing[i+1:s.absent+1])

			return
		}
	}
}

// due appends the numbers to ask for now to out, and gives up on those that were asked for often enough.
func (s *sequence) due(now int64, out []uint16) (seqs []uint16, gaveUp bool) {
	for i := 0; i < s.absent; i++ {
		m := &s.missing[i]
		if m.next > now {
			continue
		}
		if m.tries == nackMost {
			gaveUp = true
			s.found(m.seq)
			i--

			continue
		}
		m.tries++
		m.next = now + nackAgain
		out = append(out, m.seq)
	}

	return out, gaveUp
}

// jitters is the estimate of RFC 3550, appendix A.8.
func (s *sequence) jitters(timestamp uint32, at int64, video bool) {
	rate := int64(48000)
	if video {
		rate = 90000
	}
	if !s.clocked {
		s.origin = at
	}
	transit := (at-s.origin)/1000*rate/1_000_000 - int64(timestamp)
	if s.clocked {
		d := int64(int32(uint32(transit - s.transit))) // the timestamp wraps
		s.jitter += (float64(max(d, -d)) - s.jitter) / 16
	}
	s.transit, s.clocked = transit, true
}
