// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// outPacket is what differs between a packet and what a subscriber gets of it.
type outPacket struct {
	ssrc        uint32
	timestamp   uint32
	sequence    uint16
	frames      uint16 // added to the frame number of a dependency descriptor
	original    uint16 // sequence number that a retransmission stands for
	payloadType uint8
	repeats     bool // the payload starts with original, https://www.rfc-editor.org/rfc/rfc4588#section-4
	mid         bool // carries the mid
	stamped     bool // carries what is new with each sending: abs-send-time, transport-cc
}

// carriedKinds are the extensions that a subscriber gets as they came, save for
// the frame number of the last one.
const carriedKinds = 1<<ExtAudioLevel | 1<<ExtVideoOrientation | 1<<ExtPlayoutDelay | 1<<ExtAbsCaptureTime | 1<<ExtDependencyDescriptor

// Sizes of what is stamped, in bytes.
const (
	sizeAbsSendTime = 3
	sizeTransportCC = 2
)

// outExtensions are the header extensions of a packet, measured before any room
// for them is asked for.
type outExtensions struct {
	carried uint16 // kinds taken from the packet, one bit each
	mid     bool
	time    bool // abs-send-time
	tcc     bool
	twoByte bool // https://www.rfc-editor.org/rfc/rfc8285#section-4.3 , since some element does not fit the other form
	size    int  // of the block with its header, 0 for none
}

// The reasons for which write sends nothing. Both are a DropWrite.
var (
	errNoWriter = errors.New("session has no writer")
	errNoRoom   = errors.New("writer has no room for the packet")
)

// write puts the packet o together in the place that it is sent from, and sends
// it. It returns its size.
func (dt *DownTrack) write(p *Packet, o *outPacket, payload []byte) (size int, err error) {
	d := dt.down
	if d.writer == nil {
		return 0, errNoWriter
	}
	x := dt.measure(p, o)
	size = rtpFixedHeader + x.size + len(payload)
	if o.repeats {
		size += 2
	}
	b := d.writer.Reserve(size)
	if len(b) < size {
		return 0, errNoRoom
	}
	b = b[:size:size]
	// https://www.rfc-editor.org/rfc/rfc3550#section-5.1 : no padding and no
	// contributing sources, whatever the publisher's packet had.
	b[0], b[1] = 2<<6, o.payloadType
	if p.Header.Marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], o.sequence)
	binary.BigEndian.PutUint32(b[4:], o.timestamp)
	binary.BigEndian.PutUint32(b[8:], o.ssrc)
	at := rtpFixedHeader
	if x.size > 0 {
		b[0] |= 0x10
		dt.putExtensions(b[at:at+x.size], &x, p, o)
		at += x.size
	}
	if o.repeats {
		binary.BigEndian.PutUint16(b[at:], o.original)
		at += 2
	}
	copy(b[at:], payload)
	d.shard.wrote = true
	return size, d.writer.Commit()
}

// measure decides which extensions the packet gets, and in which form.
func (dt *DownTrack) measure(p *Packet, o *outPacket) (x outExtensions) {
	d := dt.down
	ids := &d.extensions.ids
	elements := 0
	add := func(id uint8, size int) {
		// https://www.rfc-editor.org/rfc/rfc8285#section-4.2 : 1 to 16 bytes, id 1 to 14
		if id >= rtpOneByteStop || size == 0 || size > 16 {
			x.twoByte = true
		}
		elements++
		x.size += size
	}
	if o.mid && ids[ExtMid] != 0 && len(dt.mid) > 0 && len(dt.mid) <= 255 {
		x.mid = true
		add(ids[ExtMid], len(dt.mid))
	}
	if o.stamped && ids[ExtAbsSendTime] != 0 {
		x.time = true
		add(ids[ExtAbsSendTime], sizeAbsSendTime)
	}
	if o.stamped && d.useTCC && ids[ExtTransportCC] != 0 {
		x.tcc = true
		add(ids[ExtTransportCC], sizeTransportCC)
	}
	for set := p.Header.present & d.carries; set != 0; set &= set - 1 {
		k := bits.TrailingZeros16(set)
		if size := int(p.Header.ext[k].len); size <= 255 {
			x.carried |= 1 << k
			add(ids[k], size)
		}
	}
	if elements == 0 {
		return x
	}
	if x.twoByte {
		elements *= 2
	}
	x.size = rtpExtensionHdr + (x.size+elements+3)/4*4
	return x
}

// putExtensions writes the block that measure has found to fill b.
func (dt *DownTrack) putExtensions(b []byte, x *outExtensions, p *Packet, o *outPacket) {
	d := dt.down
	ids := &d.extensions.ids
	profile := uint16(rtpOneByteForm)
	if x.twoByte {
		profile = rtpTwoByteForm
	}
	binary.BigEndian.PutUint16(b, profile)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	at := rtpExtensionHdr
	if x.mid {
		at = x.putHead(b, at, ids[ExtMid], len(dt.mid))
		at += copy(b[at:], dt.mid)
	}
	if x.time {
		at = x.putHead(b, at, ids[ExtAbsSendTime], sizeAbsSendTime)
		at += copy(b[at:], d.sendTime[:])
	}
	if x.tcc {
		at = x.putHead(b, at, ids[ExtTransportCC], sizeTransportCC)
		binary.BigEndian.PutUint16(b[at:], d.tccSequence)
		d.tccSequence++
		at += sizeTransportCC
	}
	for set := x.carried; set != 0; set &= set - 1 {
		k := ExtensionKind(bits.TrailingZeros16(set))
		value := p.Header.Extension(p.Buf, k)
		at = x.putHead(b, at, ids[k], len(value))
		if k == ExtDependencyDescriptor && len(value) >= 3 {
			copy(b[at:], value)
			binary.BigEndian.PutUint16(b[at+1:], binary.BigEndian.Uint16(value[1:])+o.frames)
			at += len(value)
			continue
		}
		at += copy(b[at:], value)
	}
	clear(b[at:]) // padding; the room has been used before
}

// putHead writes what stands before an element and returns where its bytes go.
func (x *outExtensions) putHead(b []byte, at int, id uint8, size int) int {
	if x.twoByte {
		b[at], b[at+1] = id, uint8(size)
		return at + 2
	}
	b[at] = id<<4 | uint8(size-1)
	return at + 1
}
