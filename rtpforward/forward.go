// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// blankReach is how many numbers before a packet are looked up for padding. A
// publisher that leaves out a thousand with each packet must not cost every
// subscriber a thousand look-ups.
const blankReach = 128

// forward sends the packets of a group, in their order.
func (dt *DownTrack) forward(group []*Packet, now int64) {
	for {
		group = group[dt.forwardRun(group, now):]
		if len(group) == 0 {
			break
		}
		dt.forwardOne(group[0], now)
		group = group[1:]
		if dt.passed.behind {
			dt.catchUp(now)
		}
	}
	dt.touch()
}

// forwardRun sends what plainly continues what the slot shows, the next packets
// of the same layer in the same format, which almost all are, and returns how
// many these were. It does to them what forwardOne does; what is the same for all
// of them it does once.
func (dt *DownTrack) forwardRun(group []*Packet, now int64) (n int) {
	d := dt.down
	if !dt.running || dt.paused || !d.ready || dt.format == nil || dt.formatRED || dt.format.NACK && dt.sent == nil {
		return 0
	}
	first := dt.seq.highest + 1
	for n < len(group) && group[n].Up == dt.up && group[n].Format.ID == dt.formatID && group[n].Sequence == first+uint64(n) {
		n++
	}
	if n == 0 {
		return 0
	}
	o, ms, flags := dt.outPacket(), millis(now), dt.sentFlags()
	nack := dt.format.NACK
	forwarded, bytes, octets := 0, 0, 0
	for _, p := range group[:n] {
		number := dt.seq.follow()
		o.sequence, o.timestamp = uint16(number), dt.clock.stamp(p)
		if nack {
			dt.sent.add(number, p.Sequence, ms, flags)
		}
		payload := p.Payload()
		if size, err := dt.write(p, &o, payload); err == nil {
			forwarded++
			bytes += size
			octets += len(payload)
		}
	}
	dt.waiting, dt.heard = false, group[n-1].Arrival
	dt.count[countReceived] += uint64(n)
	dt.count[countDrops+int(DropWrite)] += uint64(n - forwarded)
	dt.wrote(forwarded, bytes, octets)
	return n
}

// outPacket is what all packets of a run have in common.
func (dt *DownTrack) outPacket() outPacket {
	return outPacket{
		ssrc: dt.cfg.SSRC, payloadType: dt.format.Payload, frames: dt.clock.frames, mid: !dt.confirmed,
		stamped: dt.hasRTX() || !dt.format.NACK,
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
	if reason := dt.choose(p, now); reason != 0 {
		dt.count[countDrops+int(reason)]++
		return
	}
	payload, ok := dt.payload(p)
	if !ok {
		dt.seq.skip(p.Sequence)
		dt.count[countDrops+int(DropFormat)]++
		return
	}
	number, ok := dt.seq.take(p.Sequence)
	if !ok {
		dt.count[countDrops+int(DropStale)]++
		return
	}
	o := dt.outPacket()
	o.sequence, o.timestamp = uint16(number), dt.clock.stamp(p)
	if dt.format.NACK {
		if dt.sent == nil { // negotiated since the run began
			dt.prepareSent(p)
		}
		dt.sent.add(number, p.Sequence, millis(now), dt.sentFlags())
	}
	n, err := dt.write(p, &o, payload)
	if err != nil {
		// The number is spent: the packet may have been encrypted with it, and
		// then another one must not be.
		dt.count[countDrops+int(DropWrite)]++
		return
	}
	dt.wrote(1, n, len(payload))
}

// choose decides whether p is of what the slot shows, and lets the slot start or
// change over with it. It returns the reason if p is to be dropped, otherwise 0,
// which is DropMalformed and never a reason here.
func (dt *DownTrack) choose(p *Packet, now int64) DropReason {
	switch {
	case !dt.down.ready:
		return DropNotReady
	case dt.paused:
		return DropPaused
	}
	if p.Up == dt.up {
		dt.heard = p.Arrival
	}
	if dt.formatID != p.Format.ID || dt.format == nil {
		dt.selectFormat(p.Format)
	}
	if dt.format == nil {
		if dt.running && p.Up == dt.up {
			dt.seq.skip(p.Sequence)
		}
		return DropFormat
	}
	if dt.running && p.Up == dt.up {
		dt.waiting = false // for a layer to take over: this one goes on
		dt.follow(p)
		return 0
	}
	if reason := dt.mayStart(p, now); reason != 0 {
		if reason == DropKeyframeWait {
			dt.passed.note(p)
		}
		return reason
	}
	dt.start(p, now)
	return 0
}

// follow looks at a step in the source's numbers. What the publisher used for
// padding leaves no gap. After a step that is too large for loss the publisher
// has begun anew, its timestamps too.
func (dt *DownTrack) follow(p *Packet) {
	switch {
	case p.Sequence <= dt.seq.highest+1:
	case p.Sequence-dt.seq.highest > seqWindow:
		dt.clock.up = nil
		dt.begin(p)
	default:
		for n := max(dt.seq.highest+1, p.Sequence-blankReach); n < p.Sequence; n++ {
			if p.Up.blank(n) {
				dt.seq.skip(n)
			}
		}
	}
}

// mayStart decides whether p can be the first packet of a run.
func (dt *DownTrack) mayStart(p *Packet, now int64) DropReason {
	if !dt.running && p.Up == dt.up && p.Sequence <= dt.seq.highest {
		return DropStale // of before the interruption
	}
	key := !dt.cfg.Video || dt.keyframe(p, now)
	if !dt.running { // nothing is shown yet, or something else: any layer will do
		if !key {
			return DropKeyframeWait
		}
		return 0
	}
	// Another layer than the one shown. It takes over when that is gone or has
	// fallen silent, or when its picture is larger.
	silent := p.Arrival-dt.heard > int64(layerSilence) || dt.up.closed.Load()
	switch {
	case !silent && (dt.height == 0 || p.Descriptor.Height <= dt.height):
		return DropLayer
	case !key:
		if silent && !dt.waiting {
			dt.waiting, dt.since = true, now
			dt.askKeyframe()
		}
		return DropLayer
	}
	return 0
}

// keyframe reports whether a video stream may start with p. Of payloads that
// cannot be read, encrypted ones for example, the dependency descriptor tells;
// without one the slot waits for a while and then starts with any frame.
func (dt *DownTrack) keyframe(p *Packet, now int64) bool {
	if p.Descriptor.Known {
		return p.Descriptor.Keyframe
	}
	if d, ok := ParseDependency(p.Header.Extension(p.Buf, ExtDependencyDescriptor)); ok {
		return d.Keyframe()
	}
	fresh := dt.skipped != p.Timestamp+1 // +1: 0 stands for none
	dt.skipped = p.Timestamp + 1
	return fresh && now-dt.since >= int64(opaqueWait)
}

// begin starts a run with p.
func (dt *DownTrack) begin(p *Packet) {
	dt.clock.start(p, dt.format.Format.ClockRate)
	dt.seq.start(p.Sequence)
	dt.prepareSent(p)
	dt.up, dt.heard, dt.running, dt.waiting = p.Up, p.Arrival, true, false
	dt.height = p.Descriptor.Height
	dt.passed.started(p)
	dt.count[gaugeCodec] = uint64(dt.format.Format.Codec)
	dt.down.reportSoon = true
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
