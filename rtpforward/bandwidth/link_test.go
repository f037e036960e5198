// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"math/rand/v2"
	"slices"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// The link is simulated in steps of one unit of the feedback's clock.
const step = tickTime

// scenario is a link, what wants to go over it, and for how long.
type scenario struct {
	name     string
	length   int64
	capacity func(at int64) int64 // bit/s
	queue    int64                // bytes that the bottleneck holds
	delay    int64                // one way
	jitter   int64                // ±, each packet on its own
	ordered  bool                 // jitter does not reorder
	loss     float64
	deaf     float64              // part of the feedback that gets lost
	keyframe int64                // every so often a frame is six times as large
	demand   func(at int64) int64 // bit/s
	// pick, if there is one, turns a target into the rate that is sent: an
	// application that has steps only.
	pick  func(target, at int64) int64
	rival bool // a TCP-like flow shares the bottleneck
	cfg   Config
	seed  uint64
}

func constant(v int64) func(int64) int64 { return func(int64) int64 { return v } }

// sender is an estimator with what surrounds it.
type sender interface {
	sent(seq uint16, size int, at int64, probe uint8)
	feedback(fb *rtcp.TransportLayerCC, at int64)
	target(at, demand int64) int64
	probe(at int64) (Cluster, bool)
}

// datagram is one packet on its way.
type datagram struct {
	seq           uint16
	size          int
	sent, entered int64
	arrives       int64
	rival         bool
	number        int // of the rival's
}

// point is one tenth of a second of a run.
type point struct {
	at                                    int64
	capacity, target, sent, received, alt int64 // bit/s; alt is the rival's
	queue                                 int64 // longest of ours, ns
}

// outcome is what a run shows.
type outcome struct {
	points []point
	waits  []wait
}

type wait struct{ at, queued int64 }

type simulation struct {
	sc  scenario
	rnd *rand.Rand
	at  int64

	queue     []datagram
	queued    int
	credit    int64 // bits × second
	onTheWay  []datagram
	arrivedAt int64
	// nextArrival is not after the first of onTheWay.
	nextArrival int64

	recorder *twcc.Recorder
	news     int
	replies  []reply
	tcp      reno

	seq     uint16
	backlog []int
	waiting int
	frameAt int64
	pacer   Pacer
	cluster Cluster
	left    int
	nextOut int64

	bucket point
	result outcome
}

type reply struct {
	at int64
	fb *rtcp.TransportLayerCC
}

const feedbackEvery = 100 * millisecond

// run plays a scenario. Nothing but its seed is random.
func run(sc scenario, s sender) outcome {
	if sc.demand == nil {
		sc.demand = constant(8_000_000)
	}
	sim := &simulation{sc: sc, rnd: rand.New(rand.NewPCG(1, 7+sc.seed)), recorder: twcc.NewRecorder(1)}
	sim.pacer = NewPacer(PacerConfig{}, 300_000, 0)
	sim.tcp = reno{window: 10, threshold: 1000}
	for ; sim.at < sc.length; sim.at += step {
		sim.source(s)
		sim.serve()
		sim.deliver()
		sim.answer(s)
		if sc.rival {
			sim.tcp.send(sim)
		}
		sim.note(s)
	}

	return sim.result
}

// source makes 30 frames a second of what target and demand allow, and sends
// them through the pacer; a probe takes from the same, then pads.
func (sim *simulation) source(s sender) {
	if sim.at%(5*millisecond) == 0 {
		demand := sim.sc.demand(sim.at)
		sim.pacer.SetTarget(s.target(sim.at, demand), int64(sim.waiting), sim.at)
		if c, ok := s.probe(sim.at); ok {
			sim.cluster, sim.left, sim.nextOut = c, c.Bytes, sim.at
		}
	}
	if sim.at >= sim.frameAt {
		demand := sim.sc.demand(sim.at)
		rate := min(s.target(sim.at, demand), demand)
		if sim.sc.pick != nil {
			rate = sim.sc.pick(s.target(sim.at, demand), sim.at)
		}
		size := float64(rate) / 8 / 30 * (0.75 + 0.5*sim.rnd.Float64())
		if k := sim.sc.keyframe; k != 0 && sim.at/k != (sim.at-second/30)/k {
			size *= 6
		}
		for n := int(size); n > 0; n -= 1100 {
			sim.backlog = append(sim.backlog, min(max(n, 100), 1100))
			sim.waiting += min(max(n, 100), 1100)
		}
		sim.frameAt += second / 30
	}
	for sim.left > 0 && sim.at >= sim.nextOut {
		size := min(1100, max(sim.cluster.Bytes/sim.cluster.Packets, 200))
		if len(sim.backlog) > 0 {
			size = sim.take()
		}
		sim.pacer.Charge(size, sim.at)
		sim.emit(s, size, sim.cluster.ID)
		sim.left -= size
		sim.nextOut += int64(size) * 8 * second / sim.cluster.Rate
	}
	for sim.left <= 0 && len(sim.backlog) > 0 && sim.pacer.Take(sim.backlog[0], sim.at) {
		sim.emit(s, sim.take(), 0)
	}
}

func (sim *simulation) take() int {
	size := sim.backlog[0]
	sim.backlog = sim.backlog[1:]
	sim.waiting -= size

	return size
}

func (sim *simulation) emit(s sender, size int, probe uint8) {
	sim.seq++
	s.sent(sim.seq, size, sim.at, probe)
	sim.bucket.sent += int64(size)
	sim.enter(datagram{seq: sim.seq, size: size, sent: sim.at})
}

// enter puts a packet into the bottleneck's queue, or drops it.
func (sim *simulation) enter(d datagram) bool {
	if sim.queued+d.size > int(sim.sc.queue) {
		return false
	}
	d.entered = sim.at
	sim.queue = append(sim.queue, d)
	sim.queued += d.size

	return true
}

func (sim *simulation) serve() {
	sim.credit += sim.sc.capacity(sim.at) * step
	for len(sim.queue) > 0 && int64(sim.queue[0].size)*8*second <= sim.credit {
		d := sim.queue[0]
		sim.queue = sim.queue[1:]
		sim.queued -= d.size
		sim.credit -= int64(d.size) * 8 * second
		if !d.rival {
			w := sim.at - d.entered
			sim.result.waits = append(sim.result.waits, wait{sim.at, w})
			sim.bucket.queue = max(sim.bucket.queue, w)
			if sim.rnd.Float64() < sim.sc.loss {
				continue
			}
		}
		d.arrives = sim.at + sim.sc.delay
		if sim.sc.jitter > 0 && !d.rival {
			d.arrives += int64((sim.rnd.Float64()*2 - 1) * float64(sim.sc.jitter))
			if sim.sc.ordered {
				d.arrives = max(d.arrives, sim.arrivedAt)
				sim.arrivedAt = d.arrives
			}
		}
		sim.onTheWay = append(sim.onTheWay, d)
		sim.nextArrival = min(sim.nextArrival, d.arrives)
	}
	if len(sim.queue) == 0 {
		sim.credit = min(sim.credit, sim.sc.capacity(sim.at)*step)
	}
}

func (sim *simulation) deliver() {
	if sim.at < sim.nextArrival {
		return
	}
	sim.nextArrival = unset
	kept := sim.onTheWay[:0]
	for _, d := range sim.onTheWay {
		switch {
		case d.arrives > sim.at:
			kept = append(kept, d)
			sim.nextArrival = min(sim.nextArrival, d.arrives)
		case d.rival:
			sim.bucket.alt += int64(d.size)
			sim.tcp.arrived(d.number, sim.at+sim.sc.delay)
		default:
			sim.bucket.received += int64(d.size)
			sim.recorder.Record(1, d.seq, (d.arrives+second)/microsecond)
			sim.news++
		}
	}
	sim.onTheWay = kept
}

func (sim *simulation) answer(s sender) {
	if sim.at%feedbackEvery == 0 && sim.news > 0 {
		for _, p := range sim.recorder.BuildFeedbackPacket() {
			if sim.sc.deaf > 0 && sim.rnd.Float64() < sim.sc.deaf {
				continue
			}
			sim.replies = append(sim.replies, reply{sim.at + sim.sc.delay, p.(*rtcp.TransportLayerCC)})
		}
		sim.news = 0
	}
	for len(sim.replies) > 0 && sim.replies[0].at <= sim.at {
		s.feedback(sim.replies[0].fb, sim.at)
		sim.replies = sim.replies[1:]
	}
}

const noteEvery = 100 * millisecond

func (sim *simulation) note(s sender) {
	if sim.at%noteEvery != 0 {
		return
	}
	b := sim.bucket
	b.at, b.capacity, b.target = sim.at, sim.sc.capacity(sim.at), s.target(sim.at, sim.sc.demand(sim.at))
	b.sent, b.received, b.alt = b.sent*80, b.received*80, b.alt*80
	sim.result.points = append(sim.result.points, b)
	sim.bucket = point{}
}

// mean is the average of a field over a time.
func (o outcome) mean(from, to int64, field func(point) int64) int64 {
	sum, n := int64(0), int64(0)
	for _, p := range o.points {
		if p.at > from && p.at <= to {
			sum += field(p)
			n++
		}
	}

	return sum / max(n, 1)
}

func targetOf(p point) int64   { return p.target }
func sentOf(p point) int64     { return p.sent }
func receivedOf(p point) int64 { return p.received }
func rivalOf(p point) int64    { return p.alt }

// queued is the given percentile of what packets waited in the bottleneck.
func (o outcome) queued(from, to int64, percent int) int64 {
	var all []int64
	for _, w := range o.waits {
		if w.at > from && w.at <= to {
			all = append(all, w.queued)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)

	return all[(len(all)-1)*percent/100]
}

// reached is how long after from a field, smoothed over a second, is on the
// right side of a bound; -1 if never.
func (o outcome) reached(from int64, good func(int64) bool, field func(point) int64) int64 {
	for i, p := range o.points {
		if p.at <= from || i < 4 {
			continue
		}
		sum := int64(0)
		for _, q := range o.points[i-4 : i+1] {
			sum += field(q)
		}
		if good(sum / 5) {
			return p.at - from
		}
	}

	return -1
}

// reno is as much of TCP as competes: slow start, one packet a round trip, half
// at a loss.
type reno struct {
	window, threshold float64
	next, expect      int
	inFlight          int
	lossUntil         int
	acks              []int64
	gaps              []int64
	silent            int64
}

const renoPacket = 1200

func (r *reno) arrived(number int, at int64) {
	if number > r.expect { // what is between was dropped
		r.inFlight -= number - r.expect
		r.gaps = append(r.gaps, at)
	}
	r.expect = number + 1
	r.acks = append(r.acks, at)
}

func (r *reno) send(sim *simulation) {
	for len(r.gaps) > 0 && r.gaps[0] <= sim.at {
		r.gaps = r.gaps[1:]
		if r.expect > r.lossUntil {
			r.threshold = max(r.window/2, 2)
			r.window, r.lossUntil = r.threshold, r.next
		}
	}
	for len(r.acks) > 0 && r.acks[0] <= sim.at {
		r.acks = r.acks[1:]
		r.inFlight--
		r.silent = sim.at
		if r.window < r.threshold {
			r.window++
		} else {
			r.window += 1 / r.window
		}
	}
	if sim.at-r.silent > second { // all of a window was lost
		r.window, r.threshold, r.inFlight, r.silent = 2, max(r.window/2, 2), 0, sim.at
	}
	for r.inFlight < int(r.window) {
		sim.enter(datagram{rival: true, number: r.next, size: renoPacket, sent: sim.at})
		r.next++
		r.inFlight++
	}
}
