// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// UpTrack is one layer of a Track: one RTP stream from the publisher. Calls of
// Ingest and IngestRetransmission never overlap; whoever makes one is its reader
// at that moment, and sees all that the readers before have done. Close is called
// when there will be no more.
type UpTrack struct {
	// immutable after NewUpTrack
	f       *Forwarder
	uplink  *Uplink
	track   *Track
	cfg     UpTrackConfig
	formats [128]Format // by payload type, the zero Format where there is none

	// owned by the reader
	slab     slab
	order    numbering
	reader   layers.Reader
	watch    uint64 // newest sequence number that still wakes Uplink.run
	keyStamp uint64 // timestamp of the last keyframe
	payload  uint8  // payload type of the last accepted packet

	// atomic: written by the reader, read by anyone
	size      atomic.Uint32                    // of the largest pictures, width<<16 | height; 0 unknown. Also written by readers of other layers
	read      atomic.Bool                      // pictures of the layer itself have told their size
	keyFirst  atomic.Uint64                    // sequence number that the newest keyframe starts with, 0 none
	structure atomic.Pointer[layers.Structure] // of the newest packet that brought one

	counts *layerCounts // nil but for video; the pointer is immutable
	meter  meter        // owned by Uplink.run

	hist      history // written by the reader, read by anyone
	ingested          // written by the reader, read by anyone
	reception reception
	level     level
	bytes     rate
	frames    rate

	missing   missing   // Uplink.run's
	keyframes keyframes // Uplink.run's, with marks from others
}

// ingested counts what became of the received packets.
type ingested struct {
	// atomic: written by the reader, read by anyone
	accepted, acceptedBytes atomic.Uint64
	drops                   [DropPadding + 1]atomic.Uint64
	keys                    atomic.Uint64 // keyframes
	handed, refused         atomic.Uint64 // packets that shards took and did not take
	arrived                 atomic.Int64  // last accepted packet, 0 for none
	codec                   atomic.Uint32 // of that

	bye    atomic.Int64 // atomic: written by Uplink.HandleRTCP, read by Uplink.run; when the publisher ended the stream, 0 for not
	closed atomic.Bool  // atomic: written by Close, read by the reader
}

// Ingest takes one RTP packet, decrypted. What is kept of it is copied: the
// caller may use the bytes again. It never blocks. Packets that bring nothing
// new are dropped and counted.
func (u *UpTrack) Ingest(packet []byte) {
	if u.closed.Load() {
		return
	}
	now := u.f.now()
	var h Header
	if ParseHeader(packet, &u.cfg.Extensions, &h) != nil {
		u.drops[DropMalformed].Add(1)
		return
	}
	u.observeTransport(packet, &h, now)
	u.take(packet, nil, &h, now)
}

// IngestRetransmission takes one packet of the layer's retransmission stream
// (https://www.rfc-editor.org/rfc/rfc4588#section-4 ), decrypted, and treats the
// packet in it as Ingest does. One of padding only, by which publishers probe
// their bandwidth, counts for transport-wide feedback and for nothing else.
func (u *UpTrack) IngestRetransmission(packet []byte) {
	if u.closed.Load() {
		return
	}
	now := u.f.now()
	var h Header
	if ParseHeader(packet, &u.cfg.Extensions, &h) != nil {
		u.drops[DropMalformed].Add(1)
		return
	}
	u.observeTransport(packet, &h, now)
	payload := packet[h.PayloadOffset:h.PayloadEnd]
	if len(payload) < 2 {
		return
	}
	original, ok := u.originalPayload(h.PayloadType)
	if !ok {
		u.drops[DropPayloadType].Add(1)
		return
	}
	head := packet[:h.PayloadOffset]
	h.PayloadType, h.Sequence, h.SSRC = original, binary.BigEndian.Uint16(payload), u.cfg.SSRC
	h.PayloadEnd -= 2
	u.take(head, payload[2:], &h, now)
}

// originalPayload is the payload type of what is repeated under payload. Where
// nobody has said, it is that of the stream at this moment.
func (u *UpTrack) originalPayload(payload uint8) (original uint8, ok bool) {
	if len(u.cfg.Retransmissions) == 0 {
		return u.payload, u.arrived.Load() != 0
	}
	original, ok = u.cfg.Retransmissions[payload]
	return original, ok
}

// take gives a packet its place and passes it on. Its bytes are those of head
// and rest, one behind the other, save for what h says otherwise.
func (u *UpTrack) take(head, rest []byte, h *Header, now int64) {
	sequence, where := u.admit(h, now)
	if where == standOutside {
		return
	}
	p := u.slab.packet()
	p.Up, p.Sequence, p.Arrival = u, sequence, now
	p.Timestamp = u.order.extend(h.Timestamp, where)
	forward := u.fill(p, head, rest, h)
	u.store(p, where)
	if forward {
		u.account(p, where)
		u.handOver(p)
	}
}

// observeTransport notes the arrival for the publisher's bandwidth estimate,
// which is about packets on the wire: duplicates and padding count.
func (u *UpTrack) observeTransport(buf []byte, h *Header, now int64) {
	if !u.cfg.TransportCC {
		return
	}
	if sequence, ok := TransportSequence(h.Extension(buf, ExtTransportCC)); ok {
		u.uplink.observe(sequence, now)
	}
}

// admit gives the packet its place in the sequence, or drops it with
// standOutside. A number that was used with another timestamp is no duplicate
// but a publisher that started again.
func (u *UpTrack) admit(h *Header, now int64) (sequence uint64, where standing) {
	quiet := now-u.arrived.Load() > int64(u.f.cfg.HistoryAge)
	sequence, where = u.order.take(h.Sequence, quiet)
	if where == standBehind {
		switch have := u.hist.at(sequence); {
		case have == nil:
			u.order.late(sequence)
		case uint32(have.Timestamp) == h.Timestamp:
			u.drops[DropDuplicate].Add(1)
			return 0, standOutside
		default:
			sequence, where = u.order.outside(h.Sequence, quiet)
		}
	}
	if where == standOutside {
		u.drops[DropTooOld].Add(1)
	}
	return sequence, where
}

// fill completes a packet that is to be forwarded. One that has nothing to
// forward is counted; it stays without bytes and only marks its sequence number
// as received.
func (u *UpTrack) fill(p *Packet, head, rest []byte, h *Header) (forward bool) {
	format := u.formats[h.PayloadType]
	switch {
	case h.PayloadEnd == h.PayloadOffset:
		u.drops[DropPadding].Add(1)
		return false
	case format == Format{}:
		u.drops[DropPayloadType].Add(1)
		return false
	}
	p.Header, p.Format = *h, format
	if rest == nil {
		p.Buf = u.slab.keep(head)
	} else {
		p.Buf = u.slab.original(head, rest, h)
	}
	u.describe(p)
	return true
}

// describe reads what the payload and the dependency descriptor tell of layers.
func (u *UpTrack) describe(p *Packet) {
	codec, payload := p.Format.Codec, p.Payload()
	if codec == CodecOpus || codec == CodecRED {
		p.Descriptor = codec.Describe(payload, p.Header.Marker)
		return
	}
	u.reader.Codec = unitCodec(codec)
	p.Unit = u.reader.Read(payload, p.Header.Extension(p.Buf, ExtDependencyDescriptor), p.Header.Timestamp, p.Header.Marker)
	if codec == CodecVP8 || codec == CodecVP9 || codec == CodecH264 {
		p.Descriptor = codec.describeUnit(payload, &p.Unit)
		return
	}
	p.Descriptor = codec.Describe(payload, p.Header.Marker)
	if p.Unit.Structure == nil && (codec == CodecH265 || codec == CodecAV1) {
		p.Unit.Key = p.Descriptor.Keyframe
	}
}

// unitCodec is how layers are written in payloads of a codec.
func unitCodec(c Codec) layers.Codec {
	switch c {
	case CodecVP8:
		return layers.VP8
	case CodecVP9:
		return layers.VP9
	case CodecH264:
		return layers.H264
	case CodecAV1:
		return layers.AV1
	default:
		return layers.Other
	}
}

// readable reports whether it can be told which packets start a keyframe.
func (p *Packet) readable() bool {
	if p.Unit.Known || p.Header.present&(1<<ExtDependencyDescriptor) != 0 {
		return true
	}
	return p.Descriptor.Known && (p.Format.Codec == CodecH265 || p.Format.Codec == CodecAV1)
}

// store puts the packet into the history, where Uplink.run finds what is
// missing, and wakes it for a new gap, and with the next packets, which make it
// less and less likely that the missing one is only late.
func (u *UpTrack) store(p *Packet, where standing) {
	before := u.hist.highest.Load()
	u.hist.first.Store(u.order.first) // before the packet, so that nobody looks for what never was
	u.hist.put(p)
	u.reception.expected.Store(u.order.expected)
	u.reception.received.Add(1)
	if !u.cfg.NACK || where == standBehind {
		return
	}
	if missing := max(before+1, u.order.first); before != 0 && missing < p.Sequence {
		u.watch = p.Sequence + nackPackets - 1 // this one overtakes the last that is missing for the third time
	} else if p.Sequence > u.watch {
		return
	}
	u.uplink.wakeRun()
}

// account updates what statistics and Uplink.run see of an accepted packet.
func (u *UpTrack) account(p *Packet, where standing) {
	now, codec := p.Arrival, p.Format.Codec
	u.accepted.Add(1)
	u.acceptedBytes.Add(uint64(len(p.Buf)))
	u.bytes.add(now, uint64(len(p.Buf)))
	u.codec.Store(uint32(codec))
	u.payload = p.Header.PayloadType
	u.arrived.Store(max(now, 1))
	if where != standBehind {
		u.reception.observe(p.Timestamp, now, p.Format.ClockRate)
	}
	if u.track.cfg.Video && p.Header.Marker {
		u.frames.add(now, 1)
	}
	if u.counts != nil {
		u.accountVideo(p, now)
	}
	if codec.Video() {
		// has no sound
	} else if loudness, voice, ok := AudioLevel(p.Header.Extension(p.Buf, ExtAudioLevel)); ok && where != standBehind {
		u.level.observe(loudness, voice, now)
	}
	if !u.track.live.Load() {
		u.uplink.wakeRun()
	}
}

// accountVideo is the part of account that is about pictures.
func (u *UpTrack) accountVideo(p *Packet, now int64) {
	if u.counts.count(p) {
		u.track.rerank(true)
	}
	d := &p.Unit
	if d.Key || p.Descriptor.Keyframe && d.Structure == nil {
		if p.Timestamp != u.keyStamp { // H264 marks several packets of one
			u.keyStamp = p.Timestamp
			u.keyframes.came.Store(max(now, 1))
			u.keyFirst.Store(p.Sequence)
			u.keys.Add(1)
		}
	}
	if d.Attached {
		if before := u.structure.Swap(d.Structure); before == nil || before.Spatial != d.Structure.Spatial {
			u.track.rerank(true) // slots have to know before the first picture
		}
	}
	width, height := d.Width, d.Height
	if width == 0 {
		width, height = p.Descriptor.Width, p.Descriptor.Height
	}
	if width != 0 && height != 0 {
		u.read.Store(true)
		u.sized(width, height)
	}
	u.allocated(p)
}

// handOver gives the packet to every shard that has a sink for the track. A
// full shard loses it: waiting for one would stop the others.
func (u *UpTrack) handOver(p *Packet) {
	for set := u.track.interest.Load(); set != 0; set &= set - 1 {
		shard := bits.TrailingZeros64(set)
		if shard < len(u.f.shards) && u.f.shards[shard].push(p) {
			u.handed.Add(1)
		} else {
			u.refused.Add(1)
		}
	}
}

// packetAt returns the packet with this sequence number for a retransmission,
// nil when it is gone, too old or never came. Any goroutine; takes no lock.
func (u *UpTrack) packetAt(sequence uint16) *Packet {
	p := u.hist.near(sequence)
	if p == nil || p.Buf == nil || u.f.now()-p.Arrival > int64(u.f.cfg.HistoryAge) {
		return nil
	}
	return p
}

// blank tells if this extended sequence number was used by a packet that is not
// forwarded (padding, an unknown payload type), so that a sink can close the
// gap it leaves. Any goroutine; takes no lock.
func (u *UpTrack) blank(sequence uint64) bool {
	p := u.hist.at(sequence)
	return p != nil && p.Buf == nil
}

// wallclock maps an extended RTP timestamp to the node's NTP time, so that all
// layers of a publisher keep the relation that its sender reports give them.
// ok is false before the first sender report. Any goroutine; takes no lock.
func (u *UpTrack) wallclock(timestamp uint64) (ntp uint64, ok bool) {
	theirs, ok := u.reception.wallclock(timestamp)
	return theirs + uint64(u.uplink.shift.Load()), ok
}

// lastArrival is when media came last, 0 for never or since a BYE.
func (u *UpTrack) lastArrival() int64 {
	at := u.arrived.Load()
	if bye := u.bye.Load(); bye != 0 && bye >= at {
		return 0
	}
	return at
}

// wish asks for a keyframe of this layer.
func (u *UpTrack) wish(now int64) {
	if u.keyframes.wish(now) {
		u.uplink.wakeRun()
	}
}

// Close takes the layer out of its Track; its counters stay in the Track's.
// The reader has stopped, or its packets are ignored from now on.
func (u *UpTrack) Close() {
	if u.closed.Swap(true) {
		return
	}
	u.track.remove(u)
}
