// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

const (
	silenceLeast = second
	queueWindow  = 10 * second // of which the shortest way is remembered, twice
	clockJump    = 2 * second
	rembGood     = 10 * second
	reportGood   = 5 * second
	sendSpan     = 500 * millisecond
	reorderLeast = 20 * millisecond // that a packet may be overtaken by
	reorderMost  = 150 * millisecond
	jamMost      = 3    // of the start: beyond it we grow beside somebody else without probes
	limitedBelow = 0.75 // of the target: the application sends less than it may
)

// Estimate is what is believed about the link. Rates are bit/s, times ns.
type Estimate struct {
	// Target is what to send at most, on average.
	Target int64
	// Acknowledged is what came through lately, 0 if that is not known.
	Acknowledged int64
	// Sending is what was sent lately.
	Sending int64
	// Loss is the part of the packets that got lost lately, 0 to 1, and
	// Inherent the part of it that does not depend on our rate.
	Loss, Inherent float64
	// Queue is the delay on the way beyond the shortest seen lately, RTT the
	// smoothed time until a packet's feedback is here.
	Queue, RTT int64
	// AppLimited says that less is sent than the target, so that the target
	// can only be tested by probes.
	AppLimited bool
	// Probing says that a cluster is under way.
	Probing bool
	// Congested says that the target has gone down within the last second.
	Congested bool
	// Silent says that what was sent is not answered, so that the target goes
	// down for that reason.
	Silent bool
}

// Estimator believes what it is told about one session's packets within the
// bounds that sending itself proves. Owned by the session's shard; not safe for
// concurrent use; allocates nothing after New.
type Estimator struct {
	// What each packet touches comes first: between two frames of a session many
	// others have taken its place in the cache.
	history    history
	at         int64
	unanswered int64 // when the first packet since heardAt was sent, 0 none
	sendAt     int64 // what is sent, in two halves of sendSpan
	sendBytes  int64
	sendBefore int64
	packet     int64 // bytes, smoothed
	sendKnown  bool
	rate       aimd
	burst      burst

	cfg   Config
	trend trend
	acked acknowledged
	loss  lossBound
	probe prober
	busy  busy

	demand  int64
	remb    int64
	rembAt  int64
	hopedAt int64

	// The client's clock.
	epoch      int64 // unwrapped reference, in units of 64 ms
	epochKnown bool
	lastClient int64 // newest arrival
	lastLocal  int64 // when that was told

	// One-way delay: shortest of this window and of the one before.
	shortest, shortestBefore int64
	windowAt                 int64
	queue                    int64
	lostNow                  bool  // something has, in the last feedback
	own                      int64 // part of queue that our own bursts explain
	jitter                   int64
	lastWay                  int64

	rtt                int64
	reported           uint32
	heardAt            int64 // last sign of life of the kind this client gives
	feedbackAt         int64 // last transport-wide feedback, 0 never
	reportAt           int64 // last receiver report
	silentAt           int64 // next halving
	before             int64 // the target when silence began
	guardFrom, guardTo int64 // packets sent between these say nothing about the queue: a probe fills it
	unknown            uint64
}

const unset = int64(1) << 62

// New gives an estimator that knows nothing yet, at time at.
func New(cfg Config, at int64) *Estimator {
	cfg = cfg.withDefaults()
	e := &Estimator{cfg: cfg, demand: cfg.Max, shortest: unset, shortestBefore: unset, at: at, sendAt: at, packet: 1000}
	e.history.records = make([]record, cfg.History)
	e.rate.target = cfg.Start
	e.probe.wait = probeAgain
	e.probe.wish, e.probe.nextAt = min(probeFirst*cfg.Start, cfg.Max), at
	e.trend.reset()

	return e
}

// SetDemand says what the session could use, in bit/s: all its streams at the
// best layers it may have. Probing stops there.
func (e *Estimator) SetDemand(rate int64) { e.demand = min(max(rate, 0), e.cfg.Max) }

// Sent notes a packet: its transport-wide number, its size in bytes as the
// target is to count it, and the Cluster.ID it belongs to, 0 for none. Numbers
// go up by one a packet; one that does not go up is ignored.
func (e *Estimator) Sent(seq uint16, size int, at int64, probe int) {
	e.at = max(e.at, at)
	if !e.history.add(seq, size, e.at, uint8(probe)) {
		return
	}
	if e.unanswered == 0 {
		e.unanswered = e.at
	}
	e.turnSendWindow(e.at)
	e.sendBytes += int64(size)
	e.burst.add(size, e.rate.target, e.at)
	if probe != 0 && e.probe.active && uint8(probe) == e.probe.cluster.ID {
		e.probe.sent(e.history.newest, size, e.at)
		e.guardTo = e.at + probeQuiet
	} else {
		e.packet += (int64(size) - e.packet) / 16
	}
}

func (e *Estimator) turnSendWindow(at int64) {
	if at-e.sendAt < sendSpan {
		return
	}
	e.sendBefore, e.sendKnown = e.sendBytes, true
	if at-e.sendAt >= 2*sendSpan {
		e.sendBefore = 0
	}
	e.sendBytes, e.sendAt = 0, at
}

// sending is the rate of the last half to one and a half of sendSpan.
func (e *Estimator) sending() int64 {
	return (e.sendBytes + e.sendBefore) * 8 * second / (sendSpan + max(e.at-e.sendAt, millisecond))
}

// conclude moves the target after a round.
func (e *Estimator) conclude() {
	acked := e.acked.rate()
	busy := acked
	if e.exact() {
		busy = max(acked, min(e.busy.rate(e.lastClient), e.rate.target))
	}
	if e.rate.update(moment{
		usage: e.trend.state, acknowledged: acked, busy: busy, sending: e.sending(), packet: e.packet,
		queue: e.queue, foreign: max(e.queue-e.own*2*steadyWay/max(e.jitter, 2*steadyWay), 0), rtt: e.rtt, jitter: e.jitter, lost: e.lostNow, at: e.at,
	}) {
		e.loss.abandon()
		e.probe.wish = 0
		e.probe.nextAt = e.at + max(probeWait, 2*e.rtt)
	}
	before, trial := e.rate.target, e.loss.trial
	e.rate.target = e.loss.update(e.rate.target, e.sending(), e.rtt, e.at, e.cfg.Min)
	switch {
	case e.rate.target < before:
		e.probe.wish, e.probe.nextAt = 0, max(e.probe.nextAt, e.at+probeWait)
	case trial && !e.loss.trial && e.rate.target > before:
		e.probe.nextAt = e.at // the loss was not ours
	}
	e.learnFromProbe()
	e.clamp()
}

// exact says that what a few packets show of the link is worth something: jitter
// pushes packets together and apart, and as long as the target itself is sent,
// there are better measures.
func (e *Estimator) exact() bool {
	return e.jitter < steadyWay || float64(e.sending()) < limitedBelow*float64(e.rate.target)
}

func (e *Estimator) clamp() { e.rate.target = min(max(e.rate.target, e.cfg.Min), e.cfg.Max) }

func (e *Estimator) learnFromProbe() {
	if !e.probe.active {
		return
	}
	rate, saturated, done := e.probe.result(e.reported, e.at)
	if !done {
		return
	}
	good := float64(rate) >= probeGood*float64(e.probe.cluster.Rate)
	believed := rate
	if saturated && rate < e.rate.target*13/10 && e.rate.ceiling > e.rate.target {
		believed = min(rate, e.rate.ceiling) // a small step up: two have to agree
	}
	if _, long := e.jammed(); long && e.at >= e.rate.contestedUntil && believed > max(e.rate.target, e.probe.before)*13/10 {
		e.rate.contest(e.at)
	}
	raised := believed > e.rate.target && e.rate.decreasedAt <= e.probe.started
	if raised {
		e.rate.target, e.rate.holding, e.rate.raisedAt = believed, false, e.at
		if !saturated {
			e.rate.capacity = 0
		}
	}
	switch {
	case saturated:
		e.guardTo = max(e.guardTo, e.probe.lastSent+probeDrain)
		if e.at >= e.rate.contestedUntil {
			e.rate.filled(rate, e.acked.rate(), e.at)
		}
	case rate > 0:
		e.rate.ceiling, e.rate.ceilingBefore = 0, 0
	}
	if good && !saturated && raised { // otherwise the next one would find no more
		e.probe.wait = probeAgain
		e.probe.wish, e.probe.nextAt = probeNext*rate, e.at

		return
	}
	e.probe.wish = 0
	e.probe.nextAt = e.at + e.probe.wait
	e.probe.wait = min(e.probe.wait*2, probeWaitMost)
}

// Probe says if a cluster is to be sent now, and which. It is asked after each
// Feedback and each Tick, and costs nothing when the answer is no.
func (e *Estimator) Probe(at int64) (Cluster, bool) {
	e.at = max(e.at, at)
	if e.probe.active || e.at < e.probe.nextAt && !e.curious() || e.at-e.probe.endedAt < probeQuiet && e.probe.endedAt != 0 {
		return Cluster{}, false
	}
	ceiling := min(e.demand+e.demand/5, e.ceiling())
	if e.rate.target >= ceiling || e.silentAt != 0 || e.feedbackAt == 0 && !e.mayStart() {
		return Cluster{}, false
	}
	jammed, long := e.jammed()
	if jammed && (!long || e.rate.target > jamMost*e.cfg.Start) || e.loss.trial {
		return Cluster{}, false
	}
	rate := e.probe.wish
	if rate <= e.rate.target { // none, or one of long ago that the target has passed since
		rate = probeNext * e.rate.target
	}
	if e.jitter > 2*steadyWay && e.rate.target > jamMost*e.cfg.Start {
		rate = min(rate, e.rate.target*probeGentle/100) // it takes long, and so does its queue
	}
	if long {
		rate = min(max(rate, e.cfg.Start), jamMost*e.cfg.Start)
	}
	rate = min(rate, ceiling)
	if rate <= e.rate.target {
		return Cluster{}, false
	}

	e.guardFrom, e.guardTo = e.at, e.at+probeQuiet
	before := max(e.acked.rate(), e.busy.rate(e.lastClient))
	c := e.probe.issue(rate, e.jitter, e.at)
	e.probe.before = before

	return c, true
}

// jammed says that there is a queue, so that a probe would only add to it; long,
// that it has not gone away for our sending less, so that somebody else may fill it:
// then a probe gets through nearly as fast as it is sent.
func (e *Estimator) jammed() (jammed, long bool) {
	jammed = e.rate.holding || e.queue > standingQueue || e.trend.state == usageOver

	return jammed, jammed && (e.at < e.rate.contestedUntil || e.rate.jammedAt != 0 && e.at-e.rate.jammedAt > jammedFor && e.queue > drained && e.queue < contestedQueue && e.trend.state != usageUnder)
}

// curious says that a probe that has to wait after a decrease need not wait as long.
func (e *Estimator) curious() bool {
	const wait = probeWait / 2
	_, long := e.jammed()

	return long && e.at-e.rate.decreasedAt > wait && e.at-e.probe.endedAt > wait
}

// mayStart allows one cluster before any feedback: to a client that gives none
// a probe is only a burden.
func (e *Estimator) mayStart() bool {
	return e.unanswered != 0 && e.probe.endedAt == 0 && e.rembAt == 0 && e.reportAt == 0
}

func (e *Estimator) ceiling() int64 {
	if e.remb > 0 && e.at-e.rembAt < rembGood {
		return min(e.cfg.Max, e.remb)
	}

	return e.cfg.Max
}

// Estimate gives what is believed now.
func (e *Estimator) Estimate() Estimate {
	target := min(e.rate.target, e.ceiling())
	sending := e.sending()

	return Estimate{
		Target: max(target, e.cfg.Min), Acknowledged: e.acked.rate(), Sending: sending,
		Loss: e.loss.fraction, Inherent: e.loss.inherent, Queue: e.queue, RTT: e.rtt,
		AppLimited: e.sendKnown && float64(sending) < limitedBelow*float64(target),
		Probing:    e.probe.active,
		Congested:  e.rate.decreasedAt != 0 && e.at-e.rate.decreasedAt < second,
		Silent:     e.silentAt != 0,
	}
}
