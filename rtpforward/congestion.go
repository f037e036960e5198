// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"time"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

const (
	// wireOverhead is what an RTP packet is larger on the wire: SRTP's tag, UDP
	// and IPv4 headers. Estimates are about what the link carries.
	wireOverhead = 16 + 8 + 20
	// linkHistory is how many sent packets a session remembers for feedback, 16
	// bytes each: a second of 20 Mbit/s.
	linkHistory = 2048
	// feedbackHope is for how long after the first packet the client's first
	// feedback is waited for. Until then its link gets what a thin one carries.
	feedbackHope = 3 * second
	// optimism is for how long after the first feedback the first layers of all
	// slots go out whatever the estimate, unless the link jams: the estimate
	// starts low, and what comes through is what raises it.
	optimism = second
	// divideEvery is the least time between two divisions that nobody asked for.
	divideEvery = 90 * int64(time.Millisecond)
	// watchFor is for how long the link of a session that shows no video any more
	// is looked after.
	watchFor = 10 * second
)

// link is what is known of the way to one client, and what waits for it. It is
// made when the first packet leaves that the client can tell something about: a
// session that was sent nothing has none. Owned by the shard.
type link struct {
	// What each packet touches comes first: between two frames of a session
	// others have taken its place in the cache.
	est        *bandwidth.Estimator
	wire, paid uint64 // bytes that left, headers included; of those, what pacer was charged with
	noted      uint64 // bytes of what left that the estimator knows of: what the client says something of
	packets    uint64 // of these
	number     uint16 // of the packet before, where none is on the wire
	paced      bool   // video is held to the pacer
	told       bool   // transport-wide feedback has come
	// blind says that video leaves without transport-wide numbers: what the
	// client says of the rest is no measure then.
	blind bool

	backlog backlog
	pacer   bandwidth.Pacer
	probing probing

	madeAt    int64
	firstAt   int64 // first feedback or REMB, 0 none
	budget    int64 // that was divided last, bit/s
	dividedAt int64
	steeredAt int64
	starved   int  // slots of video that the link does not carry
	wants     bool // more could be sent than is
	silent    bool // the last division was one of silence
	calm      calm // of dividing

	peakPaced int64 // bytes of backlog that the pace has been raised for
	due       int64 // when the next of backlog, or of a probe, may leave; 0: nothing waits
	listed    bool  // in shard.pacing

	heard heardBudget
}

// noteSent counts a packet that has left, with everything around it.
func (dt *DownTrack) noteSent(size int, o *outPacket) {
	d := dt.down
	l := d.link
	if l == nil {
		l = d.makeLink()
	}
	size += wireOverhead
	l.wire += uint64(size)
	switch {
	case d.stamps.tcc == 0:
		l.number++
		l.note(size)
		l.est.Sent(l.number, size, d.shard.at, int(l.probing.cluster.ID))
	case o.stamped:
		l.note(size)
		l.est.Sent(d.stamps.next-1, size, d.shard.at, int(l.probing.cluster.ID))
	case dt.cfg.Video && !o.repeats:
		l.blind = true
	}
}

func (l *link) note(size int) {
	l.noted += uint64(size)
	l.packets++
}

// makeLink begins to keep account of what leaves.
func (d *Downlink) makeLink() *link {
	d.link = &link{est: newEstimator(d.shard), madeAt: d.shard.at}
	return d.link
}

func newEstimator(s *shard) *bandwidth.Estimator {
	cfg := &s.f.cfg
	return bandwidth.New(bandwidth.Config{Start: cfg.StartBitrate, Min: cfg.LeastBitrate, Max: cfg.MostBitrate, History: linkHistory}, s.at)
}

// account says whether what leaves is to be noted at all: there is video, whose
// rate could be changed, and a client who may speak of the link.
func (d *Downlink) account() {
	d.accounts = d.controls && d.watches && (d.stamps.tcc != 0 || d.remb)
	d.heeds.Store(d.controls && d.watches)
	if !d.accounts && d.link != nil {
		d.forgetLink()
	}
}

// forgetLink lets go of what is known of the link.
func (d *Downlink) forgetLink() {
	now := d.shard.f.now()
	for _, dt := range d.tracks {
		if dt.queued > 0 {
			d.dropBacklog(dt, DropPaced)
			dt.restart(now)
		}
	}
	d.link.due = 0
	d.probes += d.link.probing.clusters
	d.probeBytes += d.link.probing.bytes
	d.link = nil
	d.stats.publish(&[linkValues]uint64{linkProbes: d.probes, linkProbeBytes: d.probeBytes})
}

// watch begins to look after the link, since there is video.
func (d *Downlink) watch(now int64) {
	d.watchedAt = now
	if !d.watches {
		d.watches = true
		d.account()
	}
}

// controlled reports whether the estimate means something.
func (l *link) controlled() bool { return l.firstAt != 0 && !l.blind }

// heard takes the feedback about the link itself.
func (d *Downlink) heard(fb *downFeedback, now int64) {
	news := false
	if d.link != nil && d.stamps.tcc != 0 {
		news = d.heardNumbers(fb.raw, fb.at)
	}
	if rate := fb.events.REMB; rate > 0 && d.controls && d.watches && (d.stamps.tcc == 0 || d.link != nil) {
		d.heardREMB(int64(rate), fb.at)
		news = true
	}
	if !news {
		return
	}
	l := d.link
	if l.firstAt == 0 {
		l.firstAt = max(fb.at, 1)
	}
	if now-l.firstAt < optimism {
		l.est.Prove(now)
	}
	d.steer(now)
	if now-l.dividedAt >= divideEvery {
		d.divide(now)
	}
}

// heardREMB takes the client's own estimate; without a negotiated transport-wide
// number it is the first that is heard of the link.
func (d *Downlink) heardREMB(rate, at int64) {
	if !d.remb && d.stamps.tcc == 0 {
		d.remb = true
		d.account()
	}
	if d.link == nil {
		d.shard.at = max(d.shard.at, at)
		d.makeLink()
	}
	d.link.est.REMB(rate, at)
	if d.link.wants {
		d.link.est.Hope(at)
	}
}

// heardNumbers takes transport-wide feedback, as it came.
func (d *Downlink) heardNumbers(raw []byte, at int64) (news bool) {
	s := d.shard
	if len(raw) > 0 && s.feedback == nil {
		s.feedback = new(bandwidth.Feedback)
	}
	for len(raw) > 0 {
		size := rtcpSize(raw)
		if d.link.heard.take(reportedOn(raw[:size]), d.link.packets, at) && s.feedback.Parse(raw[:size]) == nil {
			d.link.est.Feedback(s.feedback, at)
			d.link.told, news = true, true
		}
		raw = raw[size:]
	}
	return news
}

// heardReport takes what a receiver report says of a slot, for clients that say
// nothing better.
func (dt *DownTrack) heardReport(r *ReportBlock, now int64) {
	packets := r.HighestSequence - dt.reportedHighest
	first := dt.reportedHighest == 0
	dt.reportedHighest = r.HighestSequence
	if l := dt.down.link; l != nil && !l.told && !first && packets < 1<<15 {
		l.est.Report(r.FractionLost, int(packets), dt.down.rtt, now)
	}
}

// control is the tick of what has to do with the link, every 50 ms; every other
// time the link is divided anew.
func (d *Downlink) control(now int64, divide bool) {
	if !d.watches {
		return
	}
	l := d.link
	if l != nil {
		l.est.Tick(now)
		if now-l.steeredAt >= int64(shardTick) {
			d.steer(now)
		}
		d.beat(now)
		l = d.link
	}
	if !divide {
		return
	}
	if l == nil || now-l.dividedAt >= divideEvery {
		d.divide(now)
	}
	if now-d.watchedAt > watchFor {
		d.watches = false
		d.account()
	}
	d.tellSlots()
	d.publishLink()
}

// steer has pacing and probing follow the estimate.
func (d *Downlink) steer(now int64) {
	l := d.link
	l.steeredAt = now
	if !l.controlled() {
		if l.paced { // has become blind
			l.paced = false
			d.release(now)
		}
		return
	}
	target := max(l.est.Target(), l.budget)
	if !l.paced {
		l.paced = true
		l.pacer = bandwidth.NewPacer(bandwidth.PacerConfig{BurstTime: paceBurst}, target, now)
		l.paid = l.wire
	} else {
		l.pacer.SetTarget(target, int64(l.backlog.peak), now)
	}
	d.probe(now)
}
