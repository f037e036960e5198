// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync/atomic"
	"time"
)

// feedbackPending is how many compound packets of one subscriber may wait for
// its shard; what comes on top of them is dropped and counted. Clients send one
// for each stream: after a burst of losses, or at the start, as many come at once
// as the session plays streams.
const feedbackPending = 64

// Downlink is the receiving side of one session: its slots and what they share.
// It stays on one shard for its life. All methods may be called from any
// goroutine; those of one caller take effect in the order of the calls. They
// wait only while the shard's queue has no room for a command.
type Downlink struct {
	// immutable after NewDownlink
	shard  *shard
	writer Writer // used by the shard only; nil: nothing can leave
	cname  string
	useTCC bool
	phase  int             // of the report interval in which tick is called
	onSlot func(SlotState) // nil: nobody is told
	// controls says that the link is to be estimated if the client lets it.
	controls bool

	// atomic
	buffers atomic.Int32 // compound packets on their way to the shard; written by HandleRTCP and the shard

	heeds atomic.Bool // what the client says of the link is of interest; written by the shard, read by HandleRTCP

	stats linkLedger // atomic: written by the shard, read by Link

	// owned by the shard
	tracks     []*DownTrack
	extensions ExtensionMap
	carries    uint16 // kinds of extensions that are passed on as they come, one bit each
	ready      bool
	closed     bool
	reportSoon bool      // a slot shows another source: its clock should be known soon
	due        []dueSink // sinks with packets in the flush at work
	stamps     stamps
	rtt        int64 // ns, smoothed, 0 unknown
	budget     retransmitBudget
	remb       bool  // the client sends its own estimate
	watches    bool  // there is, or was until lately, a bound slot of video
	watchedAt  int64 // when there was last
	accounts   bool  // what leaves is noted in link
	link       *link // nil: nothing has left that would have been noted

	probes, probeBytes uint64 // of links that were forgotten
	spoke              bool   // the client has told something of one of these, see beatless
}

// dueSink is a DownTrack with packets to send.
type dueSink struct {
	track *DownTrack
	fan   *fan
}

// downFeedback is a compound packet on its way to the shard. It is made once and
// used again, for whatever session comes next, since what was used just now is
// still in the cache: the shard gives it back.
type downFeedback struct {
	down    *Downlink // nil: unused
	at      int64     // when it came
	events  RTCPEvents
	raw     []byte // transport-wide feedback, see appendTransportCC
	command command
}

// NewDownlink makes the receiving side of a session on the least loaded shard.
// It sends nothing before SetReady.
func (f *Forwarder) NewDownlink(cfg DownlinkConfig) *Downlink {
	s, phase := f.place()
	d := &Downlink{
		shard: s, phase: phase, cname: cfg.CNAME, onSlot: cfg.OnSlot,
		controls: !f.cfg.NoCongestionControl, useTCC: cfg.TransportCC && !f.cfg.NoCongestionControl, remb: cfg.REMB,
	}
	d.extend(cfg.Extensions)
	if cfg.NewWriter != nil {
		d.writer = cfg.NewWriter(s.index)
	}
	d.cname = d.cname[:min(len(d.cname), 255)] // https://www.rfc-editor.org/rfc/rfc3550#section-6.5
	s.post(func() { s.downs = append(s.downs, d) })
	return d
}

// NewDownTrack makes a slot, bound to nothing.
func (d *Downlink) NewDownTrack(cfg DownTrackConfig) *DownTrack {
	dt := newDownTrack(d, cfg)
	d.shard.post(func() { d.add(dt) })
	return dt
}

func (d *Downlink) add(dt *DownTrack) {
	if !d.closed {
		d.tracks = append(d.tracks, dt)
	}
}

// SetExtensions replaces the subscriber's extension ids.
func (d *Downlink) SetExtensions(m ExtensionMap) {
	d.shard.post(func() {
		if d.extensions == m {
			return
		}
		d.shard.flush(d.shard.f.now())
		d.extend(m)
		for _, dt := range d.tracks {
			dt.forget() // a plain retransmission has to equal the packet
		}
	})
}

func (d *Downlink) extend(m ExtensionMap) {
	d.extensions, d.carries = m, 0
	for k, id := range m.ids {
		if id != 0 && carriedKinds&(1<<k) != 0 {
			d.carries |= 1 << k
		}
	}
	d.stamps.layout(&d.extensions, d.useTCC)
	d.account()
}

// SetReady says whether the transport is up. Before that everything is
// DropNotReady. When it comes up, video starts with a keyframe, which is asked for.
func (d *Downlink) SetReady(ready bool) {
	d.shard.post(func() {
		now := d.shard.f.now()
		d.shard.flush(now)
		if d.ready == ready || d.closed {
			return
		}
		d.ready = ready
		for _, dt := range d.tracks {
			d.dropBacklog(dt, DropNotReady)
			dt.restart(now)
		}
	})
}

// Refresh asks publishers for a keyframe of all video that is sent, as PLIs of the
// subscriber would: for when it has been away for so long that what it missed
// is not sent again. Browsers ask for one every few seconds only.
func (d *Downlink) Refresh() {
	d.shard.post(func() {
		for _, dt := range d.tracks {
			dt.refresh()
		}
	})
}

// Close unbinds everything. When the channel is closed nothing more leaves, RTCP
// included.
func (d *Downlink) Close() <-chan struct{} {
	return d.shard.post(func() { d.shut() })
}

func (d *Downlink) shut() {
	if d.closed {
		return
	}
	d.unbindAll()
	d.closed, d.ready = true, false
	s := d.shard
	for i, other := range s.downs {
		if other == d {
			last := len(s.downs) - 1
			s.downs[i] = s.downs[last]
			s.downs[last] = nil
			s.downs = s.downs[:last]
			break
		}
	}
	s.placed.Add(-1)
}

func (d *Downlink) unbindAll() {
	for _, dt := range d.tracks {
		dt.unbind()
	}
}

// stamp notes the time of sending, in NTP time, for the packets written next.
func (d *Downlink) stamp(ntp uint64) {
	if d.stamps.time != 0 {
		d.stamps.setTime(ntp)
	}
}

// tick does what is done once per report interval.
func (d *Downlink) tick(now int64) {
	d.budget.tick(now)
	for _, dt := range d.tracks {
		dt.tick(now)
	}
	d.sendReports(now)
}

// HandleRTCP takes a compound packet from the subscriber. It is parsed at once
// and buf not kept; what follows from it happens on the shard: at once for what
// is asked for, within 50 ms for what is only reported. Never waits: when the
// shard is behind, the packet is dropped and counted.
func (d *Downlink) HandleRTCP(buf []byte) {
	fb := d.buffer()
	if fb == nil {
		d.shard.feedbackDropped.Add(1)
		return
	}
	fb.at = d.shard.f.now()
	_ = ScanRTCP(buf, &fb.events) // what was valid is used
	ev := &fb.events
	fb.raw = fb.raw[:0]
	heeds := d.heeds.Load()
	if ev.TransportCC > 0 && d.useTCC && heeds {
		fb.raw = appendTransportCC(fb.raw, buf)
	}
	if len(ev.Reports)+len(ev.NACKs)+len(ev.Keyframes)+len(fb.raw) == 0 && (ev.REMB == 0 || !heeds) {
		d.giveBack(fb)
		return
	}
	if !d.shard.tryFeedback(&fb.command, len(ev.NACKs)+len(ev.Keyframes) > 0) {
		d.giveBack(fb)
		d.shard.feedbackDropped.Add(1)
	}
}

// buffer returns an unused feedback buffer, nil when as many are on their way as
// may be.
func (d *Downlink) buffer() *downFeedback {
	if d.buffers.Add(1) > feedbackPending {
		d.buffers.Add(-1)
		return nil
	}
	select {
	case fb := <-d.shard.unused:
		fb.down = d
		return fb
	default:
	}
	fb := &downFeedback{down: d}
	fb.command.do = fb.apply
	return fb
}

// giveBack is for whoever has had fb from buffer, and does not touch it any more.
func (d *Downlink) giveBack(fb *downFeedback) {
	fb.down = nil
	select {
	case d.shard.unused <- fb:
	default:
	}
	d.buffers.Add(-1)
}

// apply carries out the feedback, on the shard.
func (fb *downFeedback) apply() {
	d := fb.down
	if !d.closed {
		now := d.shard.f.now()
		d.shard.at = now
		for i := range fb.events.Reports {
			d.received(&fb.events.Reports[i], fb.at)
		}
		for _, r := range fb.events.Keyframes {
			if dt := d.find(r.MediaSSRC); dt != nil {
				dt.keyframeWanted()
			}
		}
		if len(fb.events.NACKs) > 0 {
			d.resend(fb.events.NACKs, now)
		}
		if len(fb.raw) > 0 || fb.events.REMB > 0 {
			d.heard(fb, now)
		}
	}
	d.giveBack(fb)
}

// find returns the slot that sends with ssrc.
func (d *Downlink) find(ssrc uint32) *DownTrack {
	for _, dt := range d.tracks {
		if dt.cfg.SSRC == ssrc {
			return dt
		}
	}
	return nil
}

// received takes a receiver report block.
func (d *Downlink) received(r *ReportBlock, now int64) {
	for _, dt := range d.tracks {
		switch r.SSRC {
		case dt.cfg.SSRC:
			dt.reported(r, now)
			dt.heardReport(r, now)
			return
		case dt.cfg.RTXSSRC:
			dt.rtxConfirmed = dt.cfg.RTXSSRC != 0
			return
		}
	}
}

// measured takes a round-trip time of one of the slots.
func (d *Downlink) measured(rtt time.Duration) {
	if d.rtt == 0 {
		d.rtt = int64(rtt)
	} else {
		d.rtt += (int64(rtt) - d.rtt) / 8 // as TCP smooths it, https://www.rfc-editor.org/rfc/rfc6298
	}
}
