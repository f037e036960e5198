// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// outputClock maps a source's timestamps to those of an output that goes on over
// several sources. It is pure arithmetic; additions and subtractions wrap on purpose.
type outputClock struct {
	up     *UpTrack // whose timestamps offset is for
	offset uint64   // output minus source timestamp
	rate   uint32   // Hz

	last    uint64 // output timestamp, the highest that was given
	arrival int64  // of that packet
	started bool
}

// start begins a run with p. A source that was only interrupted keeps its
// offsets; the timestamps of another one go on from the last by the time that
// passed, and by one tick at least.
func (c *outputClock) start(p *Packet, rate uint32) {
	same := c.up == p.Up && c.started && int64(p.Timestamp+c.offset-c.last) > 0
	if same {
		c.rate = rate
		return
	}
	next := c.last
	if c.started {
		next += uint64(max(c.passed(p, rate), 1))
	}
	c.up, c.rate = p.Up, rate
	c.offset = next - p.Timestamp
	c.last, c.arrival, c.started = next, p.Arrival, true
}

// passed is the time from the last packet to p in units of p's clock. Layers of one
// source are pictures of the same moments, whose times its sender reports tell;
// otherwise, or if these contradict what was seen of the packets, it is that
// between the packets' arrivals.
func (c *outputClock) passed(p *Packet, rate uint32) int64 {
	arrived := max(p.Arrival-c.arrival, 0)
	ticks := signedTicks(arrived, rate)
	if c.up == nil || c.up == p.Up || c.up.track != p.Up.track {
		return ticks
	}
	before, ok := c.up.wallclock(c.last - c.offset)
	after, known := p.Up.wallclock(p.Timestamp)
	if !ok || !known {
		return ticks
	}
	apart := int64(after - before) // 32.32 fixed point seconds
	if told := apart>>32*int64(rate) + (apart&(1<<32-1)*int64(rate)+1<<31)>>32; told > ticks-int64(rate) && told < ticks+int64(rate) {
		return told
	}
	return ticks
}

// stamp is the output timestamp of p.
func (c *outputClock) stamp(p *Packet) uint32 {
	t := p.Timestamp + c.offset
	if int64(t-c.last) >= 0 {
		c.last, c.arrival = t, p.Arrival
	}
	return uint32(t)
}
