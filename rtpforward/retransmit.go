// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	retransmitApart   = 10 * time.Millisecond // least time between two retransmissions of a packet
	retransmitPatient = time.Second           // a longer round-trip time is not believed here
	sentRuns          = 8                     // runs whose packets can still be asked for

	// What a session may have retransmitted beyond its share, so that a slow
	// stream can be repaired: its share would not pay for one packet.
	budgetFloor = 8_000  // bytes/s
	budgetBurst = 16_000 // bytes
)

// sentRing remembers where the packets that were sent came from, for as many as
// the histories of the sources hold.
type sentRing struct {
	entries []sentPacket // by output number modulo a power of two
	run     uint16       // number of the run at work
	runs    [sentRuns]sentRun
	stamps  []layers.Stamp // as entries, of those with sentStamped; nil until there is one
}

// sentPacket is kept to 16 bytes: a ring is a large part of a slot.
type sentPacket struct {
	out    uint32 // low bits of the output number
	source uint32 // low bits of the source number
	at     uint32 // ms on the Forwarder's clock, when it was last sent
	run    uint16
	times  uint8 // retransmitted
	flags  uint8
}

const (
	sentValid   = 1 << iota
	sentMid     // with the mid
	sentMarker  // with the marker, though it came without
	sentStamped // with the Stamp in stamps
)

// sentRun is what the packets of a run have in common.
type sentRun struct {
	up     *UpTrack // nil: cannot be asked for any more
	number uint16
	offset uint64 // of timestamps
}

// prepareSent notes the run that starts with p.
func (dt *DownTrack) prepareSent(p *Packet) {
	if !dt.format.NACK {
		dt.sent = nil
		return
	}
	if dt.sent == nil {
		length, size := dt.shard().f.cfg.AudioHistory, 16
		if dt.cfg.Video {
			length = dt.shard().f.cfg.VideoHistory
		}
		for size < min(length, historyMost) {
			size *= 2
		}
		dt.sent = &sentRing{entries: make([]sentPacket, size)}
	}
	dt.sent.run++
	dt.sent.runs[dt.sent.run%sentRuns] = sentRun{up: p.Up, number: dt.sent.run, offset: dt.clock.offset}
}

// forget makes everything sent so far impossible to ask for.
func (dt *DownTrack) forget() {
	if dt.sent != nil {
		clear(dt.sent.entries)
	}
}

// letGo forgets the source: the slot keeps nothing of it alive.
func (dt *DownTrack) letGo() {
	dt.forget()
	if dt.sent != nil {
		clear(dt.sent.runs[:])
	}
	dt.take(0)
	dt.track, dt.up, dt.clock.up, dt.passed = nil, nil, nil, passing{}
	dt.paused, dt.waiting, dt.anew, dt.quiet = false, false, false, false
	dt.gate, dt.ranking, dt.aimed, dt.limit, dt.shown = nil, nil, theTop, LimitNone, layers.None
	dt.selector.Reset(false)
	dt.halt()
	dt.gauge()
}

// add notes a packet that is sent at ms, with flags.
func (r *sentRing) add(out, source uint64, ms uint32, flags uint8) {
	r.entries[out&uint64(len(r.entries)-1)] = sentPacket{
		out: uint32(out), source: uint32(source), at: ms, run: r.run, flags: flags | sentValid,
	}
}

// addStamped notes what a packet was sent with besides.
func (r *sentRing) addStamped(out, source uint64, ms uint32, flags uint8, stamp *layers.Stamp) {
	if r.stamps == nil {
		r.stamps = make([]layers.Stamp, len(r.entries))
	}
	r.stamps[out&uint64(len(r.entries)-1)] = *stamp
	r.add(out, source, ms, flags|sentStamped)
}

// millis is a time of the Forwarder's clock as sentPacket keeps it.
func millis(now int64) uint32 { return uint32(now / int64(time.Millisecond)) }

// find returns the entry and the run of an output number, nil if there is none.
func (r *sentRing) find(out uint64) (*sentPacket, *sentRun) {
	e := &r.entries[out&uint64(len(r.entries)-1)]
	run := &r.runs[e.run%sentRuns]
	if e.flags&sentValid == 0 || e.out != uint32(out) || run.number != e.run || run.up == nil {
		return nil, nil
	}
	return e, run
}

// retransmitBudget limits retransmissions to a share of what a session is sent
// otherwise, as a token bucket.
type retransmitBudget struct {
	tokens  float64 // bytes
	at      int64   // when tokens was brought up to date
	spent   uint64  // bytes sent that earn a share; incremented by forwardOne
	counted uint64  // of spent, what tokens has its share of
	rate    float64 // bytes in the last interval, per second
	seen    uint64  // spent at the last tick
	seenAt  int64
}

// tick measures the rate, by which the bucket is as large as a second's share.
func (b *retransmitBudget) tick(now int64) {
	if passed := float64(now-b.seenAt) / float64(time.Second); passed > 0 {
		b.rate = float64(b.spent-b.seen) / passed
		b.seen, b.seenAt = b.spent, now
	}
}

// take pays for size bytes; false: there is not enough.
func (b *retransmitBudget) take(size int, share float64, now int64) bool {
	if b.at == 0 {
		b.tokens = budgetBurst
	}
	b.tokens += share*float64(b.spent-b.counted) + budgetFloor*float64(now-b.at)/float64(time.Second)
	b.tokens = min(b.tokens, budgetBurst+share*b.rate)
	b.counted, b.at = b.spent, max(now, 1)
	if b.tokens < float64(size) {
		return false
	}
	b.tokens -= float64(size)
	return true
}

// resend answers requests for sequence numbers.
func (d *Downlink) resend(wanted []NACKPair, now int64) {
	d.stamp(d.shard.f.ntp(now))
	var dt *DownTrack
	for _, w := range wanted {
		if dt == nil || dt.cfg.SSRC != w.MediaSSRC {
			if dt = d.find(w.MediaSSRC); dt == nil {
				continue
			}
		}
		dt.count[countNACKs]++
		if !dt.retransmit(w.Sequence, now) {
			dt.count[countRetransmitRefused]++
		}
		dt.touch()
	}
	if d.link != nil {
		d.link.settle(now)
	}
}

// retransmit sends an output number again, if it was sent, may be, and the
// source's history still has it.
func (dt *DownTrack) retransmit(sequence uint16, now int64) bool {
	d := dt.down
	if dt.sent == nil || dt.track == nil || dt.paused || !d.ready {
		return false
	}
	newest := dt.seq.next - 1
	e, run := dt.sent.find(newest - uint64(uint16(newest)-sequence))
	if e == nil {
		return false
	}
	cfg := &d.shard.f.cfg
	ms := millis(now)
	// A request that comes within a round trip of the sending was made before
	// the packet could arrive: a packet that came late itself, recovered from
	// the publisher, is asked for by everybody at the moment it goes out.
	apart := time.Duration(d.rtt) * 7 / 8
	if e.times > 0 {
		apart = max(time.Duration(d.rtt), retransmitApart)
	}
	if ms-e.at < uint32(min(apart, retransmitPatient)/time.Millisecond) || int(e.times) >= min(cfg.RetransmitMax, 255) {
		return false
	}
	p := run.up.packetAt(uint16(e.source))
	if p == nil || uint32(p.Sequence) != e.source || !d.budget.take(len(p.Buf), cfg.RetransmitShare, now) {
		return false
	}
	size, ok := dt.sendAgain(p, e, run, sequence)
	if !ok {
		return false
	}
	e.times, e.at = e.times+1, ms
	dt.count[countRetransmitted]++
	dt.count[countRetransmitBytes] += uint64(size)
	return true
}

// sendAgain writes p as a retransmission of its own stream,
// https://www.rfc-editor.org/rfc/rfc4588#section-4 , or, if that was not
// negotiated, exactly as it was sent the first time: the same SRTP index must
// never protect two different packets, https://www.rfc-editor.org/rfc/rfc7714#section-8.2 .
func (dt *DownTrack) sendAgain(p *Packet, e *sentPacket, run *sentRun, sequence uint16) (size int, ok bool) {
	dt.selectFormat(p.Format)
	if dt.format == nil || !dt.format.NACK {
		return 0, false
	}
	payload, ok := dt.payload(p)
	if !ok {
		return 0, false
	}
	o := outPacket{
		ssrc: dt.cfg.SSRC, payloadType: dt.format.Payload, sequence: sequence, timestamp: uint32(p.Timestamp + run.offset),
		mid: e.flags&sentMid != 0, marker: e.flags&sentMarker != 0,
	}
	if e.flags&sentStamped != 0 {
		o.stamp = &dt.sent.stamps[uint64(e.out)&uint64(len(dt.sent.entries)-1)]
	}
	if dt.hasRTX() {
		o.repeats, o.original = true, sequence
		o.ssrc, o.payloadType, o.sequence = dt.cfg.RTXSSRC, dt.format.RTXPayload, dt.rtxSequence
		o.mid, o.stamped = !dt.rtxConfirmed, true
		dt.rtxSequence++
	}
	size, err := dt.write(p, &o, payload)
	return size, err == nil
}

// hasRTX reports whether packets of the format at work are retransmitted as a
// stream of their own.
func (dt *DownTrack) hasRTX() bool { return dt.format.RTXPayload != 0 && dt.cfg.RTXSSRC != 0 }
