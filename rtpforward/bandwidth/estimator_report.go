// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// REMB takes a client's own estimate, in bit/s. Beside transport-wide feedback
// it is an upper bound only; without, it is the target, within the loss bound.
func (e *Estimator) REMB(rate, at int64) {
	e.at = max(e.at, at)
	if rate <= 0 {
		return
	}
	e.remb, e.rembAt = rate, e.at
	if e.feedbackAt != 0 {
		return
	}
	e.heardAt, e.unanswered, e.silentAt = e.at, 0, 0
	// A client that says more than twice what we sent speaks of what it hopes.
	e.rate.target = min(rate, max(e.rate.target, 2*e.sending()))
	e.clamp()
}

// Report takes a receiver report: the fraction lost, of 256, and the packets it
// is about. Used only without transport-wide feedback, which says more.
func (e *Estimator) Report(fraction uint8, packets int, rtt, at int64) {
	e.at = max(e.at, at)
	if rtt > 0 {
		e.measureRTT(rtt)
	}
	if e.feedbackAt != 0 || packets <= 0 {
		return
	}
	elapsed := min(e.at-e.reportAt, second)
	if e.reportAt == 0 {
		elapsed = 0
	}
	e.heardAt, e.reportAt, e.unanswered, e.silentAt = e.at, e.at, 0, 0
	lostNow := packets * int(fraction) / 256
	e.loss.count(&tally{lost: lostNow, total: packets, lostSince: lostNow, totalSince: packets}, e.at)
	before := e.rate.target
	e.rate.target = e.loss.update(e.rate.target, e.sending(), e.rtt, e.at, e.cfg.Min)
	if e.rate.target == before && !e.loss.trial && (e.remb == 0 || e.at-e.rembAt > rembGood) {
		limit := int64(provenFactor*float64(e.sending())) + provenExtra
		if e.rate.target < limit {
			e.rate.target = min(limit, e.rate.target+e.rate.target*8/100*(elapsed/millisecond)/1000)
		}
	}
	e.clamp()
}

// Tick notices silence: when what was sent stays unanswered, the target is
// halved, and again each time that as long has passed. To be called every 50 ms
// or so; more often changes nothing.
func (e *Estimator) Tick(at int64) {
	e.at = max(e.at, at)
	e.turnSendWindow(e.at)
	patience := max(silenceLeast, 3*e.rtt)
	if e.feedbackAt == 0 {
		patience = max(patience, reportGood) // receiver reports are seconds apart
	}
	if e.unanswered != 0 && e.at-e.unanswered > patience && e.at >= e.silentAt {
		if e.silentAt == 0 {
			e.before = e.rate.target
		}
		e.rate.target /= 2
		e.silentAt = e.at + patience
		e.rate.hold(e.at)
		e.rate.decreasedAt = e.at
		e.probe.active, e.probe.wish = false, 0
		e.probe.nextAt = e.at + probeWait
		e.clamp()
	}
	if e.probe.active && e.at >= e.probe.deadline {
		e.learnFromProbe()
	}
}
