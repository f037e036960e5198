// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// outputClock maps a source's timestamps, and the frame numbers of its
// dependency descriptors, to those of an output that goes on over several
// sources. It is pure arithmetic; additions and subtractions wrap on purpose.
type outputClock struct {
	up     *UpTrack // whose timestamps offset is for
	offset uint64   // output minus source timestamp
	frames uint16   // output minus source frame number
	rate   uint32   // Hz

	last    uint64 // output timestamp, the highest that was given
	arrival int64  // of that packet
	frame   uint16 // output frame number of that packet
	framed  bool   // frame is set
	started bool
}

// start begins a run with p. A source that was only interrupted keeps its
// offsets; the timestamps of another one go on from the last by the time that
// passed between the packets' arrivals, and by one tick at least.
func (c *outputClock) start(p *Packet, rate uint32) {
	same := c.up == p.Up && c.started && int64(p.Timestamp+c.offset-c.last) > 0
	c.up, c.rate = p.Up, rate
	if same {
		return
	}
	next := c.last
	if c.started {
		passed := max(p.Arrival-c.arrival, 0)
		next += uint64(max(signedTicks(passed, rate), 1))
	}
	c.offset = next - p.Timestamp
	c.last, c.arrival, c.started = next, p.Arrival, true
	if n, ok := frameNumber(p); ok && c.framed {
		c.frames = c.frame + 1 - n
	} else {
		c.frames = 0
	}
}

// stamp is the output timestamp of p.
func (c *outputClock) stamp(p *Packet) uint32 {
	t := p.Timestamp + c.offset
	if int64(t-c.last) >= 0 {
		c.last, c.arrival = t, p.Arrival
		if n, ok := frameNumber(p); ok {
			c.frame, c.framed = n+c.frames, true
		}
	}
	return uint32(t)
}

// frameNumber reads the frame number out of a dependency descriptor: it stands
// in the second and third of the mandatory bytes.
func frameNumber(p *Packet) (n uint16, ok bool) {
	if p.Header.present&(1<<ExtDependencyDescriptor) == 0 {
		return 0, false
	}
	b := p.Header.Extension(p.Buf, ExtDependencyDescriptor)
	if len(b) < 3 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b[1:]), true
}
