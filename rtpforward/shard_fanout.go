// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

const shardSendTime = 32 // sessions of a fan-out that are sent the same abs-send-time

// collect puts a packet with the others of its track. A packet without a sink
// here is let go: it was on its way when the last sink was unbound.
func (s *shard) collect(p *Packet) {
	fan := &p.Up.track.egress[s.index]
	if len(fan.sinks) == 0 {
		return
	}
	if len(fan.group) == 0 {
		s.fans = append(s.fans, fan)
	}
	fan.group = append(fan.group, p)
	fan.bytes += paceSize(p)
	s.collected++
	if open := fan.video && !p.Descriptor.FrameEnd; open != fan.open {
		fan.open = open
		if open {
			s.open++
		} else {
			s.open--
		}
	}
}

// flush sends everything collected, subscriber by subscriber: one session's
// state is warm for its whole run, and its packets leave next to each other.
func (s *shard) flush(now int64) {
	if len(s.fans) == 0 {
		return
	}
	if len(s.fans) == 1 {
		var ntp uint64
		for i, dt := range s.fans[0].sinks {
			ntp = s.sendTime(i, now, ntp)
			dt.down.stamp(ntp)
			dt.pass(s.fans[0].group, s.fans[0].bytes, now)
			if l := dt.down.link; l != nil {
				l.settle(now)
			}
		}
	} else {
		s.flushMany(now)
	}
	for i, fan := range s.fans {
		clear(fan.group) // the shard shall not keep packets alive
		fan.group = fan.group[:0]
		fan.open, fan.bytes = false, 0
		s.fans[i] = nil
	}
	s.fans = s.fans[:0]
	s.collected, s.open = 0, 0
	s.flushed++
}

// sendTime notes, and is, the time of sending for the i-th session of a fan-out: before was
// that of the one before. Fanning out takes its time too, which is looked up now
// and then: some microseconds are no matter to those who read it.
func (s *shard) sendTime(i int, now int64, before uint64) uint64 {
	switch {
	case i == 0:
		s.at = now
		return s.f.ntp(now)
	case i%shardSendTime == 0:
		s.at = max(now, s.f.now())
		return s.f.ntp(s.at)
	}
	return before
}

// flushMany turns the list of sinks of each track into a list of sinks of each
// session. The work is per sink and group, not per packet.
func (s *shard) flushMany(now int64) {
	for _, fan := range s.fans {
		for _, dt := range fan.sinks {
			d := dt.down
			if len(d.due) == 0 {
				s.due = append(s.due, d)
			}
			d.due = append(d.due, dueSink{dt, fan})
		}
	}
	var ntp uint64
	for i, d := range s.due {
		ntp = s.sendTime(i, now, ntp)
		d.stamp(ntp)
		for _, sink := range d.due {
			sink.track.pass(sink.fan.group, sink.fan.bytes, now)
		}
		if l := d.link; l != nil {
			l.settle(now)
		}
		clear(d.due)
		d.due = d.due[:0]
		s.due[i] = nil
	}
	s.due = s.due[:0]
}

// attach adds dt to the sinks of t. Nothing may be collected.
func (s *shard) attach(dt *DownTrack, t *Track) {
	fan := &t.egress[s.index]
	dt.place = len(fan.sinks)
	fan.sinks = append(fan.sinks, dt)
	fan.video = dt.cfg.Video
	s.bound.Add(1)
	if len(fan.sinks) == 1 {
		t.interest.Or(1 << s.index)
	}
}

// detach takes dt off the sinks of t. What was collected for it, it does not get.
func (s *shard) detach(dt *DownTrack, t *Track) {
	fan := &t.egress[s.index]
	if n := uint64(len(fan.group)); n > 0 {
		dt.count[countReceived] += n
		dt.count[countDrops+int(DropClosed)] += n
	}
	dt.down.dropBacklog(dt, DropClosed)
	last := len(fan.sinks) - 1
	fan.sinks[dt.place] = fan.sinks[last]
	fan.sinks[dt.place].place = dt.place
	fan.sinks[last] = nil
	fan.sinks = fan.sinks[:last]
	s.bound.Add(-1)
	if last == 0 {
		t.interest.And(^uint64(1 << s.index))
	}
}
