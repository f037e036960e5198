// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// proven is what a rate that came through says of the link, in per cent of it:
// a little more, since nothing was in its way.
const proven = 105

// Prove raises the target to what came through without a queue. It is for the
// start, when a caller has sent more than the target on purpose because nothing
// was known of the link.
func (e *Estimator) Prove(at int64) {
	e.at = max(e.at, at)
	jammed := e.queue > overuseMost || e.trend.state == usageOver || e.loss.trial || e.rate.holding || e.rate.decreasedAt != 0
	if acked := e.acked.rate() * proven / 100; !jammed && acked > e.rate.target {
		e.rate.target = acked
		e.clamp()
	}
}

// Hope raises the target by 8 % a second towards what a client without
// transport-wide feedback says of its link. REMB itself believes twice what is
// sent; where what is sent goes in steps, the next one may be more than that. To
// be called after REMB, by who has more to send.
func (e *Estimator) Hope(at int64) {
	e.at = max(e.at, at)
	elapsed := min(e.at-e.hopedAt, second)
	if e.hopedAt == 0 {
		elapsed = 0
	}
	e.hopedAt = e.at
	if e.feedbackAt != 0 || e.loss.trial || e.remb <= e.rate.target {
		return
	}
	e.rate.target = min(e.remb, e.rate.target+e.rate.target*8/100*(elapsed/millisecond)/1000)
	e.clamp()
}
