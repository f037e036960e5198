// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtp"
)

// outputClock maps a source's timestamps, and the frame numbers of its
// dependency descriptors, to those of an output that goes on over several
// sources. It is pure arithmetic; additions and subtractions wrap on purpose.
type outputClock struct {
	up     *UpTrack // whose timestamps offset is for
	offset uint64   // output minus source timestamp
	frames uint16   // output minus source frame number
	rate   uint32   // Hz

	last    uint64 // output timestamp, the highest that was given
	arrival int64  // of that packet
	frame   uint16 // output frame number of that packet
	framed  bool   // frame is set
	started bool
}

// start begins a run with p. A source that was only interrupted keeps its
// offsets; the timestamps of another one go on from the last by the time that
// passed between the packets' arrivals, and by one tick at least.
func (c *outputClock) start(p *Packet, rate uint32) {
	same := c.up == p.Up && c.started && int64(p.Timestamp+c.offset-c.last) > 0
	c.up, c.rate = p.Up, rate
	if same {
		return
	}
	next := c.last
	if c.started {
		passed := max(p.Arrival-c.arrival, 0)
		next += uint64(max(signedTicks(passed, rate), 1))
	}
	c.offset = next - p.Timestamp
	c.last, c.arrival, c.started = next, p.Arrival, true
	if n, ok := frameNumber(p); ok && c.framed {
		c.frames = c.frame + 1 - n
	} else {
		c.frames = 0
	}
}

// stamp is the output timestamp of p.
func (c *outputClock) stamp(p *Packet) uint32 {
	t := p.Timestamp + c.offset
	if int64(t-c.last) >= 0 {
		c.last, c.arrival = t, p.Arrival
		if n, ok := frameNumber(p); ok {
			c.frame, c.framed = n+c.frames, true
		}
	}
	return uint32(t)
}

// frameNumber reads the frame number out of a dependency descriptor: it stands
// in the second and third of the mandatory bytes.
func frameNumber(p *Packet) (n uint16, ok bool) {
	b := p.Header.Extension(p.Buf, ExtDependencyDescriptor)
	if len(b) < 3 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b[1:]), true
}

// outPacket is what differs between a packet and what a subscriber gets of it.
type outPacket struct {
	ssrc        uint32
	payloadType uint8
	sequence    uint16
	timestamp   uint32
	frames      uint16 // added to the frame number of a dependency descriptor
	mid         bool   // carries the mid
	stamped     bool   // carries what is new with each sending: abs-send-time, transport-cc
}

// extensionScratch is where a shard puts together the extensions of the packet
// being written.
type extensionScratch struct {
	list [16]struct {
		id    uint8
		bytes []byte
	}
	n       int
	twoByte bool

	tcc        [2]byte
	dependency [255]byte
}

// carried are the extensions that a subscriber gets as they came.
var carried = [...]ExtensionKind{ExtAudioLevel, ExtVideoOrientation, ExtPlayoutDelay, ExtAbsCaptureTime}

func (x *extensionScratch) add(id uint8, b []byte) {
	if id == 0 || len(b) > 255 {
		return
	}
	// https://www.rfc-editor.org/rfc/rfc8285#section-4.2 : 1 to 16 bytes, id 1 to 14
	if id >= rtpOneByteStop || len(b) == 0 || len(b) > 16 {
		x.twoByte = true
	}
	x.list[x.n].id, x.list[x.n].bytes = id, b
	x.n++
}

// errNoWriter is a slot that was made before its transport. It is a DropWrite.
var errNoWriter = errors.New("slot has no writer")

// write builds the header of o in the shard's scratch and hands it to the
// writer. It returns the size of the packet.
func (dt *DownTrack) write(p *Packet, o *outPacket, payload []byte) (size int, err error) {
	if dt.cfg.Writer == nil {
		return 0, errNoWriter
	}
	s := dt.down.shard
	h := &s.header
	h.Version, h.Marker = 2, p.Header.Marker
	h.PayloadType, h.SequenceNumber, h.Timestamp, h.SSRC = o.payloadType, o.sequence, o.timestamp, o.ssrc
	dt.extend(p, o, &s.ext)
	size = rtpFixedHeader + s.ext.set(h) + len(payload)
	_, err = dt.cfg.Writer.WriteRTP(h, payload)
	return size, err
}

// extend collects the extensions of a packet under the subscriber's ids.
func (dt *DownTrack) extend(p *Packet, o *outPacket, x *extensionScratch) {
	d := dt.down
	ids := &d.extensions.ids
	x.n, x.twoByte = 0, false
	if o.mid && len(dt.mid) > 0 {
		x.add(ids[ExtMid], dt.mid)
	}
	if o.stamped {
		x.add(ids[ExtAbsSendTime], d.sendTime[:])
		if d.useTCC && ids[ExtTransportCC] != 0 {
			d.nextTCC(&x.tcc)
			x.add(ids[ExtTransportCC], x.tcc[:])
		}
	}
	for _, k := range carried {
		if id := ids[k]; id != 0 {
			if b := p.Header.Extension(p.Buf, k); b != nil {
				x.add(id, b)
			}
		}
	}
	if id := ids[ExtDependencyDescriptor]; id != 0 {
		if b := p.Header.Extension(p.Buf, ExtDependencyDescriptor); b != nil {
			n := copy(x.dependency[:], b)
			if n >= 3 {
				binary.BigEndian.PutUint16(x.dependency[1:], binary.BigEndian.Uint16(b[1:])+o.frames)
			}
			x.add(id, x.dependency[:n])
		}
	}
}

// set puts the extensions into h and returns the bytes they take there.
func (x *extensionScratch) set(h *rtp.Header) (size int) {
	h.Extensions = h.Extensions[:0]
	h.Extension = x.n > 0
	if !h.Extension {
		return 0
	}
	each := 1
	h.ExtensionProfile = rtp.ExtensionProfileOneByte
	if x.twoByte {
		h.ExtensionProfile, each = rtp.ExtensionProfileTwoByte, 2
	}
	for i := range x.n {
		e := &x.list[i]
		// It fails only for what add has sorted out.
		_ = h.SetExtension(e.id, e.bytes)
		size += each + len(e.bytes)
	}
	return rtpExtensionHdr + (size+3)/4*4
}
