// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

const (
	probeSpan      = 25 * millisecond
	probeSpanMost  = 160 * millisecond
	probePackets   = 5   // that a cluster has at least
	probeBytes     = 500 // of each of those, at least
	probeDeadline  = second
	probeFirst     = 3   // multiples of the start
	probeGentle    = 150 // per cent of the target, with jitter
	probeNext      = 2   // of what was proven last
	probeGood      = 0.7
	probeSaturated = 0.9
	probeAgain     = second     // after the first without success; doubles
	probeWait      = 3 * second // after the target went down
	probeWaitMost  = 6 * second
	probeQuiet     = 150 * millisecond // after one, for its queue to drain
	probeDrain     = 500 * millisecond // the same, if it filled the link
)

// Cluster is a burst to send, to find out if the link takes Rate. The caller
// sends Bytes in at least Packets packets at Rate, beginning now: media that is
// due, then retransmissions of recent packets, then padding; and hands the ID to
// Estimator.Sent with every packet that leaves meanwhile, of whatever kind.
type Cluster struct {
	ID      uint8
	Rate    int64 // bit/s
	Bytes   int
	Packets int
}

// prober has one cluster under way at a time.
type prober struct {
	cluster  Cluster
	active   bool
	complete bool // all of it was sent
	deadline int64
	started  int64
	endedAt  int64
	before   int64 // bit/s that came through before it

	sentBytes, sentPackets   int
	lastSent                 int64
	lastNumber               uint32
	ackBytes, ackPackets     int
	firstAckSent, lastAcked  int64
	firstArrival, lastArrive int64
	firstSize, lastSize      int

	wish   int64 // rate of the next one, 0 none is due
	nextAt int64
	wait   int64
}

// issue begins a cluster at rate.
func (p *prober) issue(rate, jitter, at int64) Cluster {
	span := max(probeSpan, 4*jitter)
	if jitter > 2*steadyWay {
		span *= 2
	}
	span = min(span, probeSpanMost)
	p.cluster.ID++
	if p.cluster.ID == 0 {
		p.cluster.ID = 1
	}
	p.cluster.Rate = rate
	p.cluster.Bytes = max(int(rate/8*(span/microsecond)/1_000_000), probePackets*probeBytes)
	p.cluster.Packets = probePackets
	wait := p.wait
	*p = prober{cluster: p.cluster, active: true, started: at, deadline: at + probeDeadline, wait: wait}

	return p.cluster
}

func (p *prober) sent(number uint32, size int, at int64) {
	p.sentBytes += size
	p.sentPackets++
	p.lastSent, p.lastNumber = at, number
	if p.sentBytes >= p.cluster.Bytes && p.sentPackets >= p.cluster.Packets {
		p.complete = true
	}
}

func (p *prober) arrived(r *record, arrival int64) {
	if p.ackPackets == 0 || r.at < p.firstAckSent {
		p.firstAckSent = r.at
	}
	if p.ackPackets == 0 || arrival < p.firstArrival {
		p.firstArrival, p.firstSize = arrival, int(r.size)
	}
	if p.ackPackets == 0 || arrival >= p.lastArrive {
		p.lastArrive = arrival
	}
	if r.at >= p.lastAcked {
		p.lastAcked, p.lastSize = r.at, int(r.size)
	}
	p.ackBytes += int(r.size)
	p.ackPackets++
}

// result ends the cluster if what there is suffices. reported is the highest
// number that the client has spoken of. rate 0 means that nothing was learnt.
func (p *prober) result(reported uint32, at int64) (rate int64, saturated, done bool) {
	heard := p.complete && int32(reported-p.lastNumber) >= 0
	if !heard && at < p.deadline {
		return 0, false, false
	}
	p.active, p.endedAt = false, at
	if p.ackPackets < probePackets-1 || p.ackPackets*10 < p.sentPackets*6 {
		return 0, false, true
	}
	sendSpan := p.lastAcked - p.firstAckSent
	sendRate := p.cluster.Rate
	if sendSpan > 0 {
		sendRate = min(sendRate, int64(p.ackBytes-p.lastSize)*8*second/sendSpan)
	}
	if span := p.lastArrive - p.firstArrival; span > 0 {
		rate = int64(p.ackBytes-p.firstSize) * 8 * second / span
		if float64(rate) < probeSaturated*float64(sendRate) {
			return rate * 95 / 100, true, true
		}
	}

	return sendRate, false, true
}
