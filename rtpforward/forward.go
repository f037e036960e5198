// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "github.com/switchyard-media/sfu/rtpforward/layers"

// blankReach is how many numbers before a packet are looked up for padding. A
// publisher that leaves out a thousand with each packet must not cost every
// subscriber a thousand look-ups.
const blankReach = 128

// forward sends the packets of a group, in their order.
func (dt *DownTrack) forward(group []*Packet, now int64) {
	if dt.gate != nil {
		dt.heed(now)
	}
	if dt.video {
		dt.look(now)
	}
	for len(group) > 0 {
		n := dt.forwardRun(group, now)
		if n == 0 {
			dt.forwardOne(group[0], now)
			n = 1
			if dt.passed.behind {
				dt.catchUp(now)
			}
		}
		group = group[n:]
	}
	if dt.unsure {
		dt.unsure = false
		dt.expect(now)
	}
	dt.touch()
}

// heed follows the gate.
func (dt *DownTrack) heed(now int64) {
	quiet := dt.gate != nil && dt.gate.shut.Load()
	if quiet == dt.quiet {
		return
	}
	dt.quiet = quiet
	if dt.video { // what comes after needs a keyframe; sound goes on as if nothing had been
		dt.restart(now)
	}
}

// forwardRun sends what plainly continues what the slot shows, the next packets
// of the same layer in the same format, which almost all are, and counts those of
// other layers between them that it cannot change over to. It returns how many
// these were in all. It does to them what forwardOne does; what is the same for all
// of them it does once.
func (dt *DownTrack) forwardRun(group []*Packet, now int64) (n int) {
	d := dt.down
	if !dt.running || dt.paused || dt.quiet || dt.anew || !d.ready || dt.format == nil || dt.formatRED || dt.format.NACK && dt.sent == nil {
		return 0
	}
	if !dt.whole {
		dt.settle()
	}
	o, ms, flags := dt.outPacket(), millis(now), dt.sentFlags()
	nack := dt.format.NACK
	var stamp layers.Stamp
	if !dt.whole && !dt.rewriter.Plain() {
		o.stamp = &stamp
	}
	var last *Packet
	taken, forwarded, bytes, octets := 0, 0, 0, 0
	for ; n < len(group); n++ {
		p := group[n]
		if p.Up != dt.up {
			if p.Unit.Key || !p.Unit.Known {
				break
			}
			continue
		}
		if !dt.continues(p) {
			break
		}
		taken, last = taken+1, p
		if !dt.whole && p.Unit.Structure != nil { // otherwise the last is enough, see settle
			dt.selector.Passed(p.Timestamp, &p.Unit)
		}
		number := dt.seq.follow()
		o.sequence, o.timestamp = uint16(number), dt.clock.stamp(p)
		switch {
		case o.stamp != nil:
			dt.restamp(p, &o, number, ms, flags)
		case nack:
			dt.sent.add(number, p.Sequence, ms, flags)
		}
		payload := p.Payload()
		if size, err := dt.write(p, &o, payload); err == nil {
			forwarded++
			bytes += size
			octets += len(payload)
		}
	}
	dt.count[countReceived] += uint64(n)
	dt.count[countDrops+int(DropLayer)] += uint64(n - taken)
	if last == nil {
		if n > 0 {
			dt.missed(now)
		}
		return n
	}
	dt.heard = last.Arrival
	if dt.video {
		dt.behind = last
		dt.showed(now)
	}
	dt.count[countDrops+int(DropWrite)] += uint64(taken - forwarded)
	dt.wrote(forwarded, bytes, octets)
	return n
}

// continues reports whether a packet of the layer that is shown plainly continues
// the run.
func (dt *DownTrack) continues(p *Packet) bool {
	if p.Format.ID != dt.formatID || p.Sequence != dt.seq.highest+1 {
		return false
	}
	if dt.whole {
		return p.Unit.Structure == nil
	}
	return dt.selector.Continues(p.Timestamp, &p.Unit)
}

// restamp has the counters of a packet that continues a run written anew.
func (dt *DownTrack) restamp(p *Packet, o *outPacket, number uint64, ms uint32, flags uint8) {
	*o.stamp, _ = dt.rewriter.Forward(&p.Unit, &plainly)
	if dt.format.NACK {
		dt.sent.addStamped(number, p.Sequence, ms, flags, o.stamp)
	}
}

// plainly is the decision about a packet that continues a run.
var plainly layers.Decision

// settle tells Selector and Rewriter what has been sent without them.
func (dt *DownTrack) settle() {
	if p := dt.behind; p != nil {
		dt.behind = nil
		dt.selector.Passed(p.Timestamp, &p.Unit)
		dt.rewriter.Follow(&p.Unit)
	}
}

// simplify finds out if all that comes can be sent without them.
func (dt *DownTrack) simplify() {
	dt.whole = !dt.video || dt.running && dt.selector.Whole() && dt.rewriter.Plain()
}

// outPacket is what all packets of a run have in common.
func (dt *DownTrack) outPacket() outPacket {
	return outPacket{
		ssrc: dt.cfg.SSRC, payloadType: dt.format.Payload, mid: !dt.confirmed, stamped: dt.hasRTX() || !dt.format.NACK,
	}
}

func (dt *DownTrack) sentFlags() uint8 {
	if dt.confirmed {
		return 0
	}
	return sentMid
}

// wrote counts what has been sent.
func (dt *DownTrack) wrote(packets, bytes, octets int) {
	dt.count[countForwarded] += uint64(packets)
	dt.count[countBytes] += uint64(bytes)
	dt.down.budget.spent += uint64(bytes)
	dt.packets += uint32(packets)
	dt.octets += uint32(octets)
}

// forwardOne sends p or counts why not.
func (dt *DownTrack) forwardOne(p *Packet, now int64) {
	dt.count[countReceived]++
	dt.settle()
	reason := dt.offer(p, now)
	if reason != 0 {
		dt.count[countDrops+int(reason)]++
	}
	if !dt.video {
		return
	}
	if reason != 0 {
		dt.missed(now)
	}
	dt.simplify()
}

// offer sends p, if it is of what the slot shows. It returns the reason why not,
// otherwise 0, which is DropMalformed and never a reason here.
func (dt *DownTrack) offer(p *Packet, now int64) DropReason {
	d, reason := dt.choose(p, now)
	switch {
	case reason == 0:
	case d.Action == layers.Skip:
		dt.seq.skip(p.Sequence)
		dt.rewriter.Skip(&p.Unit)
		return reason
	default:
		return reason
	}
	if d.Start || dt.anew {
		dt.begin(p, now)
	}
	payload, ok := dt.payload(p)
	if !ok {
		dt.seq.skip(p.Sequence)
		return DropFormat
	}
	number, ok := dt.seq.take(p.Sequence)
	if !ok {
		return DropStale
	}
	o := dt.outPacket()
	if dt.video {
		stamp, ok := dt.rewriter.Forward(&p.Unit, &d)
		if !ok {
			return DropStale
		}
		o.stamp = &stamp
	}
	o.sequence, o.timestamp, o.marker = uint16(number), dt.clock.stamp(p), d.Marker && !p.Header.Marker
	dt.remember(p, &o, number, now)
	n, err := dt.write(p, &o, payload)
	if err != nil {
		// The number is spent: the packet may have been encrypted with it, and
		// then another one must not be.
		return DropWrite
	}
	if dt.video {
		dt.showed(now)
	}
	dt.wrote(1, n, len(payload))
	return 0
}

// remember notes what is sent, for those who ask for it again.
func (dt *DownTrack) remember(p *Packet, o *outPacket, number uint64, now int64) {
	if !dt.format.NACK {
		return
	}
	if dt.sent == nil { // negotiated since the run began
		dt.prepareSent(p)
	}
	flags := dt.sentFlags()
	if o.marker {
		flags |= sentMarker
	}
	if o.stamp != nil {
		dt.sent.addStamped(number, p.Sequence, millis(now), flags, o.stamp)
	} else {
		dt.sent.add(number, p.Sequence, millis(now), flags)
	}
}

// choose decides about p. The reason is 0 if it is to be sent.
func (dt *DownTrack) choose(p *Packet, now int64) (d layers.Decision, reason DropReason) {
	switch {
	case !dt.down.ready:
		return d, DropNotReady
	case dt.paused:
		return d, DropPaused
	}
	current := dt.running && p.Up == dt.up
	if p.Up == dt.up {
		dt.heard = p.Arrival
	}
	if dt.quiet {
		if current {
			dt.seq.skip(p.Sequence)
		}
		return d, DropQuiet
	}
	if dt.formatID != p.Format.ID || dt.format == nil {
		dt.selectFormat(p.Format)
	}
	if dt.format == nil {
		if current {
			dt.seq.skip(p.Sequence)
		}
		return d, DropFormat
	}
	if current {
		dt.follow(p)
	} else if !dt.running && p.Up == dt.up && p.Sequence <= dt.seq.highest {
		return d, DropStale // of before the interruption
	}
	if dt.video {
		return dt.chooseVideo(p, now)
	}
	return dt.chooseAudio(p)
}

// chooseAudio takes what comes; another layer takes over when that which is played
// is gone or has fallen silent.
func (dt *DownTrack) chooseAudio(p *Packet) (d layers.Decision, reason DropReason) {
	other := !dt.running || p.Up != dt.up
	if other && dt.running && p.Arrival-dt.heard <= int64(layerSilence) && !dt.up.closed.Load() {
		return d, DropLayer
	}
	return layers.Decision{Action: layers.Forward, Start: other, Marker: p.Header.Marker}, 0
}

// chooseVideo asks the Selector.
func (dt *DownTrack) chooseVideo(p *Packet, now int64) (d layers.Decision, reason DropReason) {
	stream := -1
	if dt.ranking != nil {
		stream = dt.ranking.place(p.Up)
	}
	if stream < 0 {
		return d, DropLayer
	}
	u := &p.Unit
	if u.Key && int8(stream) != dt.selector.Target().Spatial && p.Up != dt.up {
		dt.unsure = dt.reconsider(now) || dt.unsure // a stream that was not alive before, perhaps
	}
	if dt.blind(p, now) {
		forced := p.Unit
		forced.Key = true
		u = &forced
	}
	if u.Key && !(dt.running && p.Up == dt.up) {
		dt.lead(stream, p, now)
	}
	d = dt.selector.Choose(stream, p.Timestamp, u)
	if d.Action == layers.Forward {
		return d, 0
	}
	switch d.Reason {
	case layers.Paused:
		reason = DropPaused
	case layers.KeyframeWait:
		dt.passed.note(p)
		reason = DropKeyframeWait
	case layers.Stale:
		reason = DropStale
	default:
		reason = DropLayer
	}
	return d, reason
}

// follow looks at a step in the source's numbers. What the publisher used for
// padding leaves no gap. After a step that is too large for loss the publisher
// has begun anew, its timestamps too.
func (dt *DownTrack) follow(p *Packet) {
	switch {
	case p.Sequence <= dt.seq.highest+1:
	case p.Sequence-dt.seq.highest > seqWindow:
		dt.clock.up, dt.anew = nil, true
		if dt.video {
			dt.selector.Renew()
		}
	default:
		for n := max(dt.seq.highest+1, p.Sequence-blankReach); n < p.Sequence; n++ {
			if p.Up.blank(n) {
				dt.seq.skip(n)
			}
		}
	}
}

// blind reports whether a slot shall start with a packet though it cannot be read
// if that is of a keyframe, since it was waited for long enough: encrypted
// payloads, for example. What is shown is not given up for that while it comes.
func (dt *DownTrack) blind(p *Packet, now int64) bool {
	if p.Unit.Key || p.readable() {
		return false
	}
	if dt.running && (p.Up == dt.up || p.Arrival-dt.heard <= int64(layerSilence) && !dt.up.closed.Load()) {
		return false
	}
	fresh := dt.skipped != p.Timestamp+1 // +1: 0 stands for none
	dt.skipped = p.Timestamp + 1
	return fresh && now-dt.since >= int64(opaqueWait)
}

// begin starts a run with p.
func (dt *DownTrack) begin(p *Packet, now int64) {
	if dt.video && dt.up != nil && dt.up != p.Up {
		dt.count[countLayerSwitches]++
	}
	dt.settledAt = now + int64(settleTime)
	dt.clock.start(p, dt.format.Format.ClockRate)
	dt.seq.start(p.Sequence)
	dt.prepareSent(p)
	dt.up, dt.heard, dt.running, dt.anew = p.Up, p.Arrival, true, false
	dt.passed.started(p)
	dt.count[gaugeCodec] = uint64(dt.format.Format.Codec)
	dt.down.reportSoon = true
	if dt.video {
		_, dt.waiting = dt.selector.NeedsKeyframe()
		dt.noteLayer(now)
	}
}

// selectFormat looks for the subscriber's payload type of a format.
func (dt *DownTrack) selectFormat(f Format) {
	dt.formatID, dt.format, dt.formatRED = f.ID, nil, false
	for i := range dt.cfg.Formats {
		if out := &dt.cfg.Formats[i]; out.Format.ID == f.ID && f.ID != 0 {
			dt.format = out
			return
		}
	}
	if f.Codec != CodecRED {
		return
	}
	for i := range dt.cfg.Formats {
		if out := &dt.cfg.Formats[i]; out.Format.Codec == CodecOpus {
			dt.format, dt.formatRED = out, true
			return
		}
	}
}

// payload is what is sent of p. It aliases p.
func (dt *DownTrack) payload(p *Packet) (b []byte, ok bool) {
	if dt.formatRED {
		return redPrimary(p.Payload())
	}
	return p.Payload(), true
}

// redPrimary returns the primary block of a redundant audio payload,
// https://www.rfc-editor.org/rfc/rfc2198#section-3 : the last one, behind the
// redundant ones. ok is false if the headers do not fit the payload.
func redPrimary(b []byte) (primary []byte, ok bool) {
	redundant, at := 0, 0
	for {
		if at >= len(b) {
			return nil, false
		}
		if b[at]&0x80 == 0 { // the last header: payload type only
			at++
			break
		}
		if at+4 > len(b) {
			return nil, false
		}
		redundant += int(b[at+2]&3)<<8 | int(b[at+3])
		at += 4
	}
	if at+redundant >= len(b) {
		return nil, false
	}
	return b[at+redundant:], true
}
