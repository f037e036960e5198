// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// outPacket is what differs between a packet and what a subscriber gets of it.
type outPacket struct {
	ssrc        uint32
	timestamp   uint32
	sequence    uint16
	original    uint16 // sequence number that a retransmission stands for
	payloadType uint8
	marker      bool          // set whatever the packet has
	repeats     bool          // the payload starts with original, https://www.rfc-editor.org/rfc/rfc4588#section-4
	mid         bool          // carries the mid
	stamped     bool          // carries what is new with each sending: abs-send-time, transport-cc
	padding     bool          // the payload is nothing but padding
	stamp       *layers.Stamp // what of the payload and the dependency descriptor is written otherwise; nil: nothing
}

// carriedKinds are the extensions that a subscriber gets as they came, save for
// what a Stamp writes into the last one.
const carriedKinds = 1<<ExtAudioLevel | 1<<ExtVideoOrientation | 1<<ExtPlayoutDelay | 1<<ExtAbsCaptureTime | 1<<ExtDependencyDescriptor

// stamps is the block of extensions of a packet that has only what is new with
// each sending, abs-send-time and the transport-wide sequence number, ready to be
// copied. Almost all packets of video have just that.
type stamps struct {
	block    [rtpExtensionHdr + 12]byte // 12: both elements in the two-byte form, padded
	size     uint8                      // of block, 0: nothing is stamped
	elements uint8                      // bytes of block's elements without their heads
	count    uint8                      // elements
	time     uint8                      // where abs-send-time stands in block, 0: nowhere
	tcc      uint8                      // where the sequence number stands in block, 0: nowhere
	twoByte  bool
	next     uint16 // transport-wide sequence number of the next packet
}

// Sizes of what is stamped, in bytes.
const (
	sizeAbsSendTime = 3
	sizeTransportCC = 2
)

// layout makes the block for the ids of m.
func (s *stamps) layout(m *ExtensionMap, tcc bool) {
	timeID, tccID := m.ids[ExtAbsSendTime], m.ids[ExtTransportCC]
	if !tcc {
		tccID = 0
	}
	sent := s.sendTime()
	*s = stamps{next: s.next, twoByte: timeID >= rtpOneByteStop || tccID >= rtpOneByteStop}
	at := rtpExtensionHdr
	if timeID != 0 {
		at = putHead(s.block[:], at, timeID, sizeAbsSendTime, s.twoByte)
		s.time = uint8(at)
		at += copy(s.block[at:], sent[:])
		s.count, s.elements = s.count+1, s.elements+sizeAbsSendTime
	}
	if tccID != 0 {
		at = putHead(s.block[:], at, tccID, sizeTransportCC, s.twoByte)
		s.tcc = uint8(at)
		at += sizeTransportCC
		s.count, s.elements = s.count+1, s.elements+sizeTransportCC
	}
	if s.count > 0 {
		s.size = uint8((at + 3) / 4 * 4)
		putExtensionHeader(s.block[:s.size], s.twoByte)
	}
}

// setTime changes the abs-send-time, which must be there.
func (s *stamps) setTime(ntp uint64) {
	PutAbsSendTime((*[3]byte)(s.block[s.time:]), ntp)
}

func (s *stamps) sendTime() (sent [sizeAbsSendTime]byte) {
	if s.time != 0 {
		copy(sent[:], s.block[s.time:])
	}
	return sent
}

// put copies the block into b, with the next transport-wide sequence number.
func (s *stamps) put(b []byte) {
	copy(b, s.block[:s.size])
	if s.tcc != 0 {
		binary.BigEndian.PutUint16(b[s.tcc:], s.next)
		s.next++
	}
}

// outExtensions are the header extensions of a packet, measured before any room
// for them is asked for.
type outExtensions struct {
	carried uint16 // kinds taken from the packet, one bit each
	mid     bool
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
	o.stamped = o.stamped && !dt.cfg.NoTransportCC
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
	if p.Header.Marker || o.marker {
		b[1] |= 0x80
	}
	if o.padding {
		b[0] |= 0x20
	}
	binary.BigEndian.PutUint16(b[2:], o.sequence)
	binary.BigEndian.PutUint32(b[4:], o.timestamp)
	binary.BigEndian.PutUint32(b[8:], o.ssrc)
	at := rtpFixedHeader
	if x.size > 0 {
		b[0] |= 0x10
		block := b[at : at+x.size]
		if x.mid || x.carried != 0 {
			dt.putExtensions(block, &x, p, o)
		} else {
			d.stamps.put(block)
		}
		at += x.size
	}
	if o.repeats {
		binary.BigEndian.PutUint16(b[at:], o.original)
		at += 2
	}
	copy(b[at:], payload)
	if o.stamp != nil {
		o.stamp.Payload(&p.Unit, b[at:])
	}
	d.shard.wrote = true
	err = d.writer.Commit()
	if err == nil && d.accounts {
		dt.noteSent(size, o)
	}
	return size, err
}

// measure decides which extensions the packet gets, and in which form.
func (dt *DownTrack) measure(p *Packet, o *outPacket) (x outExtensions) {
	d := dt.down
	x.mid = o.mid && d.extensions.ids[ExtMid] != 0 && len(dt.mid) > 0 && len(dt.mid) <= 255
	x.carried = p.Header.present & d.carries
	if x.mid || x.carried != 0 {
		dt.measureMore(p, o, &x)
	} else if o.stamped {
		x.size = int(d.stamps.size)
	}
	return x
}

// measureMore is for packets with more than stamps.
func (dt *DownTrack) measureMore(p *Packet, o *outPacket, x *outExtensions) {
	d := dt.down
	ids := &d.extensions.ids
	size, count := 0, 0
	if o.stamped {
		size, count, x.twoByte = int(d.stamps.elements), int(d.stamps.count), d.stamps.twoByte
	}
	if x.mid {
		size, count = size+len(dt.mid), count+1
		x.twoByte = x.twoByte || needsTwoByte(ids[ExtMid], len(dt.mid))
	}
	for set := x.carried; set != 0; set &= set - 1 {
		k := bits.TrailingZeros16(set)
		n := o.carriedSize(p, ExtensionKind(k))
		if n > 255 {
			x.carried &^= 1 << k
			continue
		}
		size, count = size+n, count+1
		x.twoByte = x.twoByte || needsTwoByte(ids[k], n)
	}
	if count == 0 {
		return
	}
	if x.twoByte {
		count *= 2
	}
	x.size = rtpExtensionHdr + (size+count+3)/4*4
}

// carriedSize is the length of an extension as it is sent.
func (o *outPacket) carriedSize(p *Packet, k ExtensionKind) int {
	n := int(p.Header.ext[k].len)
	if o.stamp != nil && k == ExtDependencyDescriptor {
		n = o.stamp.DescriptorSize(&p.Unit, n)
	}
	return n
}

// needsTwoByte: https://www.rfc-editor.org/rfc/rfc8285#section-4.2 has ids 1 to 14
// and 1 to 16 bytes.
func needsTwoByte(id uint8, size int) bool { return id >= rtpOneByteStop || size == 0 || size > 16 }

// putExtensions writes the block that measureMore has found to fill b.
func (dt *DownTrack) putExtensions(b []byte, x *outExtensions, p *Packet, o *outPacket) {
	d := dt.down
	ids := &d.extensions.ids
	putExtensionHeader(b, x.twoByte)
	at := rtpExtensionHdr
	if x.mid {
		at = putHead(b, at, ids[ExtMid], len(dt.mid), x.twoByte)
		at += copy(b[at:], dt.mid)
	}
	if s := &d.stamps; o.stamped && s.time != 0 {
		at = putHead(b, at, ids[ExtAbsSendTime], sizeAbsSendTime, x.twoByte)
		at += copy(b[at:], s.block[s.time:s.time+sizeAbsSendTime])
	}
	if s := &d.stamps; o.stamped && s.tcc != 0 {
		at = putHead(b, at, ids[ExtTransportCC], sizeTransportCC, x.twoByte)
		binary.BigEndian.PutUint16(b[at:], s.next)
		s.next++
		at += sizeTransportCC
	}
	for set := x.carried; set != 0; set &= set - 1 {
		k := ExtensionKind(bits.TrailingZeros16(set))
		value := p.Header.Extension(p.Buf, k)
		size := o.carriedSize(p, k)
		at = putHead(b, at, ids[k], size, x.twoByte)
		if o.stamp != nil && k == ExtDependencyDescriptor {
			o.stamp.Descriptor(&p.Unit, b[at:at+size], value)
		} else {
			copy(b[at:], value)
		}
		at += size
	}
	clear(b[at:]) // padding; the room has been used before
}

// putExtensionHeader begins the block that fills b.
func putExtensionHeader(b []byte, twoByte bool) {
	profile := uint16(rtpOneByteForm)
	if twoByte {
		profile = rtpTwoByteForm
	}
	binary.BigEndian.PutUint16(b, profile)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
}

// putHead writes what stands before an element and returns where its bytes go.
func putHead(b []byte, at int, id uint8, size int, twoByte bool) int {
	if twoByte {
		b[at], b[at+1] = id, uint8(size)
		return at + 2
	}
	b[at] = id<<4 | uint8(size-1)
	return at + 1
}
