// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package path

// reno is as much of TCP as competes: slow start, one packet a round trip, half at a loss.
type reno struct {
	window, threshold float64
	next, expect      int
	inFlight          int
	lossUntil         int
	acks              []int64
	gaps              []int64
	silent            int64
}

const renoPacket = 1200

func (r *reno) arrived(number int, at int64) {
	if number > r.expect { // what is between was dropped
		r.inFlight -= number - r.expect
		r.gaps = append(r.gaps, at)
	}
	r.expect = number + 1
	r.acks = append(r.acks, at)
}

func (r *reno) send(l *Link, at int64) {
	for len(r.gaps) > 0 && r.gaps[0] <= at {
		r.gaps = r.gaps[1:]
		if r.expect > r.lossUntil {
			r.threshold = max(r.window/2, 2)
			r.window, r.lossUntil = r.threshold, r.next
		}
	}
	for len(r.acks) > 0 && r.acks[0] <= at {
		r.acks = r.acks[1:]
		r.inFlight--
		r.silent = at
		if r.window < r.threshold {
			r.window++
		} else {
			r.window += 1 / r.window
		}
	}
	if at-r.silent > Second { // all of a window was lost
		r.window, r.threshold, r.inFlight, r.silent = 2, max(r.window/2, 2), 0, at
	}
	for r.inFlight < int(r.window) {
		l.Enter(Datagram{rival: true, number: r.next, Size: renoPacket}, at)
		r.next++
		r.inFlight++
	}
}
