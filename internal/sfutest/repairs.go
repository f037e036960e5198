// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

// seenBack is for how many sequence numbers it is remembered what came: for more than a node repeats.
const seenBack = 4096

const (
	cameItself   = 1 << iota // on the SSRC of the media
	cameRepaired             // as a retransmission on one of its own
)

// arrivals puts what comes on a track in its place, as a decoder's buffer would. A node may repeat what it likes where retransmissions
// go (RFC 4588), for example to find out what a link carries; a packet counts once then. pion hands out retransmissions before
// everything else, though they left the node later, so they wait for their place here. Owned by the track's reader.
type arrivals struct {
	started bool
	newest  uint64            // extended sequence number, the highest that came by itself
	came    [seenBack]uint8   // by number, of the last ones up to newest
	early   map[uint64]Packet // retransmissions of what is above newest
	repeats int               // retransmissions of what came besides, in whatever order
}

// take appends what has arrived now that p has come. What comes twice by itself arrives twice: that is an error, for others to find.
func (a *arrivals) take(p Packet, dst []Packet) []Packet {
	if !a.started {
		if p.Repaired { // of what came before anybody listened
			a.repeats++
			return dst
		}
		a.started, a.newest, a.early = true, 1<<32|uint64(p.Sequence)-1, make(map[uint64]Packet)
	}
	n := a.newest + uint64(int64(int16(p.Sequence-uint16(a.newest))))
	if p.Repaired {
		return a.repaired(n, p, dst)
	}
	if n > a.newest {
		dst = a.advance(n, dst)
	}
	if a.newest-n >= seenBack {
		return append(dst, p)
	}
	came := &a.came[n%seenBack]
	overtaken := *came == cameRepaired
	*came |= cameItself
	if overtaken { // by its own retransmission, which was given the place
		a.repeats++
		return dst
	}
	return append(dst, p)
}

func (a *arrivals) repaired(n uint64, p Packet, dst []Packet) []Packet {
	if n > a.newest {
		if _, twice := a.early[n]; twice {
			a.repeats++
		}
		a.early[n] = p
		return dst
	}
	if a.newest-n >= seenBack || a.came[n%seenBack] != 0 {
		a.repeats++
		return dst
	}
	a.came[n%seenBack] = cameRepaired
	return append(dst, p)
}

// advance moves newest to n. Retransmissions of what lies between arrive; one of n itself was early, and n is there now.
func (a *arrivals) advance(n uint64, dst []Packet) []Packet {
	if n-a.newest > seenBack {
		clear(a.came[:])
		clear(a.early)
		a.newest = n - 1
	}
	for a.newest < n {
		a.newest++
		came := &a.came[a.newest%seenBack]
		*came = 0
		p, early := a.early[a.newest]
		switch {
		case !early:
			continue
		case a.newest == n:
			a.repeats++
		default:
			*came = cameRepaired
			dst = append(dst, p)
		}
		delete(a.early, a.newest)
	}
	return dst
}
