// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import "time"

// maxDepartures bounds what is remembered of a client that leaves.
const maxDepartures = 4096

// departure is a packet that came to a client while it left a room.
type departure struct {
	of       *Received
	at, sent int64 // Unix ns: arrival at the kernel, and the publisher's stamp
}

// Silence is what came of one room to a client that has left it.
type Silence struct {
	Packets   bool          // any came, before or after; the rest says nothing without
	Last      time.Duration // arrival of the last one, from the answer on: below 0 is before it
	Arrived   uint64        // packets that arrived after the answer
	SentLater uint64        // packets that the publisher even sent after the answer
}

// Leaving makes the client remember every packet from here on, and forget those of the time before. Call it before the call
// that leaves a room.
func (c *Client) Leaving() {
	c.poller.Locked(func() {
		if c.leaving == nil {
			c.leaving = make([]departure, 0, maxDepartures)
		}
		c.leaving = c.leaving[:0]
	})
}

// Silent says what came of a room, as of an answer to LeaveRoom that was there at a time. Call it some time after that.
func (c *Client) Silent(room string, answered time.Time) (s Silence) {
	at := answered.UnixNano()
	c.poller.Locked(func() {
		last := int64(0)
		for _, r := range c.received {
			if r.Room == room && !r.Last.IsZero() {
				last = max(last, r.Last.UnixNano())
			}
		}
		for _, d := range c.leaving {
			if d.of.Room != room {
				continue
			}
			last = max(last, d.at)
			if d.at > at {
				s.Arrived++
			}
			if d.sent > at {
				s.SentLater++
			}
		}
		s.Packets, s.Last = last != 0, durationOf(last-at)
	})

	return s
}

// unlucky throws the dice for a packet (xorshift: reproducible enough, and cheap).
func (c *Client) unlucky() bool {
	c.dice ^= c.dice << 13
	c.dice ^= c.dice >> 17
	c.dice ^= c.dice << 5

	return c.dice < c.loss
}
