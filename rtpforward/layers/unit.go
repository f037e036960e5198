// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// Codec is how layers are written in the payload.
type Codec uint8

// The payload formats whose layers are understood. Other is any format that is
// forwarded whole; AV1 is too, save with a dependency descriptor.
const (
	Other Codec = iota
	VP8
	VP9
	H264
	AV1
)

// Layer is a spatial and a temporal layer, counted from 0. In simulcast the
// spatial layer is the index of the stream. A negative Spatial is no layer.
type Layer struct{ Spatial, Temporal int8 }

// None is no layer: nothing is forwarded.
var None = Layer{-1, -1}

// below orders layers by spatial, then temporal.
func (l Layer) below(o Layer) bool {
	return l.Spatial < o.Spatial || l.Spatial == o.Spatial && l.Temporal < o.Temporal
}

// Unit is what one packet is in the order of layers. It is a plain value; what
// Structure points to is immutable.
//
// A frame is one layer of a picture, a picture is what has one timestamp.
type Unit struct {
	// Known is set if the layer fields are to be trusted. Otherwise the packet is
	// one of a stream that is forwarded whole, and only Key and PictureEnd count.
	Known bool
	// Key is set on the first packet of a random access point. A caller that has
	// waited long enough for one of a stream that cannot be read may set it too.
	Key                      bool
	FrameStart, FrameEnd     bool
	PictureStart, PictureEnd bool // PictureEnd is the RTP marker
	Discardable              bool // nothing refers to the frame (H264: nal_ref_idc 0; descriptor: D or - for every target)

	Spatial, Temporal uint8
	Layered           bool // the payload descriptor has a field for them
	// Sync allows going up. VP8: to this frame's temporal layer, from the one
	// below, with it. VP9: to every temporal layer, with the picture after it, if
	// this one is decoded. With a Structure, Targets tells.
	Sync bool

	Number     uint16 // frame number of the dependency descriptor
	Structure  *Structure
	Targets    Indications
	References References
	Active     uint32 // decode targets that the publisher sends
	Attached   bool   // the packet brings the structure
	Masked     bool   // the packet brings Active

	PictureID    uint16 // of VP8 or VP9, 7 or 15 bits
	PictureBits  uint8  // 0: none
	TL0PicIdx    uint8
	HasTL0PicIdx bool
	KeyIdx       uint8 // of VP8, 5 bits
	HasKeyIdx    bool

	Width, Height uint16 // pixels, of the largest layer; 0 where this packet does not tell

	codec                   Codec
	pictureAt, tl0At, keyAt uint8 // in the payload, of the fields above
	maskAt, end             uint16
	temporalOwn             bool // H264: Temporal is told by this packet
	noStart                 bool // VP8: a keyframe without its start code
}

// Reader describes the packets of one RTP stream in the order in which they are
// received. The zero value, with Codec set, is ready. It belongs to who receives
// the stream and is not safe for concurrent use.
type Reader struct {
	Codec Codec
	// Opaque says that payloads are encrypted from end to end, descriptor and all:
	// they are not read, and only a dependency descriptor tells of layers.
	Opaque bool

	current, previous *Structure // structures, the newest and the one before
	spare             *Structure // not handed out
	active            uint32
	newest            uint16 // frame number with which active came
	timestamp         uint32 // H264: of the access unit whose temporal layer is known
	temporal          uint8
	signalled         bool
}

// Read describes a packet: its payload without padding, the dependency
// descriptor of its header or nil, its RTP timestamp and marker. It keeps
// neither slice and allocates only when a descriptor brings another structure
// than the one before, with a keyframe that is.
func (r *Reader) Read(payload, descriptor []byte, timestamp uint32, marker bool) Unit {
	u := Unit{PictureEnd: marker, FrameEnd: marker, codec: r.Codec}
	if r.Opaque {
		u.codec = Other
	}
	switch {
	case len(payload) == 0:
	case u.codec == VP8:
		u.Known = readVP8(payload, &u)
	case u.codec == VP9:
		u.Known = readVP9(payload, &u)
	case u.codec == H264:
		if u.Known = readH264(payload, &u); u.Known {
			r.carry(&u, timestamp)
		}
	case u.codec == AV1:
		u.Key = payload[0]&0x88 == 0x08 && len(payload) > 1 // N, and not Z
	}
	if !u.Known {
		// Ciphertext, if what ought to be a keyframe has no start code. It may look
		// like a payload descriptor again, and must not be written into then.
		r.Opaque = r.Opaque || u.codec == VP8 && u.noStart
		u = Unit{Key: u.Key && u.codec == AV1, PictureEnd: marker, FrameEnd: marker, codec: u.codec}
		u.codec = Other
	}
	if len(descriptor) > 0 {
		r.depend(descriptor, &u)
	}
	return u
}

// carry gives the packets of an access unit the temporal layer that a prefix NAL
// unit in front of it told.
func (r *Reader) carry(u *Unit, timestamp uint32) {
	switch {
	case u.temporalOwn:
		r.signalled, r.timestamp, r.temporal = true, timestamp, u.Temporal
	case r.signalled && timestamp == r.timestamp:
		u.Temporal = r.temporal
	}
}

// depend reads a dependency descriptor; what it says of layers takes the place
// of what the payload says. One that cannot be read leaves u as it is.
func (r *Reader) depend(b []byte, u *Unit) {
	if r.spare == nil {
		r.spare = new(Structure)
	}
	var d Dependency
	err := ReadDependency(b, r.current, r.spare, &d)
	if err != nil && r.previous != nil && (len(b) < 4 || b[3]&0x80 == 0) {
		err = ReadDependency(b, r.previous, r.spare, &d) // late, of before the last structure
	}
	if err != nil {
		return
	}
	switch {
	case !d.Attached:
	case r.current != nil && *r.current == *r.spare:
		d.Structure = r.current
	case r.previous != nil && *r.previous == *r.spare && int16(d.Number-r.newest) < 0:
		d.Structure = r.previous
	default:
		r.previous, r.current, r.spare = r.current, r.spare, nil
	}
	if (d.Attached || d.Masked) && d.Structure == r.current {
		r.active, r.newest = d.Active, d.Number
	}
	u.Known = true
	u.Structure, u.Targets, u.References = d.Structure, d.Targets, d.References
	u.Active, u.Attached, u.Masked = r.active, d.Attached, d.Masked
	if d.Structure != r.current {
		u.Active = d.Structure.All()
	}
	u.FrameStart, u.FrameEnd = d.FrameStart, d.FrameEnd
	u.Spatial, u.Temporal, u.Number = d.Spatial, d.Temporal, d.Number
	u.Key = d.Attached && d.FrameStart && d.References.Count == 0
	u.PictureStart = d.FrameStart && d.Spatial == 0
	u.Discardable = d.discardable()
	u.maskAt, u.end = d.maskAt, d.end
	if s := d.Structure; d.Attached && s.Sized {
		top := s.Sizes[s.Spatial-1]
		u.Width, u.Height = uint16(min(top.Width, 65535)), uint16(min(top.Height, 65535))
	}
}

// discardable reports whether no decode target needs the frame any further.
func (d *Dependency) discardable() bool {
	const low = 0x5555555555555555
	return d.Targets>>1&low == 0 // neither Switch nor Required: they have the upper bit
}
