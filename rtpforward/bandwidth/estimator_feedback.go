// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// tally is what one feedback adds up to.
type tally struct {
	round
	fastest     int64 // shortest way of its packets, unset if there is none
	fastestSent int64 // when that packet left
	lost, total int   // new verdicts; lost may be negative, when late ones turn up
	// The same of packets sent since the target last went down: what got lost
	// before, that has answered already.
	lostSince, totalSince int
}

// Feedback takes what the client says about packets. It believes nothing about
// packets that were never sent, or twice about one.
func (e *Estimator) Feedback(fb *Feedback, at int64) {
	e.at = max(e.at, at)
	base, sane := e.clock(fb)
	t := tally{fastest: unset, round: round{lastSent: -1}}
	for i := range fb.lastReceived() + 1 {
		p := e.history.find(fb.Base + uint16(i))
		since, ok := fb.Received(i)
		switch {
		case p == nil && ok:
			e.unknown++
		case p == nil || p.fate == arrived:
		case ok:
			e.arrived(&t, p, base+since, sane)
		default:
			e.report(p.number)
			if p.fate == inFlight {
				p.fate = missing
			}
		}
	}
	// What is overtaken is not lost: packets get as long as the jitter may take.
	if t.lastSent >= 0 {
		grace := min(max(reorderLeast, 3*e.jitter), reorderMost)
		for p := e.history.overdue(e.reported, t.lastSent-grace); p != nil; p = e.history.overdue(e.reported, t.lastSent-grace) {
			e.lost(&t, p)
		}
	}
	if t.total == 0 && t.bytes == 0 {
		return // nothing new: a client cannot keep a session alive by repeating itself
	}
	if e.silentAt != 0 {
		// What was before may be so again: one probe tells.
		e.probe.wish, e.probe.nextAt = e.before, e.at
	}
	e.heardAt, e.feedbackAt, e.unanswered, e.silentAt = e.at, e.at, 0, 0
	e.loss.count(&t, e.at)
	if t.lastSent >= 0 {
		e.measureRTT(e.at - t.lastSent)
		if sane {
			e.acked.add(t.round)
			e.measureQueue(t.fastest)
			e.own = e.burst.wait(t.fastestSent, e.rate.target)
		}
	}
	e.lostNow = t.lost > 0
	e.conclude()
}

// lost counts a packet that did not arrive though later ones did.
func (e *Estimator) lost(t *tally, p *record) {
	p.fate = lost
	t.lost++
	t.total++
	if p.at > e.rate.decreasedAt && p.at > e.loss.cutAt {
		t.lostSince++
		t.totalSince++
	}
}

func (e *Estimator) arrived(t *tally, p *record, arrival int64, sane bool) {
	late, since := p.fate == lost, p.at > e.rate.decreasedAt && p.at > e.loss.cutAt
	switch {
	case late && since:
		t.lostSince--
		t.lost--
	case late:
		t.lost--
	case since:
		t.totalSince++
		t.total++
	default:
		t.total++
	}
	p.fate = arrived
	e.report(p.number)
	t.bytes += int64(p.size)
	t.lastSent = max(t.lastSent, p.at)
	t.lastArrival = max(t.lastArrival, arrival)
	if e.probe.active && p.probe == e.probe.cluster.ID && p.probe != 0 {
		e.probe.arrived(p, arrival)
	}
	if !sane {
		return
	}
	way := e.way(p.at, arrival)
	if way < t.fastest {
		t.fastest, t.fastestSent = way, p.at
	}
	e.busy.add(int(p.size), way-min(e.shortest, e.shortestBefore) > max(busyQueue, 3*e.jitter/2), arrival)
	if p.at < e.guardFrom || p.at > e.guardTo {
		e.trend.add(p.at, arrival)
	}
}

func (e *Estimator) report(number uint32) {
	if int32(number-e.reported) > 0 {
		e.reported = number
	}
}

// clock unwraps the reference time and checks the client's clock against ours.
// After a jump everything known about delays is dropped.
func (e *Estimator) clock(fb *Feedback) (base int64, sane bool) {
	if !e.epochKnown {
		e.epoch, e.epochKnown = int64(fb.Reference), true
	} else {
		step := int64(int32((fb.Reference-uint32(e.epoch))<<8) >> 8) // 24 bits, signed
		e.epoch += step
	}
	base = e.epoch * referenceTime
	newest := -unset
	for i := range fb.Count {
		if since, ok := fb.Received(i); ok {
			newest = max(newest, base+since)
		}
	}
	if newest == -unset {
		return base, true
	}
	first := e.lastLocal == 0
	drift := (newest - e.lastClient) - (e.at - e.lastLocal)
	e.lastClient, e.lastLocal = newest, e.at
	if !first && (drift > clockJump || drift < -clockJump-e.rtt) {
		e.trend.reset()
		e.acked.reset()
		e.shortest, e.shortestBefore, e.queue, e.lastWay = unset, unset, 0, 0

		return base, false
	}

	return base, true
}

// way notes the one-way delay, which is off by the distance of two clocks.
func (e *Estimator) way(sent, arrival int64) int64 {
	way := arrival - sent
	if e.lastWay != 0 {
		e.jitter += (max(way-e.lastWay, e.lastWay-way) - e.jitter) / 32
	}
	e.lastWay = way

	return way
}

func (e *Estimator) measureQueue(fastest int64) {
	if e.at-e.windowAt > queueWindow {
		e.shortestBefore, e.shortest, e.windowAt = e.shortest, unset, e.at
	}
	e.shortest = min(e.shortest, fastest)
	e.queue = fastest - min(e.shortest, e.shortestBefore)
}

func (e *Estimator) measureRTT(sample int64) {
	if e.rtt == 0 {
		e.rtt = sample

		return
	}
	e.rtt += (sample - e.rtt) / 8
}
