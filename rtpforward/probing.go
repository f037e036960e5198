// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"time"

	"github.com/switchyard-media/sfu/rtpforward/allocate"
	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

const (
	paddingMost  = 255 // bytes of padding in a packet, https://www.rfc-editor.org/rfc/rfc3550#section-5.1
	repeatsBack  = 256 // packets that a probe looks back for one to repeat
	probeTime    = 500 * int64(time.Millisecond)
	beatEvery    = 250 * int64(time.Millisecond)
	beatlessMost = 30 * second // until a link that nothing can be sent over for its own sake is tried anew
	probeShare   = 10          // of what is sent otherwise, probes may be one part in so many,
	probeFloor   = 8_000       // and so many bytes a second beside that,
	probeReserve = 100_000     // which are saved up to so many
)

// probing is a cluster on its way, and what all of them have cost.
type probing struct {
	cluster    bandwidth.Cluster // ID 0: none
	at         int64             // when it began
	taken      int64             // the time that what has left takes at its rate
	from       uint64            // link.noted then
	packets    uint64            // link.packets then
	slot       *DownTrack        // whose packets are repeated, and which pads
	repeat     uint64            // output number above the next one to repeat
	repeats    int               // that may still be looked for
	clusters   uint64
	bytes      uint64 // of padding and repeats
	beatNoted  uint64 // link.noted at beatAt
	beatAt     int64
	beatlessAt int64 // since when there is need of a beat, or of a probe, and no way to send one; 0: there is not

	tokens   float64 // bytes that padding and repeats may have
	tokensAt int64
	earned   uint64 // of link.wire, what tokens has its share of
}

// afford says whether there is enough for a packet that nobody has asked for.
func (p *probing) afford(wire uint64, now int64) bool {
	if p.tokensAt == 0 {
		p.tokens = probeReserve
	}
	p.tokens += float64(wire-p.earned)/probeShare + probeFloor*float64(now-p.tokensAt)/float64(time.Second)
	p.tokens = min(p.tokens, probeReserve)
	p.earned, p.tokensAt = wire, max(now, 1)
	return p.tokens > 0
}

// due is when the cluster goes on, 0 when there is none.
func (p *probing) due() int64 {
	if p.cluster.ID == 0 {
		return 0
	}
	return p.at + p.taken
}

// probe begins a cluster if the estimator wants one and there is a stream that
// may carry it.
func (d *Downlink) probe(now int64) {
	l := d.link
	if l.probing.cluster.ID != 0 || !l.told || !d.ready || !l.est.MayProbe(now) || !l.probing.afford(l.wire, now) {
		return
	}
	slot := d.probeSlot()
	if slot == nil {
		return
	}
	c, ok := l.est.Probe(now)
	if !ok {
		return
	}
	p := &l.probing
	p.cluster, p.at, p.taken, p.from, p.packets, p.slot = c, now, 0, l.noted, l.packets, slot
	p.repeat, p.repeats = slot.seq.next, repeatsBack
	p.clusters++
	d.continueProbe(now)
	d.schedule(now)
}

// probeSlot is a slot of video that may send what nobody asked for: it is bound
// and its retransmissions are a stream of their own. One that is shown is better.
func (d *Downlink) probeSlot() (best *DownTrack) {
	if d.stamps.tcc == 0 {
		return nil
	}
	for _, dt := range d.tracks {
		if !dt.cfg.Video || dt.cfg.NoTransportCC || dt.track == nil || dt.paused || dt.cfg.RTXSSRC == 0 || dt.rtxPayload() == 0 {
			continue
		}
		if best == nil || dt.running && !best.running {
			best = dt
		}
	}
	return best
}

// rtxPayload is a payload type of dt's retransmissions, 0 if there is none.
func (dt *DownTrack) rtxPayload() uint8 {
	if dt.format != nil && dt.format.RTXPayload != 0 {
		return dt.format.RTXPayload
	}
	for i := range dt.cfg.Formats {
		if payload := dt.cfg.Formats[i].RTXPayload; payload != 0 {
			return payload
		}
	}
	return 0
}

// continueProbe sends what is due of the cluster: what waits, then packets that
// were sent lately, then padding. What has left otherwise since it began counts.
func (d *Downlink) continueProbe(now int64) {
	l := d.link
	p := &l.probing
	if p.cluster.ID == 0 {
		return
	}
	if d.stamps.time != 0 {
		d.stamp(d.shard.f.ntp(now))
	}
	for {
		sent := int(l.noted - p.from)
		if sent >= p.cluster.Bytes && int(l.packets-p.packets) >= p.cluster.Packets || now-p.at > probeTime {
			break
		}
		p.taken = int64(sent) * 8 * second / p.cluster.Rate
		if p.at+p.taken > now {
			return
		}
		if l.backlog.n > 0 {
			d.releaseRun(now, true) // each takes one off, whether it is shown or not
			continue
		}
		if !d.fill(now) {
			break
		}
	}
	p.cluster, p.slot = bandwidth.Cluster{}, nil
}

// fill sends one packet that nobody asked for.
func (d *Downlink) fill(now int64) bool {
	l := d.link
	p := &l.probing
	dt := p.slot
	if dt.gone || dt.track == nil || dt.paused || !d.ready || d.stamps.tcc == 0 || !p.afford(l.wire, now) {
		return false
	}
	before := l.wire
	if !dt.repeatOne() && !dt.pad() {
		return false
	}
	d.unasked(before, now)
	return l.wire != before
}

// unasked counts what has left since before as sent for its own sake: it earns
// nothing.
func (d *Downlink) unasked(before uint64, now int64) {
	l := d.link
	size := l.wire - before
	l.probing.bytes += size
	l.probing.tokens -= float64(size)
	l.probing.earned += size
	l.settle(now)
}

// repeatOne sends a packet again that left before the probe began, each one at
// most once: it may even be of use. It is not held against the client's requests.
func (dt *DownTrack) repeatOne() bool {
	p := &dt.down.link.probing
	for dt.sent != nil && dt.running && p.repeats > 0 {
		p.repeats--
		p.repeat--
		e, run := dt.sent.find(p.repeat)
		if e == nil {
			continue
		}
		source := run.up.packetAt(uint16(e.source))
		if source == nil || uint32(source.Sequence) != e.source {
			continue
		}
		dt.selectFormat(source.Format)
		if dt.format == nil || !dt.hasRTX() {
			continue
		}
		_, ok := dt.sendAgain(source, e, run, uint16(p.repeat))
		return ok
	}
	return false
}

// nothing is the packet that padding is sent of. Never written to.
var nothing Packet

// pad sends a packet of nothing but padding where retransmissions go: on a
// stream of media the numbers would be missed by whoever switches layers.
func (dt *DownTrack) pad() bool {
	o := outPacket{
		ssrc: dt.cfg.RTXSSRC, payloadType: dt.rtxPayload(), sequence: dt.rtxSequence, timestamp: uint32(dt.clock.last),
		mid: !dt.rtxConfirmed, stamped: true, padding: true,
	}
	dt.rtxSequence++
	_, err := dt.write(&nothing, &o, dt.shard().padding[:])
	return err == nil
}

// beat sends a packet now and then to a link on which nothing else is sent that
// the client says anything of, because it carried too little: what the client says
// of it is how one learns that it is better.
func (d *Downlink) beat(now int64) {
	l := d.link
	p := &l.probing
	if !d.ready || l.starved == 0 {
		p.beatNoted, p.beatAt, p.beatlessAt = l.noted, now, 0
		return
	}
	slot := d.probeSlot()
	if slot == nil || !l.controlled() || !l.told {
		d.beatless(now)
		return
	}
	p.beatlessAt = 0
	if l.noted != p.beatNoted {
		p.beatNoted, p.beatAt = l.noted, now
		return
	}
	if now-p.beatAt < beatEvery {
		return
	}
	p.beatAt = now
	if p.afford(l.wire, now) {
		if d.stamps.time != 0 {
			d.stamp(d.shard.f.ntp(now))
		}
		before := l.wire
		slot.pad()
		d.unasked(before, now)
		p.beatNoted = l.noted
	}
}

// beatless is beat for a client that takes no retransmissions as a stream of their
// own, or tells nothing of single packets. Nothing can be sent to it but media, so
// that is tried, as with a client that is new: otherwise what the link did not
// carry once would never come back.
func (d *Downlink) beatless(now int64) {
	l := d.link
	p := &l.probing
	switch {
	case p.beatlessAt == 0:
		p.beatlessAt = max(now, 1)
	case now-p.beatlessAt >= beatlessMost:
		d.spoke = d.spoke || l.firstAt != 0
		d.forgetLink()
		for _, dt := range d.tracks {
			dt.share.memory = allocate.Memory{} // it has waited
		}
	}
}
