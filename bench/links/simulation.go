// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import (
	"math/rand/v2"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// Sender is an estimator with what surrounds it. Its first error ends a run.
type Sender interface {
	Sent(seq uint16, size int, at int64, probe uint8) error
	Feedback(fb *rtcp.TransportLayerCC, at int64) error
	Target(at, demand int64) int64
	Probe(at int64) (bandwidth.Cluster, bool)
}

const (
	feedbackEvery = 100 * Millisecond
	startTarget   = 300_000
	largestPacket = 1100
	framesASecond = 30
)

type simulation struct {
	sc     Scenario
	sender Sender
	rnd    *rand.Rand
	at     int64
	link   *path.Link

	recorder *twcc.Recorder
	news     int
	replies  []reply

	seq     uint16
	backlog []int
	waiting int
	frameAt int64
	rate    int64 // of the last frame
	pacer   bandwidth.Pacer
	cluster bandwidth.Cluster
	left    int
	nextOut int64

	bucket Point
	rival  uint64 // bytes of the rival as of the last bucket
	result Outcome
	err    error
}

type reply struct {
	at int64
	fb *rtcp.TransportLayerCC
}

// Run plays a scenario, to its end or to the first error of the sender.
func Run(sc Scenario, s Sender) (Outcome, error) {
	rnd := rand.New(rand.NewPCG(1, 7+sc.Seed))
	sim := &simulation{sc: sc, sender: s, rnd: rnd, recorder: twcc.NewRecorder(1), link: path.New(sc.Link, rnd, 0)}
	sim.pacer = bandwidth.NewPacer(bandwidth.PacerConfig{}, startTarget, 0)
	for ; sim.at < sc.Length && sim.err == nil; sim.at += path.Step {
		sim.source()
		sim.link.Serve(sim.at, sim.served)
		sim.link.Deliver(sim.at, sim.arrived)
		sim.answer()
		sim.link.Compete(sim.at)
		sim.note()
	}

	return sim.result, sim.err
}

// source makes 30 frames a second of what target and demand allow, and sends them through the pacer; a probe takes from the same,
// then pads.
func (sim *simulation) source() {
	if sim.at%(5*Millisecond) == 0 {
		demand := sim.sc.Wanted(sim.at)
		sim.pacer.SetTarget(sim.sender.Target(sim.at, demand), int64(sim.waiting), sim.at)
		if c, ok := sim.sender.Probe(sim.at); ok {
			sim.cluster, sim.left, sim.nextOut = c, c.Bytes, sim.at
		}
	}
	if sim.at >= sim.frameAt {
		sim.frame()
	}
	for sim.left > 0 && sim.at >= sim.nextOut {
		size := min(largestPacket, max(sim.cluster.Bytes/sim.cluster.Packets, 200))
		if len(sim.backlog) > 0 {
			size = sim.take()
		}
		sim.pacer.Charge(size, sim.at)
		sim.emit(size, sim.cluster.ID)
		sim.left -= size
		sim.nextOut += int64(size) * 8 * Second / sim.cluster.Rate
	}
	for sim.left <= 0 && len(sim.backlog) > 0 && sim.pacer.Take(sim.backlog[0], sim.at) {
		sim.emit(sim.take(), 0)
	}
}

// frame makes the next one.
func (sim *simulation) frame() {
	demand := sim.sc.Wanted(sim.at)
	rate := min(sim.sender.Target(sim.at, demand), demand)
	if sim.sc.Pick != nil {
		rate = sim.sc.Pick(sim.sender.Target(sim.at, demand), sim.at)
	}
	size := float64(rate) / 8 / framesASecond * (0.75 + 0.5*sim.rnd.Float64())
	if k := sim.sc.Keyframe; k != 0 && sim.at/k != (sim.at-Second/framesASecond)/k {
		size *= 6
	}
	if sim.sc.KeySteps && rate > sim.rate {
		size += float64(rate-sim.rate) / 8 / framesASecond * 5
	}
	sim.rate = rate
	for n := int(size); n > 0; n -= largestPacket {
		sim.backlog = append(sim.backlog, min(max(n, 100), largestPacket))
		sim.waiting += min(max(n, 100), largestPacket)
	}
	sim.frameAt += Second / framesASecond
}

func (sim *simulation) take() int {
	size := sim.backlog[0]
	sim.backlog = sim.backlog[1:]
	sim.waiting -= size

	return size
}

func (sim *simulation) emit(size int, probe uint8) {
	sim.seq++
	sim.failed(sim.sender.Sent(sim.seq, size, sim.at, probe))
	sim.bucket.Sent += int64(size)
	sim.link.Enter(path.Datagram{Number: sim.seq, Size: size}, sim.at)
}

func (sim *simulation) failed(err error) {
	if sim.err == nil {
		sim.err = err
	}
}

func (sim *simulation) served(d path.Datagram) {
	w := d.Left - d.Entered
	sim.result.waits = append(sim.result.waits, wait{d.Left, w})
	sim.bucket.Queue = max(sim.bucket.Queue, w)
}

func (sim *simulation) arrived(d path.Datagram) {
	sim.bucket.Received += int64(d.Size)
	sim.recorder.Record(1, d.Number, (d.Arrives+Second)/path.Microsecond)
	sim.news++
}

func (sim *simulation) answer() {
	if sim.at%feedbackEvery == 0 && sim.news > 0 {
		for _, p := range sim.recorder.BuildFeedbackPacket() {
			if sim.sc.Deaf > 0 && sim.rnd.Float64() < sim.sc.Deaf {
				continue
			}
			if fb, ok := p.(*rtcp.TransportLayerCC); ok {
				sim.replies = append(sim.replies, reply{sim.at + sim.sc.Link.Delay, fb})
			}
		}
		sim.news = 0
	}
	for len(sim.replies) > 0 && sim.replies[0].at <= sim.at {
		sim.failed(sim.sender.Feedback(sim.replies[0].fb, sim.at))
		sim.replies = sim.replies[1:]
	}
}

// PointEvery is the time that a Point is about.
const PointEvery = 100 * Millisecond

func (sim *simulation) note() {
	if sim.at%PointEvery != 0 {
		return
	}
	const toBits = 8 * Second / PointEvery
	b, rival := sim.bucket, sim.link.Stats().RivalBytes
	b.At, b.Capacity, b.Target = sim.at, sim.link.Capacity(sim.at), sim.sender.Target(sim.at, sim.sc.Wanted(sim.at))
	b.Sent, b.Received, b.Rival = b.Sent*toBits, b.Received*toBits, int64(rival-sim.rival)*toBits
	sim.rival = rival
	sim.result.Points = append(sim.result.Points, b)
	sim.bucket = Point{}
}
