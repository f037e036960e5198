// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"time"
)

const (
	backlogMost = 1024                    // packets of a session that wait
	releaseMost = 64                      // of them that leave as one run
	paceGrain   = int64(time.Millisecond) // the shard wakes no oftener for what waits
	// paceBurst is how much of the pace may leave at once. At 1.5 times the target
	// that is what the target brings in 50 ms: a usual frame leaves as one run. With
	// half as much every other frame of a stream that fills its link was cut in
	// two, and the second part cost a wake-up and a system call of its own.
	paceBurst = 33 * int64(time.Millisecond)
)

// waiting is a packet whose time has not come yet. It has not been looked at:
// what becomes of it is decided when it leaves, so that a slot that has changed
// over meanwhile needs no clearing up.
type waiting struct {
	track  *DownTrack
	packet *Packet
}

// backlog is what waits for a session, in the order in which it came.
type backlog struct {
	n     int
	bytes int
	peak  int // most bytes since it was empty: what waited longest must not wait longer for others having left
	head  int
	ring  []waiting // of a power of two
}

func (b *backlog) at(i int) *waiting { return &b.ring[(b.head+i)&(len(b.ring)-1)] }

// push adds a packet. The caller sees to backlogMost.
func (b *backlog) push(dt *DownTrack, p *Packet) {
	if b.n == len(b.ring) {
		ring := make([]waiting, max(2*len(b.ring), 32))
		for i := range b.n {
			ring[i] = *b.at(i)
		}
		b.ring, b.head = ring, 0
	}
	*b.at(b.n) = waiting{dt, p}
	b.n++
	b.bytes += paceSize(p)
	b.peak = max(b.peak, b.bytes)
	dt.queued++
	if dt.running && p.Up != dt.up && !slices.Contains(dt.heldUps[:], p.Up) {
		copy(dt.heldUps[1:], dt.heldUps[:])
		dt.heldUps[0] = p.Up
	}
}

// pop takes the first one off.
func (b *backlog) pop() {
	w := b.at(0)
	if w.track.queued--; w.track.queued == 0 {
		clear(w.track.heldUps[:])
	}
	b.bytes -= paceSize(w.packet)
	*w = waiting{}
	b.head = (b.head + 1) & (len(b.ring) - 1)
	b.n--
	if b.n == 0 {
		b.peak = 0
	}
}

// remove takes out what waits for dt and returns how many packets that were.
func (b *backlog) remove(dt *DownTrack) (removed int) {
	kept := 0
	for i := range b.n {
		w := *b.at(i)
		if w.track == dt {
			removed++
			b.bytes -= paceSize(w.packet)
			continue
		}
		*b.at(kept) = w
		kept++
	}
	for i := kept; i < b.n; i++ {
		*b.at(i) = waiting{}
	}
	b.n, dt.queued = kept, 0
	clear(dt.heldUps[:])
	if kept == 0 {
		b.peak = 0
	}
	return removed
}

// paceSize is what a packet takes of the link, about.
func paceSize(p *Packet) int { return len(p.Buf) + wireOverhead }

// pass gives dt a group that takes bytes of the link if all of it is forwarded.
// It leaves at once if the pacer says so, which costs a look at the slot and no
// look at the packets.
func (dt *DownTrack) pass(group []*Packet, bytes int, now int64) {
	d := dt.down
	switch l := d.link; {
	case l == nil || !l.paced:
		dt.forward(group, now)
		return
	case !dt.cfg.Video || dt.paused || !d.ready || dt.share.shut && dt.queued == 0: // audio, or nothing will leave
		dt.forward(group, now)
	default:
		l.settle(now)
		if l.backlog.n == 0 && (l.fits(bytes, now) || l.fits(dt.atMost(group), now)) {
			dt.forward(group, now)
		} else {
			dt.hold(group, now)
		}
	}
}

// fits says whether so many bytes may leave now, all together.
func (l *link) fits(bytes int, now int64) bool {
	return bytes <= l.pacer.Burst() && l.pacer.When(bytes, now) <= now
}

// atMost is how much of the link a group takes if dt forwards all that it is not
// sure to drop: of a simulcast, whose streams come in one group, that is one.
func (dt *DownTrack) atMost(group []*Packet) (bytes int) {
	for _, p := range group {
		if !dt.needs(p) {
			continue
		}
		bytes += paceSize(p)
	}
	return bytes
}

// settle has the pacer count what has left since the last time: behind each
// session's turn, and before the pacer is asked.
func (l *link) settle(now int64) {
	if l.wire != l.paid && l.paced {
		l.pacer.Charge(int(l.wire-l.paid), now)
		l.paid = l.wire
	}
}

// hold forwards the part of a group whose time has come and keeps the rest. What
// dt drops of it, of other layers for example, costs nothing.
func (dt *DownTrack) hold(group []*Packet, now int64) {
	d := dt.down
	l := d.link
	for len(group) > 0 {
		n := dt.needless(group)
		if n == 0 && l.backlog.n == 0 {
			n = l.fitting(now, len(group), func(i int) *Packet { return group[i] })
		}
		if n == 0 {
			if l.backlog.n == backlogMost {
				dt.overflow(len(group), now)
				return
			}
			l.backlog.push(dt, group[0])
			group = group[1:]
			continue
		}
		dt.forward(group[:n], now)
		l.settle(now)
		group = group[n:]
	}
	if l.backlog.n == 0 {
		return
	}
	if int64(l.backlog.bytes) > l.peakPaced {
		l.pacer.SetTarget(max(l.est.Target(), l.budget), int64(l.backlog.peak), now)
		l.peakPaced = int64(l.backlog.bytes)
	}
	d.schedule(now)
}

// overflow has dt start anew with a keyframe when more waits than may: without
// these, and what waits of dt, its next packets are of no use.
func (dt *DownTrack) overflow(rest int, now int64) {
	d := dt.down
	d.dropBacklog(dt, DropPaced)
	dt.dropped(rest, DropPaced)
	dt.restart(now)
	d.schedule(now)
}

// needless is how many of the next packets dt is sure to drop.
func (dt *DownTrack) needless(group []*Packet) (n int) {
	for n < len(group) && !dt.needs(group[n]) {
		n++
	}
	return n
}

// needs is false for a packet that dt is sure to drop: of another layer than the
// one shown, which it can only change over to with a keyframe, unless that waits.
func (dt *DownTrack) needs(p *Packet) bool {
	switch {
	case !p.Descriptor.Known || p.Descriptor.Keyframe:
		return true
	case dt.running:
		return p.Up == dt.up || slices.Contains(dt.heldUps[:], p.Up)
	}
	return dt.queued > 0 // otherwise it waits for a keyframe
}

// fitting is how many of the next packets may leave now.
func (l *link) fitting(now int64, most int, packet func(i int) *Packet) (n int) {
	size := 0
	for n < most {
		size += paceSize(packet(n))
		if l.pacer.When(size, now) > now || n > 0 && size > l.pacer.Burst() {
			break
		}
		n++
	}
	return n
}

// dropped counts packets that dt was given and will never see.
func (dt *DownTrack) dropped(n int, reason DropReason) {
	dt.count[countReceived] += uint64(n)
	dt.count[countDrops+int(reason)] += uint64(n)
	dt.touch()
}

// dropBacklog forgets what waits for dt.
func (d *Downlink) dropBacklog(dt *DownTrack, reason DropReason) {
	if dt.queued > 0 {
		dt.dropped(d.link.backlog.remove(dt), reason)
	}
}

// release lets leave what may, of a probe and of what waits, in runs.
func (d *Downlink) release(now int64) {
	l := d.link
	d.continueProbe(now)
	for l.backlog.n > 0 && d.releaseRun(now, false) {
	}
	d.schedule(now)
}

// releaseRun forwards what is next of one slot, as far as it may leave; a probe
// takes the first packet in any case. It reports whether anything was taken off.
func (d *Downlink) releaseRun(now int64, force bool) bool {
	l, s := d.link, d.shard
	first := l.backlog.at(0).track
	most := 1
	for most < min(l.backlog.n, cap(s.scratch)) && l.backlog.at(most).track == first {
		most++
	}
	n := most
	switch {
	case force:
		n = 1
	case l.paced:
		n = l.fitting(now, most, func(i int) *Packet { return l.backlog.at(i).packet })
	}
	s.scratch = s.scratch[:0]
	for range n {
		s.scratch = append(s.scratch, l.backlog.at(0).packet)
		l.backlog.pop()
	}
	if n > 0 {
		first.forward(s.scratch, now)
		clear(s.scratch)
		l.settle(now)
	}
	return n > 0
}

// schedule says when the session has to be looked at again. What waits is let go
// in parts of half a burst, so that there are runs.
func (d *Downlink) schedule(now int64) {
	l, s := d.link, d.shard
	l.due = 0
	if l.backlog.n > 0 {
		part := max(min(l.backlog.bytes, l.pacer.Burst()/2), paceSize(l.backlog.at(0).packet))
		l.due = l.pacer.When(part, now)
	} else {
		l.peakPaced = 0
	}
	if at := l.probing.due(); at != 0 && (l.due == 0 || at < l.due) {
		l.due = at
	}
	if l.due == 0 {
		return
	}
	l.due = (max(l.due, now+1) + paceGrain - 1) / paceGrain * paceGrain // sessions wake the shard together
	if !l.listed {
		l.listed = true
		s.pacing = append(s.pacing, d)
	}
	if s.dueAt == 0 || l.due < s.dueAt {
		s.dueAt = l.due
	}
}

// release lets leave what waits in any session and has come due.
func (s *shard) release(now int64) {
	s.at = now
	s.dueAt = 0
	kept := s.pacing[:0]
	for _, d := range s.pacing {
		l := d.link
		if l == nil {
			continue
		}
		if !d.closed && l.due != 0 && l.due <= now {
			if d.stamps.time != 0 {
				d.stamp(s.f.ntp(now))
			}
			d.release(now)
		}
		if d.closed || l.due == 0 {
			l.listed = false
			continue
		}
		kept = append(kept, d)
		if s.dueAt == 0 || l.due < s.dueAt {
			s.dueAt = l.due
		}
	}
	clear(s.pacing[len(kept):])
	s.pacing = kept
}

// next is when the shard has to wake if nothing comes, 0 for not.
func (s *shard) next() int64 {
	if s.collected > 0 && (s.dueAt == 0 || s.deadline < s.dueAt) {
		return s.deadline
	}
	return s.dueAt
}

// awaited reports whether run waits already for what next says.
func (s *shard) awaited() bool {
	next := s.next()
	return next == 0 || s.armed != 0 && s.armed <= next
}
